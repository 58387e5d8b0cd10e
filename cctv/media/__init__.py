"""Bytes and text of video: boxes, playlists, command lines. Pure; never a database, never Flask."""
