"""Cameras: what may be added, what a change restarts, and where the password is not."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import text

from cctv import keys
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import db
from cctv.models import ModeChange, User
from cctv.services.camera import cameras
from cctv.services.camera.cameras import CameraForm
from tests.servers import RedisServer

CANARY = "kanarien vogel/42@%"
FORM = CameraForm(
    name="Front gate", url="rtsp://127.0.0.1:8554/stream1", username="admin", password=CANARY, sub_url=""
)


def add(**changes: object) -> cameras.Camera:
    return cameras.create_camera(replace(FORM, **changes), None)


@pytest.mark.each_database
def test_a_new_camera_records_continuously_and_has_its_derived_qualities(context: Flask) -> None:
    camera = add()
    assert (camera.number, camera.recording_mode, camera.main.url) == (1, "continuous", FORM.url)
    assert {stream.kind for stream in camera.streams} == {"main", "720p", "480p", "360p"}
    assert db.session.query(ModeChange).one().mode == "continuous"


@pytest.mark.each_database
def test_the_password_is_sealed_and_stands_nowhere_else(context: Flask, redis_server: RedisServer) -> None:
    camera = add(url=f"rtsp://admin:{quote(CANARY, safe='')}@127.0.0.1/a", password=None)
    tables = [table.name for table in db.metadata.sorted_tables]
    dump = "".join(
        str(row) for table in tables for row in db.session.execute(text(f'SELECT * FROM "{table}"'))
    )
    assert "kanarien" not in dump
    assert keys.decrypt(camera.password_encrypted or "") == CANARY
    assert "kanarien" not in camera.main.url
    from cctv.queue import redis_connection

    connection = redis_connection()
    assert not any(b"kanarien" in (connection.dump(key) or b"") for key in connection.keys("*"))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": "  "}),
        ("url", {"url": "http://127.0.0.1/"}),
        ("url", {"url": "rtsp://8.8.8.8/stream"}),
        ("url", {"url": "rtsp://169.254.169.254/latest"}),
        ("url", {"url": "file:///etc/passwd"}),
        ("sub_url", {"sub_url": "rtsp://[::ffff:8.8.8.8]/x"}),
        ("pre_roll_seconds", {"pre_roll_seconds": 61}),
        ("recording_mode", {"recording_mode": "sometimes"}),
        ("number", {"number": 0}),
    ],
)
def test_what_cannot_be_accepted_is_named(context: Flask, field: str, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refusal:
        add(**changes)
    assert list(refusal.value.errors) == [field]
    assert cameras.list_cameras() == []


def test_a_number_belongs_to_one_camera(context: Flask) -> None:
    add(number=7)
    with pytest.raises(Invalid) as refusal:
        add(number=7)
    assert refusal.value.errors == {"number": "Number 7 belongs to another camera."}


def test_a_new_name_restarts_nothing_and_a_new_address_does(context: Flask) -> None:
    camera = add()
    revision = camera.main.revision
    cameras.update_camera(camera.id, replace(FORM, name="Gate", password=None), None)
    assert (camera.name, camera.main.revision) == ("Gate", revision)
    assert keys.decrypt(camera.password_encrypted or "") == CANARY
    cameras.update_camera(camera.id, replace(FORM, url="rtsp://127.0.0.1:8554/other", password=None), None)
    assert camera.main.revision == revision + 1
    assert CANARY not in cameras.capture_url(camera.main)  # there percent-encoded
    cameras.update_camera(camera.id, replace(FORM, url=camera.main.url or "", password="new one"), None)
    assert camera.main.revision == revision + 2


@pytest.mark.each_database
def test_two_people_cannot_overwrite_one_another(context: Flask) -> None:
    camera = add()
    seen = camera.version
    cameras.update_camera(camera.id, replace(FORM, name="First"), None, version=seen)
    with pytest.raises(Conflict, match="Somebody else changed this camera"):
        cameras.update_camera(camera.id, replace(FORM, name="Second"), None, version=seen)
    assert cameras.get_camera(camera.id).name == "First"


def test_deleting_needs_the_name_and_frees_the_number(context: Flask, owner: User) -> None:
    camera = add(number=3)
    with pytest.raises(Invalid, match="exactly as it is: Front gate"):
        cameras.delete_camera(camera, owner, typed_name="front")
    cameras.delete_camera(camera, owner, typed_name="Front gate")
    with pytest.raises(NotFound):
        cameras.get_camera(camera.id)
    assert camera.password_encrypted is None
    assert add(number=3).id > camera.id


def test_the_demo_camera_follows_the_port_of_this_start(app: Flask, context: Flask) -> None:
    app.extensions["cctv.config"] = replace(
        app.extensions["cctv.config"], demo_camera_url="rtsp://127.0.0.1:19000/demo/1"
    )
    camera = cameras.create_camera(
        CameraForm(name="Demo", url="rtsp://127.0.0.1:18554/demo/1"), None, is_demo=True
    )
    assert cameras.capture_url(camera.main) == "rtsp://127.0.0.1:19000/demo/1"
