"""The page of camera groups, and the groups in the form of a camera."""

from __future__ import annotations

import html
import re

from flask import Flask
from flask.testing import FlaskClient

from cctv.services import groups
from tests.blueprints.camera_rows import HTML, HTMX, add_camera


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
