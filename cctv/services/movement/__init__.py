"""When something moved in front of a camera."""
