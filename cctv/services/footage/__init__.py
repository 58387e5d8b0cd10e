"""Stored footage: the index of files, what is missing and why, and the ways to see it again."""
