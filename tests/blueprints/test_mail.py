"""The pages of mail: settings with their test, the list, writing to many, progress, cancelling."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import AuditEntry, MailMessage, MailState, Role, User
from cctv.services.mailing import mail, mail_delivery, mailings
from cctv.services.site import settings
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_person
from tests.fixtures.application import OWNER_PASSWORD, sign_in
from tests.fixtures.processes import ProductProcess
from tests.mail_server import PASSWORD, USER, MailServer, RudeServer
from tests.waiting import wait_until

EVIL = "<script>alert(1)</script>"


def _messages(app: Flask) -> list[MailMessage]:
    with app.app_context():
        return list(db.session.query(MailMessage).order_by(MailMessage.id))


def _fail(app: Flask, message_id: int, cause: str, answer: str = "") -> None:
    with app.app_context():
        begin_writing()
        mail.end(db.session.get_one(MailMessage, message_id), MailState.FAILED, cause, answer=answer)
        db.session.commit()


def _write(client: FlaskClient, **form: object) -> int:
    typed = {"subject": "Gate closed", "body": "Use the back door.", "addresses": "bob@example.org", **form}
    response = client.post("/mail/new", data=typed)
    assert response.status_code == 303, response.text
    return int(response.location.rpartition("/")[2])


# --- Settings -------------------------------------------------------------------------------------------


def test_the_settings_say_what_the_environment_says_and_never_the_password(
    app: Flask, signed_in: FlaskClient, config: Config
) -> None:
    page = signed_in.get("/settings/mail").text
    assert "No mail server is configured." in page and f"{config.data_dir}/mail" in page
    app.extensions["cctv.config"] = replace(
        config, email_host="mail.example.org", email_host_user=USER, email_host_password="canary-password"
    )
    page = signed_in.get("/settings/mail").text
    assert "mail.example.org, port 587" in page and USER in page
    assert "canary-password" not in page


def test_who_gets_what_is_saved_and_written_to_the_audit_log(app: Flask, signed_in: FlaskClient) -> None:
    form = {"camera_developer": "y", "disk_super_admin": "y", "report_admin": "y"}
    form["site_address"] = "https://cctv.example.org/"
    asked = signed_in.post("/settings/mail", data=form, headers=HTML)
    assert asked.status_code == 403, "links with new passwords begin with it: the password first"
    with app.app_context():
        assert settings.get("site_address") == ""
    sealed = re.search(r'name="sudo_typed" value="([^"]+)"', asked.text)
    assert sealed
    typed = {"sudo_password": OWNER_PASSWORD, "sudo_typed": sealed[1]}
    assert signed_in.post("/settings/mail", data=typed, headers=HTML).status_code == 303
    with app.app_context():
        roles = settings.get("notice_roles")
        assert roles == {"camera": ["developer"], "disk": ["super_admin"], "cloud": [], "report": ["admin"]}
        assert mail.link("/x") == "https://cctv.example.org/x"
        [entry] = db.session.query(AuditEntry).filter_by(action="settings.change")
        assert entry.details["after"]["site_address"] == "https://cctv.example.org"
    page = signed_in.get("/settings/mail").text
    assert re.search(r'<input[^>]*checked[^>]*name="camera_developer"', page)


def test_an_admin_cannot_send_the_links_of_a_super_admin_elsewhere(app: Flask, owner: User) -> None:
    with app.app_context():
        settings.save(site_address="https://cctv.example.org")
    admin = sign_in(app, add_person(app, Role.ADMIN))
    for elsewhere in ("https://evil.example", "http://cctv.example.org", ""):
        typed = {"camera_admin": "y", "site_address": elsewhere}
        assert admin.post("/settings/mail", data=typed, headers=HTML).status_code == 403
    page = admin.get("/settings/mail").text
    assert 'name="site_address"' not in page and "https://cctv.example.org" in page
    assert admin.post("/settings/mail", data={"disk_admin": "y"}).status_code == 303
    with app.app_context():
        assert settings.get("site_address") == "https://cctv.example.org"
        assert settings.get("notice_roles") == {"camera": [], "disk": ["admin"], "cloud": [], "report": []}


@pytest.mark.parametrize(
    "typed",
    [{"site_address": "cctv.example.org"}, {"site_address": "javascript:alert(1)"}, {"mail_from": "nobody"}],
)
def test_what_cannot_be_saved_is_said_at_the_field_and_stays(
    app: Flask, signed_in: FlaskClient, typed: dict[str, str]
) -> None:
    response = signed_in.post("/settings/mail", data=typed | {"camera_admin": "y"})
    assert response.status_code == 422
    for name, value in typed.items():
        assert f'id="{name}-error"' in response.text and f'value="{value}"' in response.text
    with app.app_context():
        assert settings.get("site_address") == "" and settings.get("mail_from") == ""


def test_a_developer_may_test_and_not_save_and_a_visitor_neither(app: Flask, owner: User) -> None:
    developer, visitor = (sign_in(app, add_person(app, role)) for role in (Role.DEVELOPER, Role.VISITOR))
    page = developer.get("/settings/mail").text
    assert "Send test mail" in page and "Who gets what" not in page
    assert developer.post("/settings/mail", data={}).status_code == 403
    assert visitor.get("/settings/mail", headers=HTML).status_code == 403
    assert 'href="/settings"' in page and 'href="/settings"' not in visitor.get("/wall", headers=HTML).text


# --- The test -------------------------------------------------------------------------------------------


@pytest.fixture
def worker(config: Config, server: MailServer) -> Iterator[ProductProcess]:
    """The worker of the queue that tests wait in, sending to the test's server."""
    there = replace(
        config,
        email_host="localhost",
        email_port=server.port,
        email_host_user=USER,
        email_host_password=PASSWORD,
    )
    argv = [sys.executable, "worker.py", "jobs", "high"]
    worker = ProductProcess("jobs-high", argv, there, SSL_CERT_FILE=str(server.certificate))
    yield worker
    worker.close()


