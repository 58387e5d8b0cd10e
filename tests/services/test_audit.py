"""The audit log: its chain under many writers, what is refused, and what is never in it."""

from __future__ import annotations

import json
import threading

import pytest
from flask import Flask
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from cctv.extensions import begin_writing, db
from cctv.models import AuditEntry, Event, Setting, User
from cctv.services.auditing import audit, audit_chain, audit_check

ZEROS = "0" * 64


def entries() -> list[AuditEntry]:
    return list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def add(action: str = "settings.change", **values: object) -> None:
    begin_writing()
    audit.add(action, **values)  # type: ignore[arg-type]
    db.session.commit()


@pytest.mark.each_database
def test_entries_are_numbered_and_each_holds_the_hash_of_the_one_before(context: Flask) -> None:
    for number in range(3):
        add(target=f"number {number}")
    hashes = [ZEROS]
    for number, entry in enumerate(entries(), start=1):
        row = {name: getattr(entry, name) for name in audit_chain.HASHED}
        assert entry.id == number
        assert entry.hash == audit_chain.hash_of(row, hashes[-1])
        hashes.append(entry.hash)
    assert len(hashes) == 4


@pytest.mark.each_database
def test_many_writers_make_one_chain_without_holes(app: Flask) -> None:
    problems: list[BaseException] = []

    def write(writer: int) -> None:
        with app.app_context():
            try:
                for number in range(10):
                    begin_writing()
                    audit.add("settings.change", target=f"{writer}.{number}")
                    db.session.merge(Setting(key=f"of writer {writer}", value=number))
                    if number % 4 == 3:
                        db.session.rollback()
                    else:
                        db.session.commit()
            except BaseException as error:
                problems.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []
    with app.app_context():
        found = entries()
        assert [entry.id for entry in found] == list(range(1, 65))
        before = ZEROS
        for entry in found:
            assert entry.hash == audit_chain.hash_of(
                {name: getattr(entry, name) for name in audit_chain.HASHED}, before
            )
            before = entry.hash
        assert audit_chain.kept_head() == audit_chain.Head(64, before)


@pytest.mark.each_database
def test_an_entry_goes_with_its_transaction(context: Flask) -> None:
    begin_writing()
    audit.add("settings.change", target="lost")
    db.session.rollback()
    begin_writing()
    audit.add("settings.change", target="lost as well")
    db.session.close()
    begin_writing()
    audit.add("settings.change", target="kept")
    with db.session.begin_nested() as savepoint:
        audit.add("settings.change", target="of a savepoint that is undone")
        savepoint.rollback()
    with db.session.begin_nested():
        audit.add("settings.change", target="of a savepoint")
    assert entries() == []
    db.session.commit()
    assert [entry.target for entry in entries()] == ["kept", "of a savepoint"]


@pytest.mark.each_database
@pytest.mark.parametrize("change", [update(AuditEntry).values(target="x"), delete(AuditEntry)])
def test_the_database_refuses_to_change_an_entry(context: Flask, change: object) -> None:
    add()
    begin_writing()
    with pytest.raises(DBAPIError, match="append-only"):
        db.session.execute(change)  # type: ignore[call-overload]
    db.session.rollback()


def test_adding_without_the_write_lock_is_a_mistake(context: Flask) -> None:
    with pytest.raises(RuntimeError, match="begin_writing"):
        audit.add("settings.change")


def test_nothing_secret_gets_in(context: Flask) -> None:
    add(
        target="rtsp://admin:geheim-77@10.0.0.1/\x1b[31m\nsecond line",
        before={"url": "rtsp://admin:geheim-77@10.0.0.1/a", "name": "Gate", "password": "geheim-77"},
        after={"url": "rtsp://admin:geheim-78@10.0.0.1/b", "name": "Gate", "password": "geheim-78"},
        nested={"totp_secret": "GEHEIM", "list": ["password=geheim-77"] * 100},
    )
    (entry,) = entries()
    assert "geheim" not in f"{entry.target} {entry.details}".lower()
    assert entry.target == "rtsp://admin:***@10.0.0.1/ [31m second line"
    assert set(entry.details["before"]) == {"url", "password"}  # the name is the same
    assert len(entry.details["nested"]["list"]) == 40


