"""Footage that people take home."""
