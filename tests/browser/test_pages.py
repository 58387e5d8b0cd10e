"""The pages about cameras in a real Chromium, on a real camera: looks, keys and presses."""

from __future__ import annotations

import gzip
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from cctv import create_app
from cctv.config import Config
from cctv.extensions import db
from cctv.models import Camera, Role
from cctv.services.camera import cameras
from cctv.services.person import users
from cctv.services.site import settings
from tests.blueprints.axe import violations
from tests.cameras import CameraFarm
from tests.fixtures.application import OWNER_PASSWORD, make_config
from tests.fixtures.processes import LiveServer, ProductProcess, end_captures
from tests.servers import RedisServer, free_port
from tests.waiting import wait_until

SCREENS = {"desk": (1440, 900), "phone": (390, 844)}
PAGES = ("/", "/wall", "/cameras", "/cameras/1", "/cameras/2", "/cameras/2/edit", "/cameras/2/diagnose")
MORE_PAGES = ("/cameras/add", "/cameras?q=nothing", "/cameras?state=off", "/search")
STRANGERS_PAGES = ("/login",)
SMALL_TARGETS = """() => [...document.querySelectorAll("a[href], button, input, select, summary")]
  .filter((n) => n.checkVisibility() && !n.closest("p, .visually-hidden") && !n.matches(".skip-link"))
  .map((n) => [n.outerHTML.slice(0, 90), (n.closest("label") || n).getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([text]) => text)"""
# A player is told so that a camera is away, and the wall says why in its place.
_EXPECTED = re.compile(r"Failed to load resource.*503")


@dataclass(frozen=True, slots=True)
class Site:
    """The product with a web server, a capture worker and two cameras: 1 is live, 2 does not answer."""

    app: Flask
    config: Config
    url: str
    farm: CameraFarm


@pytest.fixture(scope="module")
def site(
    farm: CameraFarm,
    redis_server: RedisServer,
    migrated_sqlite: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    shutil.copyfile(migrated_sqlite, folder / "cctv.db")
    redis_server.empty()
    config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis_server.url)
    app = create_app(config)
    prepare(app, farm)
    roles = {"capture": ["capture"], "jobs": ["jobs", "high"]}
    server = LiveServer(config)
    parts = [
        ProductProcess(name, [sys.executable, "worker.py", *role], config) for name, role in roles.items()
    ]
    try:
        server.wait()
        wait_until(lambda: state_of(app, 1) == "live", 30, "the camera to be live")
        wait_until(lambda: state_of(app, 2) == "offline", 30, "the other camera to be offline")
        yield Site(app, config, server.url, farm)
    finally:
        for process in (*parts, server):
            process.close()
        end_captures(config)


def prepare(app: Flask, farm: CameraFarm) -> None:
    with app.app_context():
        owner = users.create_user(
            "Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN
        )
        settings.save(organisation_name="Guardhouse", time_zone="Europe/Lisbon", setup_finished=True)
        nobody = f"rtsp://127.0.0.1:{free_port()}/none"
        for name, url, sub_url in (
            ("Front gate", farm.url("t1", 3), farm.url("t1", 4)),
            ("Loading bay", nobody, ""),
        ):
            cameras.create_camera(cameras.CameraForm(name=name, url=url, sub_url=sub_url), owner)


def state_of(app: Flask, camera_id: int) -> str:
    with app.app_context():
        return db.session.get_one(Camera, camera_id).main.state


class Visitor:
    """A signed-in page and what it complained of."""

    def __init__(
        self, browser: Browser, site: Site, screen: str = "desk", *, time_zone: str = "Europe/Lisbon"
    ) -> None:
        width, height = SCREENS[screen]
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            has_touch=screen == "phone",
            reduced_motion="reduce",
            timezone_id=time_zone,
        )
        self.context.set_default_timeout(10_000)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{site.url}/login")
        self.page.fill("#name", "owner@example.org")
        self.page.fill("#password", OWNER_PASSWORD)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(f"{site.url}/")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _EXPECTED.search(message.text):
            self.errors.append(message.text)


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    visitor = Visitor(browser, site)
    yield visitor
    visitor.context.close()
    assert visitor.errors == []


