"""Refused sign-ins: told in the audit log, in few rows."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from cctv.extensions import db
from cctv.models import AuditEntry, User
from cctv.services.sign_in import refused_sign_ins
from tests.servers import RedisServer


def told() -> list[tuple[str, int | None, int | None]]:
    rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [(row.target, row.details.get("times"), row.details.get("times_by_all")) for row in rows]


def test_five_thousand_refusals_from_one_address_make_four_entries(context: Flask, owner: User) -> None:
    for _ in range(5000):
        refused_sign_ins.note(owner, address="203.0.113.9")
    assert told() == [("Olive Owner", times, None) for times in (1, 10, 100, 1000)]


def test_many_addresses_make_a_hundred_entries(context: Flask) -> None:
    for number in range(1500):
        refused_sign_ins.note(None, address=f"203.0.{number // 250}.{number % 250}")
    assert told() == [("", 1, None)] * 100 + [("", None, 1000)]


def test_many_addresses_that_repeat_themselves_do_not_fill_the_log(context: Flask) -> None:
    for number in range(2000):
        refused_sign_ins.note(None, address=f"203.0.113.{number % 200}")
    assert len(told()) < 320


def test_it_counts_alone_without_redis(context: Flask, redis_server: RedisServer) -> None:
    context.config["REDIS_URL"] = "unix:///nowhere/redis.sock"
    for _ in range(50):
        refused_sign_ins.note(None, address="203.0.113.9")
    assert [times for _, times, _ in told()] == [1, 10]


def test_a_refusal_never_fails_the_page(context: Flask, caplog: pytest.LogCaptureFixture) -> None:
    db.session.execute(db.text("DROP TABLE audit_entry"))
    db.session.commit()
    refused_sign_ins.note(None, address="203.0.113.9")
    assert "could not be noted" in caplog.text