@pytest.mark.each_database
def test_odd_values_are_kept_as_text(context: Flask) -> None:
    odd = {"nan": float("nan"), "big": 10**30, "null": "a\x00b", "half": "\ud800", 7: ("a", None)}
    add(target="\udcff" + "x" * 500, odd=odd)
    (entry,) = entries()
    assert len(entry.target) == 160
    assert entry.details["odd"] == {
        "nan": "nan",
        "big": str(10**30),
        "null": "a b",
        "half": " ",
        "7": ["a", None],
    }


def test_who_acts_is_asked_only_when_an_entry_is_added(context: Flask, owner: User) -> None:
    asked = []

    def who() -> audit.Origin:
        asked.append(1)
        return audit.Origin(owner.id, owner.name, "10.0.0.7", "Firefox on Linux")

    audit.set_origin(who)
    assert not asked
    add()
    add(user=owner)
    audit.set_origin(audit.Origin(None, "system"))
    add()
    told = [(entry.user_id, entry.user_name, entry.address, entry.device) for entry in entries()]
    person = (owner.id, "Olive Owner", "10.0.0.7", "Firefox on Linux")
    assert told == [person, person, (None, "system", "", "")]


@pytest.mark.each_database
def test_looking_is_noted_once_an_hour_by_all_processes(app: Flask, another_app: Flask, owner: User) -> None:
    for process in (app, another_app, app):
        with process.app_context():
            for camera in (1, 2):
                audit.note("live", camera_id=camera, user=owner)
            db.session.remove()
    with app.app_context():
        assert [(entry.action, entry.camera_id) for entry in entries()] == [("live", 1), ("live", 2)]
    with another_app.app_context():
        db.engine.dispose()


def test_a_repeated_look_costs_no_statement(context: Flask, owner: User) -> None:
    from tests.blueprints.camera_rows import QueryCount

    audit.note("live", camera_id=1, user=owner)
    with QueryCount(context) as count:
        audit.note("live", camera_id=1, user=owner)
    assert len(count) == 0


def test_a_note_inside_a_writing_transaction_joins_it(context: Flask, owner: User) -> None:
    begin_writing()
    audit.note("snapshot", camera_id=1, user=owner)
    db.session.commit()
    assert [entry.action for entry in entries()] == ["snapshot"]


def test_a_note_never_fails_its_page(context: Flask, owner: User, caplog: pytest.LogCaptureFixture) -> None:
    db.session.execute(text("DROP TABLE audit_entry"))
    db.session.commit()
    audit.note("live", camera_id=1, user=owner)
    assert "could not be noted" in caplog.text


@pytest.mark.each_database
def test_the_head_is_kept_outside_and_stays_as_evidence(context: Flask) -> None:
    add()
    add()
    head = audit_chain.kept_head()
    path = context.extensions["cctv.config"].data_dir / "audit_head"
    assert head and head.id == 2
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(f"9 {'a' * 64}\n")
    add()
    assert audit_chain.kept_head() == audit_chain.Head(9, "a" * 64)
    audit_chain.replace_head(head)
    add()
    kept = audit_chain.kept_head()
    assert kept and kept.id == 4


@pytest.mark.usefixtures("pages")
def test_a_request_says_who_from_where_and_with_what(context: Flask, owner: User) -> None:
    client = context.test_client()

    @context.post("/static/does-something")
    def do_something() -> str:
        add("settings.change")
        return "done"

    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
    client.post("/static/does-something", headers={"User-Agent": agent, "X-Forwarded-For": "8.8.8.8"})
    (entry,) = entries()
    assert (entry.user_name, entry.address, entry.device) == ("", "127.0.0.1", "Firefox on Linux")


