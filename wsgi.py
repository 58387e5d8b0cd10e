"""The door of the web server: `gunicorn -c gunicorn.conf.py wsgi:app`, and of `flask`."""

from __future__ import annotations

from cctv import create_app

app = create_app()
