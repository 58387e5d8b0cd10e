"""Every address of the application, asked by everybody, about their camera, another one and none.

The statuses stand in expected.toml, in tables that a person can review beside the product's table of roles.
When a new route lands, `test_every_route_has_an_entry` fails and names it. Then:

1. Find the table of expected.toml that decides as your view does (`access.authorise(..., Action.X)` usually
   says which), or add one. Add a line `"POST /your/<int:camera_id>/route" = 303`: what whoever may gets.
2. Give it what it needs to come so far: `= { ok = 303, form = { name = "x" } }` or `json = {...}`. A 4xx is
   good enough as "ok" when it says that the door was passed (422 for a form without fields).
3. A part of the address that is new, say <int:group_id>, gets a value in conftest.py.

The database is put back after every change, so nothing that a route does is seen by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from cctv.blueprints import stills
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, User
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import sessions
from cctv.storage.growing import GrowingRun
from tests.access import expectation
from tests.access.asking import Asker, is_api
from tests.access.expectation import PERSONS, Entry
from tests.access.people import ANONYMOUS, BY_ROLE, EVERYBODY
from tests.cameras import CameraFarm
from tests.captured import GrowingCapture
from tests.waiting import wait_until

ENTRIES = expectation.read()
VERBS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
# What may answer a verb that an address does not have: nobody gets in by it.
NO_VERB = {303, 401, 404, 405}


def verbs(rule: Rule) -> set[str]:
    return (rule.methods or set()) - {"HEAD", "OPTIONS"}


def test_every_route_has_an_entry(app: Flask) -> None:
    there = {f"{verb} {rule.rule}" for rule in app.url_map.iter_rules() for verb in verbs(rule)}
    listed = {f"{entry.method} {entry.rule}" for entry in ENTRIES}
    missing, gone = sorted(there - listed), sorted(listed - there)
    assert not missing, (
        "Add these to tests/access/expected.toml, in the table of who may use them (how: the docstring of"
        f" test_every_route.py): {', '.join(missing)}"
    )
    assert not gone, f"These are no routes any more; take them out of expected.toml: {', '.join(gone)}"


def wrong(asker: Asker, entries: list[Entry], **parts: Any) -> Iterator[str]:
    """A sentence for each answer that is not the expected one."""
    for entry in entries:
        # A grant on a camera gives nothing on a person: there the roles are asked alone.
        for person in BY_ROLE if entry.subjects == PERSONS else EVERYBODY:
            for index, subject in entry.worth_asking(person):
                more = parts["of"](entry, person, subject) if parts else {}
                got, expected = asker.ask(entry, person, subject, **more), entry.status(person, index)
                if got != expected:
                    about = f" about {subject}" if subject else ""
                    yield f"[{entry.table}] {entry.label} as {person}{about}: {got}, expected {expected}"


@pytest.mark.timeout(300)  # a machine that does much else
def test_everybody_is_answered_as_expected(asker: Asker) -> None:
    found = list(wrong(asker, [entry for entry in ENTRIES if not entry.needs_footage]))
    assert not found, "\n".join(["", *found])


def test_no_address_has_a_verb_that_nobody_wrote(app: Flask, asker: Asker) -> None:
    there: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        there.setdefault(rule.rule, set()).update(verbs(rule))
    some = {entry.rule: entry for entry in ENTRIES if not entry.token}
    for rule, entry in some.items():
        for verb in sorted(VERBS - there[rule]):
            unwritten = Entry("", verb, rule, "", 405, {})
            subject = entry.subjects[0]
            for person in (ANONYMOUS, "visitor", "super_admin"):
                assert asker.ask(unwritten, person, subject) in NO_VERB, (verb, rule, person)


def test_head_asks_the_same_question_as_get(asker: Asker) -> None:
    for entry in ENTRIES:
        if entry.method != "GET" or entry.needs_footage:
            continue
        asked = Entry(entry.table, "HEAD", entry.rule, entry.query, entry.ok, entry.who)
        for person in (ANONYMOUS, "visitor"):
            for index, subject in enumerate(entry.subjects):
                assert asker.ask(asked, person, subject) == entry.status(person, index), (asked.label, person)


def test_apps_are_not_known_by_cookies_and_browsers_not_by_tokens(asker: Asker) -> None:
    asker.headers = lambda person, path: (  # type: ignore[method-assign]
        {"Cookie": asker.cookies[person]}
        if is_api(path)
        else {"Authorization": f"Bearer {asker.bearers[person]}"}
    )
    for entry in ENTRIES:
        if not entry.needs_footage and entry.rule != "/api/docs/schema/":  # for browsers and programs
            got, expected = asker.ask(entry, "super_admin", entry.subjects[0]), entry.status(ANONYMOUS, 0)
            assert got == (401 if expected == 303 and got == 401 else expected), entry.label


@pytest.fixture
def captured(app: Flask, asker: Asker, farm: CameraFarm) -> Iterator[dict[str, GrowingCapture]]:
    """Both cameras while they are being captured: (granted, foreign)."""
    media_dir = app.extensions["cctv.config"].media_dir
    with ExitStack() as stack:
        running = {}
        for subject in ("granted", "foreign"):
            camera_id = asker.camera_ids[subject]
            with app.app_context():
                stream = db.session.get_one(Camera, camera_id).main
                capture = GrowingCapture(
                    farm.url("t1", 1), media_dir, camera_id=camera_id, stream_id=stream.id
                )
                stream.run_key = capture.key
                db.session.commit()
            running[subject] = stack.enter_context(capture)
        for capture in running.values():
            capture.wait_for_picture()
        asker.keep()
        yield running


def places(capture: GrowingCapture) -> dict[str, object]:
    """The parts of the addresses of one run: a second and a part that are there."""
    with GrowingRun(capture.media_dir, capture.camera_id, capture.key) as growing:
        located = wait_until(lambda: growing.refresh(), 5, "fragments")[0]
    return {
        "kind": "main",
        "run_key": capture.key,
        "number": located.number,
        "offset": located.fragment.offset,
    }


@pytest.mark.timeout(300)
def test_every_byte_is_answered_as_expected(
    app: Flask, asker: Asker, captured: dict[str, GrowingCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stills, "_JUST_TAKEN_MS", 0)
    time.sleep(2.5)  # so that a second is over
    addresses = {subject: places(capture) for subject, capture in captured.items()}
    addresses["absent"] = addresses["foreign"]
    moment = now_ms() - 1500
    before = moment - 1000

    def parts(entry: Entry, person: str, subject: str) -> dict[str, object]:
        token = "x"
        if entry.token and person != ANONYMOUS:
            with app.app_context():
                user: User = asker.people[person]
                token = access.media_token(user, asker.camera_ids[subject], Action(entry.token))
        return addresses[subject] | {
            "token": token,
            "second": moment // 1000,
            "moment": moment,
            "before": before,
        }

    found = list(wrong(asker, [entry for entry in ENTRIES if entry.needs_footage], of=parts))
    assert not found, "\n".join(["", *found])


def test_a_borrowed_token_opens_no_byte(
    app: Flask, asker: Asker, captured: dict[str, GrowingCapture]
) -> None:
    own = places(captured["granted"]) | {"second": now_ms() // 1000 - 1, "moment": now_ms(), "before": 0}
    owner, gate, yard = asker.people["super_admin"], *list(asker.camera_ids.values())[:2]

    def refused(why: str, action: str = "", camera_id: int = gate) -> None:
        for entry in (entry for entry in ENTRIES if entry.token):
            with app.app_context():
                token = access.media_token(owner, camera_id, Action(action or entry.token))
            assert asker.ask(entry, ANONYMOUS, "granted", **own, token=token) == 404, (why, entry.label)

    refused("of another camera", camera_id=yard)
    for action in set(Action) - {Action.LIVE, Action.PLAYBACK}:
        refused("of another action", action)
    with app.app_context():
        sessions.end(owner.session_id)
    refused("of a session that ended")
