"""Asks the application as everybody, at addresses with real ids in them, and undoes what that changed.

What is expected is said elsewhere.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

from flask import Flask

from cctv.extensions import db
from cctv.models import User
from cctv.services import app_sessions, sessions
from tests.access.expectation import CAMERAS, PERSONS, Entry
from tests.access.people import ANONYMOUS
from tests.servers import RedisServer

ABSENT = 987_654
HTML = {"Accept": "text/html"}


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
        self.parts: dict[str, object] = {"filename": "css/tokens.css"}
        self.bearers = {name: self._sign_in_app(user) for name, user in people.items()}
        self.cookies = {name: self._sign_in(user) for name, user in people.items()}
        self._file = Path(str(app.extensions["cctv.config"].database_url).removeprefix("sqlite:///"))
        self.keep()

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

    def ask(self, entry: Entry, person: str, subject: str, **parts: object) -> int:
        """The status that this person gets about this camera or person."""
        known = self.parts | {
            "camera_id": self.camera_ids.get(subject),
            "user_id": self.person_ids.get(subject),
            "camera": self.camera_ids.get(subject),
            "person": self.person_ids.get(subject),
            **parts,
        }
        path = re.sub(r"<(?:[^:<>]*:)?(\w+)>", lambda part: str(_known(known, part[1], entry)), entry.rule)
        query = _filled(entry.query, known)
        sends = {how: _filled_all(fields, known) for how, fields in entry.sends.items()}
        if "form" in sends:
            sends["data"] = sends.pop("form")
        with closing(
            self.client.open(
                path, method=entry.method, query_string=query, headers=self.headers(person, path), **sends
            )
        ) as answer:
            if entry.method not in ("GET", "HEAD") or is_api(path):
                self._redis.empty()  # limits would answer the next one
            if entry.method not in ("GET", "HEAD") and answer.status_code < 400:
                self.put_back()
            return answer.status_code

    def headers(self, person: str, path: str) -> dict[str, str]:
        """How this person is known at this address: by a cookie or, for an app, by a token."""
        if is_api(path):
            return {} if person == ANONYMOUS else {"Authorization": f"Bearer {self.bearers[person]}"}
        return HTML if person == ANONYMOUS else HTML | {"Cookie": self.cookies[person]}


def is_api(path: str) -> bool:
    """Whether apps ask here, not browsers."""
    return path.startswith(("/v0/api/", "/api/"))


def _known(known: dict[str, object], name: str, entry: Entry) -> object:
    if known.get(name) is None:
        raise AssertionError(
            f"{entry.label}: nobody knows a value for <{name}>. Make such a thing in the fixture `asker` of"
            f" test_every_route.py and put its id there: asker.parts[{name!r}] = ..."
        )
    return known[name]


def _filled(text: str, known: dict[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: str(known[part[1]]), text)


def _filled_all(fields: dict[str, object], known: dict[str, object]) -> dict[str, object]:
    return {
        name: _filled(value, known) if isinstance(value, str) else value for name, value in fields.items()
    }
