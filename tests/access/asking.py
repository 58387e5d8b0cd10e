"""Asks the application as everybody, at addresses with real ids in them, and undoes what that changed.

What is expected is said elsewhere.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event

from cctv.extensions import db
from cctv.models import User
from cctv.services.sign_in import app_sessions, sessions
from tests.access.expectation import CAMERAS, PERSONS, Entry
from tests.access.people import ANONYMOUS
from tests.servers import RedisServer

ABSENT = 987_654
HTML = {"Accept": "text/html"}


@dataclass
class Answer:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]
    leads_to: int | None = None  # status of the page that a change redirected to, while the change was there

    @property
    def location(self) -> str:
        """Where it sends the person; empty when nowhere on this site."""
        said = self.headers.get("Location") or self.headers.get("HX-Redirect") or ""
        return said if said.startswith("/") else ""


class Asker:
    """The people, their cookies, and what stands for the parts of an address."""

    def __init__(
        self, app: Flask, people: dict[str, User], cameras: tuple[int, int], redis_server: RedisServer
    ) -> None:
        self.app, self.people, self._redis = app, people, redis_server
        self.client = app.test_client(use_cookies=False)
        self.camera_ids = dict(zip(CAMERAS, (*cameras, ABSENT), strict=True))
        ids = [people[name].id for name in ("visitor", "admin", "super_admin")]
        self.person_ids = dict(zip(PERSONS, (*ids, ABSENT), strict=True))
        self._of_camera: dict[str, dict[str, int]] = {}
        self.parts: dict[str, object] = {"filename": "css/tokens.css"}
        self.bearers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        for name, user in people.items():
            self.join(name, user)
        self._file = Path(str(app.extensions["cctv.config"].database_url).removeprefix("sqlite:///"))
        with app.app_context():
            # Thousands of small changes, and none of them is to outlive a power cut.
            event.listen(db.engine, "connect", lambda raw, _record: raw.execute("PRAGMA synchronous=OFF"))
        self.keep()

    def of_camera(self, name: str, granted: int, foreign: int) -> None:
        """Things that belong to the two cameras; `name` stands in expectation.OF_CAMERAS as well."""
        self._of_camera[name] = dict(zip(CAMERAS, (granted, foreign, ABSENT), strict=True))

    def join(self, name: str, user: User) -> None:
        """One more person, signed in here and with an app."""
        self.people[name] = user
        self.bearers[name], self.cookies[name] = self._sign_in_app(user), self._sign_in(user)

    def _sign_in_app(self, user: User) -> str:
        with self.app.app_context():
            return app_sessions.begin(user).access_token

    def _sign_in(self, user: User) -> str:
        with self.app.app_context():
            sessions.begin(user)
            sessions.begin_sudo(user)  # risky changes do not ask for the password: the rights decide
        client = self.app.test_client()
        with client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = user.get_id(), True
        cookie = client.get_cookie("session")
        assert cookie
        return f"session={cookie.value}"

    def keep(self) -> None:
        """Remember the database as it is now."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()
        self._kept = self._file.read_bytes()

    def put_back(self) -> None:
        """The database as it was kept."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()
        self._file.write_bytes(self._kept)
        (self._file.parent / "audit_head").unlink(missing_ok=True)  # it is ahead of the database now

    def ask(self, entry: Entry, person: str, subject: str, **parts: object) -> int:
        """The status that this person gets about this camera or person."""
        return self.answer(entry, person, subject, **parts).status

    def answer(self, entry: Entry, person: str, subject: str, **parts: object) -> Answer:
        """What this person gets about this camera or person."""
        address = self.address(entry, subject, **parts)
        known = self._known(subject, parts)
        sends = {how: _filled_all(fields, known) for how, fields in entry.sends.items()}
        if "form" in sends:
            sends["data"] = sends.pop("form")
        headers = self.headers(person, address)
        return self.open(entry.method, address, headers, reads=not entry.needs_footage, **sends)

    def address(self, entry: Entry, subject: str, **parts: object) -> str:
        """The address of an entry with real ids in it."""
        known = self._known(subject, parts)
        path = re.sub(r"<(?:[^:<>]*:)?(\w+)>", lambda part: str(_value(known, part[1], entry)), entry.rule)
        return f"{path}?{_filled(entry.query, known)}" if entry.query else path

    def _known(self, subject: str, parts: dict[str, object]) -> dict[str, object]:
        camera_id, user_id = self.camera_ids.get(subject), self.person_ids.get(subject)
        ids = {"camera_id": camera_id, "camera": camera_id, "user_id": user_id, "person": user_id}
        ids |= {name: found.get(subject) for name, found in self._of_camera.items()}
        return self.parts | ids | parts

    def open(
        self, method: str, address: str, headers: dict[str, str], *, reads: bool = True, **sends: Any
    ) -> Answer:
        """Send a request; what it changed is undone afterwards."""
        with closing(self.client.open(address, method=method, headers=headers, **sends)) as got:
            text = got.data.decode(errors="replace") if reads else ""
            answer = Answer(got.status_code, text, dict(got.headers))
            is_change = method not in ("GET", "HEAD")
        if is_change and answer.location and answer.status < 400:
            answer.leads_to = self.client.get(answer.location, headers=headers).status_code
        if is_change or is_api(address):
            self._redis.empty()  # limits would answer the next one
        if (is_change and answer.status < 400) or address.startswith(
            "/admin"
        ):  # the decoy writes down who came
            self.put_back()
        return answer

    def headers(self, person: str, path: str) -> dict[str, str]:
        """How this person is known at this address: by a cookie or, for an app, by a token."""
        if is_api(path):
            return {} if person == ANONYMOUS else {"Authorization": f"Bearer {self.bearers[person]}"}
        return HTML if person == ANONYMOUS else HTML | {"Cookie": self.cookies[person]}


def is_api(path: str) -> bool:
    """Whether apps ask here, not browsers."""
    return path.startswith("/v0/api/")


def _value(known: dict[str, object], name: str, entry: Entry) -> object:
    if known.get(name) is None:
        raise AssertionError(
            f"{entry.label}: nobody knows a value for <{name}>. Make such a thing in the fixture `asker` of"
            f" conftest.py and put its id there: asker.parts[{name!r}] = ..."
        )
    return known[name]


def _filled(text: str, known: dict[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: str(known[part[1]]), text)


def _filled_all(fields: dict[str, object], known: dict[str, object]) -> dict[str, object]:
    return {name: _filled_value(value, known) for name, value in fields.items()}


def _filled_value(value: object, known: dict[str, object]) -> object:
    """In a list of JSON "{camera}" becomes a number."""
    if isinstance(value, list):
        filled = [_filled_value(one, known) for one in value]
        return [int(one) if isinstance(one, str) and one.isdecimal() else one for one in filled]
    return _filled(value, known) if isinstance(value, str) else value
