"""transfer-to-gcp: a recording is copied because somebody asks; progress, refusals, repetition."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.config import Config
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, Recording, Role, Transfer
from cctv.services.bucket import cloud, transfers
from tests.api.apps import RECORDINGS, Phone, answer, phone_of, problem
from tests.bucket_server import Emulator, Front
from tests.fixtures.bucket import in_cloud
from tests.services.footage import MINUTE, T0, make_camera
from tests.services.stored import store, this_node

PATH = f"{RECORDINGS}transfer-to-gcp/"


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    cloud._buckets.clear()
    return in_cloud(config, front)


def add_recording(app: Flask, *, minutes: int = 2) -> int:
    """A recording of some stored minutes."""
    with app.app_context():
        camera = db.session.query(Camera).first() or make_camera(since_ms=0)
        if minutes:
            store(camera, [2000] * minutes, ordinal=minutes)
        row = Recording(
            camera_id=camera.id, kind="manual", started_ms=T0, ended_ms=T0 + max(minutes, 1) * MINUTE
        )
        db.session.add(row)
        db.session.commit()
        return row.id


def test_a_recording_is_copied_and_says_how_far_it_is(app: Flask, phone: Phone, emulator: Emulator) -> None:
    recording_id = add_recording(app)
    body = {"recording_ids": [recording_id]}
    (item,) = answer(phone.post(PATH, body), 202)["items"]
    assert item["recording_id"] == recording_id
    assert len(item["transfer_ids"]) == 2
    (again,) = answer(phone.post(PATH, body), 202)["items"]
    assert again == item
    with app.app_context():
        assert db.session.get_one(Transfer, item["transfer_ids"][0]).priority == 0
        assert db.session.query(AuditEntry).filter_by(action="recording.transfer").count() == 2
        assert transfers.work_on(this_node().id, seconds=20) == 2
    assert len(emulator.objects()) == 2


def test_what_cannot_be_copied_is_refused_whole(app: Flask, phone: Phone) -> None:
    recording_id = add_recording(app)
    problem(phone.post(PATH, {"recording_ids": [recording_id, 999_999]}), 404)
    for body in ({}, {"recording_ids": []}, {"recording_ids": ["1"]}, {"recording_ids": [1], "x": 1}):
        problem(phone.post(PATH, body), 422)
    problem(phone_of(app, Role.DEVELOPER).post(PATH, {"recording_ids": [recording_id]}), 403)
    with app.app_context():
        assert db.session.query(Transfer).count() == 0


def test_a_recording_without_footage_says_so(app: Flask, phone: Phone) -> None:
    recording_id = add_recording(app, minutes=0)
    assert "stored" in problem(phone.post(PATH, {"recording_ids": [recording_id]}), 409)["detail"]


def test_the_list_of_recordings_queues_many_and_says_what_keeps_them(
    app: Flask, signed_in: FlaskClient, front: Front
) -> None:
    ids = [add_recording(app), add_recording(app, minutes=0)]
    response = signed_in.post(
        "/recordings/upload", data={"id": ids, "back": ""}, headers={"HX-Request": "true"}
    )
    assert "queued for the cloud" in response.headers["HX-Trigger"]
    assert "Waiting" in response.text
    front.answer(r"^POST .*uploadType=resumable", 403, times=-1)
    with app.app_context():
        transfers.work_on(this_node().id, seconds=2)
    assert "may not write into" in signed_in.get("/recordings").text
    details = answer(phone_of(app, Role.ADMIN).get(f"{RECORDINGS}{ids[0]}/"))["upload"]
    assert (details["state"], "may not write" in details["cause"]) == ("waiting", True)
    with app.app_context():
        db.session.query(Transfer).update({"state": "failed", "cause": "The file is gone."})
        db.session.commit()
    page = signed_in.get("/recordings").text
    assert "Upload failed" in page and "The file is gone." in page and "Retry" in page
