"""Taking footage home in a real browser: marked by keys, mouse and touch, followed, played, judged by axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect

from cctv.extensions import db
from cctv.models import Export, User
from cctv.services.export import export_making
from cctv.services.footage import segments
from cctv.services.site import nodes, settings
from tests.blueprints.axe import violations
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

E0 = EPOCH_S * 1000


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    """Two cameras with twelve seconds of footage."""
    with app.app_context():
        settings.save(setup_finished=True, time_zone="Europe/Lisbon")
        for number in (1, 2):
            camera = make_camera(since_ms=0, number=number)
            segments.index(closed_files(put_real_run(camera, node=nodes.this_node(), sound=True)))
    site = Site(app)
    yield site
    site.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """The owner's browser."""
    # Without motion: axe would look at colours on their way.
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", has_touch=True, reduced_motion="reduce"
    )
    context.set_default_timeout(8000)
    page = context.new_page()
    page.goto(f"{site.url}/login?next=/offline")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/offline")
    page.close()
    yield context
    context.close()


def work(app: Flask) -> None:
    with app.app_context():
        export_making.work(nodes.this_node().id)


def axe_both(page: Page) -> None:
    for theme in ("dark", "light"):
        page.evaluate("theme => (document.documentElement.dataset.bsTheme = theme)", theme)
        assert violations(page) == []
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")


def test_a_part_is_marked_exported_and_played_without_leaving_the_moment(
    app: Flask, site: Site, context: BrowserContext
) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.url}/playback?cams=1,2&t={E0 + 2000}&z=10m")
    expect(page.locator(".pb.is-playing")).to_be_visible()
    page.keyboard.press("Space")
    page.keyboard.press("[")
    expect(page.locator(".pb-clip-what")).to_have_text("Now mark the end with ]")
    page.fill("#clip-to", "13:30:27")
    page.press("#clip-to", "Enter")
    expect(page.locator(".pb-clip-what")).to_contain_text("Camera 1 + 1 camera · ")
    expect(page.locator("#pb-clip .export-estimate")).to_contain_text("About")
    axe_both(page)
    moment = page.locator("#pb-clock").inner_text()
    page.keyboard.press("c")
    expect(page.locator("#export-form")).to_be_visible()
    axe_both(page)
    page.click("#export-form button[type=submit]")
    expect(page.locator("#export-watch")).to_contain_text("Waiting")
    expect(page.locator("#dlg")).not_to_be_visible()
    assert page.locator("#pb-clock").inner_text() == moment
    work(app)
    expect(page.locator("#toasts")).to_contain_text("Export Camera 1 + 1 camera is ready.")
    page.keyboard.press("Escape")
    expect(page.locator("#pb-clip")).to_be_hidden()
    with app.app_context():
        export = db.session.scalars(db.select(Export)).one()
        plays_ms = export.result["files"][0]["duration_ms"]
        assert abs(plays_ms - (export.ended_ms - export.started_ms)) < 2000
    assert complaints == []


def test_the_page_of_an_export_plays_it(app: Flask, site: Site, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/exports/new?cams=1&from={E0}&to={E0 + 12_000}")
    page.click("#export-form button[type=submit]")
    page.wait_for_url("**/exports/1")
    work(app)
    video = page.locator("video")
    expect(video).to_be_visible()
    played = video.evaluate(
        """async (video) => {
            video.muted = true;
            await video.play();
            video.currentTime = 9;
            await new Promise((done) => video.requestVideoFrameCallback(done));
            await new Promise((done) => setTimeout(done, 300));
            return [video.duration, video.currentTime, video.webkitAudioDecodedByteCount];
        }"""
    )
    assert abs(played[0] - 12) < 0.2
    assert played[1] > 9
    assert played[2] > 0, "no sound was decoded"
    axe_both(page)
    page.goto(f"{site.url}/exports")
    axe_both(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_mouse_drags_and_a_finger_presses_long(site: Site, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/playback?cams=1&t={E0 + 2000}&z=10m&sel={E0 + 1000}-{E0 + 5000}")
    said = page.locator(".pb-clip-what")
    expect(said).to_have_text("Camera 1 · 4 s")
    handle = page.locator('.pb-handle[data-side="to"]')
    box = handle.bounding_box()
    assert box
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 72, box["y"] + 12, steps=4)
    page.mouse.up()
    expect(said).not_to_have_text("Camera 1 · 4 s")
    handle.focus()
    before = handle.get_attribute("aria-valuenow")
    page.keyboard.press("ArrowLeft")
    assert int(handle.get_attribute("aria-valuenow") or 0) == int(before or 0) - 1
    page.keyboard.press("Escape")
    touch = context.new_cdp_session(page)
    lane = page.locator("#pb-timeline").bounding_box()
    assert lane
    for share, expected in ((0.4, "Now mark the end with ]"), (0.45, "Camera 1 · ")):
        point = [{"x": lane["x"] + lane["width"] * share, "y": lane["y"] + lane["height"] * 0.7}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": point})
        expect(said).to_contain_text(expected)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
