"""The painter of schedules in a real Chromium: by mouse, keys, finger and typed times; axe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from cctv.models import User
from cctv.services.schedule import schedules
from tests.blueprints.axe import violations
from tests.blueprints.camera_rows import add_camera
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    add_camera(app)
    site = Site(app)
    yield site
    site.close()


def enter(site: Site, page: Page) -> Page:
    page.goto(f"{site.url}/login")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site.url}/")
    page.goto(f"{site.url}/schedules/new")
    return page


def saved(app: Flask, page: Page) -> list[Any]:
    """The week of the schedule that is made now."""
    page.fill("#name", "Office")
    page.click("text=Make the schedule")
    page.wait_for_url("**/schedules/2")
    with app.app_context():
        return schedules.plan_of(schedules.get_schedule(2)).weekly


def spot(page: Page, day: int, quarter: int) -> tuple[float, float]:
    box = page.locator(".quarters").nth(day).locator(".quarter").nth(quarter).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    page.mouse.move(*spot(page, *start))
    page.mouse.down()
    page.mouse.move(*spot(page, *end), steps=4)
    page.mouse.up()


def test_the_week_is_painted_by_mouse_keys_and_typed_times(
    app: Flask, site: Site, page: Page, console_errors: list[str]
) -> None:
    enter(site, page)
    assert violations(page) == []
    drag(page, (0, 32), (4, 47))  # Monday 08:00 to Friday 12:00
    expect(page.locator("#words")).to_contain_text("Mon–Fri 08:00–12:00 continuous; else off.")
    drag(page, (6, 0), (6, 3))
    page.click("[data-undo]")
    expect(page.locator("#words")).to_contain_text("Mon–Fri 08:00–12:00 continuous; else off.")
    # Quarters of an hour, by keys: from Saturday 13:00 one to the right, two quarters on activity.
    page.check("[data-fine]")
    page.locator(".quarters").nth(5).locator(".quarter").nth(52).focus()
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("[data-says]")).to_have_text("Saturday 13:15 to 13:45: on activity")
    page.keyboard.press("Home")
    page.keyboard.press("3")
    page.keyboard.press("Enter")  # off is off already
    # Typed: the row of the workdays ends later.
    page.click("summary:has-text('The same as times')")
    last = page.locator("[data-row]").first.locator("[name^=to-]")
    last.fill("17:30")
    last.blur()
    expect(page.locator(".quarters").nth(0).locator(".quarter").nth(69)).to_have_attribute("data-fill", "1")
    expect(page.locator("#words")).to_contain_text("08:00–17:30 continuous; Sat 13:15–13:45 on activity")
    assert violations(page) == []
    week = saved(app, page)
    assert week == [[day, 480, 1050, "continuous"] for day in range(5)] + [[5, 795, 825, "activity"]]
    assert console_errors == []


def test_a_finger_paints_one_day_at_a_time_and_copies_it(app: Flask, site: Site, browser: Browser) -> None:
    page = enter(site, browser.new_context(**PHONE).new_page())
    page.click(".day-tabs >> text=Mon")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".quarters").nth(0).scroll_into_view_if_needed()
    page.evaluate("window.scrollBy(0, 200)")
    drag(page, (0, 32), (0, 71))  # 08:00 to 18:00, from the second line into the third
    page.touchscreen.tap(*spot(page, 0, 40))  # 10:00 again: taken back
    page.click("[data-copy-now]")
    assert violations(page) == []
    week = saved(app, page)
    blocks = [[480, 600, "continuous"], [630, 1080, "continuous"]]
    assert week == [[day, *block] for day in range(5) for block in blocks]
