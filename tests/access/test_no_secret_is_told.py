"""Secrets go through everything that the product does with them, and then they are looked for everywhere.

Real processes - web server, capture, jobs, mail - use them; what they leave and what everybody is answered is
read: logs, pages, the API, CSV, Redis, the database, every file, and the process list.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from flask import Flask
from sqlalchemy import select

from cctv import keys
from cctv.extensions import db
from cctv.models import Camera, Role, Stream, User
from cctv.services.mailing import mail
from cctv.services.person import addresses_of_people, invitations, users
from cctv.services.person.matrix import GRANTABLE
from cctv.services.person.people import COMMAND_LINE
from cctv.services.sign_in import app_sessions, second_factor, sessions, tokens
from tests.access import expectation
from tests.access.asking import Asker, is_api
from tests.access.canaries import Canaries
from tests.access.people import ANONYMOUS, BY_ROLE, grant
from tests.cameras import CameraFarm
from tests.fixtures.processes import LiveServer, ProductProcess, end_captures
from tests.mail_server import PASSWORD, USER, MailServer
from tests.servers import RedisServer
from tests.waiting import wait_until

ENTRIES = expectation.read()
API = "/v0/api"
RIGHT, WRONG, MISTYPED = "Kanari/enV0gel@42%", "falsch3r+Kanari&7", "Tippfehl3r:Kanari?8"
TYPED = "Kanari-Kennwort #4711 <b>"
NAME = "Kanarengasse"  # of the camera: whoever finds this would have found the others
NUMBER = 271  # of the farm's camera with the login
GUARD = "visitor_live"


@dataclass
class House:
    """The running product, and what is secret in it."""

    asker: Asker
    farm: CameraFarm
    web: LiveServer
    post: MailServer
    secrets: Canaries
    redis: RedisServer

    @property
    def app(self) -> Flask:
        """The same product in this process."""
        return self.asker.app

    def ask(self, verb: str, path: str, **options: Any) -> httpx.Response:
        """A request to the web server, as an app or a browser of nobody."""
        return httpx.request(verb, f"{self.web.url}{path}", timeout=40, **options)

    def app_of(self, name: str) -> dict[str, str]:
        """Headers of somebody's app."""
        return {"Authorization": f"Bearer {self.asker.bearers[name]}"}


@pytest.fixture
def house(asker: Asker, redis_server: RedisServer, farm: CameraFarm, tmp_path: Path) -> Iterator[House]:
    """Everything runs; the site's own secrets are known."""
    secrets = Canaries()
    with ExitStack() as stack:
        post = MailServer(tmp_path).start()
        stack.callback(post.close)
        config = replace(
            asker.app.extensions["cctv.config"],
            frontend_url="http://cams.example.org",
            email_host="localhost",
            email_port=post.port,
            email_host_user=USER,
            email_host_password=PASSWORD,
        )
        asker.app.extensions["cctv.config"] = config
        trust = {"SSL_CERT_FILE": str(post.certificate)}
        for name in ("high", "mail"):
            argv = [sys.executable, "worker.py", "jobs", name]
            stack.callback(ProductProcess(f"jobs-{name}", argv, config, **trust).close)
        stack.callback(end_captures, config)
        stack.callback(ProductProcess("capture", [sys.executable, "worker.py", "capture"], config).close)
        web = LiveServer(config)
        stack.callback(web.close)
        farm.control("password", NUMBER, RIGHT)
        for name, secret in (
            ("the mail server's password", config.email_host_password),
            ("SECRET_KEY", config.secret_key),
            ("JWT_SECRET_KEY", config.jwt_secret_key),
            ("typed password", TYPED),
        ):
            secrets.add(name, secret)
        yield House(asker, farm, web.wait(timeout=40), post, secrets, redis_server)


def test_no_secret_is_found_anywhere(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "mail.log"):  # of the test itself: the app, and the mail server
        caplog.set_level(logging.WARNING, name)
    add_cameras(house)
    make_secrets_of_people(house)
    be_careless(house)
    assert len(house.secrets) >= 18

    leaks: set[str] = set()
    met: dict[str, int] = {}
    for where, content in everything(house, caplog):
        leaks |= {f"{name}: {where}" for name in house.secrets.found_in(content)}
        kind = where.partition(":")[0]
        met[kind] = met.get(kind, 0) + (NAME.encode() in content)
    assert not leaks, "\n".join(["", *sorted(leaks)])
    # What is no secret is found in all of these: the search looked at what it was to look at.
    assert all(met.get(kind) for kind in ("page", "API", "file", "database")), met


