"""The pages about cameras as one group: overview, wall, list, camera, add, edit, diagnose and check.

Binds them to the application together with the words and macros that they share; no view lives here.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import (
    camera_actions,
    camera_activity,
    camera_setup,
    cameras,
    diagnose,
    overview,
    probes,
    schedules,
    wall,
)
from cctv.blueprints._live import register_live
from cctv.blueprints._words import register_words


def register_camera_pages(app: Flask) -> None:
    """Make the pages, spellings and macros known; after `register_frame`, whose macros they use."""
    register_words(app)
    register_live(app)
    pages = (
        overview,
        wall,
        cameras,
        camera_actions,
        camera_activity,
        camera_setup,
        schedules,
        diagnose,
        probes,
    )
    for page in pages:
        app.register_blueprint(page.blueprint)
