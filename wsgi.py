"""The door for web servers: `wsgi:app`."""

from cctv import create_app

app = create_app()
