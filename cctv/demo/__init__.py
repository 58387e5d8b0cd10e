"""The built-in demo camera and the tests' cameras: an RTSP server that plays loops and breaks on command.
It must never encode while it serves, and the product knows it only as the address of a camera."""
