"""Activity in a real Chromium: zones drawn by keyboard, the lane, and the way from one to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cctv.extensions import db
from cctv.models import Activity, Camera, User
from cctv.services.footage import segments
from tests.blueprints.axe import violations
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, make_node, put_real_run
from tests.waiting import wait_until

START = EPOCH_S * 1000


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    with app.app_context():
        camera = make_camera(since_ms=START)
        segments.index(closed_files(put_real_run(camera, node=make_node(), seconds=12)))
        for second, length in ((2, 2), (7, 3)):
            begin = START + second * 1000
            db.session.add(
                Activity(camera_id=camera.id, started_ms=begin, ended_ms=begin + length * 1000, peak=0.1)
            )
        db.session.commit()
    site = Site(app)
    yield site
    site.close()


@pytest.fixture
def inside(site: Site, page: Page, console_errors: list[str]) -> Iterator[Page]:
    page.goto(f"{site.url}/login?next=/cameras/1/activity")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/cameras/1/activity")
    yield page
    assert console_errors == []


def test_a_zone_is_drawn_by_keyboard_and_pointer_and_kept(inside: Page, app: Flask) -> None:
    inside.get_by_role("button", name="Add a zone").click()
    inside.keyboard.type("Gate")
    corner = inside.get_by_role("button", name="Gate, corner 1 of 4")
    corner.focus()
    inside.keyboard.press("Shift+ArrowLeft")
    inside.keyboard.press("ArrowUp")
    row = inside.locator('[name="zone_corners"]').first
    expect(row).to_have_value("25,29.5 70,30 70,70 30,70")
    last = inside.get_by_role("button", name="Gate, corner 3 of 4").bounding_box()
    assert last is not None
    inside.mouse.move(last["x"] + 14, last["y"] + 14)
    inside.mouse.down()
    inside.mouse.move(last["x"] + 60, last["y"] + 40)
    inside.mouse.up()
    inside.get_by_role("button", name="Gate, add a corner after corner 1").press("Enter")
    inside.get_by_role("button", name="Gate, corner 2 of 5").press("Delete")
    for theme in ("dark", "light"):
        inside.evaluate(f"document.documentElement.dataset.bsTheme = '{theme}'")
        for width in (1280, 390):
            inside.set_viewport_size({"width": width, "height": 800})
            assert violations(inside) == []
            assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth")
    inside.get_by_role("button", name="Save").click()
    inside.wait_for_load_state()
    expect(inside.locator("#toasts")).to_contain_text("is saved")
    with app.app_context():
        (zone,) = db.session.get_one(Camera, 1).zones
    assert zone["name"] == "Gate"
    assert zone["points"][0] == [0.25, 0.295]
    assert zone["points"][2][0] > 0.7


def test_keys_lead_from_one_activity_to_the_next_and_back(inside: Page, site: Site) -> None:
    inside.goto(f"{site.url}/playback?cams=1&t={START + 500}&z=10m")
    expect(inside.locator(".lane .activity")).to_have_count(2)

    def leads_to(key: str, first_second: int, last_second: int) -> None:
        inside.evaluate("playback.pause()")
        inside.keyboard.press(key)
        wait_until(
            lambda: first_second <= (inside.evaluate("playback.at") - START) / 1000 <= last_second,
            10,
            f"{key} to lead to second {first_second}",
        )

    leads_to("n", 2, 6)
    leads_to("n", 7, 12)
    inside.evaluate(f"playback.seek({START + 8000}, {{ play: false }})")
    leads_to("p", 2, 6)
    inside.goto(f"{site.url}/playback?cams=1&t={START + 11_000}&z=10m")
    inside.keyboard.press("n")
    expect(inside.locator("#pb-said")).to_contain_text("No later activity is recorded on Camera 1.")
