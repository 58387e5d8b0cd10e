"""The honeypot: what is kept, whom it shuts out, and whom it never does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select

from cctv.clock import now_ms
from cctv.errors import Conflict
from cctv.extensions import db
from cctv.models import AuditEntry, Session, TrapAttempt, TrappedAddress, User
from cctv.services.sign_in import blocked_addresses, honeypot, sessions, trap_rows
from cctv.services.sign_in.honeypot import Attempt
from cctv.services.site import counts
from tests.servers import RedisServer

STRANGER = "9.9.9.9"


def knock(times: int = 1, *, address: str = STRANGER, method: str = "POST", name: str = "admin") -> None:
    for _ in range(times):
        honeypot.note(Attempt(address, method, "/admin/", name, "hunter-2222", "curl/8"))


def row(address: str = STRANGER) -> TrappedAddress:
    db.session.rollback()
    return db.session.scalars(select(TrappedAddress).where(TrappedAddress.address == address)).one()


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.each_database
def test_an_attempt_is_kept_without_its_password(context: Flask) -> None:
    attempt = Attempt(
        STRANGER, "POST", "/admin/\x1b]0;x\x07", "root\x00\r\n\u202eevil", "hunter-2222", "bot\n" * 200
    )
    honeypot.note(attempt)
    (kept,) = trap_rows.attempts_of(row().id)
    assert kept.password == "11 characters: letters, digits, others"
    assert (kept.name, kept.path) == ("root evil", "/admin/ ]0;x ")
    assert len(kept.device) == 200 and "\n" not in kept.device
    assert (row().hits, row().tries) == (1, 1)
    assert "hunter" not in str(vars(kept))


@pytest.mark.parametrize(
    ("password", "kind"),
    [
        ("", ""),
        ("a", "1 character: letters"),
        ("123", "3 characters: digits"),
        ("x" * 5000, "999 characters: letters"),
    ],
)
def test_of_a_password_length_and_kind_are_told(password: str, kind: str) -> None:
    assert honeypot.kind_of(password) == kind


@pytest.mark.each_database
def test_the_tenth_password_shuts_an_address_out_and_each_time_longer(context: Flask) -> None:
    knock(9)
    assert not blocked_addresses.is_blocked(STRANGER)
    knock()
    assert blocked_addresses.is_blocked(STRANGER)
    assert not blocked_addresses.is_blocked("9.9.9.10")
    first = (row().blocked_until_ms or 0) - now_ms()
    knock(10)
    second = (row().blocked_until_ms or 0) - now_ms()
    assert 14 * 60_000 < first <= 15 * 60_000 < 29 * 60_000 < second <= 30 * 60_000
    told = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "honeypot.block")).all()
    assert [(entry.user_name, entry.target) for entry in told] == [("system", STRANGER)] * 2


def test_looking_alone_shuts_nobody_out(context: Flask) -> None:
    knock(20, method="GET")
    assert row().hits == 20
    assert not blocked_addresses.is_blocked(STRANGER)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "::ffff:127.0.0.1", "192.168.1.20", "10.1.2.3", "172.16.0.1", "169.254.1.1"),
        *("100.64.7.7", "fd7a:115c:a1e0::1", "fe80::1%eth0", "44.1.2.3", "::ffff:44.1.2.3", "2a00:1:2:3::9"),
        *("0.0.0.0", "nonsense", ""),
    ],
)
def test_our_own_networks_are_never_shut_out(context: Flask, address: str) -> None:
    config = context.extensions["cctv.config"]
    networks = "44.0.0.0/8,2a00:1:2:3::/64"
    context.extensions["cctv.config"] = replace(config, camera_network=networks)
    knock(30, address=address)
    assert not blocked_addresses.is_blocked(address)
    assert db.session.scalar(select(func.max(TrappedAddress.blocked_until_ms))) is None


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("known", "stranger", "is_blocked"),
    [
        ("9.9.9.200", STRANGER, False),
        ("9.9.8.9", STRANGER, True),
        ("2620:fe::1234", "2620:fe::9", False),
        ("2620:fe:1::9", "2620:fe::9", True),
        ("::ffff:9.9.9.200", STRANGER, False),
    ],
)
def test_where_people_sign_in_from_is_not_shut_out(
    context: Flask, owner: User, known: str, stranger: str, is_blocked: bool
) -> None:
    sessions.begin(db.session.get_one(User, owner.id), address=known)
    knock(10, address=stranger)
    assert blocked_addresses.is_blocked(stranger) is is_blocked


def test_a_sign_in_of_last_month_protects_nobody(context: Flask, owner: User) -> None:
    sessions.begin(db.session.get_one(User, owner.id), address=STRANGER)
    db.session.execute(db.update(Session).values(seen_ms=now_ms() - 8 * 86_400_000))
    db.session.commit()
    knock(10)
    assert blocked_addresses.is_blocked(STRANGER)


def test_an_ipv6_customer_is_one_address(context: Flask) -> None:
    for number in range(10):
        knock(address=f"2620:fe::{number:x}")
    assert row("2620:fe::/64").tries == 10
    assert blocked_addresses.is_blocked("2620:fe::ffff")


@pytest.mark.each_database
def test_a_flood_fills_neither_disk_nor_log(context: Flask) -> None:
    knock(2000)
    assert count(TrapAttempt) <= 50
    assert 1900 <= row().hits <= 2000
    assert count(AuditEntry) < 30


def test_a_flood_from_everywhere_is_bounded(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honeypot, "_WRITTEN_OF_ALL", 300)
    for number in range(1000):
        knock(address=f"9.{number // 250}.1.{number % 250}")
    assert count(TrappedAddress) == count(TrapAttempt) == 300


def test_the_tables_are_capped(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honeypot, "_MOST_ADDRESSES", 100)
    monkeypatch.setattr(honeypot, "_MOST_ATTEMPTS", 120)
    knock(10, address="8.8.8.8")
    for number in range(400):
        knock(address=f"9.{number // 250}.1.{number % 250}")
    assert count(TrappedAddress) <= 150
    assert count(TrapAttempt) <= 121
    assert row("8.8.8.8").blocked_until_ms  # the blocked ones stay


def test_people_decide(context: Flask, owner: User) -> None:
    actor = db.session.get_one(User, owner.id)
    knock()
    honeypot.block_for_good(actor, row())
    assert blocked_addresses.is_blocked(STRANGER)
    honeypot.unblock(actor, row())
    assert not blocked_addresses.is_blocked(STRANGER)
    honeypot.mark(actor, row(), is_ours=True)
    knock(20)
    assert not blocked_addresses.is_blocked(STRANGER)
    assert trap_rows.find_addresses().total == 0
    assert trap_rows.find_addresses(with_ours=True).total == 1
    knock(address="192.168.1.9")
    with pytest.raises(Conflict, match="of this site"):
        honeypot.block_for_good(actor, row("192.168.1.9"))
    actions = list(db.session.scalars(select(AuditEntry.action).where(AuditEntry.user_id == owner.id)))
    assert actions == ["honeypot.block", "honeypot.unblock", "honeypot.ours"]


def test_asking_costs_no_query_most_of_the_time(context: Flask) -> None:
    from tests.blueprints.camera_rows import QueryCount

    knock(10)
    assert blocked_addresses.is_blocked(STRANGER)
    with QueryCount(context) as queries:
        for _ in range(100):
            blocked_addresses.is_blocked(STRANGER)
    assert len(queries) == 0


def test_without_the_database_the_known_blocks_hold(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    knock(10)
    assert blocked_addresses.is_blocked(STRANGER)
    monkeypatch.setattr(blocked_addresses, "_REREAD_SECONDS", -1.0)
    db.session.execute(db.text("ALTER TABLE trapped_address RENAME TO elsewhere"))
    db.session.commit()
    assert blocked_addresses.is_blocked(STRANGER)
    knock()  # and noting does not fail either


def test_it_counts_alone_without_redis(context: Flask, redis_server: RedisServer) -> None:
    context.config["REDIS_URL"] = "unix:///nowhere/redis.sock"
    assert [counts.count("x", seconds=60) for _ in range(3)] == [1, 2, 3]
    knock(10)
    assert blocked_addresses.is_blocked(STRANGER)
