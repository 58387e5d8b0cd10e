"""Measures whether the time of an answer tells which names exist: signing in, and a forgotten password.

Known and unknown names take turns, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from cctv import create_app
from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models import OneTimeCode, Role, User
from cctv.services.person import users
from cctv.services.sign_in import recovery
from cctv.services.site import settings
from scripts.benchmark.figure import Figure
from tests.fixtures.application import make_config, migrate
from tests.servers import RedisServer

SAMPLES = 200
HTML = {"Accept": "text/html"}
PASSWORD = "the right one, never typed here"


def measure(*, seconds: float = 300) -> list[Figure]:
    """200 samples of each name; 20 when quick."""
    samples = SAMPLES if seconds >= 60 else SAMPLES // 10
    redis_server = RedisServer()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-people-") as folder:
            config = make_config(
                Path(folder), database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis_server.url
            )
            migrate(config)
            app = create_app(config)
            app.config["WTF_CSRF_ENABLED"] = False
            _fill(app)
            return _figures(app, redis_server, samples)
    finally:
        redis_server.close()


def _fill(app: Flask) -> None:
    with app.app_context():
        settings.save(organisation_name="Bench", setup_finished=True)
        for name, role in (("known", Role.SUPER_ADMIN), ("off", Role.VISITOR), ("invited", Role.VISITOR)):
            users.create_user(name, f"{name}@example.org", password=PASSWORD, role=role)
        db.session.execute(update(User).where(User.username == "off").values(is_enabled=False))
        db.session.execute(update(User).where(User.username == "invited").values(password_hash=""))
        db.session.commit()
        recovery.send_reset("known")
        db.session.execute(update(OneTimeCode).values(created_at=utcnow() + timedelta(hours=1)))
        db.session.execute(update(OneTimeCode).values(expires_at=utcnow() + timedelta(hours=2)))
        db.session.commit()
        db.session.remove()


def _figures(app: Flask, redis_server: RedisServer, samples: int) -> list[Figure]:
    def sign_in(client: FlaskClient, name: str) -> int:
        return client.post("/login", data={"name": name, "password": "wrong"}, headers=HTML).status_code

    def ask(client: FlaskClient, name: str) -> int:
        return client.post("/password/forgot", data={"name": name}, headers=HTML).status_code

    def try_code(client: FlaskClient, name: str) -> int:
        with app.app_context():  # a code that may be tried once more
            db.session.execute(update(OneTimeCode).values(tries=0))
            db.session.commit()
        sent = {"name": name, "code": "00000000", "password": "another long sentence"}
        return client.post("/password/reset", data=sent, headers=HTML).status_code

    looks: list[tuple[str, str, Callable[[FlaskClient, str], int], int]] = [
        ("login, known against unknown name", "known", sign_in, samples),
        ("login, account that is off against unknown", "off", sign_in, samples // 2),
        ("login, invited account against unknown", "invited", sign_in, samples // 2),
        ("forgotten password, known against unknown", "known", ask, samples),
        ("wrong reset code, known against unknown", "known", try_code, samples // 2),
    ]
    return [_compare(app, redis_server, *look) for look in looks]


def _compare(
    app: Flask,
    redis_server: RedisServer,
    label: str,
    name: str,
    press: Callable[[FlaskClient, str], int],
    samples: int,
) -> Figure:
    seen: dict[str, list[tuple[float, float]]] = {name: [], "nobody": []}
    statuses = set()
    for number in range(2 * samples + 2):
        who = (name, "nobody")[(number + number // 2) % 2]  # neither is always the first of a pair
        redis_server.empty()  # limits of guessing would answer
        client = app.test_client()
        spent, began = time.thread_time(), time.perf_counter()
        statuses.add(press(client, who))
        seen[who].append((time.perf_counter() - began, time.thread_time() - spent))
    if len(statuses) != 1:
        raise AssertionError(f"{label}: different answers: {statuses}")
    wall, cpu = ([median(one[i] for one in seen[who][1:]) * 1000 for who in (name, "nobody")] for i in (0, 1))
    how = f"medians of {samples} by turns: {wall[0]:.1f} and {wall[1]:.1f} ms"
    how += f"; processor alone {cpu[0]:.1f} and {cpu[1]:.1f}"
    return Figure(label, abs(wall[0] / wall[1] - 1) * 100, "%", how, 5)
