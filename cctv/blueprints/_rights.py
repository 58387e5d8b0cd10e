"""What the person of a request may press, for templates: of one camera, and of the installation.

Shapes only: what is decided here is decided by services/person/access.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, url_for
from flask_login import current_user

from cctv.models import Camera, User
from cctv.services.person import access
from cctv.services.person.access import Action


@dataclass(frozen=True, slots=True)
class Controls:
    """Which controls of one camera exist. What one may not use is not rendered."""

    watch: bool
    play_back: bool
    snapshot: bool
    record: bool
    export: bool
    edit: bool  # everything: name, number, recording, on and off
    technics: bool  # address, login and streams
    diagnose: bool
    delete: bool
    home: str | None  # where the camera's name leads; None: nowhere for this person


class PageRights:
    """The rights of one person for one page; asks the database once, whatever the page shows."""

    def __init__(self, user: User) -> None:
        self.user_id = user.id
        self._rights = access.Rights(user)
        self._controls: dict[int, Controls] = {}

    def of(self, camera: Camera) -> Controls:
        """The controls of this camera."""
        if camera.id not in self._controls:
            self._controls[camera.id] = self._decide(camera.id)
        return self._controls[camera.id]

    def may_see_past(self, camera_id: int) -> bool:
        """Whether the person may see pictures of the past of this camera."""
        return self._rights.may(Action.PLAYBACK, camera_id)

    def may(self, action: Action | str) -> bool:
        """Whether there is anything that the person may do this to."""
        return self._rights.may_somewhere(Action(action))

    def _decide(self, camera_id: int) -> Controls:
        def may(action: Action) -> bool:
            return self._rights.may(action, camera_id)

        return Controls(
            watch=may(Action.LIVE),
            play_back=may(Action.PLAYBACK),
            snapshot=may(Action.SNAPSHOT),
            record=may(Action.RECORD),
            export=may(Action.EXPORT),
            edit=may(Action.CAMERA_EDIT),
            technics=may(Action.CAMERA_TECHNICS),
            diagnose=may(Action.CAMERA_DIAGNOSE),
            delete=may(Action.CAMERA_DELETE),
            home=self._home(camera_id),
        )

    def _home(self, camera_id: int) -> str | None:
        if self._rights.may(Action.LIVE, camera_id):
            return url_for("cameras.show", camera_id=camera_id)
        if self._rights.may(Action.CAMERA_DIAGNOSE, camera_id):
            return url_for("diagnose.show", camera_id=camera_id)
        if self._rights.may(Action.PLAYBACK, camera_id):
            return f"/playback?cams={camera_id}"
        return None


def rights() -> PageRights:
    """The rights of the person who is signed in, worked out once for each request."""
    found: PageRights | None = g.get("page_rights")
    if found is None or found.user_id != current_user.id:
        found = g.page_rights = PageRights(current_user)
    return found
