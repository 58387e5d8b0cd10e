"""The files of exports: to save, to play in the page, and by a signed address for players without cookies.

Whether the person may still have the file is asked by services at every request, each part of it included.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, request, send_file
from flask_login import current_user, login_required

from cctv.blueprints._seats import seated
from cctv.blueprints.media import bound_sending
from cctv.errors import NotFound
from cctv.extensions import db
from cctv.models import Export
from cctv.services.export import export_links, export_list

blueprint = Blueprint("export_bytes", __name__)

_TYPES = {".mp4": "video/mp4", ".zip": "application/zip"}


@blueprint.get("/exports/<int:export_id>/download")
@login_required
def download(export_id: int) -> Response:
    """The file, to be saved under its own name."""
    return _send(current_user.id, *export_list.open_file(current_user, export_id), as_attachment=True)


@blueprint.get("/exports/<int:export_id>/video.mp4")
@login_required
def video(export_id: int) -> Response:
    """The same for the player of the page."""
    export, path = export_list.open_file(current_user, export_id)
    if path.suffix != ".mp4":
        raise NotFound("This export is a zip of several files.")
    return _send(current_user.id, export, path, as_attachment=False)


@blueprint.get("/stream/<token>/exports/<int:export_id>/<name>")
def linked(token: str, export_id: int, name: str) -> Response:
    """The file for apps and players: `name` is only for them to see; `download=1` has it saved."""
    person_id, export, path = export_links.open_link(token, export_id)
    return _send(person_id, export, path, as_attachment=request.args.get("download") == "1")


def _send(person_id: int, export: Export, path: Path, *, as_attachment: bool) -> Response:
    """By ranges: players seek, and a broken download goes on where it was."""
    name, etag = export.file_name or path.name, export.sha256 or ""
    db.session.remove()  # a long answer holds no connection
    bound_sending()
    response = send_file(
        path,
        mimetype=_TYPES[path.suffix],
        as_attachment=as_attachment,
        download_name=name,
        conditional=True,
        etag=etag,
    )
    return seated(response, person_id)
