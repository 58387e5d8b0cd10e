"""The pages about people as one group: list, person, matrix, invitations, groups of cameras.

Binds them to the application together with the words that they share; no view lives here.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints import groups, invite, see_as, user_actions, user_grants, user_invitations, users
from cctv.blueprints._people import register_people_words


def register_people(app: Flask) -> None:
    """Make the pages and words known; after `register_frame`, whose macros they use."""
    register_people_words(app)
    for page in (users, user_invitations, user_actions, user_grants, see_as, groups, invite):
        app.register_blueprint(page.blueprint)
