"""The pages: shape of the request in, a block or a redirect out. No rule and no SQL."""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import (
    admin,
    audit,
    developer,
    honeypot,
    playback,
    recording_actions,
    recording_holds,
    recordings,
    search,
    setup,
    shell,
    stills,
    system_health,
)
from cctv.blueprints._origin import register_origin
from cctv.blueprints._shut_out import register_shut_out
from cctv.blueprints.account_pages import register_account
from cctv.blueprints.api import register_api
from cctv.blueprints.auth import register_auth
from cctv.blueprints.camera_pages import register_camera_pages
from cctv.blueprints.errors import register_errors
from cctv.blueprints.export_pages import register_export_pages
from cctv.blueprints.frame import register_frame
from cctv.blueprints.headers import register_headers
from cctv.blueprints.hosts import register_hosts
from cctv.blueprints.mail_pages import register_mail_pages
from cctv.blueprints.media import register_media
from cctv.blueprints.people_pages import register_people
from cctv.blueprints.proxies import register_proxies
from cctv.blueprints.queue_dashboard import register_queue_dashboard
from cctv.blueprints.shapes import register_shapes


def register(app: Flask) -> None:
    """Register every face that speaks HTTP."""
    register_proxies(app)
    register_shapes(app)
    register_shut_out(app)
    register_hosts(app)
    register_headers(app)
    register_errors(app)
    register_origin(app)
    register_api(app)
    register_frame(app)
    register_auth(app)
    register_media(app)
    register_account(app)
    app.register_blueprint(shell.blueprint)
    app.register_blueprint(setup.blueprint)
    app.register_blueprint(search.blueprint)
    app.register_blueprint(developer.blueprint)
    app.register_blueprint(playback.blueprint)
    app.register_blueprint(recordings.blueprint)
    app.register_blueprint(recording_actions.blueprint)
    app.register_blueprint(recording_holds.blueprint)
    app.register_blueprint(stills.blueprint)
    app.register_blueprint(system_health.blueprint)
    app.register_blueprint(audit.blueprint)
    app.register_blueprint(admin.blueprint)
    app.register_blueprint(honeypot.blueprint)
    register_queue_dashboard(app)
    register_camera_pages(app)
    register_export_pages(app)
    register_people(app)
    register_mail_pages(app)
