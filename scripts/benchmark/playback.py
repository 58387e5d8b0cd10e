"""Measures playback in a real browser on the product's own page: the first picture, and seeks."""

from __future__ import annotations

import time
from statistics import median

from playwright.sync_api import Page

from cctv.extensions import db
from cctv.models import Role
from cctv.services.person import users
from scripts.benchmark.figure import Figure
from scripts.benchmark.live import chromium
from scripts.benchmark.node import Node, node
from tests.fixtures.application import OWNER_PASSWORD, sign_in
from tests.fixtures.processes import LiveServer

PROFILE = "a4"  # 1080p25, 4 Mbit/s, AAC, GOP 2 s: the dearest to seek in

_WATCH = """
window.pictures = [];
document.addEventListener("DOMContentLoaded", () => {
  const video = document.querySelector(".pb-tile video");
  if (!video) return;
  const look = (now, facts) => {
    window.pictures.push([performance.timeOrigin + performance.now(), facts.mediaTime, video.seeking]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
});
"""


def measure(*, seconds: float = 300) -> list[Figure]:
    """Five openings and ten seeks in two minutes of footage; three and four in forty seconds when quick."""
    is_long = seconds >= 60
    length, openings, seeks = (120, 5, 10) if is_long else (40, 3, 4)
    with node(PROFILE) as site:
        worker = site.run_worker()
        cam = site.add(PROFILE, 1)
        site.wait_live(cam)
        began_ms = int(time.time() * 1000)
        time.sleep(length)
        server = LiveServer(site.config).wait()
        try:
            cookie = _session(site)
            with chromium() as browser:
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                context.add_cookies([{"name": cookie[0], "value": cookie[1], "url": server.url}])
                context.add_init_script(_WATCH)
                page = context.new_page()
                firsts = [
                    _open(page, f"{server.url}/playback?cams={cam.camera_id}&t={began_ms + 5000 + at * 3000}")
                    for at in range(openings + 1)
                ][1:]  # the first one also fills the browser's cache
                span = (length - 15) * 1000
                jumps = [_seek(page, began_ms + 4000 + at * 7919 % span) for at in range(1, seeks + 1)]
        finally:
            server.close()
            worker.stop()
    return [
        Figure(
            "playback: first picture", median(firsts), "s", f"page included; worst {max(firsts):.2f}", 0.6
        ),
        Figure("playback: seek", median(jumps), "s", f"median of {seeks}, worst {max(jumps):.2f}", 0.4),
    ]


def _session(site: Node) -> tuple[str, str]:
    """The cookie of the owner's session."""
    with site.app.app_context():
        owner = users.create_user(
            "Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN
        )
        db.session.refresh(owner)
        db.session.expunge(owner)
    client = sign_in(site.app, owner)
    name = site.app.config["SESSION_COOKIE_NAME"]
    cookie = client.get_cookie(name)
    assert cookie is not None, "no session"
    return name, cookie.value


def _open(page: Page, url: str) -> float:
    """Seconds from the start of the navigation to the first picture."""
    page.goto(url)
    shown = _pictures(page, since=0.0)
    return (shown - float(page.evaluate("performance.timeOrigin"))) / 1000


def _seek(page: Page, to_ms: int) -> float:
    """Seconds from the order to the first picture of the new place."""
    began = float(
        page.evaluate(
            "(ms) => { window.pictures = []; const at = performance.timeOrigin + performance.now();"
            " window.playback.seek(ms); return at; }",
            to_ms,
        )
    )
    return (_pictures(page, since=began, is_seek=True) - began) / 1000


def _pictures(page: Page, *, since: float, is_seek: bool = False) -> float:
    """When the first picture was shown; after a seek, the first one near the place that was asked for."""
    wanted = (
        "window.pictures.find(([at, media]) => !IS_SEEK ||"
        " Math.abs(media - document.querySelector('.pb-tile video').currentTime) < 1)"
    ).replace("IS_SEEK", "true" if is_seek else "false")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found = page.evaluate(wanted)
        if found and found[0] >= since and (not is_seek or not found[2]):
            return float(found[0])
        page.wait_for_timeout(20)
    raise AssertionError(f"no picture: {page.inner_text('body')[:300]}")
