"""Cameras: list, read, add, change and delete.

Who may, and what an address may be, is said by services.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api import _bearer, _versions
from cctv.blueprints.api._camera_shapes import (
    CameraAnswer,
    CameraChange,
    CameraPage,
    CameraQuery,
    CameraRegister,
    as_dict,
)
from cctv.blueprints.api._face import ApiBlueprint, camera, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._shapes import paged
from cctv.blueprints.api._shared import shared
from cctv.blueprints.api._turns import in_turn
from cctv.blueprints.api._versions import versioned
from cctv.errors import Conflict
from cctv.models import Camera
from cctv.services.camera import camera_list, cameras, probe_waits, status
from cctv.services.camera.cameras import CameraForm
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = ApiBlueprint(
    "api-cameras", __name__, url_prefix="/v0/api/cctv/cameras", description="Cameras and their state."
)

_PAGE = CameraPage()
_TECHNICS = {"url", "username", "password", "sub_url"}


@blueprint.route("/")
@blueprint.arguments(CameraQuery(), location="query")
@blueprint.response(200, CameraPage)
@blueprint.alt_response(403, "FORBIDDEN")
@in_turn
def index(query: dict[str, Any]) -> ResponseReturnValue:
    """The cameras that you may know of, with their state and what you may do to each."""
    user = _bearer.asker()
    can = camera_list.abilities(user)

    def make() -> dict[str, Any]:
        page = camera_list.find_cameras(user, **query)
        statuses = status.of_cameras(page.items)
        return paged(page, [as_dict(one, statuses[one.id], can) for one in page.items])

    key = camera_list.horizon(user), repr(can), repr(query)
    return shared(key, make, _PAGE)


@blueprint.route("/<int:camera_id>/")
@blueprint.response(200, CameraAnswer, headers=_versions.HEADER)
@blueprint.alt_response(403, "FORBIDDEN")
@blueprint.alt_response(404, "NOT_FOUND")
def show(camera_id: int) -> ResponseReturnValue:
    """One camera."""
    found = camera_list.get_camera(current_user, camera_id)
    return _answer(found), 200, _versions.tag(found.version)


@blueprint.route("/register/", methods=["POST"])
@repeatable
@needs(Action.CAMERA_ADD)
@blueprint.arguments(
    CameraRegister,
    example={
        "name": "Front gate",
        "url": "rtsp://192.168.1.44/stream1",
        "username": "admin",
        "password": "…",
    },
)
@blueprint.response(201, CameraAnswer, description="Added; its capture starts at once.")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def register(body: dict[str, Any]) -> ResponseReturnValue:
    """Add a camera.

    The address is checked first, which takes up to 20 seconds: what is wrong comes back as 422 with the field
    and a sentence. With `probe: false` it is added as it is. 503 when the check did not come to an end.
    """

    def work() -> tuple[dict[str, Any], int]:
        typed = dict(body)
        is_checked = typed.pop("probe")
        form = CameraForm(**typed)
        if is_checked:
            probe_waits.demand_pass(form, current_user)
        return _answer(cameras.create_camera(form, current_user)), 201

    return once(work, CameraAnswer())


@blueprint.route("/<int:camera_id>/", methods=["PATCH"])
@versioned()
@needs(Action.CAMERA_TECHNICS)
@blueprint.arguments(CameraChange, example={"name": "Back gate"})
@blueprint.response(200, CameraAnswer, headers=_versions.HEADER)
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def change(body: dict[str, Any], camera_id: int) -> ResponseReturnValue:
    """Change a camera; what is not sent stays.

    A new address or login is checked first, as when adding one. Name, number, recording and switching on and
    off need the right to edit (`can.edit`), address and login that to the technics (`can.edit_technics`).
    """
    found = camera()
    if body.keys() - _TECHNICS - {"probe"}:
        access.authorise(current_user, camera_id, Action.CAMERA_EDIT)
    version = _versions.expected(found.version)
    changes = dict(body)
    is_checked, is_enabled = changes.pop("probe"), changes.pop("is_enabled", None)
    if changes:
        form = replace(cameras.stored_form(found), **changes)
        if is_checked and {"url", "username", "password"} & changes.keys():
            probe_waits.demand_pass(form, current_user, camera=found)
        try:
            found = cameras.update_camera(camera_id, form, current_user, version=version)
        except Conflict as error:
            raise _versions.lost(error) from None
    if is_enabled is not None and is_enabled != found.is_enabled:
        cameras.set_enabled(found, is_enabled, current_user)
    return _answer(found), 200, _versions.tag(found.version)


@blueprint.route("/<int:camera_id>/", methods=["DELETE"])
@versioned(is_required=False)
@needs(Action.CAMERA_DELETE)
@blueprint.response(204, description="Deleted; its footage goes in the background, locked footage stays.")
def delete(camera_id: int) -> ResponseReturnValue:
    """Delete a camera with its footage. There is no way back."""
    found = camera()
    _versions.if_given(found.version)
    cameras.delete_camera(found, current_user, typed_name=found.name)
    return Response(status=204)


def _answer(found: Camera) -> dict[str, Any]:
    return as_dict(found, status.of_camera(found), camera_list.abilities(current_user))