@pytest.fixture
def server(config: Config) -> Iterator[MailServer]:
    server = MailServer(config.data_dir).start()
    yield server
    server.close()


def _follow(client: FlaskClient, app: Flask, config: Config, address: str) -> list[str]:
    """The fragments of a test, one after the other, until it no longer asks for more."""
    app.extensions["cctv.config"] = replace(config, email_host="localhost")
    shown = [client.post("/settings/mail/test", data={"test_address": address}, headers=HTMX).text]

    def is_over() -> bool:
        path = re.search(r'hx-get="([^"]+)"', shown[-1])
        if path:
            shown.append(client.get(path[1], headers=HTMX).text)
        return path is None

    wait_until(is_over, 15, "the test to be over", every_seconds=0.1)
    return shown


def test_the_steps_of_a_test_appear_and_stay_with_their_time(
    app: Flask, signed_in: FlaskClient, config: Config, server: MailServer, worker: ProductProcess
) -> None:
    server.rcpt_seconds = 1.0
    shown = _follow(signed_in, app, config, "you@example.org")
    assert any("Signed in as" in early and "has taken the mail" not in early for early in shown)
    for words in (
        "localhost is 127.0.0.1.",
        "Connected to 127.0.0.1",
        "Encrypted with TLSv1.3",
        f"Signed in as {USER}",
        "The server has taken the mail for you@example.org",
        "Sent to you@example.org in",
        "Tested ",
    ):
        assert words in shown[-1]
    assert [received.to for received in server.received] == [["you@example.org"]]
    assert "Tested " in signed_in.get("/settings/mail").text


def test_a_test_that_fails_names_the_cause_and_is_not_tried_again(
    app: Flask, signed_in: FlaskClient, config: Config, server: MailServer, worker: ProductProcess
) -> None:
    server.refusals["you@example.org"] = ["550 5.1.1 We do not know you <b>"]
    last = _follow(signed_in, app, config, "you@example.org")[-1]
    assert "The server refused the recipient." in last and "5.1.1 We do not know you &lt;b&gt;" in last
    [message] = _messages(app)
    assert (message.state, message.tries) == (MailState.FAILED, 1)


def test_a_test_that_nobody_takes_up_says_so(app: Flask, signed_in: FlaskClient) -> None:
    form = {"test_address": "you@example.org"}
    path = re.search(r'hx-get="([^"]+)"', signed_in.post("/settings/mail/test", data=form, headers=HTMX).text)
    assert path
    again = signed_in.post("/settings/mail/test", data=form, headers=HTMX)
    assert again.status_code == 422 and "still under way" in again.text
    with app.app_context():
        begin_writing()
        message = db.session.query(MailMessage).one()
        message.created_at = message.expires_at = message.created_at.replace(year=2025)
        db.session.commit()
    assert "No job worker took it up" in signed_in.get(path[1], headers=HTMX).text


