"""The queue dashboard: for whom, what changes something, and what it does without Redis."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import select

from cctv import queue
from cctv.extensions import db
from cctv.models import AuditEntry, Role, User
from tests.blueprints.camera_rows import HTML, add_person
from tests.fixtures.application import sign_in
from tests.servers import RedisServer

PAGES = ("/rq/", "/rq/0/view/jobs", "/rq/0/view/workers", "/rq/0/view/job/one")
PAGES += ("/rq/0/view/jobs/default/failed/8/asc/1",)
READS = ("/rq/0/data/queues.json", "/rq/0/data/workers.json", "/rq/0/data/job/one.json")
READS += ("/rq/0/data/jobs/default/queued/8/asc/1.json", "/rq/0/data/jobs/default/failed/8/dsc/1.json")
CHANGES = ("/rq/job/one/delete", "/rq/job/one/requeue", "/rq/requeue/default", "/rq/queue/default/compact")
CHANGES += ("/rq/queue/default/queued/empty",)


@pytest.fixture
def job(app: Flask) -> Iterator[Job]:
    """A failed job, written as ours are."""
    with app.app_context():
        queue.enqueue("default", "tests.jobs.samples.nothing", 7, job_id="one")
        found = Job.fetch("one", connection=queue.redis_connection(), serializer=JSONSerializer)
        FailedJobRegistry("default", connection=queue.redis_connection()).add(found, ttl=600)
        queue.redis_connection().lrem("rq:queue:default", 0, "one")
        found.set_status("failed")
        yield found


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.SUPER_ADMIN, 200), (Role.DEVELOPER, 200), (Role.ADMIN, 403), (Role.VISITOR, 403)],
)
def test_it_is_for_super_admins_and_developers(
    app: Flask, owner: User, job: Job, role: Role, status: int
) -> None:
    client = sign_in(app, owner if role == Role.SUPER_ADMIN else add_person(app, role))
    for path in (*PAGES, *READS, "/rq/static/css/main.css"):
        assert client.get(path, headers=HTML).status_code == status, path
    entries = client.get("/wall", headers=HTML).text
    assert ('href="/rq/"' in entries) is (status == 200)


def test_a_stranger_gets_nothing(client: FlaskClient, owner: User, job: Job) -> None:
    for path in (*PAGES, *READS, "/rq/static/css/main.css"):
        assert client.get(path).status_code in {302, 303, 401}, path
    for path in CHANGES:
        assert client.post(path).status_code in {302, 303, 401}, path


@pytest.mark.parametrize("path", CHANGES)
def test_a_get_changes_nothing(signed_in: FlaskClient, job: Job, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert signed_in.open(path, method=method, headers=HTML).status_code == 405
    assert job.get_status() == "failed"


def test_changes_need_the_token(app: Flask, signed_in: FlaskClient, job: Job) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    for path in CHANGES:
        assert signed_in.post(path).status_code == 400, path
    page = signed_in.get("/rq/0/view/job/one").text
    (token,) = re.findall(r'"X-CSRFToken": "([^"]+)"', page)
    assert signed_in.post("/rq/job/one/requeue", headers={"X-CSRFToken": token}).json == {"status": "OK"}
    assert job.get_status(refresh=True) == "queued"
    assert job.args == [7]


def test_changes_are_in_the_audit_log(app: Flask, signed_in: FlaskClient, job: Job) -> None:
    signed_in.post("/rq/requeue/default")
    assert job.get_status(refresh=True) == "queued"
    signed_in.post("/rq/job/one/delete")
    with app.app_context():
        rows = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "queue.change"))
        told = [(row.user_name, row.target) for row in rows]
    assert told == [("Olive Owner", "requeue/default"), ("Olive Owner", "job/one/delete")]


def test_its_scripts_have_the_nonce_of_the_answer(signed_in: FlaskClient, job: Job) -> None:
    seen = set()
    for path in PAGES:
        answer = signed_in.get(path)
        (nonce,) = re.findall(
            r"script-src 'nonce-([^']+)' 'unsafe-eval'", answer.headers["Content-Security-Policy"]
        )
        run = [tag for tag in re.findall(r"<script[^>]*>", answer.text) if "text/template" not in tag]
        assert len(run) == 5 and all(f'nonce="{nonce}"' in tag for tag in run)
        assert "form-action 'none'" in answer.headers["Content-Security-Policy"]
        seen.add(nonce)
    assert len(seen) == len(PAGES)


def test_what_stands_in_redis_is_pasted_as_text(signed_in: FlaskClient, job: Job) -> None:
    page = signed_in.get("/rq/0/view/job/one").text
    assert "_.templateSettings.escape = /<%[=-]" in page
    before = page.index("templateSettings.escape")
    assert before < page.index("_.template($job_tpl)")


def test_a_forged_pickle_is_not_opened(app: Flask, signed_in: FlaskClient, job: Job, tmp_path) -> None:  # type: ignore[no-untyped-def]
    class Bomb:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return (open, (str(tmp_path / "exploded"), "w"))

    with app.app_context():
        connection = queue.redis_connection()
        connection.hset("rq:job:one", "data", pickle.dumps(Bomb()))
        connection.hset("rq:job:one", "meta", pickle.dumps(Bomb()))
    for path in (*PAGES, *READS):
        signed_in.get(path)
    for path in CHANGES:
        signed_in.post(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/rq/0/view/job/nothing",
        "/rq/0/data/job/nothing.json",
        "/rq/1/view/queues",
        "/rq/7/data/queues.json",
        "/rq/0/data/jobs/default/queued/x/asc/y.json",
    ],
)
def test_what_is_not_there_is_said(signed_in: FlaskClient, job: Job, path: str) -> None:
    assert signed_in.get(path, headers=HTML).status_code == 404


def test_without_redis_it_says_so(app: Flask, signed_in: FlaskClient, redis_server: RedisServer) -> None:
    app.extensions.pop("cctv.redis", None)
    app.config["REDIS_URL"] = "unix:///nowhere/redis.sock"
    for path in (*PAGES, *READS):
        answer = signed_in.get(path, headers=HTML)
        assert answer.status_code == 503, path
        assert "Redis does not answer" in answer.text
    assert signed_in.post("/rq/requeue/default", headers=HTML).status_code == 503
