"""The cloud in a real Chromium: its settings with the test, and footage that plays from the bucket alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import Segment, SegmentState, Transfer, User
from cctv.services.bucket import cloud, cloud_trials
from cctv.services.footage import footage_files, segments
from tests.blueprints.axe import violations
from tests.blueprints.site import Site
from tests.bucket_server import BUCKET, Front
from tests.fixtures.application import OWNER_PASSWORD
from tests.fixtures.bucket import in_cloud
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run
from tests.services.stored import ask, this_node, work
from tests.waiting import wait_until

E0 = EPOCH_S * 1000


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    cloud._buckets.clear()
    footage_files.forget_heads()
    return in_cloud(config, front)


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    site = Site(app)
    yield site
    site.close()


def sign_in(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.url}/login?next={path}")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"**{path}")


def shot(page: Page, name: str) -> None:
    """A picture for whoever looks at the pages, where CCTV_SHOTS says."""
    if folder := os.environ.get("CCTV_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_the_settings_save_and_the_steps_of_the_test_appear(
    app: Flask, site: Site, page: Page, console_errors: list[str]
) -> None:
    sign_in(page, site, "/settings/cloud")
    expect(page.get_by_text(BUCKET, exact=True)).to_be_visible()
    page.get_by_label("Everything that is kept").check()
    page.get_by_role("button", name="Save").click()
    page.locator("#sudo input[type=password]").fill(OWNER_PASSWORD)
    page.locator("#sudo button[type=submit]").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Everything that is kept")).to_be_checked()
    page.get_by_role("button", name="Test the bucket").click()
    expect(page.locator("#trial")).to_have_attribute("aria-busy", "true")
    with app.app_context():
        trial = cloud_trials.last()
        assert trial is not None
        cloud_trials.run(trial.id)
    expect(page.locator("#trial .chip-ok")).to_have_count(5)
    expect(page.locator("#trial .chip-warn")).to_have_count(1)  # the emulator's buckets are open to the world
    expect(page.locator("#trial")).to_contain_text("Everything that copying and playing back need works.")
    for theme in ("dark", "light"):
        page.evaluate("(theme) => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert violations(page) == []
            shot(page, f"cloud-{theme}-{width}")
    assert [error for error in console_errors if "403" not in error] == []


def test_footage_that_is_only_in_the_bucket_plays_in_the_same_timeline(
    app: Flask, site: Site, page: Page, console_errors: list[str]
) -> None:
    with app.app_context():
        camera = make_camera(since_ms=0)
        directory = put_real_run(camera, node=this_node())
        segments.index(closed_files(directory))
        ask(db.session.query(Segment).all())
        assert work() == 3
        begin_writing()
        db.session.query(Segment).update({"state": SegmentState.CLOUD})
        db.session.query(Transfer).update({"is_local": False})
        db.session.commit()
        for path in directory.glob("*.mp4"):
            path.unlink()
        camera_id = camera.id
    sign_in(page, site, "/wall")
    page.goto(f"{site.url}/playback?cams={camera_id}&t={E0 + 2000}&z=10m")
    video = page.locator(".pb-tile video")
    expect(video).to_be_visible()
    wait_until(lambda: video.evaluate("video => video.readyState >= 2"), 15, "a picture out of the bucket")
    assert video.evaluate("video => video.videoWidth") == 320
    expect(page.locator(".lane .in-cloud")).to_have_count(1)
    expect(page.locator(".pb-legend")).to_contain_text("Only in the cloud")
    shot(page, "playback-cloud")
    assert console_errors == []
