"""Registers the pages of one's own account.

What each shows and changes is in its own module.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import account, account_security, recovery, sudo


def register_account(app: Flask) -> None:
    """Register the pages of one's own account."""
    app.register_blueprint(account.blueprint)
    app.register_blueprint(account_security.blueprint)
    app.register_blueprint(sudo.blueprint)
    app.register_blueprint(recovery.blueprint)