def test_the_search_knows_every_spelling() -> None:
    secrets = Canaries()
    secrets.add("password", RIGHT)
    secrets.add("code", "40917352")
    for spelling in (
        RIGHT,
        "rtsp://admin:Kanari%2FenV0gel%4042%25@10.0.0.9/",
        "rtsp://admin:Kanari%2fenV0gel%4042%25@10.0.0.9/",
        "YWRtaW46S2FuYXJpL2VuVjBnZWxANDIl",  # admin:...
        RIGHT.encode().hex(),
    ):
        assert secrets.found_in(f"... {spelling} ...") == ["password"], spelling
    assert secrets.found_in("your code is 40917352.") == ["code"]
    assert secrets.found_in("1764091735212 at 409173520") == []


def add_cameras(house: House) -> None:
    """One that is captured and recorded, one whose login is refused, a check with a wrong login."""
    owner = house.app_of("super_admin")
    address = house.farm.url("t1", NUMBER, auth=True).replace("admin:secret@", "")
    ids = []
    for number, password in ((81, RIGHT), (82, WRONG)):
        body = {"name": f"{NAME} {number}", "number": number, "url": address, "username": "admin"}
        body |= {"password": password, "probe": password == RIGHT, "recording_mode": "continuous"}
        added = house.ask("POST", f"{API}/cctv/cameras/register/", headers=owner, json=body)
        assert added.status_code == 201, added.text
        ids.append(added.json()["id"])
        house.secrets.add(f"password of camera {number}", password)
    house.secrets.add("mistyped password", MISTYPED)
    typed = {"url": address, "username": "admin", "password": MISTYPED}
    wrong = house.ask("PATCH", f"{API}/cctv/cameras/{ids[0]}/", headers=owner | {"If-Match": "*"}, json=typed)
    assert wrong.status_code == 422, wrong.text
    house.asker.camera_ids["granted"] = ids[0]
    grant(house.app, house.asker.people[GUARD], ids[0], GRANTABLE)

    def states() -> set[tuple[str, str | None]]:
        with house.app.app_context():
            streams = db.session.scalars(select(Stream).where(Stream.camera_id.in_(ids)))
            return {(stream.state, stream.cause) for stream in streams}

    wait_until(lambda: {"live", "refused"} <= {state for state, _ in states()}, 40, "both cameras")


def make_secrets_of_people(house: House) -> None:
    """Tokens, codes and links of every kind; mailed ones are read from the mail."""
    secrets, people = house.secrets, house.asker.people
    with house.app.app_context():
        users.create_user("Pia", "pia@example.org", password=TYPED, role=Role.ADMIN)
    login = {"login": "pia@example.org", "password": TYPED}
    signed_in = house.ask("POST", f"{API}/users/auth/login/", json=login).json()
    for kind in ("access", "refresh"):
        secrets.add(f"{kind} JWT", signed_in[f"{kind}_token"])
    with house.app.app_context():
        guard, boss = (db.session.get_one(User, people[name].id) for name in (GUARD, "super_admin"))
        secrets.add("refresh JWT of the guard", app_sessions.begin(guard).refresh_token)
        made = tokens.create(boss, name="Door", scopes=["live"], camera_ids=None, days=None)
        secrets.add("API token", made.secret)
        second_factor.enrol(boss)
        key = secrets.add("TOTP key", keys.decrypt(boss.totp_secret_encrypted or ""))
        for code in second_factor.confirm(boss, pyotp.TOTP(key).now()):
            secrets.add(f"recovery code {code[:2]}", code)
        sessions.begin(boss)
        invited = invitations.invite_person(
            COMMAND_LINE, name="Ines", email="ines@example.org", role="visitor", by_mail=True
        )
        secrets.add("invitation", invited.token)
        addresses_of_people.request_verification(guard, email="guard2@example.org")
        mail.dispatch()
    for name, cookie in house.asker.cookies.items():
        if name in BY_ROLE:
            secrets.add(f"cookie of {name}", cookie.removeprefix("session="))
    asked = house.ask("POST", f"{API}/mail/request-password-reset", json={"login": people["visitor"].email})
    assert asked.status_code == 202, asked.text
    for to in ("guard2@example.org", people["visitor"].email):
        said = letter(house, to)
        code, link = re.search(r"(?<!\d)\d{8}(?!\d)", said), re.search(r"token=([\w-]{20,})", said)
        assert code and link, said
        secrets.add(f"code of {to}", code[0])
        secrets.add(f"link of {to}", link[1])
        house.ask("GET", f"/password/reset?token={link[1]}")
        house.ask("GET", f"/account/verify?token={link[1]}", headers={"Referer": f"http://x/?code={code[0]}"})
        body = {"login": to, "otp": code[0], "new_password": "short"}
        house.ask("POST", f"{API}/mail/reset-password", json=body)
    house.ask("GET", f"/invite/{invited.token}")
    house.ask("GET", f"{API}/cctv/cameras/?access_token={signed_in['access_token']}")
    for token in (signed_in["access_token"], signed_in["refresh_token"], f"{made.secret}x"):
        house.ask("GET", f"{API}/cctv/cameras/", headers={"Authorization": f"Bearer {token}"})


