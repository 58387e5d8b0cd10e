"""One mail to a real SMTP server: what happens to it with each kind of server, in words and within a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cctv.clock import utcnow
from cctv.extensions import begin_writing, db
from cctv.models import MailMessage, MailState
from cctv.services.mailing import mail, mail_delivery
from cctv.services.mailing.smtp import Limits
from cctv.services.site import settings
from tests.mail_server import PASSWORD, USER, MailServer, RudeServer
from tests.servers import free_port

CODE = "40917352"
QUICK = Limits(overall=4.0, connect=2.0, command=1.5, taking=1.5)
Configure = Callable[..., None]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A server that wants TLS and a password, and whose certificate is trusted here."""
    server = MailServer(tmp_path).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    yield server
    server.close()


@pytest.fixture
def configure(app: Flask) -> Configure:
    """Point the application at a mail server."""

    def point(port: int, *, host: str = "localhost", **options: Any) -> None:
        values = {
            "email_host": host,
            "email_port": port,
            "email_use_tls": True,
            "email_host_user": USER,
            "email_host_password": PASSWORD,
            **options,
        }
        from dataclasses import replace

        from cctv.extensions import mail as flask_mail

        config = replace(app.extensions["cctv.config"], **values)
        app.extensions["cctv.config"] = config
        app.config.update(config.flask_settings())
        flask_mail.init_app(app)

    return point


def _add(to: str = "bob@example.org", template: str = "otp", **options: Any) -> MailMessage:
    begin_writing()
    values = {
        "code": CODE,
        "purpose": "sign in",
        "subject": "Grüße vom Empfang",
        "body": "Hallo Bob",
        "asked_by": "Olive",
    }
    message = mail.add(template, to, values, **options)
    db.session.commit()
    return message


def _deliver(message: MailMessage, limits: Limits = QUICK) -> MailMessage:
    mail_delivery.deliver(message.id, limits=limits)
    db.session.refresh(message)
    return message


