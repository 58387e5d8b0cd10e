"""Adding, changing and deleting a camera. The form itself is never swapped: what was typed stays typed.

HTMX gets only the messages beside the fields; a browser gets the page with every value but the password.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _forms, _htmx
from cctv.blueprints._rights import rights
from cctv.blueprints.camera_forms import CameraEditor, TechnicsEditor
from cctv.errors import Invalid
from cctv.media.makes import MAKES
from cctv.models import Camera
from cctv.services.camera import cameras, groups, probes
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import setup

blueprint = Blueprint("camera_setup", __name__, url_prefix="/cameras")


@blueprint.get("/add")
def add() -> ResponseReturnValue:
    """The empty form."""
    access.authorise(current_user, None, Action.CAMERA_ADD)
    return _page(_with_found_path(CameraEditor.blank()))


@blueprint.post("/add")
def create() -> ResponseReturnValue:
    """Save a new camera, checked or not."""
    access.authorise(current_user, None, Action.CAMERA_ADD)
    form = CameraEditor()
    if not form.validate():
        return _refused(form, None)
    typed = form.typed()
    try:
        camera = cameras.create_camera(typed, current_user)
    except Invalid as error:
        return _refused(form, None, error.errors)
    _save_groups(camera)
    twin = cameras.find_duplicate(camera.main.url or "", except_id=camera.id)
    return _saved(camera, f"{camera.name} is added.", twin)


@blueprint.post("/demo")
def add_demo() -> ResponseReturnValue:
    """Add the built-in camera."""
    access.authorise(current_user, None, Action.CAMERA_ADD)
    camera = setup.add_demo_camera(current_user)
    return _saved(camera, "The demo camera is added.")


@blueprint.get("/<int:camera_id>/edit")
def edit(camera_id: int) -> ResponseReturnValue:
    """The form with what is stored."""
    camera = _camera(camera_id, Action.CAMERA_TECHNICS)
    return _page(_with_found_path(_editor(camera).of(camera)), camera)


@blueprint.post("/<int:camera_id>/edit")
def update(camera_id: int) -> ResponseReturnValue:
    """Save a changed camera; a new address or login must have passed a check, or be kept on purpose."""
    camera = _camera(camera_id, Action.CAMERA_TECHNICS)
    form = _editor(camera)()
    if not form.validate():
        return _refused(form, camera)
    typed = form.changed(camera)
    try:
        if not form.keep_anyway.data:
            probes.demand_check(camera, typed, probe_id=_number(form.probe.data), user=current_user)
        cameras.update_camera(
            camera.id, typed, current_user, version=_number(form.version.data) or camera.version
        )
    except Invalid as error:
        return _refused(form, camera, error.errors)
    _save_groups(camera)
    return _saved(camera, f"{camera.name} is saved.")


@blueprint.post("/<int:camera_id>/delete")
def delete(camera_id: int) -> ResponseReturnValue:
    """Delete a camera and its footage; its name has to be typed."""
    camera = _camera(camera_id, Action.CAMERA_DELETE)
    name = camera.name
    try:
        cameras.delete_camera(camera, current_user, typed_name=request.form.get("typed_name", ""))
    except Invalid as error:
        return _page(CameraEditor.of(camera), camera, delete_problem=error.errors["typed_name"])
    text = f"{name} is deleted. Its recordings are removed in the background."
    return _htmx.toast(_htmx.redirect(url_for("cameras.index")), "ok", text)


def _camera(camera_id: int, action: Action) -> Camera:
    camera = access.authorise(current_user, camera_id, action)
    assert camera is not None  # an id was named
    return camera


def _editor(camera: Camera) -> type[TechnicsEditor]:
    """The form of this person: with the name and what is recorded only for who may change those."""
    return CameraEditor if rights().of(camera).edit else TechnicsEditor


def _save_groups(camera: Camera) -> None:
    """What was ticked, when the form showed the groups: sharing a group is sharing its cameras."""
    if "shows_groups" in request.form and rights().may(Action.USERS):
        groups.set_groups_of(current_user, camera, request.form.getlist("group", type=int))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _saved(camera: Camera, text: str, twin: Camera | None = None) -> Response:
    """To the page of the camera; with a word about another one that has the same address."""
    response = _htmx.redirect(rights().of(camera).home or url_for("cameras.index"))
    if twin is None:
        return _htmx.toast(response, "ok", text)
    open_it = {"label": "Open it", "href": rights().of(twin).home or ""}
    return _htmx.toast(
        response, "warn", f"{text} Its address is already here as {twin.name}.", actions=[open_it]
    )


def _with_found_path(form: TechnicsEditor) -> TechnicsEditor:
    """With the address that the tries of usual paths found, for a browser without JavaScript."""
    probe_id = request.args.get("found", type=int)
    if probe_id is not None:
        probe = probes.get_probe(probe_id, current_user)
        form.url.data = probe.result.get("found") or probe.url
        form.username.data = probe.username
    return form


def _page(
    form: TechnicsEditor, camera: Camera | None = None, *, delete_problem: str | None = None
) -> Response:
    return _htmx.render(
        "cameras/form.html",
        status=422 if delete_problem else 200,
        form=form,
        delete_problem=delete_problem,
        **_around(camera),
    )


def _refused(form: TechnicsEditor, camera: Camera | None, errors: dict[str, str] | None = None) -> Response:
    """422: the page again for a browser, only the messages for HTMX, so that no typed field can be lost."""
    errors = dict(errors or {})
    if "schedule_id" in errors:  # the same field chooses both
        errors["recording_mode"] = errors.pop("schedule_id")
    _forms.add_errors(form, errors)
    form.forget_passwords()
    return _forms.problems("cameras/form.html", form, delete_problem=None, **_around(camera))


def _around(camera: Camera | None) -> dict[str, Any]:
    """What the page needs beside the form."""
    return {
        "camera": camera,
        "makes": MAKES,
        "rights": rights(),
        "has_all": camera is None or rights().of(camera).edit,
        "back": (camera and rights().of(camera).home) or url_for("cameras.index"),
        "groups": groups.list_groups() if rights().may(Action.USERS) else [],
        "in_groups": _ticked_groups(camera),
        "has_demo": any(known.is_demo for known in cameras.list_cameras()),
    }


def _ticked_groups(camera: Camera | None) -> set[int]:
    if "shows_groups" in request.form:
        return set(request.form.getlist("group", type=int))
    return groups.groups_of(camera.id) if camera else set()
