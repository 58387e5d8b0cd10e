"""The page of camera groups, and the groups in the form of a camera."""

from __future__ import annotations

import html
import re

from flask import Flask
from flask.testing import FlaskClient

from cctv.models import Role
from cctv.services.camera import groups
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person
from tests.fixtures.application import sign_in


def names(app: Flask) -> dict[str, list[str]]:
    with app.app_context():
        return {group.name: [camera.name for camera in group.cameras] for group in groups.list_groups()}


def test_a_group_is_made_changed_deleted_and_brought_back(app: Flask, signed_in: FlaskClient) -> None:
    add_camera(app), add_camera(app, "Yard")
    assert "No groups yet" in signed_in.get("/groups", headers=HTML).text
    signed_in.post("/groups", data={"name": "Floor", "camera": ["1", "2"]}, headers=HTML)
    signed_in.post("/groups/1", data={"name": "Outside", "camera": "2", "version": "1"}, headers=HTML)
    assert names(app) == {"Outside": ["Yard"]}
    signed_in.post("/groups/1/delete", headers=HTML)
    assert names(app) == {}
    undo = re.search(r'action="(/groups/restore[^"]+)"', signed_in.get("/groups", headers=HTML).text)
    assert undo
    signed_in.post(html.unescape(undo[1]), headers=HTML)
    assert names(app) == {"Outside": ["Yard"]}


def test_a_refusal_keeps_what_was_typed(app: Flask, signed_in: FlaskClient) -> None:
    add_camera(app)
    signed_in.post("/groups", data={"name": "Floor"}, headers=HTML)
    answer = signed_in.post("/groups", data={"name": "Floor", "camera": "1"}, headers=HTMX)
    assert answer.status_code == 422 and "<html" not in answer.text
    assert "There is a group called Floor already." in answer.text
    assert 'value="1" checked' in answer.text


def test_who_was_slower_is_told(app: Flask, signed_in: FlaskClient) -> None:
    signed_in.post("/groups", data={"name": "Floor"}, headers=HTML)
    signed_in.post("/groups/1", data={"name": "First", "version": "1"}, headers=HTML)
    answer = signed_in.post("/groups/1", data={"name": "Second", "version": "1"}, headers=HTML)
    assert "in the meantime" in answer.text and names(app) == {"First": []}


def test_the_form_of_a_camera_says_in_which_groups_it_is(app: Flask, signed_in: FlaskClient) -> None:
    add_camera(app)
    for name in ("Floor", "Yard"):
        signed_in.post("/groups", data={"name": name}, headers=HTML)
    camera = {"name": "Front gate", "url": "rtsp://127.0.0.10/stream1", "username": "admin"}
    camera |= {"recording_mode": "continuous", "shows_groups": "1", "keep_anyway": "y"}
    signed_in.post("/cameras/1/edit", data=camera | {"group": ["1", "2"]}, headers=HTML)
    assert names(app) == {"Floor": ["Front gate"], "Yard": ["Front gate"]}
    signed_in.post("/cameras/1/edit", data=camera | {"group": "2"}, headers=HTML)
    body = signed_in.get("/cameras/1/edit", headers=HTML).text
    assert names(app) == {"Floor": [], "Yard": ["Front gate"]}
    assert 'name="group" value="2" checked' in body


def test_a_developer_does_not_move_cameras_between_groups(app: Flask, signed_in: FlaskClient) -> None:
    add_camera(app)
    signed_in.post("/groups", data={"name": "Floor"}, headers=HTML)
    developer = sign_in(app, add_person(app, Role.DEVELOPER))
    assert "shows_groups" not in developer.get("/cameras/1/edit", headers=HTML).text
    camera = {"url": "rtsp://127.0.0.10/stream1", "username": "admin", "keep_anyway": "y"}
    developer.post("/cameras/1/edit", data=camera | {"shows_groups": "1", "group": "1"}, headers=HTML)
    assert names(app) == {"Floor": []}


def test_the_list_costs_the_same_for_many_groups(app: Flask, signed_in: FlaskClient) -> None:
    counts = []
    for name in ("One", "Two", "Three"):
        signed_in.post("/groups", data={"name": name}, headers=HTML)
        with QueryCount(app) as asked:
            signed_in.get("/groups", headers=HTML)
        counts.append(sum("trapped_address" not in one for one in asked.statements))
    assert counts[0] == counts[2] <= 8
