"""The pages about exports as one group: list, form, what is pressed, and the files themselves.

Binds them to the application; no view lives here.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import export_actions, export_bytes, exports


def register_export_pages(app: Flask) -> None:
    """Make the pages known; after `register_frame`, whose macros they use."""
    for page in (exports, export_actions, export_bytes):
        app.register_blueprint(page.blueprint)
