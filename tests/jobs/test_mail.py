"""Mail through the real workers of its queue to a real server: nothing lost, nothing twice, nothing late."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from sqlalchemy import func, select

from cctv.clock import now_ms, utcnow
from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.jobs import mail as jobs
from cctv.models import MailMessage, MailState, User
from cctv.services.mailing import mail
from tests.blueprints.camera_rows import add_camera, change, tell_node_figures
from tests.fixtures.processes import ProductProcess
from tests.mail_server import PASSWORD, USER, MailServer
from tests.servers import RedisServer
from tests.waiting import wait_until

CODE = "40917352"
StartWorker = Callable[[str], ProductProcess]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(tmp_path).start()
    yield server
    server.close()


@pytest.fixture
def start_worker(config: Config, server: MailServer) -> Iterator[StartWorker]:
    """Starts workers of the mail queue that send to the test's server."""
    workers: list[ProductProcess] = []
    there = replace(
        config,
        email_host="localhost",
        email_port=server.port,
        email_host_user=USER,
        email_host_password=PASSWORD,
    )

    def start(name: str) -> ProductProcess:
        argv = [sys.executable, "worker.py", "jobs", "mail"]
        worker = ProductProcess(name, argv, there, SSL_CERT_FILE=str(server.certificate))
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.close()


def _add(to: str = "bob@example.org", template: str = "generic", **options: Any) -> MailMessage:
    begin_writing()
    values = {"code": CODE, "subject": "Hello", "body": "A line.", "purpose": "sign in"}
    message = mail.add(template, to, values, **options)
    db.session.commit()
    return message


def _state(message_id: int) -> str:
    db.session.rollback()
    state: str = db.session.execute(
        select(MailMessage.state).where(MailMessage.id == message_id)
    ).scalar_one()
    return state


def _cause(message_id: int) -> str:
    db.session.rollback()
    cause: str = db.session.execute(
        select(MailMessage.cause).where(MailMessage.id == message_id)
    ).scalar_one()
    return cause


def _counts() -> dict[str, int]:
    db.session.rollback()
    rows = db.session.execute(select(MailMessage.state, func.count()).group_by(MailMessage.state))
    return dict(rows.tuples().all())


@pytest.mark.each_database
def test_fifty_mails_by_two_workers_arrive_once_each_and_three_are_named(
    context: Flask, server: MailServer, start_worker: StartWorker
) -> None:
    for bad in (7, 19, 33):
        server.refusals[f"person{bad}@example.org"] = ["550 5.1.1 No such user"]
    start_worker("first"), start_worker("second")
    for number in range(50):
        _add(f"person{number}@example.org")
    assert mail.dispatch() == 50
    wait_until(lambda: sum(_counts().get(s, 0) for s in mail.UNDER_WAY) == 0, 60, "all to be over")
    assert _counts() == {MailState.SENT: 47, MailState.FAILED: 3}
    received = [address for one in server.received for address in one.to]
    assert len(received) == len(set(received)) == 47
    failed = db.session.scalars(select(MailMessage).where(MailMessage.state == MailState.FAILED))
    assert {message.cause for message in failed} == {"The server refused the recipient."}


