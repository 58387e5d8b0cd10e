"""The matrix of one person on its page: cell by cell, lines and columns, undo, and without JavaScript."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.models import Role, User
from cctv.services.camera import groups
from cctv.services.person import access, grants, people
from cctv.services.person.people import COMMAND_LINE
from tests.blueprints.camera_rows import HTML, HTMX, add_camera, add_person
from tests.fixtures.application import sign_in


@pytest.fixture
def visitor(app: Flask, owner: User) -> User:
    return add_person(app, Role.VISITOR)


def given(app: Flask, user: User) -> set[str]:
    with app.app_context():
        return {
            f"{'c' if cell.camera_id else 'g'}{cell.camera_id or cell.group_id}.{cell.action.value}"
            for cell in grants.cells_of(user)
        }


def events(answer: object) -> dict[str, object]:
    return json.loads(answer.headers["HX-Trigger"])  # type: ignore[attr-defined]


def test_a_cell_saves_itself_and_its_toast_undoes_it(
    app: Flask, signed_in: FlaskClient, visitor: User
) -> None:
    add_camera(app)
    answer = signed_in.post(f"/users/{visitor.id}/grants/c1.live", data={"on": "1"}, headers=HTMX)
    assert (answer.status_code, given(app, visitor)) == (204, {"c1.live"})
    told = events(answer)
    assert told["grants"] == {"cells": {"c1.live": True}}
    assert told["toast"]["text"] == "Visitor may now watch Front gate."  # type: ignore[index]
    undo = told["toast"]["actions"][0]["post"]  # type: ignore[index]
    undone = signed_in.post(undo, headers=HTMX)
    assert (events(undone)["grants"], given(app, visitor)) == ({"cells": {"c1.live": False}}, set())


def test_a_line_and_a_column_are_turned_on_and_off_whole(
    app: Flask, signed_in: FlaskClient, visitor: User
) -> None:
    add_camera(app), add_camera(app, "Yard")
    address = f"/users/{visitor.id}/grants"
    signed_in.post(f"{address}/c1.export", data={"on": "1"}, headers=HTMX)
    answer = signed_in.post(address, data={"row": "c1"}, headers=HTMX)
    assert len(given(app, visitor)) == 6
    signed_in.post(events(answer)["toast"]["actions"][0]["post"], headers=HTMX)  # type: ignore[index]
    assert given(app, visitor) == {"c1.export"}
    signed_in.post(address, data={"column": "live"}, headers=HTMX)
    assert given(app, visitor) == {"c1.export", "c1.live", "c2.live"}
    signed_in.post(address, data={"column": "live"}, headers=HTMX)
    assert given(app, visitor) == {"c1.export"}


def test_without_javascript_it_is_a_form_that_takes_nothing_back_that_others_gave(
    app: Flask, signed_in: FlaskClient, visitor: User
) -> None:
    add_camera(app), add_camera(app, "Yard")
    with app.app_context():
        people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, camera_id=1)
        # Meanwhile somebody else:
        people.set_grant(COMMAND_LINE, visitor, access.Action.PTZ, True, camera_id=2)
    data = {"was": "c1.live ", "c2.export": "1"}
    answer = signed_in.post(f"/users/{visitor.id}/grants", data=data, headers=HTML)
    assert (answer.status_code, answer.location) == (303, f"/users/{visitor.id}#grants")
    assert given(app, visitor) == {"c2.export", "c2.ptz"}
    assert "1 given and 1 taken" in signed_in.get(f"/users/{visitor.id}", headers=HTML).text


def test_a_group_is_a_line_and_shows_on_its_cameras(
    app: Flask, signed_in: FlaskClient, visitor: User
) -> None:
    camera_id = add_camera(app)
    with app.app_context():
        group_id = groups.create_group(COMMAND_LINE, "Floor", [camera_id]).id
    answer = signed_in.post(f"/users/{visitor.id}/grants/g{group_id}.live", data={"on": "1"}, headers=HTMX)
    assert "grants-stale" in events(answer)
    assert "may now watch the group Floor" in answer.headers["HX-Trigger"]
    body = signed_in.get(f"/users/{visitor.id}/grants", headers=HTMX).text
    assert "open through Floor" in body and "<html" not in body


@pytest.mark.parametrize(
    "cell", ["c99.live", "g99.live", "c1.lock", "c1.users", "x1.live", "c.live", "c²2.live"]
)
def test_a_cell_that_does_not_exist_is_not_found(
    app: Flask, signed_in: FlaskClient, visitor: User, cell: str
) -> None:
    add_camera(app)
    answer = signed_in.post(f"/users/{visitor.id}/grants/{cell}", data={"on": "1"}, headers=HTMX)
    assert (answer.status_code, given(app, visitor)) == (404, set())


def test_a_super_admin_has_no_matrix_and_a_developer_one_column(
    app: Flask, signed_in: FlaskClient, owner: User
) -> None:
    add_camera(app)
    developer = add_person(app, Role.DEVELOPER)
    assert "may do everything on every camera" in signed_in.get(f"/users/{owner.id}", headers=HTML).text
    body = signed_in.get(f"/users/{developer.id}", headers=HTML).text
    assert 'name="c1.live"' in body and 'name="c1.playback"' not in body
    answer = signed_in.post(f"/users/{developer.id}/grants/c1.playback", data={"on": "1"}, headers=HTMX)
    assert (answer.status_code, given(app, developer)) == (422, set())


def test_an_admin_shares_with_visitors_only(app: Flask, owner: User, visitor: User) -> None:
    add_camera(app)
    admin, developer = sign_in(app, add_person(app, Role.ADMIN)), add_person(app, Role.DEVELOPER)
    allowed = admin.post(f"/users/{visitor.id}/grants/c1.live", data={"on": "1"}, headers=HTMX)
    refused = admin.post(f"/users/{developer.id}/grants/c1.live", data={"on": "1"}, headers=HTMX)
    assert (allowed.status_code, refused.status_code, given(app, developer)) == (204, 404, set())


def test_a_matrix_of_64_cameras_keeps_to_the_size_of_a_page(
    app: Flask, signed_in: FlaskClient, visitor: User
) -> None:
    for number in range(64):
        add_camera(app, f"Camera {number}")
    assert len(signed_in.get(f"/users/{visitor.id}/grants", headers=HTMX).data) < 75_000
