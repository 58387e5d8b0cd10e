"""Streams that run only while somebody watches: the request itself starts them, and they end afterwards."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from flask import Flask
from flask.testing import FlaskClient

from cctv import create_app, queue
from cctv.config import Config
from cctv.extensions import db
from cctv.models import Stream, User
from cctv.services.camera import cameras, captures
from tests.cameras import CameraFarm
from tests.captured import stream_base
from tests.fixtures.processes import ProductProcess, end_captures
from tests.waiting import wait_until


def test_the_server_says_when_it_converts_as_much_as_it_may(
    client: FlaskClient, owner: User, farm: CameraFarm, config: Config
) -> None:
    limited = replace(config, transcode_limit=1)
    app = create_app(limited)
    with app.app_context():
        ids = [
            cameras.create_camera(cameras.CameraForm(name=name, url=farm.url("t1", number)), None).id
            for name, number in (("Gate", 7), ("Yard", 8))
        ]
    viewer = app.test_client()
    first, second = (f"{stream_base(app, owner, camera_id)}360p/live.m3u8" for camera_id in ids)
    node = ProductProcess("capture", [sys.executable, "worker.py", "capture"], limited)
    try:
        wait_until(lambda: viewer.get(first).status_code == 200, 30, f"one picture ({node.log})")
        began = time.monotonic()
        refused = viewer.get(second)
        assert time.monotonic() - began < 6, "told at once, not after the patience with a slow start"
        assert refused.status_code == 503
        assert "This server converts at most 1 picture at a time. Close another" in refused.text
        direct = viewer.get(second.replace("live.m3u8", "direct.mp4"))
        assert (direct.status_code, direct.text) == (503, refused.text)
        assert viewer.get(first).status_code == 200
        with app.app_context():
            stream_id = db.session.scalar(
                db.select(Stream.id).where(Stream.camera_id == ids[0], Stream.kind == "360p")
            )
            queue.redis_connection().delete(captures.watch_key(stream_id))
        wait_until(lambda: viewer.get(second).status_code == 200, 20, "the other, once there is room")
    finally:
        node.close()
        end_captures(limited)


def test_watching_starts_a_smaller_quality_and_the_sub_stream(
    app: Flask, client: FlaskClient, owner: User, farm: CameraFarm, node: ProductProcess
) -> None:
    with app.app_context():
        form = cameras.CameraForm(name="Gate", url=farm.url("t1a", 5), sub_url=farm.url("t1", 6))
        camera_id = cameras.create_camera(form, None).id
    base = stream_base(app, owner, camera_id)

    def shows(quality: str) -> bool:
        answer = client.get(f"{base}{quality}/live.m3u8")
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200

    wait_until(lambda: shows("main"), 20, f"the camera itself ({node.log})")
    for quality in ("360p", "sub"):
        began = time.monotonic()
        wait_until(lambda wanted=quality: shows(wanted), 15, f"{quality} ({node.log})")
        assert time.monotonic() - began < 12
    direct = client.get(f"{base}360p/direct.mp4", buffered=False)
    assert next(direct.iter_encoded())[4:8] == b"ftyp"
    direct.close()
    with app.app_context():
        states = {row.kind: row.state for row in db.session.execute(db.select(Stream.kind, Stream.state))}
    assert states["720p"] != "live", "nobody watches it"
