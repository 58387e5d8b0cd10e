"""A page with one player, and what its picture shows: frame numbers read from the bar code, with their times.

The geometry is that of cctv.demo.barcode; what a number means is worked out by the profile of the camera.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.sync_api import Page, Route

from cctv.blueprints.headers import CONTENT_SECURITY_POLICY
from cctv.demo import barcode
from cctv.demo.profiles import PROFILES, Profile

PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Player</title></head><body>
<div data-tile><div class="player" data-player data-base="{base}" data-quality="{quality}" data-mode="{mode}"
 data-codec="{codec}" data-name="Gate"><video muted playsinline></video></div></div>
<script type="module" src="/static/js/player.js"></script></body></html>"""

_READER = """
window.shown = []; window.states = []; window.waits = [];
document.addEventListener("player:state", (event) => window.states.push(event.detail), true);
document.addEventListener("DOMContentLoaded", () => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = 80; canvas.height = 12;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const number = () => {
    const block = video.videoHeight / BLOCKS;
    context.drawImage(video, 0, 0, 20 * block, 3 * block, 0, 0, 80, 12);
    const pixels = context.getImageData(0, 0, 80, 12).data;
    let value = 0;
    for (let column = 0; column < COLUMNS; column += 1) {
      const x = Math.floor((LEFT + column + 0.5) * 4);
      const upper = pixels[(Math.floor((TOP + 0.5) * 4) * 80 + x) * 4];
      const lower = pixels[(Math.floor((TOP + 1.5) * 4) * 80 + x) * 4];
      if (Math.abs(upper - lower) < CONTRAST) return null;
      value = value * 2 + (upper > lower ? 1 : 0);
    }
    return value >> (COLUMNS - 1) === 1 && !(value & 1) ? (value >> 1) & 65535 : null;
  };
  const look = () => {
    window.shown.push([Date.now(), number()]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  let waitedAt = 0;
  video.addEventListener("waiting", () => (waitedAt = performance.now()));
  video.addEventListener("playing", () => {
    if (waitedAt && window.shown.length) window.waits.push(performance.now() - waitedAt);
    waitedAt = 0;
  });
});
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen in a stretch of time. Seconds."""

    latencies: list[float]
    steps: list[int]  # between consecutive pictures; 1 is the next one
    stalls: list[float]
    unreadable: int

    @property
    def median_seconds(self) -> float:
        """How far the picture is behind the camera, at the half of all pictures."""
        return median(self.latencies)


def open_player(
    page: Page, url: str, base: str, *, mode: str, codec: str = "", quality: str = "main"
) -> None:
    """Open a page of that server with one player on the stream at `base`, under the product's own policy."""
    body = PAGE.format(base=base, mode=mode, codec=codec, quality=quality)

    def answer(route: Route) -> None:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        route.fulfill(body=body, content_type="text/html; charset=utf-8", headers=headers)

    reader = _READER
    for name, value in {
        "BLOCKS": barcode.BLOCKS_PER_HEIGHT,
        "COLUMNS": barcode.COLUMNS,
        "LEFT": barcode.LEFT_BLOCKS,
        "TOP": barcode.TOP_BLOCKS,
        "CONTRAST": barcode.MIN_CONTRAST,
    }.items():
        reader = reader.replace(name, str(value))
    page.add_init_script(reader)
    page.route(f"{url}/player-under-test", answer)
    page.goto(f"{url}/player-under-test")


def first_picture_seconds(page: Page, *, timeout_seconds: float = 15) -> float:
    """From the start of the navigation to the first picture that was shown."""
    # Not wait_for_function: it evaluates text, which the policy forbids.
    deadline = time.monotonic() + timeout_seconds
    while not page.evaluate("window.shown.length"):
        assert time.monotonic() < deadline, f"no picture in time: {states(page)}"
        page.wait_for_timeout(50)
    return float(page.evaluate("(window.shown[0][0] - performance.timeOrigin) / 1000"))


def watch(page: Page, profile: str, *, camera: int, seconds: float) -> Watched:
    """Look at what is shown for some seconds from now on."""
    return watch_all([page], profile, camera=camera, seconds=seconds)[0]


def watch_all(pages: list[Page], profile: str, *, camera: int, seconds: float) -> list[Watched]:
    """Look at several pages in the same seconds."""
    for page in pages:
        page.evaluate("window.shown = []; window.waits = []")
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        pages[0].wait_for_timeout(min(left, 1.0) * 1000)
    return [_seen(page, PROFILES[profile], camera) for page in pages]


def _seen(page: Page, facts: Profile, camera: int) -> Watched:
    shown: list[tuple[int, int | None]] = page.evaluate("window.shown")
    waits: list[float] = page.evaluate("window.waits")
    readable = [(at / 1000, number) for at, number in shown if number is not None]
    numbers = [number for _, number in readable]
    return Watched(
        latencies=[facts.age_seconds(number, camera=camera, now=at) for at, number in readable],
        steps=[(b - a) % facts.frames for a, b in itertools.pairwise(numbers)],
        stalls=[ms / 1000 for ms in waits],
        unreadable=len(shown) - len(readable),
    )


def states(page: Page) -> list[dict[str, Any]]:
    """What the player said, in order."""
    found: list[dict[str, Any]] = page.evaluate("window.states")
    return found
