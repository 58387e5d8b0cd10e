"""The wall in trouble: failing cameras, a server out of reach, no conversions left; what is told, and when.

One scene with product-like patience: two cameras fail together while the others are watched.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cctv import create_app
from cctv.extensions import db
from cctv.models import Camera, Role
from cctv.services.camera import cameras
from cctv.services.person import users
from cctv.services.site import settings
from tests.browser.test_pages import Site, Visitor
from tests.cameras import CameraFarm
from tests.fixtures.application import OWNER_PASSWORD, make_config
from tests.fixtures.processes import LiveServer, ProductProcess, end_captures
from tests.servers import RedisServer
from tests.waiting import wait_until

# Camera of the product (its number on the wall) -> loop and number in the farm.
CAMERAS = {number: ("t1", 70 + number) for number in range(1, 10)} | {10: ("t1h", 80), 11: ("t1h", 81)}
FROZEN, DOWN, SOUND, H265 = 1, 2, (3, 4), (10, 11)
PAINTED_MS, PLAYING_MS, MOST_PLAY = 1000, 5000, 8  # of nine, on an idle machine
SNAPSHOT_MS, QUEUED_MS = 1500, 300
BUSY = 3  # a machine that runs other tests beside these; states keep their times, they need no processor
WATCH = """
window.emptied = [];
window.videos = [...document.querySelectorAll("video")];
for (const video of window.videos)
  video.addEventListener("emptied", () => window.emptied.push(video.closest("[data-tile]").id));
