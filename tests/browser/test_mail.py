"""The pages of mail in a real Chromium, on real workers and a real mail server: looks, steps, progress."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from cctv import create_app
from cctv.extensions import db
from cctv.models import MailBatch, Role
from cctv.services.mailing import mailings
from cctv.services.person import users
from cctv.services.site import settings
from tests.blueprints.axe import violations
from tests.fixtures.application import OWNER_PASSWORD, make_config
from tests.fixtures.processes import LiveServer, ProductProcess
from tests.mail_server import PASSWORD, USER, MailServer
from tests.servers import RedisServer
from tests.waiting import wait_until

SCREENS = {"desk": (1440, 900), "phone": (390, 844)}


@dataclass(frozen=True, slots=True)
class Site:
    """The web server, the workers of mail, and the server that they send to."""

    app: Flask
    url: str
    mail_server: MailServer


@pytest.fixture(scope="module")
def site(
    redis_server: RedisServer, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("mail")
    shutil.copyfile(migrated_sqlite, folder / "cctv.db")
    redis_server.empty()
    mail_server = MailServer(folder).start()
    config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis_server.url)
    config = replace(
        config,
        email_host="localhost",
        email_port=mail_server.port,
        email_host_user=USER,
        email_host_password=PASSWORD,
    )
    app = create_app(config)
    with app.app_context():
        settings.save(setup_finished=True, organisation_name="North Dock")
        users.create_user("Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN)
        users.create_user("Ada Admin", "ada@example.org", password=OWNER_PASSWORD, role=Role.ADMIN)
        users.create_user("Vic Visitor", "vic@example.org", password=OWNER_PASSWORD, role=Role.VISITOR)
    server = LiveServer(config)
    certificate = str(mail_server.certificate)
    workers = [
        ProductProcess(name, [sys.executable, "worker.py", "jobs", name], config, SSL_CERT_FILE=certificate)
        for name in ("high", "mail")
    ]
    try:
        yield Site(app, server.wait().url, mail_server)
    finally:
        for process in (*workers, server):
            process.close()
        mail_server.close()


@pytest.fixture(scope="module")
def cookies(site: Site, browser: Browser) -> list[dict[str, object]]:
    """The owner's session."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/login")
    page.get_by_label("E-mail or user name").fill("owner@example.org")
    page.get_by_label("Password", exact=True).fill(OWNER_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    kept = context.cookies()
    context.close()
    return kept  # type: ignore[return-value]


@pytest.fixture
def owner_page(page: Page, cookies: list[dict[str, object]]) -> Page:
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    return page


def test_the_steps_of_a_test_appear_in_place_and_typed_values_stay(site: Site, owner_page: Page) -> None:
    page = owner_page
    page.goto(f"{site.url}/settings/mail")
    page.get_by_label("From").fill("half-typed@exam")
    page.get_by_label("Send it to").fill("you@example.org")
    page.get_by_role("button", name="Send test mail").click()
    expect(page.locator("#trial")).to_contain_text("Sent to you@example.org in", timeout=15_000)
    assert page.locator("#trial .checks li").count() == 5
    site.mail_server.refusals["gone@example.org"] = ["550 5.1.1 No such user here"]
    page.get_by_label("Send it to").fill("gone@example.org")
    page.get_by_role("button", name="Send test mail").click()
    expect(page.locator("#trial")).to_contain_text("The server refused the recipient.", timeout=15_000)
    page.get_by_text("What the server answered").click()
    expect(page.locator("#trial")).to_contain_text("550 5.1.1 No such user here")
    expect(page.get_by_label("From")).to_have_value("half-typed@exam")
    expect(page.get_by_label("Send it to")).to_have_value("gone@example.org")


def test_a_mail_to_many_shows_its_progress_until_it_is_over(site: Site, owner_page: Page) -> None:
    page = owner_page
    site.mail_server.refusals["nobody@example.org"] = ["550 5.1.1 No such user"]
    site.mail_server.rcpt_seconds = 0.3
    page.goto(f"{site.url}/mail/new")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Choose somebody who gets it.")).to_be_visible()
    page.get_by_label("Every Visitor").check()
    page.get_by_label("Other addresses").fill("nobody@example.org")
    page.get_by_label("Subject").fill("The gate is closed")
    page.get_by_label("Text").fill("Please use the back door.\n\nUntil Friday.")
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url("**/mail/batches/*")
    expect(page.locator("#progress .batch-count")).to_contain_text("Sent to 1 of 2", timeout=30_000)
    expect(page.locator("#progress")).to_contain_text("The server refused the recipient.")
    assert page.locator("progress").get_attribute("value") == "2"
    site.mail_server.rcpt_seconds = 0.0
    [received] = [one for one in site.mail_server.received if one.to == ["vic@example.org"]]
    assert "Until Friday." in received.text


def _is_over(batch: MailBatch) -> bool:
    db.session.rollback()  # SQLite shows an open transaction what was there when it began
    return mailings.progress(batch).is_over


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_pages_of_mail_pass_axe_and_fit(
    site: Site, browser: Browser, cookies: list[dict[str, object]], theme: str, screen: str
) -> None:
    with site.app.app_context():
        if not mailings.counts()["sent"]:
            batch = mailings.send(
                users.find_by_login("owner@example.org"),  # type: ignore[arg-type]
                subject="The gate is closed",
                body="Use the back door.",
                addresses=["bob@example.org"],
            )
            wait_until(lambda: _is_over(batch), 30, "the mail to be sent")
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    for path in ("/settings/mail", "/mail", "/mail?state=cancelled", "/mail/new", "/mail/batches/1"):
        page.goto(f"{site.url}{path}")
        page.evaluate("theme => document.documentElement.dataset.bsTheme = theme", theme)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()
