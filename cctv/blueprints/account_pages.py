"""Registers the pages of one's own account.

What each shows and changes is in its own module.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import recovery, sudo


def register_account(app: Flask) -> None:
    """Register the pages of one's own account."""
    app.register_blueprint(sudo.blueprint)
    app.register_blueprint(recovery.blueprint)
