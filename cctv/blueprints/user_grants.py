"""The matrix of one person: cell by cell with JavaScript, as one form without; each change can be undone.

The password is not asked again: nothing here makes anybody stronger than a Visitor or Developer can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.blueprints._people import COLUMNS, get_person
from cctv.errors import NotFound
from cctv.models import User
from cctv.services.person import access, grants, matrix
from cctv.services.person.access import Action
from cctv.services.person.grants import Cell, Row

blueprint = Blueprint("user_grants", __name__, url_prefix="/users/<int:user_id>/grants")

_LARGEST_ID = 2**31 - 1


@blueprint.get("")
def show(user_id: int) -> ResponseReturnValue:
    """The matrix as it is now."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    if not _htmx.is_htmx():
        return _htmx.redirect(_home(person))
    return _htmx.render(
        "users/_matrix.html", person=person, rows=grants.rows(person), actions=grants.grantable(person.role)
    )


@blueprint.post("/<cell>")
def toggle(user_id: int, cell: str) -> ResponseReturnValue:
    """Give or take one cell."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    wanted = {_cell(cell): bool(request.form.get("on"))}
    return _answer(person, grants.set_grants(current_user, person, wanted))


@blueprint.post("")
def save(user_id: int) -> ResponseReturnValue:
    """A whole row or column, the form as it was ticked, or what undoes a change before."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    is_undo = "give" in request.args or "take" in request.args
    wanted = _undone() if is_undo else _ticked()
    if row := request.form.get("row"):
        wanted |= _toggled(person, lambda one: one.key == row, set(COLUMNS))
    if column := request.form.get("column"):
        actions = {action for action in COLUMNS if action == column}
        wanted |= _toggled(person, lambda one: one.camera is not None, actions)
    return _answer(person, grants.set_grants(current_user, person, wanted), is_undo=is_undo)


def name_of(cell: Cell) -> str:
    """c3.live, g1.export: how a cell is called in pages and addresses."""
    place = f"c{cell.camera_id}" if cell.camera_id is not None else f"g{cell.group_id}"
    return f"{place}.{cell.action.value}"


def _cell(name: str) -> Cell:
    place, _, action = name.partition(".")
    number = place[1:]
    is_known = place[:1] in {"c", "g"} and number.isascii() and number.isdigit() and action in set(COLUMNS)
    if not is_known or int(number) > _LARGEST_ID:
        raise NotFound("This camera or group does not exist (any more).")
    kind = "camera_id" if place[0] == "c" else "group_id"
    return Cell(Action(action), **{kind: int(number)})


def _undone() -> dict[Cell, bool]:
    wanted = {}
    for name, on in (("give", True), ("take", False)):
        for cell in filter(None, request.args.get(name, "").split(",")):
            wanted[_cell(cell)] = on
    return wanted


def _ticked() -> dict[Cell, bool]:
    """What a person without JavaScript changed: `was` says what the page showed as given.

    So nothing is taken back that somebody else gave in the meantime.
    """
    was = {_cell(name) for name in request.form.get("was", "").split()}
    now = {_cell(name) for name in request.form if "." in name}
    return {cell: cell in now for cell in was ^ now} if "was" in request.form else {}


def _toggled(person: User, is_meant: Callable[[Row], bool], actions: set[Action]) -> dict[Cell, bool]:
    """All on, unless all are on already: then off."""
    cells = [
        Cell(action, row.camera.id if row.camera else None, row.group.id if row.group else None)
        for row in grants.rows(person)
        if is_meant(row)
        for action in actions & set(grants.grantable(person.role))
    ]
    had = grants.cells_of(person)
    on = not all(cell in had for cell in cells)
    return dict.fromkeys(cells, on)


def _home(person: User) -> str:
    return f"{url_for('users.show', user_id=person.id)}#grants"


def _answer(person: User, changed: Mapping[Cell, bool], *, is_undo: bool = False) -> Response:
    """A toast with Undo; the ticks of the page follow what happened."""
    response = _htmx.no_content() if _htmx.is_htmx() else _htmx.redirect(_home(person))
    if _htmx.is_htmx():
        ticks = {name_of(cell): on for cell, on in changed.items()}
        # A group changes what its cameras show, too.
        has_group = any(cell.group_id is not None for cell in changed)
        response = _htmx.trigger(response, "grants", {"cells": ticks})
        response = _htmx.trigger(response, "grants-stale") if has_group else response
    if not changed:
        return _htmx.toast(response, "info", "Nothing has changed.")
    if is_undo:
        return _htmx.toast(response, "ok", "Undone.")
    return _htmx.toast(response, "ok", _sentence(person, changed), actions=[_undo(person, changed)])


def _undo(person: User, changed: Mapping[Cell, bool]) -> dict[str, str]:
    give = ",".join(name_of(cell) for cell, on in changed.items() if not on)
    take = ",".join(name_of(cell) for cell, on in changed.items() if on)
    url = url_for("user_grants.save", user_id=person.id, give=give or None, take=take or None)
    return {"label": "Undo", "post": url}


def _sentence(person: User, changed: Mapping[Cell, bool]) -> str:
    if len(changed) == 1:
        cell, on = next(iter(changed.items()))
        verb = "may now" if on else "may no longer"
        return f"{person.name} {verb} {matrix.verb(cell.action)} {grants.place_of(cell)}."
    given, taken = sum(changed.values()), len(changed) - sum(changed.values())
    parts = [f"{given} given" if given else "", f"{taken} taken" if taken else ""]
    return f"{person.name}: {' and '.join(filter(None, parts))}."
