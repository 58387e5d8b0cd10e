"""What another role would take, in a sentence."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.models import Role
from cctv.services.person import access, grants, people
from cctv.services.person.people import COMMAND_LINE
from cctv.services.person.role_changes import losses
from tests.services.persons import add_camera, person

pytestmark = pytest.mark.usefixtures("quick_hashes")


def test_it_counts_what_was_shared(context: Flask) -> None:
    visitor, gate, yard = person(Role.VISITOR), add_camera(), add_camera(2, "Yard")
    for action, camera in (
        (access.Action.LIVE, gate),
        (access.Action.EXPORT, gate),
        (access.Action.EXPORT, yard),
    ):
        people.set_grant(COMMAND_LINE, visitor, action, True, camera_id=camera.id)
    told = losses(visitor)
    assert told["developer"] == "Loses: export of 2 cameras."
    assert (told["visitor"], told["admin"], told["super_admin"]) == ("", "", "")


def test_who_had_everything_loses_everything(context: Flask) -> None:
    add_camera()
    told = losses(person(Role.ADMIN))
    assert told["visitor"].startswith("Loses: everything on 1 camera; lock and unlock footage; ")
    assert told["visitor"].endswith(" more.")
    assert told["super_admin"] == ""


def test_what_is_told_is_what_happens(context: Flask) -> None:
    visitor, gate = person(Role.VISITOR), add_camera()
    for action in access.Action.LIVE, access.Action.EXPORT:
        people.set_grant(COMMAND_LINE, visitor, action, True, camera_id=gate.id)
    people.change_person(COMMAND_LINE, visitor, {"role": "developer"})
    assert {cell.action for cell in grants.cells_of(visitor)} == {access.Action.LIVE}