def test_an_address_that_is_none_is_refused_in_place(signed_in: FlaskClient) -> None:
    response = signed_in.post("/settings/mail/test", data={"test_address": EVIL}, headers=HTMX)
    assert response.status_code == 422
    assert "does not look like an e-mail address" in response.text and EVIL not in response.text
    page = signed_in.post("/settings/mail/test", data={"test_address": "no address"})
    assert page.status_code == 422 and 'value="no address"' in page.text


# --- Writing --------------------------------------------------------------------------------------------


def test_a_mail_to_a_role_people_and_addresses_reaches_each_once(
    app: Flask, signed_in: FlaskClient, owner: User
) -> None:
    admin, visitor = (add_person(app, role) for role in (Role.ADMIN, Role.VISITOR))
    batch = _write(
        signed_in,
        roles=["admin"],
        people=[str(visitor.id), str(admin.id)],
        addresses=f"bob@example.org, Bob@example.org;{admin.email}\neve@example.org",
    )
    to = sorted(message.address for message in _messages(app))
    assert to == sorted([admin.email, visitor.email, "bob@example.org", "eve@example.org"])
    page = signed_in.get(f"/mail/batches/{batch}").text
    assert "0 of 4" in page and "<progress" in page and 'hx-trigger="load delay:1s"' in page
    with app.app_context():
        [entry] = db.session.query(AuditEntry).filter_by(action="mail.send")
        assert entry.details["count"] == 4 and "back door" not in json.dumps(entry.details)


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"subject": " "}, "subject", "Type a subject."),
        ({"subject": "x" * 151}, "subject", "at most 150"),
        ({"body": ""}, "body", "Type what you want to say."),
        ({"body": "x" * 10_001}, "body", "at most 10000"),
        ({"addresses": ""}, "recipients", "Choose somebody"),
        ({"addresses": "bob@example.org, nobody"}, "addresses", "does not look like"),
        ({"addresses": " ".join(f"a{n}@example.org" for n in range(51))}, "addresses", "at most 50"),
        ({"addresses": "", "people": "999999"}, "recipients", "Choose somebody"),
        ({"addresses": "", "roles": "king"}, "recipients", "Choose somebody"),
    ],
)
def test_what_is_missing_is_said_and_nothing_typed_is_lost(
    app: Flask, signed_in: FlaskClient, typed: dict[str, str], field: str, words: str
) -> None:
    form = {"subject": "Gate", "body": "Closed.", "addresses": "bob@example.org", **typed}
    for headers in (HTML, HTMX):
        response = signed_in.post("/mail/new", data=form, headers=headers)
        assert response.status_code == 422
        message = re.search(rf'id="{field}-error"[^>]*>(.*?)</p>', response.text, re.DOTALL)
        assert message and words in message[1]
    if field != "subject":
        assert 'value="Gate"' in signed_in.post("/mail/new", data=form, headers=HTML).text
    assert _messages(app) == []


def test_a_flood_by_one_person_is_stopped(
    app: Flask, signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "MOST_AN_HOUR", 2)
    _write(signed_in), _write(signed_in)
    form = {"subject": "Gate", "body": "Closed.", "addresses": "bob@example.org"}
    response = signed_in.post("/mail/new", data=form)
    assert response.status_code == 422 and "You may send 2 mails an hour." in response.text


def test_a_silent_server_costs_a_request_nothing(app: Flask, signed_in: FlaskClient, config: Config) -> None:
    silent = RudeServer()
    app.extensions["cctv.config"] = replace(config, email_host="127.0.0.1", email_port=silent.port)
    began = time.monotonic()
    _write(signed_in, addresses=" ".join(f"a{number}@example.org" for number in range(50)))
    signed_in.post("/settings/mail/test", data={"test_address": "you@example.org"})
    elapsed = time.monotonic() - began
    silent.close()
    assert elapsed < 3 and silent.heard == []


