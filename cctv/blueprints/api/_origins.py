"""Which web page of another origin may use the API from a browser: that of FRONTEND_URL and no other.

Without cookies: a page brings a token of its own.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask
from flask_cors import CORS

from cctv import config

_EXPOSED = [
    "ETag",
    "Idempotent-Replayed",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Taken-Ms",
]


def register_origins(app: Flask) -> None:
    """Answer preflights and name the origin; without FRONTEND_URL there is none."""
    with app.app_context():
        parts = urlsplit(config.current().frontend_url)
    if not parts.scheme or not parts.netloc:
        return
    CORS(
        app,
        resources={r"/v0/api/.*": {"origins": [f"{parts.scheme}://{parts.netloc}"]}},
        methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match"],
        expose_headers=_EXPOSED,
        supports_credentials=False,
        allow_private_network=False,
        max_age=600,
        vary_header=True,
    )
