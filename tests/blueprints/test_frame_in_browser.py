"""The frame in a real Chromium: keys, toasts, dialogs, lost connection, themes, narrow screens, axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cctv.models import User
from tests.blueprints.axe import violations
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD
from tests.waiting import wait_until


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    site = Site(app)
    yield site
    site.close()


@pytest.fixture
def sample(site: Site, page: Page, console_errors: list[str]) -> Iterator[Page]:
    """The sample page, signed in through the form. Nothing may complain, the policy least of all."""
    page.goto(f"{site.url}/login?next=/sample")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/sample")
    yield page
    # Refusals and the stopped server are what these tests are about; anything else is a fault.
    told = ("Failed to load", "htmx:", "Response Status Error")
    assert [error for error in console_errors if not error.startswith(told)] == []


def test_no_page_asks_another_host(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/login")
    assert [url for url in asked if not url.startswith((site.url, "data:"))] == []


def test_a_toast_says_what_happened_and_its_action_posts(sample: Page, site: Site) -> None:
    sample.click("#toast")
    toast = sample.locator("#toasts .note-toast")
    expect(toast).to_contain_text("Recording – from 14:51:58.")
    toast.get_by_role("button", name="Undo").click()
    wait_until(lambda: site.seen["undo"] == 1, 5, "the action to be posted")
    expect(toast).to_have_count(0)


def test_a_refusal_stays_as_an_alert_until_it_is_closed(sample: Page) -> None:
    sample.click("#refuse")
    alert = sample.locator("#alerts .note-toast")
    expect(alert).to_have_text("Only an Admin can do that.")
    alert.get_by_role("button", name="Close").click()
    expect(alert).to_have_count(0)


def test_a_risky_form_asks_first_with_the_safe_button_focused(sample: Page, site: Site) -> None:
    sample.get_by_role("button", name="Delete").click()
    expect(sample.locator("#dlg")).to_contain_text("No way back.")
    expect(sample.get_by_role("button", name="Cancel")).to_be_focused()
    sample.keyboard.press("Escape")
    assert site.seen["delete"] == 0
    sample.locator("main").get_by_role("button", name="Delete").click()
    sample.locator("#dlg").get_by_role("button", name="Delete").click()
    expect(sample.locator("#toasts .note-toast")).to_contain_text("Deleted.")
    assert site.seen["delete"] == 1


def test_a_dialog_takes_the_focus_and_gives_it_back(sample: Page) -> None:
    sample.click("#opener")
    expect(sample.locator("#inside")).to_be_focused()
    sample.keyboard.press("Escape")
    expect(sample.locator("#opener")).to_be_focused()


def test_keys_press_the_button_that_carries_them(sample: Page, site: Site) -> None:
    sample.keyboard.press("s")
    wait_until(lambda: site.seen["toast"] == 1, 5, "the key to press its button")


def test_two_digits_within_a_moment_are_one_number(sample: Page, site: Site) -> None:
    sample.evaluate("void (document.getElementById('one').onclick = () => { window.pressed = 1 })")
    sample.keyboard.press("1")
    sample.keyboard.press("2")
    wait_until(lambda: site.seen["refuse"] == 1, 5, "12 to press its button")
    assert sample.evaluate("window.pressed") is None
    sample.keyboard.press("1")
    wait_until(lambda: sample.evaluate("window.pressed") == 1, 3, "1 alone to press its button")


def test_keys_are_off_in_fields_and_when_switched_off(sample: Page, site: Site) -> None:
    sample.focus("#typing")
    sample.keyboard.press("s")
    assert sample.input_value("#typing") == "s"
    sample.evaluate("document.activeElement.blur()")
    sample.keyboard.press("?")
    expect(sample.locator("#dlg")).to_contain_text("Say it")
    sample.get_by_label("Use single-key shortcuts in this browser").uncheck()
    sample.keyboard.press("Escape")
    sample.evaluate("document.activeElement.blur()")
    sample.keyboard.press("s")
    sample.wait_for_timeout(300)
    assert site.seen["toast"] == 0


def test_the_tab_tells_the_trouble(sample: Page) -> None:
    assert sample.title() == "1 offline – Sample – Cameras"
    assert "icon-trouble" in (sample.locator('link[rel="icon"]').get_attribute("href") or "")


def test_a_lost_connection_is_told_and_mended_without_a_reload(sample: Page, site: Site) -> None:
    sample.fill("#typing", "half a sentence")
    wait_until(lambda: site.seen["tick"] > 0, 5, "the first tick")
    site.close()
    expect(sample.locator("#banner")).to_contain_text("Connection lost", timeout=15_000)
    expect(sample.locator("#head")).to_have_text("Unknown")
    site.open()
    expect(sample.locator("#banner")).to_be_hidden(timeout=35_000)
    expect(sample.locator("#head")).to_have_text("7 of 8 live")
    expect(sample.locator("#toasts")).to_contain_text("Connected again.")
    assert sample.input_value("#typing") == "half a sentence"


def test_paused_updates_stay_paused(sample: Page, site: Site) -> None:
    sample.get_by_label("Your menu").click()
    sample.get_by_role("button", name="Pause updates").click()
    before = site.seen["tick"]
    sample.wait_for_timeout(3600)
    assert site.seen["tick"] == before


def test_a_session_that_ended_is_opened_again_in_place(sample: Page, site: Site) -> None:
    sample.fill("#typing", "half a sentence")
    sample.context.clear_cookies()
    sample.click("#toast")
    dialog = sample.locator("#dlg")
    expect(dialog).to_contain_text("Your session has ended")
    dialog.locator("#password").fill("not right at all")
    dialog.locator("#name").fill("owner@example.org")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("Name or password is not right.")
    dialog.locator("#password").fill(OWNER_PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()
    sample.click("#toast")
    wait_until(lambda: site.seen["toast"] == 1, 5, "the page to go on with the new token")
    assert sample.input_value("#typing") == "half a sentence"


def test_the_service_worker_shows_our_page_when_the_server_is_away(sample: Page, site: Site) -> None:
    sample.evaluate("navigator.serviceWorker.ready.then(() => true)")
    sample.reload()
    site.close()
    sample.reload()
    expect(sample.locator("h1")).to_contain_text("No connection to")
    site.open()
    expect(sample.locator("h1")).to_have_text("Sample", timeout=15_000)


@pytest.mark.parametrize("theme", ["dark", "light", "auto"])
def test_axe_finds_nothing(sample: Page, site: Site, theme: str) -> None:
    sample.get_by_label("Your menu").click()
    with sample.expect_navigation():
        sample.locator(f'button[name="theme"][value="{theme}"]').click()
    assert sample.locator("html").get_attribute("data-bs-theme") == theme
    for size in ({"width": 1440, "height": 900}, {"width": 390, "height": 844}):
        sample.set_viewport_size(size)  # type: ignore[arg-type]
        for path in ("/sample", "/nothing", "/offline"):
            sample.goto(site.url + path)
            assert violations(sample) == [], path
    sample.goto(f"{site.url}/sample")
    sample.get_by_role("button", name="More").click()
    assert violations(sample) == []


def test_nothing_scrolls_sideways_at_320_px_and_targets_are_large(sample: Page, site: Site) -> None:
    sample.set_viewport_size({"width": 320, "height": 640})
    for path in ("/sample", "/offline", "/nothing"):
        sample.goto(site.url + path)
        assert sample.evaluate("document.documentElement.scrollWidth") <= 320, path
        small = sample.evaluate(
            """() => [...document.querySelectorAll("a[href], button, input, select")]
               .filter((n) => n.checkVisibility() && !n.closest("p, .skip-link") && !n.matches(".skip-link"))
               .map((n) => [n.textContent.trim(), n.getBoundingClientRect()])
               .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
               .map(([text, box]) => `${text} ${box.width}x${box.height}`)"""
        )
        assert small == [], path


def test_everything_works_without_javascript(site: Site, browser_without_javascript: Page) -> None:
    page = browser_without_javascript
    page.goto(f"{site.url}/login?next=/sample")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/sample")
    page.locator("main").get_by_role("button", name="Delete").click()
    expect(page.locator("#toasts")).to_contain_text("Deleted.")
    page.get_by_label("Your menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")


@pytest.fixture
def browser_without_javascript(page: Page) -> Iterator[Page]:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()
