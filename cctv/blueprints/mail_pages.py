"""Binds the pages of mail and the frame of the settings to the application.

No page lives here.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import (
    cloud_settings,
    evidence_settings,
    mail,
    mail_settings,
    mail_writing,
    retention_settings,
    settings,
    storage_settings,
)


def register_mail_pages(app: Flask) -> None:
    """Register what belongs to mail, and the settings that it is a page of."""
    settings.register_settings(app)
    app.register_blueprint(storage_settings.blueprint)
    app.register_blueprint(retention_settings.blueprint)
    app.register_blueprint(cloud_settings.blueprint)
    app.register_blueprint(evidence_settings.blueprint)
    app.register_blueprint(mail_settings.blueprint)
    app.register_blueprint(mail_writing.blueprint)
    app.register_blueprint(mail.blueprint)
