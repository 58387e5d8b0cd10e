"""Groups of cameras: the list with a form for each, and one for a new one.

Shape only; who may change a group is said by services/camera/groups.py.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.errors import Conflict, Invalid
from cctv.services.camera import groups
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("groups", __name__, url_prefix="/groups")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All groups."""
    access.authorise(current_user, None, Action.USERS)
    return _page()


@blueprint.post("")
def create() -> ResponseReturnValue:
    """A new group of the ticked cameras."""
    access.authorise(current_user, None, Action.USERS)
    name, ids = _typed()
    try:
        group = groups.create_group(current_user, name, ids)
    except Invalid as error:
        return _page(problem_at="new", problem=error.message, typed=name, ticked=ids)
    return _back(f"The group {group.name} is made. Share it on the page of a person.")


@blueprint.post("/<int:group_id>")
def update(group_id: int) -> ResponseReturnValue:
    """Another name, other cameras."""
    access.authorise(current_user, None, Action.USERS)
    group = groups.get_group(group_id)
    name, ids = _typed()
    version = request.form.get("version", "")
    try:
        groups.change_group(
            current_user,
            group,
            name=name,
            camera_ids=ids,
            version=int(version) if version.isdecimal() and len(version) < 10 else None,
        )
    except (Invalid, Conflict) as error:
        return _page(problem_at=str(group_id), problem=error.message, typed=name, ticked=ids)
    return _back(f"The group {group.name} is saved.")


@blueprint.post("/<int:group_id>/delete")
def delete(group_id: int) -> ResponseReturnValue:
    """Delete a group; a toast brings it back."""
    access.authorise(current_user, None, Action.USERS)
    group = groups.get_group(group_id)
    name = group.name
    undo = url_for("groups.restore", undo=groups.delete_group(current_user, group))
    text = f"The group {name} is deleted. What was shared through it is shared no longer."
    return _back(text, [{"label": "Undo", "post": undo}])


@blueprint.post("/restore")
def restore() -> ResponseReturnValue:
    """Bring a group back that was deleted a moment ago."""
    access.authorise(current_user, None, Action.USERS)
    group = groups.restore_group(current_user, request.args.get("undo", ""))
    return _back(f"The group {group.name} is back.")


def _typed() -> tuple[str, set[int]]:
    return request.form.get("name", ""), set(request.form.getlist("camera", type=int))


def _page(
    *,
    problem_at: str | None = None,
    problem: str | None = None,
    typed: str = "",
    ticked: set[int] | None = None,
) -> Response:
    """With the form that was refused as it was typed."""
    return _htmx.render(
        "groups/index.html",
        "list",
        status=422 if problem else 200,
        groups=groups.list_groups(),
        shared=groups.shared_with(),
        cameras=access.known_cameras(current_user),
        problem_at=problem_at,
        problem=problem,
        typed=typed,
        ticked=ticked or set(),
    )


def _back(text: str, actions: list[dict[str, str]] | None = None) -> Response:
    return _htmx.toast(_htmx.redirect(url_for("groups.index")), "ok", text, actions=actions or [])
