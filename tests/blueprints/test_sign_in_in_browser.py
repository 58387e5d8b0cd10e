"""Signing in and one's own account in a real Chromium: both themes, a phone, pasting, and no JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from cctv import keys
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Session, User
from cctv.services.sign_in import second_factor
from cctv.services.site import settings
from tests.blueprints.axe import violations
from tests.blueprints.site import Site
from tests.fixtures.application import OWNER_PASSWORD
from tests.services.test_second_factor import phone
from tests.waiting import wait_until

NEW = "quite another sentence"
STRANGERS = ("/login", "/password/forgot", "/password/reset", "/account/verify")
OWN = ("/account", "/account/password", "/account/email", "/account/second-factor")


@pytest.fixture
def site(app: Flask, owner: User) -> Iterator[Site]:
    with app.app_context():
        settings.save(organisation_name="Harbour", setup_finished=True)
    site = Site(app)
    yield site
    site.close()


def first_step(page: Page, site: Site, *, password: str = OWNER_PASSWORD, then: str = "/account") -> None:
    page.goto(f"{site.url}/login?next={then}")
    page.fill("#name", "owner")
    page.fill("#password", password)
    page.click("button[type=submit]")


def turn_on(app: Flask, owner: User) -> list[str]:
    """A second factor that was confirmed a minute ago; its recovery codes."""
    with app.app_context():
        person = db.session.get_one(User, owner.id)
        second_factor.enrol(person)
        made = second_factor.confirm(person, phone(person))
        person.totp_last_step = 0
        db.session.commit()
    return made


def code(app: Flask, owner: User) -> str:
    with app.app_context():
        return pyotp.TOTP(keys.decrypt(db.session.get_one(User, owner.id).totp_secret_encrypted or "")).now()


def wrong_on(page: Page) -> list[str]:
    """What axe finds in both themes, on a desk and on a phone, and whether a narrow page scrolls sideways."""
    found = []
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("dark", "light"):
            page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
            page.wait_for_timeout(150)  # the buttons' colours are moving
            found += [f"{page.url} {theme} {width}: {line}" for line in violations(page)]
    page.set_viewport_size({"width": 320, "height": 640})
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{page.url} scrolls sideways at 320")
    return found


def test_every_page_is_accessible_in_both_themes_and_on_a_phone(
    site: Site, page: Page, app: Flask, owner: User, console_errors: list[str]
) -> None:
    found = []
    for path in STRANGERS:
        page.goto(site.url + path)
        found += wrong_on(page)
    first_step(page, site)
    page.wait_for_url("**/account")
    with app.app_context():
        db.session.execute(update(Session).values(sudo_until_ms=now_ms() + 600_000))
        db.session.commit()
    for path in OWN:
        page.goto(site.url + path)
        found += wrong_on(page)
    key = page.inner_text("#key").replace(" ", "")
    page.fill("#code", pyotp.TOTP(key).now())
    page.wait_for_selector("#codes")
    found += wrong_on(page)
    page.click("text=I saved them")
    page.wait_for_url("**/account")
    found += wrong_on(page)
    page.context.clear_cookies()
    first_step(page, site)
    page.wait_for_url("**/login/code**")
    found += wrong_on(page)
    assert found == []
    assert console_errors == []


def test_pasting_six_digits_signs_in(site: Site, page: Page, app: Flask, owner: User) -> None:
    turn_on(app, owner)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    first_step(page, site)
    page.wait_for_url("**/login/code**")
    expect(page.locator("#code")).to_be_focused()
    page.evaluate("text => navigator.clipboard.writeText(text)", code(app, owner))
    page.keyboard.press("Control+V")
    page.wait_for_url("**/account")


def test_a_risky_change_asks_in_a_dialog_and_goes_on_by_itself(site: Site, page: Page, owner: User) -> None:
    first_step(page, site, then="/account/password")
    page.wait_for_url("**/account/password")
    page.fill("#password", NEW)
    page.click("main .btn-primary")
    expect(page.locator("#sudo_password")).to_be_focused()
    page.fill("#sudo_password", "not this one")
    page.keyboard.press("Enter")
    expect(page.locator("#sudo [role=alert]")).to_contain_text("not right")
    page.keyboard.press("Escape")
    assert page.input_value("#password") == NEW, "nothing typed is lost"
    page.click("main .btn-primary")
    page.locator("#sudo_password").fill(OWNER_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")
    expect(page.locator("#toasts")).to_contain_text("Your password was changed")
    page.context.clear_cookies()
    first_step(page, site, password=NEW)
    page.wait_for_url("**/account")


def test_the_end_of_the_session_is_told_and_a_press_puts_it_off(
    site: Site, page: Page, app: Flask, owner: User
) -> None:
    first_step(page, site)
    page.wait_for_url("**/account")
    with app.app_context():
        db.session.execute(update(Session).values(ends_ms=now_ms() + 122_000))
        db.session.commit()
    page.reload()
    warning = page.locator("#alerts .note-toast")
    expect(warning).to_contain_text("You will be signed out in 2 min")
    warning.get_by_role("button", name="Stay signed in").click()
    expect(page.locator("#toasts")).to_contain_text("You stay signed in.")

    def is_put_off() -> bool:
        with app.app_context():
            ends = db.session.query(Session.ends_ms).scalar()
            return bool(ends - now_ms() > 3_600_000)

    wait_until(is_put_off, 5, "the session to last longer")


def test_everything_works_without_javascript(site: Site, browser: Browser, app: Flask, owner: User) -> None:
    recovery = turn_on(app, owner)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    first_step(page, site, then="/account/password")
    page.fill("#code", code(app, owner))
    page.click("button[type=submit]")
    page.wait_for_url("**/account/password")
    page.fill("#password", NEW)
    page.click("main .btn-primary")
    page.fill("#sudo_password", OWNER_PASSWORD)
    page.fill("#sudo_code", recovery[0])
    page.click("text=Confirm and go on")
    page.wait_for_url("**/account")
    assert "9 of 10 recovery codes left" in page.inner_text("main")
    page.fill("#name", "Ola Owner")
    page.click("text=Save the name")
    assert page.input_value("#name") == "Ola Owner"
    context.close()