def test_a_worker_killed_before_the_mail_was_handed_over_loses_nothing(
    context: Flask, server: MailServer, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.rcpt_seconds = 5.0
    worker = start_worker("first")
    message = _add()
    mail.dispatch()
    wait_until(server.is_in_rcpt.is_set, 30, "the server to be asked about the recipient")
    worker.kill()
    assert _state(message.id) == MailState.SENDING
    _let_the_claim_lapse(message.id)
    jobs.tick()
    assert _state(message.id) == MailState.QUEUED
    server.rcpt_seconds = 0.0
    start_worker("second")
    wait_until(lambda: _state(message.id) == MailState.SENT, 30, "the mail to be sent")
    assert len(server.received) == 1


def test_a_worker_killed_while_the_server_took_the_mail_does_not_send_it_twice(
    context: Flask, server: MailServer, start_worker: StartWorker
) -> None:
    server.data_seconds = 5.0
    worker = start_worker("first")
    message = _add(template="generic")
    mail.dispatch()
    wait_until(server.is_in_data.is_set, 30, "the server to have the mail")
    worker.kill()
    _let_the_claim_lapse(message.id)
    jobs.tick()
    assert _state(message.id) == MailState.FAILED
    assert "may have arrived" in mail.get_message(message.id).cause
    start_worker("second")
    jobs.tick()
    assert len(server.received) == 1


def test_a_code_whose_server_was_away_is_never_sent_late(
    context: Flask, server: MailServer, start_worker: StartWorker
) -> None:
    server.close()
    start_worker("first")
    message = _add(template="reset", expires_at=utcnow() + timedelta(minutes=10))
    mail.dispatch()
    wait_until(lambda: _cause(message.id), 30, "the first try to fail")
    assert "refuses connections" in _cause(message.id) and _state(message.id) == MailState.QUEUED
    begin_writing()
    db.session.get_one(MailMessage, message.id, populate_existing=True).expires_at = utcnow()
    db.session.commit()
    jobs.tick()
    found = mail.get_message(message.id)
    assert (found.state, found.values_sealed) == (MailState.EXPIRED, None)
    assert "refuses connections" in found.cause
    assert mail.dispatch() == 0


def test_a_redis_that_came_back_empty_loses_no_mail(
    context: Flask, server: MailServer, start_worker: StartWorker, redis_server: RedisServer
) -> None:
    message = _add()
    mail.dispatch()
    redis_server.empty()
    jobs.tick()
    start_worker("first")
    wait_until(lambda: _state(message.id) == MailState.SENT, 30, "the mail to be sent")


def test_a_camera_in_trouble_becomes_a_mail_without_anybody_asking(
    context: Flask, config: Config, server: MailServer, start_worker: StartWorker, owner: User
) -> None:
    tell_node_figures(context)
    camera = add_camera(context)
    change(context, camera, state="offline", cause="refused", state_since_ms=now_ms() - 120_000)
    others = [
        ProductProcess(role[0], [sys.executable, "worker.py", *role], config)
        for role in (["scheduler"], ["jobs", "default"])
    ]
    start_worker("first")
    try:
        wait_until(lambda: server.received, 60, "the mail about the camera")
    finally:
        for process in others:
            process.close()
    [received] = server.received
    assert received.to == [owner.email]
    assert received.mail["Subject"] == "Cameras: Front gate is offline"


def test_no_code_and_no_password_is_in_redis_a_log_or_the_process_list(
    context: Flask, server: MailServer, start_worker: StartWorker, redis_server: RedisServer, config: Config
) -> None:
    worker = start_worker("first")
    good, bad = _add(template="otp"), _add("nobody@example.org", template="reset")
    server.refusals["nobody@example.org"] = [f"550 {CODE} is not {PASSWORD}"]
    mail.dispatch()
    wait_until(lambda: _counts().get(MailState.QUEUED, 0) == 0, 30, "both to be tried")
    wait_until(lambda: _state(bad.id) == MailState.FAILED, 10, "the refusal")
    wait_until(lambda: _state(good.id) == MailState.SENT, 10, "the other one to be sent")
    redis_file = next(redis_server.folder.rglob("*.aof"), None)
    stored = b"".join(path.read_bytes() for path in redis_server.folder.rglob("*") if path.is_file())
    assert redis_file is not None and b"cctv.jobs.mail.send" in stored
    lines = " ".join(psutil.Process(worker.process.pid).cmdline())
    found = mail.get_message(bad.id)
    for text in (stored.decode("latin-1"), worker.log.read_text(), lines, found.answer, found.cause):
        assert CODE not in text and PASSWORD not in text
    database = (config.data_dir / "cctv.db").read_bytes()
    wal = config.data_dir / "cctv.db-wal"
    database += wal.read_bytes() if wal.exists() else b""
    assert CODE.encode() not in database
    assert os.environ.get("EMAIL_HOST_PASSWORD") is None


def _let_the_claim_lapse(message_id: int) -> None:
    begin_writing()
    db.session.get_one(MailMessage, message_id, populate_existing=True).next_at = utcnow()
    db.session.commit()
