"""Exports through the API: asked for, followed, fetched by an address that needs no cookie and no header."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import pytest
from flask import Flask

from cctv.extensions import db
from cctv.models import Export, Role
from cctv.services.export import export_making
from cctv.services.footage import segments
from cctv.services.site import nodes
from tests.api.apps import LOGOUT, Phone, answer, phone_of, problem
from tests.api.test_cameras import grant
from tests.blueprints.camera_rows import QueryCount
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

EXPORTS = "/v0/api/cctv/exports/"
E0 = EPOCH_S * 1000


@pytest.fixture
def camera_id(app: Flask) -> int:
    """A camera with 12 s of footage."""
    with app.app_context():
        camera = make_camera(since_ms=0)
        segments.index(closed_files(put_real_run(camera, node=nodes.this_node(), sound=True)))
        return camera.id


def work(app: Flask) -> None:
    with app.app_context():
        export_making.work(nodes.this_node().id)


def ask(phone: Phone, camera_id: int, **more: object) -> dict[str, object]:
    body = {"camera_ids": [camera_id], "from_ms": E0, "to_ms": E0 + 12_000} | more
    found: dict[str, object] = answer(phone.post(EXPORTS, body), 201)
    return found


def test_a_clip_is_asked_for_followed_and_fetched_without_cookies(
    app: Flask, phone: Phone, camera_id: int
) -> None:
    asked = ask(phone, camera_id, note="Parcel")
    assert (asked["state"], asked["download_url"], asked["note"]) == ("queued", None, "Parcel")
    work(app)
    found = answer(phone.get(f"{EXPORTS}{asked['id']}/"))
    assert (found["state"], found["permille"], found["cause"]) == ("ready", 1000, "")
    assert found["files"][0]["camera_id"] == camera_id
    assert found["files"][0]["sha256"] == found["sha256"]
    address = urlsplit(found["download_url"])
    stranger = app.test_client(use_cookies=False)
    whole = stranger.get(address.path)
    assert (whole.status_code, whole.mimetype) == (200, "video/mp4")
    assert hashlib.sha256(whole.data).hexdigest() == found["sha256"]
    part = stranger.get(address.path, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.data) == (206, b"ftyp")
    saved = stranger.get(f"{address.path}?download=1")
    assert f"filename={found['file_name']}" in saved.headers["Content-Disposition"]
    other = ask(phone, camera_id)
    assert stranger.get(address.path.replace(f"/{asked['id']}/", f"/{other['id']}/")).status_code == 404
    phone.post(LOGOUT, {"refresh_token": phone.tokens["refresh_token"]})
    assert stranger.get(address.path).status_code == 404


def test_the_list_is_of_ones_own_and_sorted(app: Flask, phone: Phone, camera_id: int) -> None:
    visitor = phone_of(app, Role.VISITOR)
    problem(visitor.post(EXPORTS, {"camera_ids": [camera_id], "from_ms": E0, "to_ms": E0 + 5}), 404)
    grant(app, visitor, camera_id, "export")
    mine, owners = ask(visitor, camera_id), ask(phone, camera_id)
    assert [one["id"] for one in answer(visitor.get(EXPORTS))["items"]] == [mine["id"]]
    problem(visitor.get(f"{EXPORTS}{owners['id']}/"), 404)
    found = answer(phone.get(f"{EXPORTS}?state=queued&sort=created_at"))
    assert [one["id"] for one in found["items"]] == [mine["id"], owners["id"]]
    problem(phone.get(f"{EXPORTS}?sort=note"), 422)
    problem(phone_of(app, Role.DEVELOPER).get(EXPORTS), 403)


def test_what_cannot_be_made_is_said_by_field(phone: Phone, camera_id: int) -> None:
    body = {"camera_ids": [camera_id], "from_ms": E0, "to_ms": E0 + 5000}
    for wrong, field in (
        ({"camera_ids": []}, "camera_ids"),
        ({"from_ms": 5, "to_ms": 9}, "from_ms"),
        ({"to_ms": E0}, "to_ms"),
        ({"to_ms": E0 + 30 * 3_600_000}, "to_ms"),
        ({"note": "x" * 301}, "note"),
        ({"format": "avi"}, "format"),
    ):
        assert field in problem(phone.post(EXPORTS, body | wrong), 422)["errors"]


def test_the_same_key_makes_one(app: Flask, phone: Phone, camera_id: int) -> None:
    body = {"camera_ids": [camera_id], "from_ms": E0, "to_ms": E0 + 5000}
    key = {"Idempotency-Key": "clip-1"}
    ids = {answer(phone.ask("POST", EXPORTS, json=body, headers=key), 201)["id"] for _ in range(2)}
    assert len(ids) == 1


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_costs_the_same_number_of_queries(
    app: Flask, phone: Phone, camera_id: int, count: int
) -> None:
    with app.app_context():
        db.session.add_all(
            Export(camera_ids=[camera_id], started_ms=E0, ended_ms=E0 + 9) for _ in range(count)
        )
        db.session.commit()
    answer(phone.get(EXPORTS))
    with QueryCount(app) as queries:
        assert len(answer(phone.get(f"{EXPORTS}?page_size=200"))["items"]) == count
    assert len(queries) <= 8, queries.statements
