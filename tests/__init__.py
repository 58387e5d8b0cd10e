"""The tests, one folder a room. Everything here is real: processes, databases, cameras, browser."""
