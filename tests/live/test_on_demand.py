"""Streams that run only while somebody watches: the request itself starts them, and they end afterwards."""

from __future__ import annotations

import time

from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import Stream, User
from cctv.services import cameras
from tests.cameras import CameraFarm
from tests.captured import stream_base
from tests.fixtures.processes import ProductProcess
from tests.waiting import wait_until


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
