"""The recordings in a real Chromium: ticks by keys, deleting after a question, playing in place, axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cctv.extensions import db
from cctv.models import Recording, User
from cctv.services.footage import segments
from cctv.services.site import nodes
from tests.blueprints.axe import violations
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run
from tests.waiting import wait_until

START = EPOCH_S * 1000
_PLAYED = "document.querySelector('.rec-open video')?.currentTime ?? 0"


@pytest.fixture
def boss(app: Flask, owner: User, page: Page, console_errors: list[str]) -> Iterator[Page]:
    """The owner, signed in, on a site with five recordings of twelve filmed seconds, one of them locked."""
    with app.app_context():
        camera = make_camera(since_ms=START - 1000)
        segments.index(closed_files(put_real_run(camera, node=nodes.this_node())), keep_unwanted=True)
        for second in range(5):
            span = {"started_ms": START + second * 1000, "ended_ms": START + 12_000}
            lock = {"locked_by": "Ann", "locked_reason": "Theft"} if second == 0 else {}
            db.session.add(Recording(camera_id=camera.id, kind="manual", user_id=owner.id, **span, **lock))
        db.session.commit()
    site = Site(app)
    page.goto(f"{site.url}/login")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site.url}/")
    page.goto(f"{site.url}/recordings")
    yield page
    site.close()
    assert [error for error in console_errors if "snapshot.jpg" not in error] == []


def ticked(page: Page) -> int:
    return page.locator("#list input[name=id]:checked").count()


def test_keys_tick_and_what_refuses_stays_ticked(boss: Page) -> None:
    boss.keyboard.press("x")
    assert ticked(boss) == 1
    boss.keyboard.press("Shift+ArrowDown")
    boss.keyboard.press("ArrowDown")
    boss.keyboard.press("x")
    assert ticked(boss) == 3
    boss.locator("#list input[name=id]").nth(4).click(modifiers=["Shift"])
    assert ticked(boss) == 5
    boss.locator("[data-tick-all]").click()
    assert ticked(boss) == 0
    boss.keyboard.press("Control+a")
    assert ticked(boss) == 5
    expect(boss.locator("[data-count]")).to_have_text("5 ticked")
    boss.get_by_role("button", name="Delete", exact=True).click()
    dialog = boss.locator("#dlg")
    expect(dialog).to_contain_text("Delete 4 recordings")
    expect(dialog).to_contain_text("1 is locked and stays")
    expect(dialog.get_by_text("Cancel")).to_be_focused()
    assert violations(boss) == []
    dialog.get_by_role("button", name="Delete 4").click()
    expect(boss.locator("#toasts, #alerts").get_by_text("4 of 5 deleted. 1 is locked.")).to_be_visible()
    expect(boss.locator(".rec-row")).to_have_count(1)
    assert ticked(boss) == 1


def test_a_recording_plays_below_its_row_and_enter_opens_it(boss: Page) -> None:
    boss.get_by_role("button", name="Play Camera 1").last.click()
    wait_until(lambda: boss.evaluate(_PLAYED) > 0.3, 10, "the footage to play")
    assert violations(boss) == []
    boss.get_by_role("button", name="Play Camera 1").last.click()
    expect(boss.locator(".rec-open")).to_have_count(0)
    boss.keyboard.press("x")
    boss.keyboard.press("Enter")
    boss.wait_for_url("**/playback?cams=*")


def test_a_part_of_the_timeline_is_locked_from_its_clip(boss: Page) -> None:
    base = boss.url.removesuffix("/recordings")
    boss.goto(f"{base}/playback?cams=1&t={START + 2000}&sel={START + 1000}-{START + 5000}")
    boss.get_by_role("button", name="Lock…").click()
    boss.locator("#dlg").get_by_label("Reason").fill("Theft of a ladder")
    boss.locator("#dlg").get_by_role("button", name="Lock", exact=True).click()
    expect(boss.locator("#toasts").get_by_text("4 s of Camera 1 locked.")).to_be_visible()
    expect(boss.locator("#dlg")).to_be_hidden()
    boss.goto(f"{base}/recordings?q=ladder")
    expect(boss.locator(".rec-row")).to_have_count(1)


def test_a_filter_is_undone_by_the_back_button(boss: Page) -> None:
    boss.select_option("#lock", "locked")
    expect(boss.locator(".rec-row")).to_have_count(1)
    assert boss.url.endswith("/recordings?lock=locked")
    boss.go_back()
    expect(boss.locator(".rec-row")).to_have_count(5)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "phone"])
def test_nothing_is_against_wcag_and_nothing_scrolls_sideways(boss: Page, size: tuple[int, int]) -> None:
    boss.emulate_media(reduced_motion="reduce")  # no colour is on its way to another
    boss.set_viewport_size({"width": size[0], "height": size[1]})
    base = boss.url.removesuffix("/recordings")
    for path in ("/recordings", "/health", "/recordings?q=nothing"):
        boss.goto(f"{base}{path}")
        for theme in ("dark", "light"):
            boss.evaluate(f"document.documentElement.dataset.bsTheme = '{theme}'")
            assert violations(boss) == [], (path, theme)
        assert boss.evaluate("document.documentElement.scrollWidth") <= size[0], path
