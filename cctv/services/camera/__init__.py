"""Cameras and their streams: which exist, how they are checked, who captures them and how they fare."""
