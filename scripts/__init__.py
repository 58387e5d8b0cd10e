"""The commands of the project and what they are made of. Nothing in `cctv` imports from here."""
