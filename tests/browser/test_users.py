"""The pages about people in a real Chromium: ticks that save themselves, inviting, the phone, axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cctv.models import Role, User
from cctv.services.camera import groups
from cctv.services.person import access, grants, people, users
from cctv.services.person.people import COMMAND_LINE
from tests.blueprints.axe import violations
from tests.blueprints.camera_rows import add_camera, add_person
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD
from tests.waiting import wait_until

SCREENS = {"wide": (1440, 900), "phone": (390, 844)}
PAGES = ("/users", "/users/{id}", "/users/invite", "/users/{id}/see-as", "/users/{id}/delete", "/groups")


@pytest.fixture
def visitor(app: Flask, owner: User) -> User:
    """Somebody with one camera of three, and another one through a group."""
    for name in ("Front gate", "Yard", "Dock"):
        add_camera(app, name)
    visitor = add_person(app, Role.VISITOR)
    with app.app_context():
        group_id = groups.create_group(COMMAND_LINE, "Outside", [2]).id
        people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, camera_id=1)
        people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, group_id=group_id)
    return visitor


@pytest.fixture
def site(app: Flask, visitor: User) -> Iterator[Site]:
    site = Site(app)
    yield site
    site.close()


@pytest.fixture
def boss(site: Site, page: Page, console_errors: list[str]) -> Iterator[Page]:
    """The owner, signed in through the form. Nothing may complain but the refusals that are asked for."""
    page.goto(f"{site.url}/login")
    page.fill("#name", "owner@example.org")
    page.fill("#password", OWNER_PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site.url}/")
    yield page
    assert [error for error in console_errors if "403" not in error and "422" not in error] == []


def cells(app: Flask, user: User) -> set[str]:
    with app.app_context():
        return {f"{cell.camera_id or 'group'} {cell.action}" for cell in grants.cells_of(user)}


def test_a_tick_saves_itself_and_undo_takes_it_back(
    app: Flask, site: Site, boss: Page, visitor: User
) -> None:
    boss.goto(f"{site.url}/users/{visitor.id}")
    tick = boss.get_by_label("Export, Dock", exact=True)
    tick.check()
    toast = boss.locator("#toasts .note-toast")
    expect(toast).to_contain_text("Visitor may now export from Dock.")
    assert "3 export" in cells(app, visitor)
    toast.get_by_role("button", name="Undo").click()
    expect(tick).not_to_be_checked()
    wait_until(lambda: "3 export" not in cells(app, visitor), 5, "the grant to be taken back")
    boss.get_by_role("button", name="View: all cameras on or off").click()
    expect(boss.get_by_label("View, Dock", exact=True)).to_be_checked()
    boss.get_by_label("Play back, Outside", exact=True).focus()
    boss.keyboard.press("Space")
    expect(boss.get_by_label("Play back, Yard (open through Outside)")).to_be_visible()
    assert "group playback" in cells(app, visitor)
    assert boss.evaluate("document.activeElement.name").endswith(".playback")


def test_a_tick_that_was_refused_is_not_shown_as_given(
    app: Flask, site: Site, boss: Page, visitor: User
) -> None:
    boss.goto(f"{site.url}/users/{visitor.id}")
    with app.app_context():
        people.change_person(COMMAND_LINE, visitor, {"role": "admin"})
    tick = boss.get_by_label("Export, Dock", exact=True)
    tick.click()
    expect(boss.locator("#alerts .note-toast")).to_contain_text("cannot be given")
    expect(tick).not_to_be_checked()


def test_somebody_is_invited_by_a_link_and_gets_in_by_phone(
    site: Site, boss: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "_ROUNDS", 4)
    boss.goto(f"{site.url}/users/invite")
    boss.fill("#name", "Gina Guard")
    boss.fill("#email", "gina@example.org")
    boss.get_by_role("button", name="Add").click()
    boss.fill("#sudo_password", OWNER_PASSWORD)  # the question comes over the form, which keeps what it has
    boss.get_by_role("button", name="Confirm and go on").click()
    link = boss.locator("#link-text").inner_text()
    assert violations(boss) == []
    browser = boss.context.browser
    assert browser
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    guard = phone.new_page()
    guard.goto(link)
    assert violations(guard) == []
    guard.fill("#password", "a short sentence of hers")
    guard.get_by_role("button", name="Begin").click()
    guard.wait_for_url(f"{site.url}/wall")
    expect(guard.locator("main")).to_contain_text("No cameras are shared with you yet")
    phone.close()
    boss.get_by_role(
        "link", name="Share cameras"
    ).click()  # the address is the same already: it loads all the same
    expect(boss.get_by_label("View, Dock", exact=True)).to_be_visible()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_pages_are_accessible_and_fit(
    app: Flask, site: Site, boss: Page, visitor: User, screen: str, theme: str
) -> None:
    with app.app_context():
        owner = users.find_by_login("owner@example.org")
        assert owner
        users.set_theme(owner, theme)
    width, height = SCREENS[screen]
    boss.set_viewport_size({"width": width, "height": height})
    found = []
    for path in PAGES:
        boss.goto(site.url + path.format(id=visitor.id))
        found += [f"{path}: {line}" for line in violations(boss)]
        boss.set_viewport_size({"width": 320 if screen == "phone" else width, "height": height})
        if boss.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{path} scrolls sideways")
        boss.set_viewport_size({"width": width, "height": height})
    assert found == []
