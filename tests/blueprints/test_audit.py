"""What pages leave in the audit log, and the page that shows it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cctv.extensions import db
from cctv.models import AuditEntry, Camera, User
from cctv.services import access, audit_check
from cctv.services.access import Action
from tests.blueprints.camera_rows import HTML, add_camera
from tests.fixtures.application import OWNER_PASSWORD

CANARY = "canary-Geheim-4711"


def told(app: Flask) -> list[AuditEntry]:
    with app.app_context():
        rows = list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
        db.session.expunge_all()
        return rows


def actions(app: Flask) -> list[str]:
    return [entry.action for entry in told(app)]


def test_signing_in_and_out_is_told_with_address_and_device(
    app: Flask, owner: User, client: FlaskClient
) -> None:
    headers = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/130.0"}
    client.post("/login", data={"name": owner.email, "password": CANARY}, headers=headers)
    client.post("/login", data={"name": CANARY, "password": CANARY}, headers=headers)
    client.post("/login", data={"name": owner.email, "password": OWNER_PASSWORD}, headers=headers)
    client.post("/logout", headers=headers)
    entries = told(app)
    assert [(e.action, e.user_name, e.target) for e in entries] == [
        ("sign_in.refused", "", "Olive Owner"),
        ("sign_in.refused", "", ""),
        ("sign_in", "Olive Owner", ""),
        ("sign_out", "Olive Owner", ""),
    ]
    assert {(e.address, e.device) for e in entries} == {("127.0.0.1", "Firefox on Windows")}
    assert CANARY not in str([vars(e) for e in entries])


def test_what_is_done_to_a_camera_is_told_without_its_password(app: Flask, signed_in: FlaskClient) -> None:
    form = {
        "name": "Gate",
        "url": "rtsp://127.0.0.9/a",
        "username": "admin",
        "password": CANARY,
        "number": "4",
        "recording_mode": "manual",
        "pre_roll_seconds": "10",
        "save": "1",
    }
    assert signed_in.post("/cameras/add", data=form, headers=HTML).status_code == 303
    with app.app_context():
        camera_id = db.session.scalars(select(Camera.id)).one()
    start = len(told(app))
    changed = {
        **form,
        "version": "1",
        "keep_anyway": "y",
        "name": "North gate",
        "password": CANARY + "2",
        "recording_mode": "continuous",
    }
    for path, data in (
        (f"/cameras/{camera_id}/edit", changed),
        (f"/cameras/{camera_id}/name", {"name": "Gate 2"}),
        (f"/cameras/{camera_id}/disable", {}),
        (f"/cameras/{camera_id}/enable", {}),
        (f"/cameras/{camera_id}/record/start", {}),
        (f"/cameras/{camera_id}/record/start", {}),
        (f"/cameras/{camera_id}/record/stop", {}),
        (f"/cameras/{camera_id}/record/stop", {}),
        (f"/cameras/{camera_id}/delete", {"typed_name": "Gate 2"}),
    ):
        answer = signed_in.post(path, data=data, headers=HTML)
        assert answer.status_code == 303, answer.text
    entries = told(app)[start:]
    names = ["edit", "mode", "edit", "off", "on"]
    expected = [f"camera.{name}" for name in names] + ["recording.start", "recording.stop", "camera.delete"]
    assert [e.action for e in entries] == expected
    assert {e.camera_id for e in entries} == {camera_id}
    assert {e.user_name for e in entries} == {"Olive Owner"}
    edit = entries[0].details
    assert (edit["before"]["name"], edit["after"]["name"]) == ("Gate", "North gate")
    assert edit["has_new_password"] is True
    assert entries[1].details["after"] == {"recording_mode": "continuous"}
    assert CANARY not in str([vars(e) for e in told(app)])
    with app.app_context():
        assert audit_check.verify().is_whole


def test_watching_is_told_once_whatever_the_number_of_requests(
    app: Flask, signed_in: FlaskClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_RECHECK_SECONDS", 0.0)
    gate, hall = add_camera(app, "Gate"), add_camera(app, "Hall")
    with app.app_context(), app.test_request_context():
        from cctv.services import sessions

        person = db.session.get_one(User, owner.id)
        sessions.begin(person)
        tokens = {
            (camera_id, action): access.media_token(person, camera_id, action)
            for camera_id in (gate, hall)
            for action in (Action.LIVE, Action.PLAYBACK)
        }
    start = len(told(app))
    for _ in range(3):
        for (camera_id, action), token in tokens.items():
            path = (
                "main/init-1-1700000000-abcd.mp4"
                if action == Action.LIVE
                else "play/playlist.m3u8?from=1&to=2"
            )
            signed_in.get(f"/stream/{token}/{camera_id}/{path}")
        signed_in.get(f"/cameras/{gate}/still.jpg?t=1")
    found = {(e.action, e.camera_id, e.target, e.user_name) for e in told(app)[start:]}
    assert len(told(app)) - start == 4
    assert found == {
        (action, camera_id, name, "Olive Owner")
        for action in ("live", "playback")
        for camera_id, name in ((gate, "Gate"), (hall, "Hall"))
    }


def test_a_changed_setting_is_told_with_before_and_after(app: Flask) -> None:
    from cctv.services import settings

    with app.app_context():
        settings.save(organisation_name="Mill")
        settings.save(organisation_name="Mill")
        settings.save(organisation_name="Old mill", setup_code_hash=CANARY)
    first, second = told(app)
    assert first.details == {"before": {"organisation_name": ""}, "after": {"organisation_name": "Mill"}}
    assert second.details["after"]["organisation_name"] == "Old mill"
    assert CANARY not in str(second.details)