def plays(page: Page) -> bool:
    return page.evaluate("document.querySelector('[data-tile]').dataset.playerState") == "playing"


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_clean_in_both_themes(browser: Browser, site: Site, screen: str) -> None:
    visitor = Visitor(browser, site, screen)
    page, width = visitor.page, SCREENS[screen][0]
    for path in (*PAGES, *MORE_PAGES, *STRANGERS_PAGES):
        if path in STRANGERS_PAGES:
            visitor.context.clear_cookies()
        page.goto(site.url + path)
        for theme in ("dark", "light"):
            page.evaluate(f"document.documentElement.dataset.bsTheme = '{theme}'")
            assert violations(page) == [], (path, theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(SMALL_TARGETS) == [], path
    assert visitor.errors == []
    visitor.context.close()


def test_no_page_scrolls_sideways_at_320_pixels(visitor: Visitor, site: Site) -> None:
    visitor.page.set_viewport_size({"width": 320, "height": 640})
    for path in (*PAGES, *MORE_PAGES):
        visitor.page.goto(site.url + path)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_the_wall_plays_and_says_why_it_does_not(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/wall")
    wait_until(lambda: plays(page), 10, "the picture to play")
    expect(page.locator("#tile-1-state")).to_contain_text("Live")
    expect(page.locator("#tile-2-state")).to_contain_text("Offline")
    expect(page.locator("#tile-2-state").get_by_role("link", name="Diagnose")).to_be_visible()
    expect(page).to_have_title(re.compile("^1 offline – Wall"))


def test_keys_enlarge_record_and_lead_back(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/wall")
    wait_until(lambda: plays(page), 10, "the picture to play")
    page.evaluate("window.video = document.querySelector('video')")
    page.keyboard.press("1")
    expect(page.locator("#tile-1")).to_have_class(re.compile("is-one"))
    expect(page.locator("#tile-2")).to_be_hidden()
    wait_until(lambda: plays(page), 10, "the enlarged picture to play")
    page.keyboard.press("f")
    wait_until(lambda: page.evaluate("document.fullscreenElement?.id") == "tile-1", 3, "the full screen")
    page.keyboard.press("f")
    wait_until(lambda: page.evaluate("!document.fullscreenElement"), 3, "the page to be back")
    page.keyboard.press("r")
    toast = page.locator("#toasts")
    expect(toast).to_contain_text("Recording Front gate from")
    expect(page.locator("#tile-1-state")).to_contain_text("REC 0:")
    page.keyboard.press("Escape")
    expect(page.locator("#tile-2")).to_be_visible()
    page.keyboard.press("r")
    expect(toast).to_contain_text("Kept")
    assert page.evaluate("window.video === document.querySelector('video')")
    toast.get_by_role("link", name="Replay").last.click()
    page.wait_for_url("**/playback?cams=1&t=*")


def test_arrows_move_the_selection_and_keys_act_on_it(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/wall")
    expect(page.locator("#tile-1")).to_have_class(re.compile("is-selected"))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tile-2")).to_have_class(re.compile("is-selected"))
    expect(page.locator("#tile-2 .tile-name")).to_be_focused()
    page.keyboard.press("-")
    page.wait_for_url("**/wall?n=1")


def test_a_snapshot_is_shown_and_offered(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/wall")
    page.keyboard.press("s")
    toast = page.locator("#toasts .note-toast", has_text="Snapshot of Front gate")
    expect(toast).to_be_visible()
    picture = "document.querySelector('.note-toast-picture').naturalWidth"
    wait_until(lambda: page.evaluate(picture) > 0, 5, "the small picture")
    with page.expect_download() as download:
        toast.get_by_role("link", name="Download").click()
    assert re.fullmatch(r"Front-gate_[\d-]+_[\d-]+\.jpg", download.value.suggested_filename)
    assert Path(download.value.path()).read_bytes()[:2] == b"\xff\xd8"
    toast.get_by_role("link", name="Open in playback").click()
    page.wait_for_url("**/playback?cams=1&t=*")


def test_the_menu_of_a_tile_opens_by_key_and_by_button(visitor: Visitor, site: Site) -> None:
    page, menu = visitor.page, visitor.page.locator("#dlg")
    page.goto(f"{site.url}/wall")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ContextMenu")
    expect(menu.get_by_role("heading")).to_have_text("2 · Loading bay")
    expect(menu.get_by_role("link", name="Open")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#tile-2 .tile-name")).to_be_focused()
    page.get_by_role("button", name="More for 1 · Front gate").click()
    assert violations(page) == []
    words = menu.locator(".menu-item").all_inner_texts()
    assert words == ["Open", "Snapshot", "Record", "Full screen", "Playback", "Edit", "Diagnose"]
    assert menu.get_by_role("link", name="Edit").get_attribute("href") == "/cameras/1/edit"
    menu.get_by_role("button", name="Snapshot").click()
    expect(menu).to_be_hidden()
    expect(page.locator("#toasts")).to_contain_text("Snapshot of Front gate")


def test_the_wheel_and_the_button_zoom_into_a_picture(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/cameras/1")
    wait_until(lambda: plays(page), 10, "the picture to play")
    page.locator(".picture").hover()
    page.mouse.wheel(0, -100)
    button = page.locator("[data-zoom-picture]")
    expect(button).to_contain_text("1.3×")
    assert "scale(1.25)" in page.evaluate("document.querySelector('video').style.transform")
    for words in ("2×", "4×", "1×"):
        button.click()
        expect(button).to_contain_text(words)
    assert page.evaluate("document.querySelector('video').style.transform") == ""
    assert plays(page)


class Finger:
    """One finger on a screen, as the browser gets it from the glass."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._glass = page.context.new_cdp_session(page)

    def draw(self, *points: tuple[float, float], hold_ms: float = 0) -> None:
        """Down at the first point, over the others, up."""
        for kind, point in zip(["touchStart"] + ["touchMove"] * len(points), points, strict=False):
            self._send(kind, [{"x": point[0], "y": point[1]}])
            self._page.wait_for_timeout(30 + hold_ms)
        self._send("touchEnd", [])

    def _send(self, kind: str, points: list[dict[str, float]]) -> None:
        self._glass.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_fingers_hold_swipe_and_tap_on_a_phone(browser: Browser, site: Site) -> None:
    visitor = Visitor(browser, site, "phone")
    page, finger = visitor.page, Finger(visitor.page)
    page.goto(f"{site.url}/wall")
    tile = page.locator("#tile-1").bounding_box()
    assert tile is not None
    x, y = tile["x"] + tile["width"] / 2, tile["y"] + tile["height"] / 2
    finger.draw((x, y), hold_ms=700)
    expect(page.locator("#dlg").get_by_role("heading")).to_have_text("1 · Front gate")
    page.keyboard.press("Escape")
    page.locator("#tile-1 .tile-pick").click()
    left, right = [(300 - 60 * n, y) for n in range(5)], [(60 + 60 * n, y) for n in range(5)]
    finger.draw(*left)
    expect(page.locator("#tile-2")).to_have_class(re.compile("is-one"))
    finger.draw(*right)
    expect(page.locator("#tile-1")).to_have_class(re.compile("is-one"))
    page.set_viewport_size({"width": 844, "height": 390})
    assert page.locator("#tile-1").bounding_box() == {"x": 0, "y": 0, "width": 844, "height": 390}
    back = page.get_by_role("button", name="All pictures")
    shown = "getComputedStyle(document.querySelector('.bar')).opacity"
    assert page.evaluate(shown) == "0"
    page.locator("#tile-1 .tile-pick").click()
    wait_until(lambda: page.evaluate(shown) == "1", 8, "the controls")
    back.click()
    expect(page.locator("#tile-2")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/cameras/1")
    finger.draw(*[(point[0], 150) for point in left])
    page.wait_for_url("**/cameras/2")
    assert visitor.errors == []
    visitor.context.close()


def test_pages_ask_no_other_host_and_carry_little_script(visitor: Visitor, site: Site) -> None:
    page, sizes = visitor.page, {}
    foreign: list[str] = []

    def note(answer: Response) -> None:
        if not answer.url.startswith((site.url, "blob:", "data:")):
            foreign.append(answer.url)
        if re.search(r"/static/(js|css|vendor)/[\w.]+\.(js|css)", answer.url):
            sizes[answer.url] = len(gzip.compress(answer.body()))

    page.on("response", note)
    for path in (*PAGES, "/cameras/add", "/playback?cams=1"):
        sizes.clear()
        page.goto(site.url + path, wait_until="load")
        page.wait_for_timeout(300)
        ours = sum(size for url, size in sizes.items() if "/static/js/" in url)
        assert 0 < ours <= 30_000, (path, ours)
        assert sum(size for url, size in sizes.items() if ".css" in url) <= 100_000, path
    assert foreign == []


def test_who_sits_in_another_time_zone_is_told_whose_time_is_shown(browser: Browser, site: Site) -> None:
    visitor = Visitor(browser, site, time_zone="Asia/Tokyo")
    toast = visitor.page.locator("#toasts .note-toast", has_text="site time")
    expect(toast).to_have_text(
        re.compile(r"Times are site time \(Lisbon\)\. Your computer is [89] h ahead\.")
    )
    visitor.page.goto(f"{site.url}/cameras/1")
    expect(toast).to_have_count(0)
    visitor.page.keyboard.press("2")
    visitor.page.wait_for_url("**/cameras/2")
    visitor.context.close()


def test_a_device_that_saves_data_asks_before_it_plays(browser: Browser, site: Site) -> None:
    visitor = Visitor(browser, site, "phone")
    page = visitor.page
    page.add_init_script("Object.defineProperty(navigator.connection, 'saveData', { get: () => true })")
    page.goto(f"{site.url}/wall")
    ask = page.locator("#tile-1").get_by_role("button", name="Tap for live")
    expect(ask).to_be_visible()
    expect(page.locator("#tile-1 .still-age")).to_contain_text(re.compile(r"Picture of \d\d:\d\d:\d\d"))
    assert not plays(page)
    ask.click()
    wait_until(lambda: plays(page), 10, "the picture to play")
    assert visitor.errors == []
    visitor.context.close()


def test_another_quality_is_chosen_at_once(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/cameras/1")
    page.get_by_label("Quality").select_option("sub")
    page.wait_for_url("**/cameras/1?q=sub")
    expect(page.locator("[data-player]")).to_have_attribute("data-quality", "sub")
    wait_until(lambda: plays(page), 20, "the small picture to play")


def test_a_check_tells_the_cause_marks_the_field_and_keeps_what_was_typed(
    visitor: Visitor, site: Site
) -> None:
    page = visitor.page
    page.goto(f"{site.url}/cameras/add")
    page.fill("#url", f"127.0.0.1:{site.farm.port}/auth/t1/7")
    page.fill("#username", "admin")
    page.fill("#password", "not the one")
    page.fill("#name", "Yard")
    page.keyboard.press("Enter")
    check = page.locator("#check")
    expect(check).to_contain_text("Wrong user name or password", timeout=10_000)
    expect(page.locator("#password")).to_have_attribute("aria-invalid", "true")
    kept = [page.input_value(f"#{name}") for name in ("username", "password", "name")]
    assert kept == ["admin", "not the one", "Yard"]
    assert "not the one" not in page.content()
    page.fill("#password", "secret")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(check).to_contain_text("its picture moves", timeout=15_000)
    expect(page.locator("#password")).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#save")).to_have_text("Save camera")


def test_a_name_is_changed_in_place(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    page.goto(f"{site.url}/cameras")
    page.get_by_role("link", name="Rename Loading bay").click()
    field = page.get_by_label("New name of Loading bay")
    field.press("Escape")
    expect(field).to_have_count(0)
    page.get_by_role("link", name="Rename Loading bay").click()
    expect(field).to_be_focused()
    page.keyboard.type("Dock")
    page.keyboard.press("Enter")
    expect(page.locator("#row-2")).to_contain_text("Dock")