def test_a_mail_is_sent_encrypted_and_signed_in_with_both_parts(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    settings.save(organisation_name='Zoo "Süd", Gate & Co', site_address="https://cctv.example.org")
    configure(server.port)
    message = _deliver(_add())
    assert (message.state, message.values_sealed, message.cause) == (MailState.SENT, None, "")
    [received] = server.received
    assert received.is_encrypted and received.is_signed_in
    assert received.to == ["bob@example.org"] and received.sender == USER
    assert CODE in received.text
    html = received.mail.get_body(("html",))
    assert html is not None and CODE in html.get_content()
    assert received.mail["From"].addresses[0].display_name == 'Zoo "Süd", Gate & Co'
    assert received.mail["Subject"] == 'Zoo "Süd", Gate & Co: your code'
    assert received.mail["Auto-Submitted"] == "auto-generated"
    assert received.mail["Message-ID"].endswith("@example.org>")


def test_long_lines_and_foreign_letters_arrive_as_they_were(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    begin_writing()
    body = "Ω" * 3000 + "\n.\nafter a lonely dot"
    message = mail.add("generic", "bob@exämple.org", {"subject": "é" * 170, "body": body})
    db.session.commit()
    assert _deliver(message).state == MailState.SENT
    [received] = server.received
    assert received.to == ["bob@xn--exmple-cua.org"]
    assert "Ω" * 3000 + "\n.\nafter a lonely dot" in received.text.replace("\r\n", "\n")
    assert max(len(line) for line in received.mail.as_bytes().split(b"\n")) < 998


def test_nothing_is_sent_twice_however_often_the_job_runs(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    message = _add()
    for _ in range(3):
        mail_delivery.deliver(message.id)
    assert len(server.received) == 1


def test_an_expired_code_is_not_sent(context: Flask, server: MailServer, configure: Configure) -> None:
    configure(server.port)
    message = _deliver(_add(expires_at=utcnow() - timedelta(seconds=1)))
    assert message.state == MailState.QUEUED  # until the tick
    mail.expire()
    assert message.state == MailState.EXPIRED
    assert server.connections == 0


def test_a_code_that_expires_while_the_server_dawdles_is_not_sent(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    server.rcpt_seconds = 3.0
    message = _add(expires_at=utcnow() + timedelta(seconds=2.5))
    _deliver(message, Limits(overall=10, connect=3, command=6, taking=2))
    assert (message.state, message.values_sealed) == (MailState.EXPIRED, None)
    assert server.received == []


def test_a_refused_recipient_is_for_good_with_the_servers_words(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    server.refusals["bob@example.org"] = ["550 5.1.1 No such user, password=hunter2 \x1b[31m"]
    message = _deliver(_add())
    assert (message.state, message.cause) == (MailState.FAILED, "The server refused the recipient.")
    assert message.answer.startswith("550 5.1.1 No such user")
    assert "hunter2" not in message.answer and "\x1b" not in message.answer
    assert message.values_sealed is None


def test_a_recipient_that_is_refused_for_now_is_tried_again(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    server.refusals["bob@example.org"] = ["451 4.7.1 Greylisted", "250 OK"]
    message = _deliver(_add())
    assert (message.state, message.cause) == (MailState.QUEUED, "The server refused the recipient for now.")
    assert message.next_at is not None and message.next_at > utcnow() + timedelta(seconds=5)
    mail.try_again(message)
    assert _deliver(message).state == MailState.SENT
    assert message.tries == 2 and message.cause == ""


def test_a_mail_that_is_refused_as_a_whole_is_for_good(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    server.data_answers = ["554 5.7.1 Looks like spam"]
    message = _deliver(_add())
    assert (message.state, message.cause) == (MailState.FAILED, "The server refused the mail.")


def test_a_wrong_password_is_named_and_holds_the_other_mails_back(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port, email_host_password="wrong-canary")
    first, second = _add(), _add("eve@example.org", "generic")
    _deliver(first)
    assert first.state == MailState.QUEUED
    assert first.cause == "The server refused the user name or the password."
    assert "wrong-canary" not in first.cause + first.answer
    db.session.refresh(second)
    assert second.next_at is not None and second.next_at > utcnow() + timedelta(seconds=20)
    assert _deliver(second).tries == 0
    assert server.connections == 2  # EHLO before and after TLS: one connection


def test_a_test_that_goes_through_wakes_the_mails_that_wait(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port, email_host_password="wrong")
    waiting = _deliver(_add(template="generic"))
    test = _add("you@example.org", mail.TEST)
    _deliver(_add("eve@example.org", "generic"))
    db.session.refresh(test)
    assert test.next_at is not None and test.next_at <= utcnow()  # is not put off with the others
    configure(server.port)
    assert _deliver(test).state == MailState.SENT
    assert _deliver(waiting).state == MailState.SENT


def test_a_server_without_encryption_never_hears_the_password(
    context: Flask, tmp_path: Path, configure: Configure
) -> None:
    server = MailServer(tmp_path, has_tls=False).start()
    configure(server.port)
    message = _deliver(_add())
    server.close()
    assert message.cause.startswith("The server offers no encryption (STARTTLS).")
    assert server.received == []


def test_a_certificate_that_nobody_trusts_is_named(
    context: Flask, server: MailServer, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    configure(server.port)
    assert _deliver(_add()).cause.startswith("The certificate of localhost is not trusted: self")
    assert server.received == []


def test_a_refused_connection_is_named(context: Flask, configure: Configure) -> None:
    port = free_port()
    configure(port)
    cause = f"localhost, port {port}, refuses connections. Check EMAIL_PORT, and whether the server runs."
    assert _deliver(_add()).cause == cause


def test_an_unknown_name_is_named(context: Flask, configure: Configure) -> None:
    configure(25, host="no-such-host.invalid")
    message = _deliver(_add())
    assert message.cause.startswith("The name no-such-host.invalid")


@pytest.mark.parametrize(
    ("script", "drip_seconds", "words"),
    [
        ((), 0.0, "does not answer."),
        (("220 hello",), 0.0, "does not answer."),
        (("220 hello " + "x" * 200,), 0.1, "answers too slowly."),
        (("421 too busy",), 0.0, "greeted us with a refusal."),
        (("220 hello", "close"), 0.0, "closed the connection."),
        (("SSH-2.0-OpenSSH_9.2",), 0.0, "greeted us with a refusal."),
        (("220 hello", "502 what", "502 what", "close"), 0.0, "where it should have gone on."),
    ],
)
def test_a_rude_server_is_named_and_costs_a_bounded_time(
    context: Flask, configure: Configure, script: tuple[str, ...], drip_seconds: float, words: str
) -> None:
    server = RudeServer(*script, drip_seconds=drip_seconds)
    configure(server.port)
    began = time.monotonic()
    message = _deliver(_add())
    server.close()
    assert time.monotonic() - began < QUICK.overall + 2
    assert message.state == MailState.QUEUED
    assert message.cause.endswith(words), message.cause


def test_an_answer_that_never_comes_after_the_mail_is_uncertain_and_not_sent_again(
    context: Flask, server: MailServer, configure: Configure
) -> None:
    configure(server.port)
    server.data_seconds = 5.0
    message = _deliver(_add())
    assert (message.state, len(server.received)) == (MailState.FAILED, 1)
    assert message.cause.startswith("The server did not say whether it took the mail.")
    _deliver(message)
    assert len(server.received) == 1


def test_a_claim_that_lapsed_hands_nothing_over(
    context: Flask, server: MailServer, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen worker wakes up after somebody else has taken its mail."""
    configure(server.port)
    message = _add()
    genuine = mail_delivery._before_handing_over

    def wake_up_late(claim: mail_delivery.Claim) -> None:
        begin_writing()
        db.session.get_one(MailMessage, claim.message_id).tries += 1
        db.session.commit()
        genuine(claim)

    monkeypatch.setattr(mail_delivery, "_before_handing_over", wake_up_late)
    mail_delivery.deliver(message.id)
    assert server.received == []


def test_without_a_server_a_mail_is_a_private_file_and_no_code_is_in_the_log(
    context: Flask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = _deliver(_add(expires_at=utcnow() + timedelta(minutes=10)))
    path = tmp_path / "mail" / f"{message.id}-otp.eml"
    assert message.state == MailState.SENT and message.answer == f"Written to {path}"
    assert CODE in path.read_text()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert str(path) in caplog.text and CODE not in caplog.text


def test_a_file_goes_away_when_what_it_says_is_over(context: Flask, tmp_path: Path) -> None:
    from cctv.services.mailing import mail_files

    message = _deliver(_add(expires_at=utcnow() + timedelta(seconds=1)))
    path = mail_files.path_of(message.id, "otp")
    mail_files.forget_old()
    assert path.exists()
    time.sleep(1.1)
    mail_files.forget_old()
    assert not path.exists()