def test_what_was_written_reaches_the_file_with_the_writers_address(
    app: Flask, signed_in: FlaskClient, owner: User, config: Config
) -> None:
    _write(signed_in, subject=f"Gate {EVIL}", body=f"First\n\n{EVIL}")
    [message] = _messages(app)
    with app.app_context():
        mail_delivery.deliver(message.id)
    written = (config.data_dir / "mail" / f"{message.id}-generic.eml").read_text()
    assert f"Reply-To: {owner.email}" in written and "Auto-Submitted" not in written
    page = signed_in.get(f"/mail/batches/{message.batch_id}").text
    assert "Written to a file" in page and EVIL not in page


# --- The list -------------------------------------------------------------------------------------------


def test_the_list_filters_searches_and_never_shows_what_a_mail_says(
    app: Flask, signed_in: FlaskClient
) -> None:
    assert "No mails yet." in signed_in.get("/mail").text
    _write(signed_in, addresses="bob@example.org")
    _write(signed_in, addresses="eve@example.org", subject="100%_sure")
    _fail(app, _messages(app)[1].id, "The server refused the recipient.", f"550 {EVIL}")
    page = signed_in.get("/mail").text
    assert "bob@example.org" in page and "The server refused the recipient." in page
    assert "back door" not in page and EVIL not in page
    assert "eve@" not in signed_in.get("/mail?state=waiting", headers=HTMX).text
    failed = signed_in.get("/mail?state=failed", headers=HTMX).text
    assert "bob@" not in failed and "Try again" in failed
    assert "eve@" in signed_in.get("/mail?q=100%25_S", headers=HTMX).text
    assert "No mail to or about" in signed_in.get("/mail?q=%25%25", headers=HTMX).text
    assert signed_in.get("/mail?state=nonsense&p=0").status_code == 200


def test_a_failed_mail_is_tried_again_and_a_waiting_one_cancelled(app: Flask, signed_in: FlaskClient) -> None:
    batch = _write(signed_in, addresses="bob@example.org eve@example.org")
    bob, eve = _messages(app)
    _fail(app, bob.id, "The server refused the recipient for now.")
    again = signed_in.post(f"/mail/{bob.id}/again?back=batch")
    assert again.location == f"/mail/batches/{batch}"
    assert signed_in.post(f"/mail/{eve.id}/cancel").location == "/mail"
    assert [message.state for message in _messages(app)] == [MailState.QUEUED, MailState.CANCELLED]
    page = signed_in.get(signed_in.post(f"/mail/{eve.id}/again").location).text
    assert "This mail is over" in page
    assert signed_in.post("/mail/99999/again", headers=HTML).status_code == 404


def test_the_rest_of_a_mail_to_many_is_cancelled_at_once(app: Flask, signed_in: FlaskClient) -> None:
    batch = _write(signed_in, addresses=" ".join(f"a{number}@example.org" for number in range(10)))
    with app.app_context():
        for message in _messages(app)[:4]:
            mail_delivery.deliver(message.id)
    response = signed_in.post(f"/mail/batches/{batch}/cancel")
    page = signed_in.get(response.location).text
    assert "6 mails were cancelled." in page and "Sent to 4 of 10" in page
    assert "hx-trigger" not in page.partition('id="progress"')[2].partition(">")[0]


def test_the_lists_cost_the_same_however_long_they_are(app: Flask, signed_in: FlaskClient) -> None:
    batch = _write(signed_in)
    for path in ("/mail", f"/mail/batches/{batch}", "/settings/mail", "/mail/new"):
        with QueryCount(app) as few:
            signed_in.get(path)
        _write(signed_in, addresses=" ".join(f"a{number}@example.org" for number in range(40)))
        with QueryCount(app) as many:
            signed_in.get(path)
        assert len(many.statements) == len(few.statements), (path, many.statements)
        assert len(many.statements) <= (19 if path == "/settings/mail" else 8), (path, many.statements)


@pytest.mark.parametrize("path", ["/mail", "/mail/new", "/mail/batches/1"])
def test_who_may_not_send_mails_sees_none(app: Flask, owner: User, path: str) -> None:
    for role in (Role.DEVELOPER, Role.VISITOR):
        client = sign_in(app, add_person(app, role))
        assert client.get(path, headers=HTML).status_code == 403
        assert client.post("/mail/new", data={}, headers=HTML).status_code == 403