def tamper(statement: str) -> None:
    """As somebody with the database's own password would."""
    if db.engine.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            db.session.execute(text(f"DROP TRIGGER IF EXISTS audit_entry_no_{verb}"))
    else:
        db.session.execute(text("DROP TRIGGER IF EXISTS audit_entry_append_only ON audit_entry"))
    db.session.execute(text(statement))
    db.session.commit()


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("statement", "bad_id", "words"),
    [
        ("UPDATE audit_entry SET target = 'x' WHERE id = 3", 3, "Entry 3 was changed"),
        ("UPDATE audit_entry SET at_ms = at_ms - 1 WHERE id = 1", 1, "Entry 1 was changed"),
        ("UPDATE audit_entry SET hash = replace(hash, 'a', 'b') WHERE id = 5", 5, "Entry 5 was changed"),
        ("DELETE FROM audit_entry WHERE id = 2", 2, "Entry 2 is missing"),
        ("DELETE FROM audit_entry WHERE id > 3", 4, "The newest 2 entries are missing"),
        ("DELETE FROM audit_entry", 1, "The newest 5 entries are missing"),
    ],
)
def test_verify_names_the_first_bad_entry(context: Flask, statement: str, bad_id: int, words: str) -> None:
    for number in range(5):
        add(target=f"aaaa {number}")
    assert audit_check.verify().is_whole
    assert audit_check.verify_news().checked == 5
    assert audit_check.verify_news().checked == 0
    tamper(statement)
    verdict = audit_check.verify()
    assert (verdict.is_whole, verdict.first_bad_id) == (False, bad_id)
    assert words in verdict.sentence


def test_a_chain_that_was_computed_anew_is_found_by_the_head_outside(context: Flask) -> None:
    for _ in range(3):
        add()
    before = ZEROS
    tamper("UPDATE audit_entry SET target = 'nothing happened' WHERE id = 2")
    for entry in entries():
        row = {name: getattr(entry, name) for name in audit_chain.HASHED}
        before = audit_chain.hash_of(row, before)
        db.session.execute(update(AuditEntry).where(AuditEntry.id == entry.id).values(hash=before))
    db.session.commit()
    assert audit_check.verify().first_bad_id == 3
    add()  # the head outside stays what it was
    assert audit_check.verify().first_bad_id == 3


def test_a_cut_that_is_grown_over_is_still_found(context: Flask) -> None:
    for _ in range(4):
        add()
    tamper("DELETE FROM audit_entry WHERE id > 2")
    for _ in range(5):
        add()
    verdict = audit_check.verify()
    assert (verdict.first_bad_id, verdict.is_whole) == (4, False)
    assert audit_check.accept().id == 8
    assert audit_check.verify().is_whole
    assert entries()[-1].action == "audit.accept"


def test_the_page_check_notices_what_was_changed_behind_it(context: Flask) -> None:
    for _ in range(3):
        add()
    assert audit_check.verify_news().is_whole
    tamper("DELETE FROM audit_entry WHERE id = 3")
    assert audit_check.verify_news().first_bad_id == 3


def test_the_hourly_check_spares_the_pages_and_tells_the_overview(context: Flask, another_app: Flask) -> None:
    for _ in range(5):
        add()
    assert audit_check.verify_hourly().checked == 5
    with another_app.app_context():
        news = audit_check.verify_news()
        assert (news.checked, news.is_whole, news.newest_at_ms is not None) == (0, True, True)
        db.engine.dispose()
    tamper("UPDATE audit_entry SET target = 'x' WHERE id = 4")
    for _ in range(2):
        assert not audit_check.verify_hourly().is_whole
    (event,) = db.session.scalars(select(Event))
    assert event.severity == "bad" and "Entry 4 was changed" in event.text


def test_an_empty_log_is_whole(context: Flask) -> None:
    assert audit_check.verify().sentence == "The log is empty."


@pytest.mark.usefixtures("pages")
def test_verify_on_the_command_line(context: Flask) -> None:
    for number in range(3):
        add(target=f"camera {number}")
    run = context.test_cli_runner().invoke
    whole = run(args=["audit", "verify"])
    assert (whole.exit_code, "Whole up to entry 3" in whole.output) == (0, True)
    listed = json.loads(run(args=["audit", "list", "--json", "--limit", "2"]).output)
    assert [row["target"] for row in listed] == ["camera 2", "camera 1"]
    assert "camera 2" in run(args=["audit", "list"]).output
    tamper("UPDATE audit_entry SET target = 'x' WHERE id = 2")
    bad = run(args=["audit", "verify", "--json"])
    assert (bad.exit_code, json.loads(bad.output)["first_bad_id"]) == (1, 2)
    accepted = run(args=["audit", "accept"], input="y\n")
    assert accepted.exit_code == 0 and "from now on" in accepted.output
