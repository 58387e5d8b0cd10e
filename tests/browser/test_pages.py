"""The pages about cameras in a real Chromium, on a real camera: looks, keys and presses."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from cctv import create_app
from cctv.config import Config
from cctv.extensions import db
from cctv.models import Camera, Role
from cctv.services import cameras, settings, users
from tests.blueprints.axe import violations
from tests.cameras import CameraFarm
from tests.fixtures.application import OWNER_PASSWORD, make_config
from tests.fixtures.processes import LiveServer, ProductProcess, end_captures
from tests.servers import RedisServer, free_port
from tests.waiting import wait_until

SCREENS = {"desk": (1440, 900), "phone": (390, 844)}
PAGES = ("/", "/wall", "/cameras", "/cameras/1", "/cameras/2", "/cameras/2/edit", "/cameras/2/diagnose")
MORE_PAGES = ("/cameras/add", "/cameras?q=nothing", "/cameras?state=off")
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

    def __init__(self, browser: Browser, site: Site, screen: str = "desk") -> None:
        width, height = SCREENS[screen]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=screen == "phone", reduced_motion="reduce"
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
    for path in PAGES:
        page.goto(site.url + path)
        for theme in ("dark", "light"):
            page.evaluate(f"document.documentElement.dataset.bsTheme = '{theme}'")
            assert violations(page) == [], (path, theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
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
