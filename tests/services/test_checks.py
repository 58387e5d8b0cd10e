"""Checks of real, faulty cameras through the service: a headline for each failure, and an early end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from cctv import causes
from cctv.extensions import db
from cctv.models import Probe, User
from cctv.services.camera import probes
from tests.cameras import CameraFarm
from tests.servers import free_port
from tests.waiting import wait_until

LONGEST_SECONDS = 10.5


def check(app: Flask, url: str, **login: str) -> dict[str, Any]:
    with app.app_context():
        began = time.monotonic()
        report = probes.check_now(url, username=login.get("username", ""), password=login.get("password", ""))
        return {**report, "seconds": time.monotonic() - began}


def test_each_failure_has_its_own_headline_in_time(app: Flask, farm: CameraFarm) -> None:
    farm.control("freeze", 901)
    farm.control("http", 902)
    farm.control("status", 903, 453)
    wrong = farm.url("t1", 904, auth=True, password="not-the-one")
    urls = {
        "auth": wrong,
        "path": farm.url("nothing", 905),
        "refused": f"rtsp://127.0.0.1:{free_port()}/t1/906",
        "silent": farm.url("t1", 901),
        "notrtsp": farm.url("t1", 902),
        "busy": farm.url("t1", 903),
        "dns": "rtsp://no-such-camera.invalid/t1",
    }
    with ThreadPoolExecutor(len(urls)) as pool:
        reports = dict(zip(urls, pool.map(lambda url: check(app, url), urls.values()), strict=True))
    assert {name: report["cause"] for name, report in reports.items()} == {name: name for name in urls}
    texts = {name: causes.get(name).told(port=554, user="admin", host="10.0.0.4") for name in urls}
    assert len({headline for headline, _ in texts.values()}) == len(urls)
    assert len({body for _, body in texts.values()}) == len(urls)
    assert max(report["seconds"] for report in reports.values()) < LONGEST_SECONDS
    assert "not-the-one" not in repr(reports)
    assert farm.control.stats(904)["describes"] <= 2
    farm.control("resume", "all")


def test_an_h265_camera_passes_with_a_remark(app: Flask, farm: CameraFarm) -> None:
    report = check(app, farm.url("t1h", 907))
    assert report["cause"] is None
    assert report["facts"]["warnings"] == ["codec"]
    assert "some screens cannot show this" in causes.get("codec").headline


def test_a_check_that_nobody_waits_for_ends_soon(app: Flask, owner: User, farm: CameraFarm) -> None:
    farm.control("slow", 908, 8, "frame")
    with app.app_context():
        probe = Probe(user_id=owner.id, url=farm.url("t1", 908), username="", steps=[], result={})
        db.session.add(probe)
        db.session.commit()
        probe_id = probe.id

    def run() -> None:
        with app.app_context():
            probes.run(probe_id)

    worker = threading.Thread(target=run)
    worker.start()
    with app.app_context():

        def is_watching() -> bool:
            db.session.rollback()
            return len(db.session.get_one(Probe, probe_id).steps) >= 5

        wait_until(is_watching, 5, "the check to look at the picture")
        left_at = time.monotonic()
        probes.cancel(db.session.get_one(Probe, probe_id))
        worker.join(10)
        assert time.monotonic() - left_at < 2
        db.session.rollback()
        assert db.session.get_one(Probe, probe_id).state == "left"
    farm.control("resume", 908)
