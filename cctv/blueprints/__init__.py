"""The pages: shape of the request in, a block or a redirect out. No rule and no SQL."""

from __future__ import annotations

from flask import Flask

from cctv.blueprints.api import health


def register(app: Flask) -> None:
    """Register every face that speaks HTTP."""
    app.register_blueprint(health.blueprint)