"""
WHEN = """
window.plays = {};
document.addEventListener("player:state", ({ target, detail }) => {
  if (detail.state === "playing") window.plays[target.closest("[data-tile]").id] ||= performance.now();
}, true);
"""


@pytest.fixture(scope="module")
def site(
    farm: CameraFarm,
    redis_server: RedisServer,
    migrated_sqlite: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("wall")
    shutil.copyfile(migrated_sqlite, folder / "cctv.db")
    redis_server.empty()
    config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis_server.url)
    config = replace(config, transcode_limit=1)
    app = create_app(config)
    with app.app_context():
        owner = users.create_user(
            "Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN
        )
        settings.save(organisation_name="Guardhouse", time_zone="Europe/Lisbon", setup_finished=True)
        for number, place in CAMERAS.items():
            form = cameras.CameraForm(name=f"Camera {number}", url=farm.url(*place))
            cameras.create_camera(form, owner)
    server = LiveServer(config)
    worker = ProductProcess("capture", [sys.executable, "worker.py", "capture"], config)

    def are_live() -> bool:
        with app.app_context():
            return all(camera.main.state == "live" for camera in db.session.scalars(db.select(Camera)))

    try:
        server.wait()
        wait_until(are_live, 40, f"all cameras to be live ({worker.log})")
        yield Site(app, config, server.url, farm)
    finally:
        worker.close()
        server.close()
        end_captures(config)
        farm.control("resume", "all")


def open_wall(browser: Browser, site: Site, tiles: int = 4, page: int = 1) -> Visitor:
    visitor = Visitor(browser, site)
    visitor.page.goto(f"{site.url}/wall?n={tiles}&p={page}")
    return visitor


def state_of(page: Page, number: int) -> str:
    found: str = page.evaluate(f"document.querySelector('#tile-{number}').dataset.playerState || ''")
    return found


def chip_of(page: Page, number: int) -> str:
    """The words of the chips that a person sees on a tile."""
    return " ".join(page.locator(f"#tile-{number} .chip:visible").all_inner_texts())


def wait_for(page: Page, words: str, number: int, seconds: float) -> float:
    """How long it took until the chips of a tile match."""
    began = time.monotonic()

    def is_there() -> bool:
        page.wait_for_timeout(100)
        return re.search(words, chip_of(page, number)) is not None

    wait_until(is_there, seconds, f"{words} on camera {number}, which says {chip_of(page, number)!r}")
    return time.monotonic() - began


def wait_until_playing(page: Page, *numbers: int, seconds: float = 20) -> None:
    for number in numbers:

        def plays(number: int = number) -> bool:
            page.wait_for_timeout(50)
            return state_of(page, number) == "playing"

        wait_until(plays, seconds, f"camera {number} to play, which says {chip_of(page, number)!r}")


def test_nine_pictures_are_there_at_once(browser: Browser, site: Site) -> None:
    visitor = Visitor(browser, site)
    page = visitor.page
    page.add_init_script(WHEN)
    page.goto(f"{site.url}/wall?n=9")
    wait_until_playing(page, *range(1, MOST_PLAY + 1), seconds=PLAYING_MS / 1000 * BUSY)
    painted, plays = page.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime, plays]"
    )
    assert painted <= PAINTED_MS * BUSY
    assert page.locator("[data-tile] .tile-server .chip").count() == 9, "each says something from then on"
    assert sorted(plays.values())[MOST_PLAY - 1] <= PLAYING_MS * BUSY, plays
    visitor.context.close()


def test_a_press_waits_for_no_picture_on_a_wall_of_sixteen(browser: Browser, site: Site) -> None:
    visitor = open_wall(browser, site, tiles=16)
    page = visitor.page
    wait_until_playing(page, *range(1, 10), seconds=30)
    page.evaluate("performance.clearResourceTimings(); performance.setResourceTimingBufferSize(2000)")
    pressed_at = time.monotonic()
    page.keyboard.press("s")
    expect(page.locator("#toasts")).to_contain_text("Snapshot of Camera 1", timeout=SNAPSHOT_MS * BUSY)
    assert time.monotonic() - pressed_at < SNAPSHOT_MS / 1000 * BUSY
    queued = page.evaluate("""performance.getEntriesByType("resource")
        .filter(({ name }) => name.endsWith("/snapshot")).map((one) => one.requestStart - one.startTime)""")
    assert len(queued) == 1
    assert queued[0] < QUEUED_MS * BUSY
    visitor.context.close()


def test_failing_cameras_are_told_in_time_and_disturb_no_other(browser: Browser, site: Site) -> None:
    visitor, stranded = open_wall(browser, site), open_wall(browser, site)
    page, control = visitor.page, site.farm.control
    wait_until_playing(page, FROZEN, DOWN, *SOUND)
    page.evaluate(WATCH)
    cut_off = ("**/wall/status*", "**/alive")
    for address in cut_off:
        stranded.page.route(address, lambda route: route.abort())
    lost_at = time.monotonic()

    control("hang", CAMERAS[FROZEN][1])
    control("down", CAMERAS[DOWN][1], 26)
    failed_at = time.monotonic()
    page.evaluate("document.querySelector('#tile-3 [data-tile-key=s]').click()")
    expect(page.locator("#toasts")).to_contain_text("Snapshot of Camera 3", timeout=SNAPSHOT_MS * BUSY)

    for number in (FROZEN, DOWN):
        wait_for(page, r"^(?!.*\bLive\b)", number, 8 - (time.monotonic() - failed_at))
    wait_for(page, r"Frozen|Offline", FROZEN, 9 - (time.monotonic() - failed_at))
    control("down", CAMERAS[FROZEN][1], 26 - (time.monotonic() - failed_at))
    stranded.page.wait_for_timeout(max(0.0, 14 - (time.monotonic() - lost_at)) * 1000)
    for number in SOUND:
        assert "Unknown" in chip_of(stranded.page, number), "nobody told this page for 14 s"
        assert state_of(stranded.page, number) == "playing"
    expect(stranded.page.locator("#banner")).to_contain_text("Connection lost")
    for address in cut_off:
        stranded.page.unroute(address)

    for number in (FROZEN, DOWN):
        wait_for(page, r"Offline", number, 30 - (time.monotonic() - failed_at))
        assert page.locator(f"#tile-{number} .tile-message strong").inner_text()
    expect(page).to_have_title(re.compile("^2 offline – Wall"))
    assert "trouble" in page.locator('link[rel="icon"]').get_attribute("href")

    wait_until(lambda: time.monotonic() - failed_at > 26.5, 30, "the camera to be switched on again")
    back_at = time.monotonic()
    for number in (FROZEN, DOWN):
        wait_for(page, r"\bLive\b", number, 20 - (time.monotonic() - back_at))
    wait_until_playing(page, FROZEN, DOWN, seconds=20 - (time.monotonic() - back_at))
    assert page.evaluate("videos.every((video) => video.isConnected)"), "a <video> was replaced"
    undisturbed = {f"tile-{number}" for number in SOUND}
    assert undisturbed.isdisjoint(page.evaluate("window.emptied"))
    expect(stranded.page.locator("#banner")).to_be_hidden(timeout=35_000)
    assert "Unknown" not in chip_of(stranded.page, SOUND[0])
    for one in (visitor, stranded):
        one.context.close()


def test_h265_is_converted_up_to_the_limit_and_never_black(browser: Browser, site: Site) -> None:
    visitor = open_wall(browser, site, tiles=9, page=2)
    page = visitor.page

    def settled() -> bool:
        page.wait_for_timeout(100)
        return sorted(state_of(page, number) for number in H265) == ["away", "playing"]

    wait_until(settled, 40, "one converted picture and one refusal")
    refused = next(number for number in H265 if state_of(page, number) == "away")
    words = page.locator(f"#tile-{refused} .player-words")
    expect(words).to_contain_text("This server converts at most 1 picture at a time")
    page.goto(f"{site.url}/cameras/{refused}")
    expect(page.locator(".player-words")).to_contain_text("at most 1 picture at a time", timeout=20_000)
    visitor.context.close()


def test_space_and_k_pause_the_selected_picture(browser: Browser, site: Site) -> None:
    visitor = open_wall(browser, site)
    page = visitor.page
    wait_until_playing(page, 3, 4)
    page.keyboard.press("3")
    page.keyboard.press("Escape")
    wait_until_playing(page, 3, 4)
    page.keyboard.press(" ")
    wait_for(page, "Paused", 3, 3)
    assert page.evaluate("document.querySelector('#tile-3 video').paused")
    assert state_of(page, 4) == "playing"
    button = page.locator("[data-pause-picture]")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("k")
    wait_until_playing(page, 3)
    expect(button).to_have_attribute("aria-pressed", "false")
    visitor.context.close()


def test_a_phone_never_starts_more_than_four(browser: Browser, site: Site) -> None:
    visitor = Visitor(browser, site, "phone")
    page = visitor.page
    page.set_viewport_size({"width": 390, "height": 2400})  # all tiles are in sight
    started: set[str] = set()
    page.on("request", lambda request: started.update(re.findall(r"/stream/[^/]+/(\d+)/", request.url)))
    page.goto(f"{site.url}/wall?n=9")
    wait_until_playing(page, 1, 2, 3, 4)
    assert started == {"1", "2", "3", "4"}
    assert all(state_of(page, number) in {"", "off"} for number in (5, 6))
    visitor.context.close()
