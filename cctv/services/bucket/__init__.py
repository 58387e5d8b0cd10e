"""Copies in the bucket."""
