"""The JSON API under /v0/api/: a thin face over the same services. No rule and no SQL."""
