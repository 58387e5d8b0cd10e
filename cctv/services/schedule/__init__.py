"""Weekly plans of when cameras record."""
