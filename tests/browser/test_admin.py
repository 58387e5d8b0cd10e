"""The audit log, the honeypot, the dashboard and the queues in a real Chromium: looks, filters, scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cctv import queue
from cctv.extensions import begin_writing, db
from cctv.models import User
from cctv.services.auditing import audit
from cctv.services.person import users
from cctv.services.sign_in import honeypot
from cctv.services.sign_in.honeypot import Attempt
from tests.blueprints.axe import violations
from tests.blueprints.camera_rows import add_camera
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD

PAGES = ("/audit", "/audit?who=nobody", "/admin/", "/developer/honeypot")
EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    add_camera(app)
    with app.app_context():
        begin_writing()
        audit.set_origin(audit.Origin(owner.id, owner.name, "10.0.0.7", "Firefox on Windows"))
        changed = {"before": {"name": "Old gate"}, "after": {"name": EVIL}}
        audit.add("camera.edit", target=EVIL, camera_id=1, **changed)
        for number in range(60):
            audit.add("recording.start", target=f"Yard {number}", camera_id=1)
        db.session.commit()
        for _ in range(10):
            honeypot.note(Attempt("9.9.9.9", "POST", "/admin/", EVIL, "hunter22", EVIL))
        jobs = queue.queue("default")
        jobs.enqueue("tests.jobs.samples.write", args=(EVIL,), job_id="evil", description=EVIL)
    site = Site(app)
    yield site
    site.close()


def sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/login")
    page.get_by_label("E-mail or user name").fill("owner@example.org")
    page.locator("#password").fill(OWNER_PASSWORD)
    page.locator("#password").press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def test_the_pages_are_fit_for_everybody(
    app: Flask, page: Page, site: Site, owner: User, console_errors: list[str]
) -> None:
    sign_in(page, site)
    for theme, width in (("dark", 1280), ("light", 390)):
        with app.app_context():
            users.set_theme(db.session.get_one(User, owner.id), theme)
        page.set_viewport_size({"width": width, "height": 800})
        for path in PAGES:
            page.goto(site.url + path)
            if page.locator(".log summary").count():
                page.locator(".log summary").first.click()
            assert violations(page) == [], (path, theme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            expect(page).not_to_have_title(re.compile("owned"))
    assert console_errors == []


def test_the_log_is_searched_while_one_types_and_goes_on_below(page: Page, site: Site) -> None:
    sign_in(page, site)
    page.goto(f"{site.url}/audit")
    page.get_by_role("link", name="Load more").click()
    expect(page.locator(".log-entry")).to_have_count(64)  # and the sign-in, the block, the camera
    page.get_by_label("Who").press_sequentially("nobody")
    expect(page.get_by_text("Nothing in the log fits these filters.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"who=nobody"))
    page.get_by_role("link", name="Clear the filters").click()
    page.get_by_label("What").select_option("Cameras")
    expect(page.locator(".log-entry")).to_have_count(2)
    page.locator(".log summary").first.click()
    expect(page.locator(".log-details ins").first).to_have_text(EVIL)


def test_the_queues_are_shown_and_what_stands_in_redis_is_text(
    page: Page, site: Site, console_errors: list[str]
) -> None:
    sign_in(page, site)
    page.goto(f"{site.url}/wall")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Queue").click()
    view = opened.value
    expect(view.locator("#queues tbody tr", has_text="default")).to_be_visible()
    view.goto(f"{site.url}/rq/0/view/jobs")
    expect(view.locator("span.description").first).to_have_text(EVIL)  # as it is, and not escaped twice
    view.goto(f"{site.url}/rq/0/view/job/evil")
    expect(view.locator("#job-data")).to_contain_text("<img src=x onerror=")
    expect(view).to_have_title("Queue (technical view)")
    view.get_by_role("button", name="Delete").click()
    view.get_by_role("button", name="Yes").click()
    view.wait_for_url("**/rq/")
    assert console_errors == []


def test_the_decoy_is_a_page_like_any_other(page: Page, site: Site, console_errors: list[str]) -> None:
    page.goto(f"{site.url}/admin/")
    assert violations(page) == []
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("hunter22")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("The username or password is incorrect.")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('button')).color") == "rgb(255, 255, 255)"
    assert console_errors == []
