"""Checks of camera addresses as a page sees them: started by a form, told step by step, with a picture.

A check belongs to the person who started it; its password is never sent back.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _check, _htmx
from cctv.blueprints.camera_forms import CameraEditor
from cctv.errors import Invalid, NotFound
from cctv.models import Camera, Probe
from cctv.services.auditing import audit
from cctv.services.camera import cameras, probes, usual_paths
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("probes", __name__, url_prefix="/probes")


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Check what is in the form; with camera_id and no typed password, with the stored one."""
    camera = _camera(request.args.get("camera_id", type=int))
    form = CameraEditor()
    main, _sub = form.addresses()
    password = form.password.data or None
    try:
        probe = probes.start(
            main, username=form.username.data or "", password=password, user=current_user, camera=camera
        )
    except Invalid as error:
        [(field, sentence)] = error.errors.items()
        return _check.refusal(sentence, camera, field=field)
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("probes.show", probe_id=probe.id))
    return _check.answer(probe)


@blueprint.get("/<int:probe_id>")
def show(probe_id: int) -> ResponseReturnValue:
    """The steps so far; the fragment asks again by itself until the check is over."""
    return _check.answer(_probe(probe_id))


@blueprint.post("/<int:probe_id>/cancel")
def cancel(probe_id: int) -> ResponseReturnValue:
    """The person left the page."""
    probes.cancel(_probe(probe_id))
    return _htmx.no_content()


@blueprint.post("/<int:probe_id>/paths")
def try_paths(probe_id: int) -> ResponseReturnValue:
    """Try the usual stream paths with the login of a check whose path was wrong."""
    probe = _probe(probe_id)
    _camera(probe.camera_id)
    tries = usual_paths.start(probe)
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("probes.show", probe_id=tries.id))
    return _check.answer(tries)


@blueprint.get("/<int:probe_id>/picture.jpg")
def picture(probe_id: int) -> ResponseReturnValue:
    """The first full picture of the camera."""
    probe = _probe(probe_id)
    return _file(probe, probes.picture_path(probe.id), "image/jpeg")


@blueprint.get("/<int:probe_id>/clip.mp4")
def clip(probe_id: int) -> ResponseReturnValue:
    """Three seconds that prove that the picture moves: for who may watch the camera."""
    probe = _probe(probe_id)
    access.authorise(current_user, probe.camera_id, Action.LIVE)
    path = probes.picture_path(probe.id).with_suffix(".mp4")
    return _file(probe, path, "video/mp4")


def _camera(camera_id: int | None) -> Camera | None:
    action = Action.CAMERA_ADD if camera_id is None else Action.CAMERA_TECHNICS
    return access.authorise(current_user, camera_id, action)


def _probe(probe_id: int) -> Probe:
    """The person's own check, while they may still make one."""
    probe = probes.get_probe(probe_id, current_user)
    action = Action.CAMERA_ADD if probe.camera_id is None else Action.CAMERA_DIAGNOSE
    access.authorise(current_user, probe.camera_id, action)
    return probe


def _file(probe: Probe, path: Path, kind: str) -> Response:
    """The file, which is noted in the audit log: whoever is allowed to check a camera sees what it shows."""
    if not path.exists():
        raise NotFound("There is no picture of this check.")
    name = probe.url if probe.camera_id is None else cameras.get_camera(probe.camera_id).name
    audit.note("test_picture", target=name, camera_id=probe.camera_id)
    return send_file(path, mimetype=kind, conditional=True)
