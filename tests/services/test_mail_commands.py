"""`flask mail` and the line of mail in `flask doctor`, on a real mail server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from cctv import create_app
from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.services.mailing import mail, mailings
from cctv.services.site.doctor import Finding, examine
from tests.mail_server import PASSWORD, USER, MailServer
from tests.servers import free_port


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    server = MailServer(tmp_path).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    yield server
    server.close()


def _app(config: Config, port: int) -> Flask:
    return create_app(
        replace(
            config,
            email_host="localhost",
            email_port=port,
            email_host_user=USER,
            email_host_password=PASSWORD,
        )
    )


def _doctor(app: Flask) -> Finding:
    with app.app_context():
        return next(finding for finding in examine() if finding.name == "mail")


def test_a_test_prints_its_steps_and_succeeds(config: Config, server: MailServer) -> None:
    app = _app(config, server.port)
    done = app.test_cli_runner().invoke(args=["mail", "test", "you@example.org"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line[:4] for line in lines[:5]] == ["ok  "] * 5 and lines[5].startswith("Sent to you@example.org")
    assert [received.to for received in server.received] == [["you@example.org"]]
    assert _doctor(app).state == "ok" and "Sent to you@example.org" in _doctor(app).sentence


def test_a_test_that_fails_says_why_and_exits_with_1(config: Config) -> None:
    app = _app(config, free_port())
    done = app.test_cli_runner().invoke(args=["mail", "test", "you@example.org", "--json"])
    told = json.loads(done.output)
    assert done.exit_code == 1 and not told["is_sent"]
    assert [step["state"] for step in told["steps"]] == ["ok", "bad"]
    assert "refuses connections" in told["sentence"] and PASSWORD not in done.output
    assert _doctor(app).state == "warn"
    refused = app.test_cli_runner().invoke(args=["mail", "test", "nobody"])
    assert refused.exit_code == 1 and "does not look like" in refused.output


@pytest.mark.usefixtures("pages")
def test_the_list_says_what_became_of_mails_and_not_what_they_say(context: Flask) -> None:
    begin_writing()
    mail.add("otp", "bob@example.org", {"code": "40917352", "purpose": "sign in"})
    db.session.commit()
    run = context.test_cli_runner().invoke
    listed = json.loads(run(args=["mail", "list", "--json"]).output)
    assert [(row["address"], row["state"], row["template"]) for row in listed] == [
        ("bob@example.org", "queued", "otp")
    ]
    plain = run(args=["mail", "list", "--state", "waiting"]).output
    assert "bob@example.org" in plain and "40917352" not in plain + json.dumps(listed)
    assert run(args=["mail", "list", "--state", "sent"]).output == ""


def test_the_doctor_names_what_is_wrong_with_mail(context: Flask, config: Config) -> None:
    assert "mails are files in" in _doctor(context).sentence
    app = _app(config, free_port())
    assert _doctor(app).sentence == "localhost, never tested."
    with app.app_context():
        begin_writing()
        message = mail.add("generic", "bob@example.org", {"subject": "Hello", "body": "A line."})
        message.cause = "The server refused the user name or the password."
        db.session.commit()
        assert mailings.newest_cause() == message.cause
    assert _doctor(app).sentence == "A mail waits: The server refused the user name or the password."