def letter(house: House, to: str) -> str:
    """The text of the mail that somebody gets."""
    return wait_until(
        lambda: next((one.text for one in house.post.received if one.to == [to]), None), 30, f"a mail to {to}"
    )


def be_careless(house: House) -> None:
    """What people and their programs do with secrets that they should not."""
    browser = {"Accept": "text/html"}
    for name in ("pia@example.org", TYPED):
        house.ask("POST", "/login", data={"name": name, "password": TYPED}, headers=browser)
    house.ask("POST", "/admin/", data={"username": "root", "password": TYPED}, headers=browser)
    house.ask("GET", "/login", params={"password": TYPED, "next": f"rtsp://admin:{RIGHT}@10.0.0.9/"})
    for body in (f'{{"login": "x", "password": "{TYPED}"', f'{{"pass": "{TYPED}"}}', f'"{TYPED}"'):
        headers = {"Content-Type": "application/json"}
        house.ask("POST", f"{API}/users/auth/login/", content=body.encode(), headers=headers)
    with house.app.app_context():
        camera = db.session.scalars(select(Camera).where(Camera.name == f"{NAME} 81")).one()
        camera_id = camera.id
    owner = house.app_of("super_admin")
    url = f"rtsp://admin:{MISTYPED}@127.0.0.1/a"
    for sent in ({"url": url, "number": 0}, {"name": "x" * 81, "password": MISTYPED}, {"sub_url": url}):
        headers = owner | {"If-Match": "*"}
        answer = house.ask("PATCH", f"{API}/cctv/cameras/{camera_id}/", headers=headers, json=sent)
        assert answer.status_code < 500 and not house.secrets.found_in(answer.content), answer.text


def everything(house: House, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, bytes]]:
    """(where, what is there), one after the other."""
    yield from processes()
    yield from answers(house)
    yield "log of this process", caplog.text.encode()
    yield from database(house)
    yield from files(house.app.extensions["cctv.config"].data_dir)
    client = house.redis.client()
    for key in client.scan_iter():
        yield f"Redis: {key!r}", repr(client.dump(key)).encode() + bytes(key)
    # Every command that it was ever given, also what is gone by now.
    written = b"".join(path.read_bytes() for path in house.redis.folder.rglob("*.aof"))
    assert b"cctv.jobs.mail.send" in written
    yield "Redis: all that was written", written


def processes() -> Iterator[tuple[str, bytes]]:
    """How each program on this machine was called."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield f"process: {line.parent.name}", line.read_bytes()


def answers(house: House) -> Iterator[tuple[str, bytes]]:
    """What every kind of person gets at every address that is read, and in each CSV that is made for them."""
    makes_files = ("/audit/export", "/developer/honeypot/export")
    for entry in ENTRIES:
        if entry.needs_footage or not (entry.method == "GET" or entry.rule in makes_files):
            continue
        for person in (ANONYMOUS, *BY_ROLE[1:], GUARD):
            address = house.asker.address(entry, entry.subjects[0])  # the camera with the secret, or a person
            headers = house.asker.headers(person, address)
            with closing(house.asker.client.open(address, method=entry.method, headers=headers)) as answer:
                assert answer.status_code != 500, (entry.label, person)
                said = [line for line in answer.headers.items() if line[0] != "Set-Cookie"]
                where = f"{'API' if is_api(address) else 'page'}: {entry.label} as {person}"
                yield where, json.dumps(said).encode() + answer.data


def database(house: House) -> Iterator[tuple[str, bytes]]:
    """A dump, row by row."""
    path = str(house.app.extensions["cctv.config"].database_url).removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        for line in connection.iterdump():
            yield f"database: {line[:60]}", line.encode()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Footage, logs, what runs leave behind, also what the database's files hold of deleted rows."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield f"file: {path.relative_to(folder)}", path.read_bytes()
