"""Measures live: delay and stalls of the three faces, the first picture, and what a viewer costs the server.

Real cameras, ffmpeg, gunicorn and Chromium; the delay is read from the picture against the camera's clock.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from flask import Flask
from playwright.sync_api import Browser, sync_playwright

from cctv import create_app
from cctv.extensions import db
from cctv.models import Role, StreamState, User
from cctv.services.person import users
from scripts.benchmark.figure import Figure
from tests.browser.watching import first_picture_seconds, open_player, watch_all
from tests.cameras import CameraFarm
from tests.captured import GrowingCapture, add_camera, stream_base
from tests.fixtures.application import OWNER_PASSWORD, make_config, migrate
from tests.fixtures.browser import _ARGUMENTS, chrome_path
from tests.fixtures.processes import LiveServer
from tests.servers import RedisServer

FACES = {"direct": ("direct stream", 0.5), "ll": ("LL-HLS", 1.3), "hls": ("HLS", 3.7)}
_CAMERA = 1  # its number at the demo server


@dataclass(frozen=True, slots=True)
class Stand:
    """The product with one web server and cameras, and a browser."""

    app: Flask
    owner: User
    server: LiveServer
    farm: CameraFarm

    def add(self, *, state: str = StreamState.LIVE) -> tuple[int, int, str]:
        """(camera id, stream id, base address) of one more camera."""
        camera_id, stream_id = add_camera(self.app, state=state)
        return camera_id, stream_id, stream_base(self.app, self.owner, camera_id)

    def capture(self, profile: str, camera_id: int, stream_id: int) -> GrowingCapture:
        """Begin to capture it."""
        media_dir = self.app.extensions["cctv.config"].media_dir
        url = self.farm.url(profile, _CAMERA)
        return GrowingCapture(url, media_dir, camera_id=camera_id, stream_id=stream_id)


@contextmanager
def stand(*profiles: str) -> Iterator[Stand]:
    """Everything that the measurements need, with the loops of these profiles ready."""
    folder = Path(tempfile.mkdtemp(prefix="bench-live-"))
    redis = RedisServer()
    config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis.url)
    migrate(config)
    app = create_app(config)
    with app.app_context():
        owner = users.create_user(
            "Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN
        )
        db.session.refresh(owner)
        db.session.expunge(owner)
    server = LiveServer(config)
    try:
        with CameraFarm.start(loops=profiles) as farm:
            yield Stand(app, owner, server.wait(), farm)
    finally:
        server.close()
        redis.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chrome_path(), args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def delay(
    profile: str = "demo", *, seconds: float = 300, faces: tuple[str, ...] = tuple(FACES)
) -> list[Figure]:
    """Delay and stalls of each face, one after the other, with AAC sound."""
    figures = []
    with stand(profile) as site, chromium() as browser:
        camera_id, stream_id, base = site.add()
        with site.capture(profile, camera_id, stream_id) as running:
            running.wait_for_picture()
            for face in faces:
                name, limit = FACES[face]
                page = browser.new_context().new_page()
                open_player(page, site.server.url, base, mode=face)
                first_picture_seconds(page)
                page.wait_for_timeout(3000)
                [seen] = watch_all([page], profile, camera=_CAMERA, seconds=seconds)
                page.context.close()
                ordered = sorted(seen.latencies)
                spread = f"p5 {ordered[len(ordered) // 20]:.2f}, p95 {ordered[len(ordered) * 19 // 20]:.2f}"
                how = f"{profile}, {len(ordered)} pictures in {seconds:g} s, {spread} s"
                figures.append(Figure(f"{name}: behind the camera, p50", median(ordered), "s", how, limit))
                stalled = f"{sum(seen.stalls):.2f} s in all"
                is_limited = face != "hls"
                figures.append(
                    Figure(f"{name}: stalls", len(seen.stalls), "", stalled, 0 if is_limited else None)
                )
    return figures


def first_picture(profile: str = "e1", *, tries: int = 5) -> list[Figure]:
    """From opening the page to the first picture: of a running capture, and of one that starts meanwhile."""
    cold = []
    with stand(profile) as site, chromium() as browser:
        camera_id, stream_id, base = site.add()
        with site.capture(profile, camera_id, stream_id) as running:
            running.wait_for_picture()
            warm = [_first(browser, site, base) for _ in range(tries)]
        for _ in range(tries):
            camera_id, stream_id, base = site.add(state=StreamState.CONNECTING)
            with site.capture(profile, camera_id, stream_id):
                cold.append(_first(browser, site, base))
    how = f"direct stream, {profile}, median of {tries}, page included"
    return [
        Figure("first picture, warm", median(warm), "s", f"{how}; worst {max(warm):.2f}", 0.5),
        Figure("first picture, cold", median(cold), "s", f"{how}; worst {max(cold):.2f}", 2.0),
    ]


def _first(browser: Browser, site: Stand, base: str) -> float:
    page = browser.new_context().new_page()
    open_player(page, site.server.url, base, mode="direct")
    seconds = first_picture_seconds(page)
    page.context.close()
    return seconds


def viewers(profile: str = "c2", *, count: int = 200, seconds: float = 20) -> list[Figure]:
    """CPU of the web server for many viewers of one direct stream."""
    with stand(profile) as site:
        camera_id, stream_id, base = site.add()
        with site.capture(profile, camera_id, stream_id) as running:
            running.wait_for_picture()
            crowd = _Crowd(site.server.port, f"{base}main/direct.mp4", count)
            crowd.receive(4)
            before, received, began = _cpu_seconds(site.server.process.pid), crowd.received, time.monotonic()
            crowd.receive(seconds)
            spent = _cpu_seconds(site.server.process.pid) - before
            elapsed = time.monotonic() - began
            megabits = (crowd.received - received) * 8 / 1e6 / elapsed
            crowd.close()
    how = f"{count} viewers, {megabits:.0f} Mbit/s, {crowd.lost} lost"
    return [Figure("direct stream: server per viewer", spent * 1000 / elapsed / count, "ms/s", how, 0.7)]


class _Crowd:
    """Viewers that take everything at once and throw it away."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._buffer = bytearray(1 << 20)
        self.received = self.lost = 0
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(request)
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)

    def receive(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for key, _ in self._selector.select(0.5):
                connection: socket.socket = key.fileobj  # type: ignore[assignment]
                with suppress(BlockingIOError):
                    size = connection.recv_into(self._buffer)
                    self.received += size
                    if not size:
                        self.lost += 1
                        self._selector.unregister(connection)

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]


def _cpu_seconds(pid: int) -> float:
    """CPU of gunicorn's master and its worker."""
    children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    ticks = 0
    for process in [pid, *(int(child) for group in children for child in group)]:
        fields = re.sub(r".*\)", "", Path(f"/proc/{process}/stat").read_text(), flags=re.S).split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(*, seconds: float = 300) -> list[Figure]:
    """Everything about live; 13 minutes with the full five minutes for those that must not stall in them."""
    figures = [
        *delay(seconds=seconds, faces=("direct", "ll")),
        *delay(seconds=min(seconds, 60), faces=("hls",)),
    ]
    return [*figures, *first_picture(), *viewers()]
