"""The first five minutes in a real Chromium: the wizard on a wide screen and on a phone, read by axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from cctv.services.person import users
from cctv.services.site import setup
from tests.blueprints.axe import violations
from tests.blueprints.site import Site


@pytest.fixture
def site(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(users, "_ROUNDS", 4)
    site = Site(app)
    yield site
    site.close()


@pytest.fixture(params=[(1440, 900), (390, 844)], ids=["desk", "phone"])
def screen(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A browser in Lisbon, as wide as a desk or a phone."""
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, timezone_id="Europe/Lisbon", has_touch=width < 500
    )
    yield context.new_page()
    context.close()


def looks_right(page: Page) -> None:
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_wizard_leads_to_the_first_camera(screen: Page, site: Site, app: Flask) -> None:
    refused: list[str] = []
    screen.on("console", lambda line: refused.append(line.text) if "Security Policy" in line.text else None)
    go_on = screen.get_by_role("button", name="Continue")
    with app.app_context():
        code = setup.code()
    screen.goto(f"{site.url}/setup/welcome?code={code}")
    looks_right(screen)
    screen.fill("#name", "Ana Martins")
    screen.fill("#email", "ana@example.org")
    screen.locator("#password").press_sequentially("short")
    expect(screen.locator("#strength")).to_contain_text("7 more")
    screen.evaluate("document.querySelector('form').noValidate = true")
    go_on.click()
    expect(screen.locator("#password")).to_be_focused()
    expect(screen.locator("#password-error")).to_contain_text("7 more")
    assert screen.input_value("#password") == "short", "a refused form keeps what was typed"
    looks_right(screen)
    screen.fill("#password", "a harbour at night")
    go_on.click()
    screen.wait_for_url("**/setup/place")
    assert screen.input_value("#time_zone") == "Europe/Lisbon", "guessed from the browser"
    expect(screen.locator("#clock")).to_contain_text("there")
    looks_right(screen)
    screen.fill("#organisation_name", "Harbour Storage")
    go_on.click()
    screen.wait_for_url("**/setup/storage")
    screen.get_by_role("button", name="Test writing").click()
    expect(screen.locator("#storage-result")).to_contain_text("MB/s", timeout=30_000)
    looks_right(screen)
    go_on.click()
    screen.wait_for_url("**/setup/camera")
    looks_right(screen)
    screen.get_by_role("link", name="Do this later").click()
    looks_right(screen)
    assert refused == []
