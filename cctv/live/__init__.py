"""The present of a stream, shared by all its viewers in one process. Never a database."""
