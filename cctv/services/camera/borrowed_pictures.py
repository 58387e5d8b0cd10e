"""Keeps a person from watching a camera that is not shared by giving its address to one that is.

Who may change every camera may watch every camera; this is about people who change addresses only.
"""

from __future__ import annotations

from sqlalchemy import select

from cctv.errors import Invalid
from cctv.extensions import db
from cctv.media import addresses
from cctv.models import Camera, Stream, User
from cctv.services.person import access
from cctv.services.person.access import Action

_REFUSED = "This address belongs to a camera that is not shared with you. Ask an Admin to change it."


def refuse(camera: Camera, urls: dict[str, str], user: User | None) -> None:
    """Let new addresses of a camera through, unless they would show this person a foreign one.

    Channels of one recorder share a device and differ in the path; another device is foreign as a whole.

    Raises:
        Invalid: keyed as `urls`.
    """
    if user is None:
        return
    rights = access.Rights(user)
    if rights.may(Action.CAMERA_EDIT, camera.id) or not rights.may(Action.LIVE, camera.id):
        return
    own = {_place(stream.url)[0] for stream in camera.streams if stream.url}
    query = select(Stream.url, Stream.camera_id).join(Camera)
    others = query.where(Stream.url.is_not(None), Stream.camera_id != camera.id, Camera.deleted_at.is_(None))
    foreign = {
        _place(url) for url, other_id in db.session.execute(others) if not rights.may(Action.LIVE, other_id)
    }
    devices = {device for device, _ in foreign} - own
    for field, url in urls.items():
        if url and (_place(url) in foreign or _place(url)[0] in devices):
            raise Invalid({field: _REFUSED})


def _place(url: str) -> tuple[str, str]:
    """(device, path without query) of a stored address."""
    address = addresses.parse_typed(url)
    return address.host.lower(), address.path.partition("?")[0].rstrip("/")
