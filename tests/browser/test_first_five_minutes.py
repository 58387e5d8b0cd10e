"""The first five minutes of a new owner, from the printed link on; the tests of a module run in this order.

A fresh stack is started by the real start command on an empty DATA_DIR; nothing is prepared for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.blueprints.axe import violations
from tests.browser.playing import error_seconds, shown, state
from tests.stack import Stack
from tests.waiting import wait_until

MOST_ACTIONS, MOST_SECONDS = 12, 60  # from the first page to the playing picture
READY_SECONDS = 60
EMAIL, PASSWORD = "ana@example.org", "a harbour at night"
PRE_ROLL_SECONDS = 10
DEMO_NUMBER = 1  # of the demo camera among the demo server's own


class Person:
    """Somebody at a page whose clicks and fields are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.actions = 0

    def fill(self, label: str, text: str) -> None:
        self.actions += 1
        self.page.get_by_label(label, exact=True).fill(text)

    def click(self, name: str) -> None:
        self.actions += 1
        self.page.get_by_role("button", name=name).click()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("first") / "data")
    stack.wait_ready(READY_SECONDS)
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def owner(browser: Browser) -> Iterator[BrowserContext]:
    """The owner's browser through all tests."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="Europe/Lisbon"
    )
    context.set_default_timeout(10_000)
    yield context
    context.close()


def is_moving(page: Page) -> bool:
    """Whether two pictures that differ in time were shown."""
    script = "document.querySelector('video')?.currentTime ?? 0"
    before: float = page.evaluate(script)
    page.wait_for_timeout(300)
    return bool(page.evaluate(script) > before > 0)


def test_an_empty_installation_leads_to_the_wizard(stack: Stack, page: Page) -> None:
    for path in ("/", "/wall", "/login"):
        page.goto(stack.url + path)
        assert urlsplit(page.url).path == "/setup/welcome", path
    expect(page.locator("h1")).to_have_text("Set up your cameras")


def test_from_the_printed_link_to_a_moving_picture(stack: Stack, owner: BrowserContext) -> None:
    page = owner.new_page()
    person = Person(page)
    began = time.monotonic()
    page.goto(stack.printed_link())
    person.fill("Your name", "Ana Martins")
    person.fill("E-mail", EMAIL)
    person.fill("Password", PASSWORD)
    person.click("Continue")
    page.wait_for_url("**/setup/place")
    assert page.input_value("#time_zone") == "Europe/Lisbon", "guessed from the browser"
    person.fill("Name of your organisation", "Harbour Storage")
    person.click("Continue")
    page.wait_for_url("**/setup/storage")
    person.click("Continue")
    page.wait_for_url("**/setup/camera")
    person.click("Demo camera")
    page.wait_for_url("**/setup/done")
    wait_until(lambda: is_moving(page), MOST_SECONDS, "the picture to move")
    assert person.actions <= MOST_ACTIONS
    assert time.monotonic() - began < MOST_SECONDS
    assert violations(page) == []
    person.click("Open the wall")
    page.wait_for_url("**/wall")


def test_the_tile_on_the_wall_is_live_and_recorded(stack: Stack, owner: BrowserContext) -> None:
    page = owner.pages[0]
    tile = page.locator(".tile")
    wait_until(lambda: is_moving(page), 15, "the picture on the wall to move")
    expect(tile.locator(".chip-live").first).to_contain_text("Live")
    expect(tile.locator(".chip-rec")).to_contain_text("REC", timeout=15_000)
    expect(page.locator("[data-coach]")).to_contain_text("S for a snapshot, R to record")


def test_a_recording_is_replayed_where_it_began(stack: Stack, owner: BrowserContext) -> None:
    page = owner.pages[0]
    live_since = time.monotonic()
    # Nobody is so quick in life: the ten seconds before the press must have been filmed.
    wait_until(lambda: time.monotonic() - live_since > PRE_ROLL_SECONDS, 20, "some footage before the press")
    page.get_by_role("button", name="Record Demo camera").click()
    toast = page.locator("#toasts .note-toast")
    expect(toast).to_contain_text("Recording Demo camera from")
    said = re.search(r"\((\d+) s before you pressed\)", toast.last.inner_text())
    assert said
    assert 8 <= int(said.group(1)) <= 11
    counter = page.locator(".tile [data-count-from]")
    first = counter.inner_text()
    wait_until(lambda: counter.inner_text() != first, 3, "the chip to count")
    page.get_by_role("button", name="Stop recording Demo camera").click()
    kept = toast.filter(has_text="Kept")
    expect(kept).to_contain_text(re.compile(r"Kept \d+ s of Demo camera, from \d\d:\d\d:\d\d\."))
    kept.get_by_role("link", name="Replay").click()
    page.wait_for_url("**/playback?*")
    started_ms = int(parse_qs(urlsplit(page.url).query)["t"][0])
    picture = wait_until(lambda: shown(page), 8, "the recorded picture")
    assert started_ms - 200 <= picture.ms < started_ms + 3000, state(page)
    # What was on the camera then, to what a connection and the encoder's clock may cost.
    assert abs(error_seconds(picture, "demo", DEMO_NUMBER)) < 0.5
    lane = page.get_by_role("img", name=re.compile("Demo camera"))
    expect(lane.locator(".recorded").first).to_be_attached()
    expect(lane.locator(".manual").first).to_be_attached()


def test_the_checklist_ticks_itself(stack: Stack, owner: BrowserContext) -> None:
    page = owner.pages[0]
    page.goto(stack.url + "/")
    done = page.locator(".checks li").filter(has=page.locator(".chip-ok"))
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    assert done.count() >= 2
    assert violations(page) == []


def test_the_wizard_is_gone_for_strangers_and_leads_the_owner_on(
    stack: Stack, owner: BrowserContext, page: Page
) -> None:
    for path in ("/setup", "/setup/welcome", "/setup/owner", "/setup/done"):
        answer = page.goto(stack.url + path)
        assert answer is not None
        assert answer.status == 404, path
    answer = page.goto(stack.printed_link())
    assert answer is not None
    assert answer.status == 404, "the code is dead"
    mine = owner.pages[0]
    mine.goto(f"{stack.url}/setup/done")
    assert urlsplit(mine.url).path == "/"


def test_a_wrong_sign_in_is_answered_the_same_for_every_name(stack: Stack, page: Page) -> None:
    said = []
    for name in (EMAIL, "nobody@example.org"):
        page.goto(f"{stack.url}/login")
        page.fill("#name", name)
        page.fill("#password", "not the right one")
        page.get_by_role("button", name="Sign in", exact=True).click()
        alert = page.locator("main [role=alert], .plain [role=alert]").first
        expect(alert).to_be_visible()
        said.append(alert.inner_text())
        assert page.input_value("#name") == name
        assert page.input_value("#password") == ""
    assert said[0] == said[1] == "Name or password is not right."
    assert violations(page) == []


def test_without_javascript_one_signs_in_edits_a_camera_and_signs_out(stack: Stack, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(f"{stack.url}/cameras")
    page.fill("#name", EMAIL)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/cameras")
    row = page.get_by_role("link", name="Demo camera").first
    href = row.get_attribute("href")
    assert href
    page.goto(f"{stack.url}{href}/edit")
    page.get_by_label("Name", exact=True).fill("Front gate")
    page.locator("main form").first.get_by_role("button", name=re.compile("Save")).click()
    page.goto(f"{stack.url}/cameras")
    expect(page.get_by_role("link", name="Front gate").first).to_be_visible()
    page.get_by_label(re.compile("Your menu")).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    context.close()
