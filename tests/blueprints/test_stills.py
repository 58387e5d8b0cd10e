"""Pictures as JPEG: for the signed-in only, of the right moment, and made once for everybody."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms
from cctv.demo import barcode
from cctv.demo.profiles import PROFILES
from cctv.extensions import db
from cctv.models import CameraGrant, Role, Stream, User
from cctv.services.footage import snapshots
from tests.blueprints.camera_rows import HTMX, add_person
from tests.cameras import CameraFarm
from tests.captured import GrowingCapture, add_camera
from tests.fixtures.application import sign_in
from tests.waiting import wait_until


@pytest.fixture
def capture(app: Flask, farm: CameraFarm, owner: User) -> Iterator[GrowingCapture]:
    camera_id, stream_id = add_camera(app)
    media_dir = app.extensions["cctv.config"].media_dir
    with GrowingCapture(farm.url("t1", 1), media_dir, camera_id=camera_id, stream_id=stream_id) as running:
        running.wait_for_picture()
        yield running


def number_of(jpeg: bytes, width: int = 320, height: int = 240) -> int | None:
    """The frame number in a JPEG of that size."""
    raw = ["-vf", f"scale={width}:{height}", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", *raw], input=jpeg, capture_output=True, check=True, timeout=20
    )
    return barcode.read(done.stdout, width, height)


def test_the_newest_key_frame_is_shown(signed_in: FlaskClient, capture: GrowingCapture) -> None:
    answer = signed_in.get(f"/cameras/{capture.camera_id}/snapshot.jpg")
    now = time.time()
    assert answer.status_code == 200
    assert answer.mimetype == "image/jpeg"
    assert answer.headers["Cache-Control"] == "private, no-store"
    number = number_of(answer.data)
    assert number is not None
    assert number % 10 == 0, "a key frame of a GOP of one second"
    assert PROFILES["t1"].age_seconds(number, camera=1, now=now) < 4
    assert abs(int(answer.headers["X-Taken-Ms"]) / 1000 - now) < 4


def test_the_picture_at_a_moment_is_of_that_moment(
    app: Flask, signed_in: FlaskClient, capture: GrowingCapture
) -> None:
    with app.app_context():
        stream = db.session.scalars(db.select(Stream)).one()
        stream.run_key = capture.key
        db.session.commit()
    asked_at = time.time()

    def still() -> bytes | None:
        answer = signed_in.get(f"/cameras/{capture.camera_id}/still.jpg?t={round(asked_at * 1000)}&size=full")
        return answer.data if answer.status_code == 200 else None

    number = number_of(wait_until(still, 5, "the picture of a moment ago"))
    assert number is not None
    age = PROFILES["t1"].age_seconds(number, camera=1, now=asked_at)
    assert -0.3 < age < 1.6, "the key frame before the moment, of a GOP of one second"


def test_many_who_ask_at_once_get_one_picture(
    signed_in: FlaskClient, capture: GrowingCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    decode = snapshots.decode

    def counted(content: bytes, *, width: int | None = None) -> bytes:
        made.append(width)
        return decode(content, width=width)

    monkeypatch.setattr(snapshots, "decode", counted)
    for _ in range(5):
        assert signed_in.get(f"/cameras/{capture.camera_id}/snapshot.jpg").status_code == 200
    assert len(made) <= 2


def test_strangers_get_no_picture(client: FlaskClient, capture: GrowingCapture) -> None:
    for name in ("snapshot.jpg", "still.jpg?t=1"):
        answer = client.get(f"/cameras/{capture.camera_id}/{name}")
        assert answer.status_code in {302, 303, 401}
        assert not answer.data.startswith(b"\xff\xd8")


def test_no_camera_and_no_footage_are_not_found(signed_in: FlaskClient, app: Flask) -> None:
    camera_id, _ = add_camera(app)
    assert signed_in.get("/cameras/999/snapshot.jpg").status_code == 404
    for size in ("", "?size=full"):
        answer = signed_in.get(f"/cameras/{camera_id}/snapshot.jpg{size}")
        assert (answer.status_code, answer.data) == (204, b""), "the camera is there, its picture not yet"
    assert signed_in.get(f"/cameras/{camera_id}/still.jpg?t=1700000000000").status_code == 404
    assert signed_in.get(f"/cameras/{camera_id}/still.jpg?t=x").status_code == 422


def test_a_snapshot_is_shown_small_offered_as_a_file_and_leads_to_its_moment(
    signed_in: FlaskClient, capture: GrowingCapture, app: Flask
) -> None:
    with app.app_context():
        stream = db.session.scalars(db.select(Stream)).one()
        stream.run_key, stream.state, stream.renewed_ms = capture.key, "live", now_ms() + 60_000
        db.session.commit()
    press = f"/cameras/{capture.camera_id}/snapshot"
    said = json.loads(signed_in.post(press, headers=HTMX).headers["HX-Trigger"])["toast"]
    assert [action["label"] for action in said["actions"]] == ["Download", "Open in playback"]
    assert f"/playback?cams={capture.camera_id}&t=" in said["actions"][1]["href"]
    for address, width in ((said["picture"], 192), (said["actions"][0]["href"], 320)):
        answer = signed_in.get(address)
        assert answer.status_code == 200
        assert number_of(answer.data, width, width * 3 // 4) is not None
        assert re.fullmatch(r'taken;desc="\d\d:\d\d:\d\d"', answer.headers["Server-Timing"])
    guard = add_person(app, Role.VISITOR)
    with app.app_context():
        for action in ("live", "snapshot"):
            db.session.add(CameraGrant(user_id=guard.id, camera_id=capture.camera_id, action=action))
        db.session.commit()
    visitor = sign_in(app, guard)
    said = json.loads(visitor.post(press, headers=HTMX).headers["HX-Trigger"])["toast"]
    assert [action["label"] for action in said["actions"]] == ["Download"]
    assert (
        visitor.get(said["actions"][0]["href"]).status_code == visitor.get(said["picture"]).status_code == 200
    )
    long_ago = now_ms() - 3_600_000
    assert visitor.get(f"/cameras/{capture.camera_id}/still.jpg?t={long_ago}").status_code == 403


def test_hostile_bytes_are_decoded_in_confinement() -> None:
    from cctv.media import tools

    command = tools.confined(["sh", "-c", "ulimit -t; ulimit -f; ulimit -n; cat /proc/self/status"])
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)
    assert done.stdout.split("\n")[:3] == ["10", "0", "64"]
    seen = subprocess.run(
        tools.confined(["cat", "/proc/net/dev"]), capture_output=True, text=True, check=True, timeout=5
    )
    networks = {line.partition(":")[0].strip() for line in seen.stdout.splitlines()[2:]}
    assert networks == {"lo"} or not tools._unshare(), "its own loopback, which leads nowhere"
    assert snapshots.decode(b"not a video at all" * 100) == b""
