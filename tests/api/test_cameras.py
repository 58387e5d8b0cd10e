"""Cameras through the API: who sees which, what is told to whom, and changes that cost nobody theirs."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask

from cctv.extensions import db
from cctv.models import Camera, CameraGrant, Probe, Role, User
from cctv.services.camera import probe_waits
from tests.api.apps import CAMERAS, Phone, answer, phone_of, problem
from tests.blueprints.camera_rows import QueryCount, add_camera
from tests.waiting import wait_until

NEW = {"name": "Yard", "url": "rtsp://admin:geheim-9@127.0.0.77/s"}


def grant(app: Flask, phone: Phone, camera_id: int, *actions: str) -> None:
    with app.app_context():
        user_id = phone.tokens["user"]["id"]
        db.session.add_all(
            CameraGrant(user_id=user_id, camera_id=camera_id, action=action) for action in actions
        )
        db.session.commit()


class TestReading:
    def test_the_owner_sees_state_technics_and_what_may_be_done(self, app: Flask, phone: Phone) -> None:
        camera_id = add_camera(app, state="offline", cause="noroute")
        page = answer(phone.get(CAMERAS))
        assert (page["page"], page["page_size"], page["total"]) == (1, 50, 1)
        (camera,) = page["items"]
        assert (camera["id"], camera["state"], camera["cause"]) == (camera_id, "offline", "noroute")
        assert camera["address"] == "rtsp://127.0.0.10/stream1"
        assert "127.0.0.10" in camera["message"]
        assert all(camera["can"].values())
        assert camera["streams"][0]["codec"] == "avc1.640028"
        assert answer(phone.get(f"{CAMERAS}{camera_id}/")) == camera

    def test_no_password_is_ever_told(self, app: Flask, phone: Phone) -> None:
        camera_id = add_camera(app)
        for path in (CAMERAS, f"{CAMERAS}{camera_id}/"):
            assert "geheim" not in phone.get(path).text
            assert "password" not in phone.get(path).text

    def test_a_visitor_sees_what_is_shared_and_no_technics(self, app: Flask, owner: User) -> None:
        shared, other = add_camera(app, "Gate", state="offline", cause="noroute"), add_camera(app, "Yard")
        visitor = phone_of(app, Role.VISITOR)
        assert answer(visitor.get(CAMERAS))["total"] == 0
        grant(app, visitor, shared, "live", "record")
        (camera,) = answer(visitor.get(CAMERAS))["items"]
        assert (camera["id"], camera["state"]) == (shared, "offline")
        assert (camera["address"], camera["username"], camera["message"]) == (None, None, None)
        allowed = {name for name, may in camera["can"].items() if may}
        assert allowed == {"watch", "record"}
        problem(visitor.get(f"{CAMERAS}{other}/"), 404)
        problem(visitor.get(f"{CAMERAS}987654/"), 404)

    def test_a_developer_sees_technics_and_no_picture(self, app: Flask, owner: User) -> None:
        camera_id = add_camera(app)
        developer = phone_of(app, Role.DEVELOPER)
        camera = answer(developer.get(f"{CAMERAS}{camera_id}/"))
        assert camera["address"]
        assert {name for name, may in camera["can"].items() if may} == {"edit_technics", "diagnose"}
        problem(developer.get(f"{CAMERAS}{camera_id}/stream/"), 403)

    @pytest.mark.each_database
    def test_pages_filters_and_order(self, app: Flask, phone: Phone) -> None:
        for name in ("Gate", "gate b", "Yard"):
            add_camera(app, name)
        add_camera(app, "Off", state="off")

        def names(**query: Any) -> list[str]:
            return [one["name"] for one in answer(phone.get(CAMERAS, query_string=query))["items"]]

        assert names(search="GATE", sort="-name") == ["gate b", "Gate"]
        assert names(is_enabled="false") == ["Off"]
        assert names(page=2, page_size=3) == ["Off"]
        assert names(recording_mode="manual") == []

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("page=0", "page"),
            ("page_size=201", "page_size"),
            ("page_size=1e3", "page_size"),
            ("sort=password_encrypted", "sort"),
            ("sort=name;drop", "sort"),
            ("is_enabled=1", "is_enabled"),
            ("serach=x", "serach"),
            ("search=" + "x" * 81, "search"),
        ],
    )
    def test_a_query_that_means_nothing_is_refused_by_name(
        self, phone: Phone, query: str, field: str
    ) -> None:
        assert set(problem(phone.get(f"{CAMERAS}?{query}"), 422)["errors"]) == {field}

    @pytest.mark.parametrize("count", [1, 64])
    def test_a_page_costs_the_same_number_of_queries(self, app: Flask, phone: Phone, count: int) -> None:
        for number in range(count):
            add_camera(app, f"Camera {number}")
        visitor = phone_of(app, Role.VISITOR)
        for camera_id in range(1, count + 1):
            grant(app, visitor, camera_id, "live")
        for who in (phone, visitor):
            answer(who.get(CAMERAS))
            with QueryCount(app) as queries:
                assert len(answer(who.get(f"{CAMERAS}?page_size=64"))["items"]) == count
            assert len(queries) <= 8, queries.statements


class TestAdding:
    def test_without_a_check_it_is_added_as_it_is(self, app: Flask, phone: Phone) -> None:
        camera = answer(phone.post(f"{CAMERAS}register/", NEW | {"probe": False}), 201)
        assert (camera["address"], camera["username"]) == ("rtsp://127.0.0.77/s", "admin")
        assert "geheim" not in phone.get(CAMERAS).text

    @pytest.mark.each_database
    def test_the_same_key_adds_one_camera(self, app: Flask, phone: Phone) -> None:
        body, key = NEW | {"probe": False}, {"Idempotency-Key": "phone-1"}
        first = phone.ask("POST", f"{CAMERAS}register/", json=body, headers=key)
        again = phone.ask("POST", f"{CAMERAS}register/", json=body, headers=key)
        assert answer(first, 201) == answer(again, 201)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert answer(phone.get(CAMERAS))["total"] == 1
        other = phone.ask("POST", f"{CAMERAS}register/", json=body | {"name": "X"}, headers=key)
        assert "idempotency_key" in problem(other, 422)["errors"]

    def test_a_check_that_fails_names_the_field_and_adds_nothing(self, app: Flask, phone: Phone) -> None:
        worker = Worker(app, state="failed", cause="login")
        refused = problem(phone.post(f"{CAMERAS}register/", NEW), 422)
        worker.thread.join(5)
        assert set(refused["errors"]) <= {"password", "username", "url"}
        assert answer(phone.get(CAMERAS))["total"] == 0

    def test_a_check_that_passes_adds_the_camera(self, app: Flask, phone: Phone) -> None:
        worker = Worker(app, state="done")
        answer(phone.post(f"{CAMERAS}register/", NEW), 201)
        worker.thread.join(5)

    def test_a_check_that_nobody_runs_ends(
        self, app: Flask, phone: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probe_waits, "LONGEST_WAIT_SECONDS", 0.3)
        refused = phone.post(f"{CAMERAS}register/", NEW)
        assert "probe: false" in problem(refused, 503)["detail"]
        assert refused.headers["Retry-After"]
        with app.app_context():
            assert db.session.scalars(db.select(Probe.password_encrypted)).all() == [None]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"url": "rtsp://169.254.169.254/latest"}, "url"),
            ({"url": "file:///etc/passwd"}, "url"),
            ({"url": "http://127.0.0.9/x"}, "url"),
            ({"name": "  "}, "name"),
            ({"name": "x" * 81}, "name"),
            ({"number": 0}, "number"),
            ({"recording_mode": "sometimes"}, "recording_mode"),
            ({"pre_roll_seconds": 61}, "pre_roll_seconds"),
            ({"is_demo": True}, "is_demo"),
            ({"is_enabled": True}, "is_enabled"),
            ({"node_id": 1}, "node_id"),
            ({"probe": "no"}, "probe"),
        ],
    )
    def test_what_cannot_be_accepted_is_named(self, phone: Phone, change: dict[str, Any], field: str) -> None:
        for probe in (False, True):
            body = {**NEW, "probe": probe, **change}
            assert set(problem(phone.post(f"{CAMERAS}register/", body), 422)["errors"]) == {field}


class TestChanging:
    def test_a_change_needs_the_version_that_was_read(self, app: Flask, phone: Phone) -> None:
        path = f"{CAMERAS}{add_camera(app)}/"
        tag = phone.get(path).headers["ETag"].strip('"')
        problem(phone.patch(path, {"name": "A"}), 428)
        changed = phone.patch(path, {"name": "A", "number": 7}, version=tag)
        assert (answer(changed)["name"], answer(changed)["number"]) == ("A", 7)
        assert changed.headers["ETag"] != f'"{tag}"'
        late = problem(phone.patch(path, {"name": "B"}, version=tag), 412)
        assert "Somebody changed" in late["detail"]
        assert answer(phone.get(path))["name"] == "A"
        assert answer(phone.patch(path, {"is_enabled": False}, version="*"))["state"] == "off"

    def test_a_new_address_of_another_device_needs_its_password(self, app: Flask, phone: Phone) -> None:
        path = f"{CAMERAS}{add_camera(app)}/"
        body = {"url": "rtsp://127.0.0.99/x", "probe": False}
        assert "password" in problem(phone.patch(path, body, version="*"), 422)["errors"]
        answer(phone.patch(path, body | {"password": "its own"}, version="*"))

    def test_a_developer_changes_technics_alone(self, app: Flask, owner: User) -> None:
        path = f"{CAMERAS}{add_camera(app)}/"
        developer = phone_of(app, Role.DEVELOPER)
        answer(developer.patch(path, {"username": "other", "probe": False}, version="*"))
        for body in ({"name": "Mine"}, {"is_enabled": False}, {"recording_mode": "off"}):
            problem(developer.patch(path, body, version="*"), 403)

    def test_deleting_may_name_the_version(self, app: Flask, phone: Phone) -> None:
        path = f"{CAMERAS}{add_camera(app)}/"
        problem(phone.delete(path, headers={"If-Match": '"99"'}), 412)
        assert phone.delete(path).status_code == 204
        problem(phone.get(path), 404)

    @pytest.mark.each_database
    def test_two_people_who_change_at_once_do_not_overwrite_one_another(
        self, app: Flask, phone: Phone
    ) -> None:
        path = f"{CAMERAS}{add_camera(app)}/"
        version = answer(phone.get(path))["version"]
        results: list[int] = []

        def change(name: str) -> None:
            results.append(phone.patch(path, {"name": name}, version=version).status_code)

        threads = [threading.Thread(target=change, args=(name,)) for name in "ABCD"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(results) == [200, 412, 412, 412]


class TestWatching:
    def test_live_addresses_are_whole_signed_and_die_with_the_sign_in(self, app: Flask, phone: Phone) -> None:
        camera_id = add_camera(app)
        watch = answer(phone.get(f"{CAMERAS}{camera_id}/stream/"))
        assert [one["quality"] for one in watch["qualities"]] == ["main", "720p", "480p", "360p"]
        url = watch["qualities"][0]["hls_url"]
        assert url.startswith("http://localhost/stream/")
        assert url.endswith(f"/{camera_id}/main/live.m3u8")
        assert watch["expected_latency_seconds"]["hls"] > 0
        assert watch["expires_at"] > "2026"

    def test_a_camera_that_is_off_has_none(self, app: Flask, phone: Phone) -> None:
        assert (
            "turned off"
            in problem(phone.get(f"{CAMERAS}{add_camera(app, state='off')}/stream/"), 409)["detail"]
        )

    def test_a_camera_without_a_picture_has_no_snapshot(self, app: Flask, phone: Phone) -> None:
        problem(phone.get(f"{CAMERAS}{add_camera(app)}/snapshot/"), 404)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"action": "move", "pan": 0.5}, 409),
            ({"action": "stop"}, 409),
            ({"action": "preset", "preset": 3}, 409),
            ({"action": "move"}, 422),
            ({"action": "move", "pan": 1.5}, 422),
            ({"action": "move", "pan": "left"}, 422),
            ({"action": "move", "pan": True}, 422),
            ({"action": "preset"}, 422),
            ({"action": "stop", "pan": 0}, 422),
            ({"action": "explode"}, 422),
            ({}, 422),
        ],
    )
    def test_a_camera_that_cannot_be_moved_says_so(
        self, app: Flask, phone: Phone, body: dict[str, Any], status: int
    ) -> None:
        refused = problem(phone.post(f"{CAMERAS}{add_camera(app)}/ptz/", body), status)
        if status == 409:
            assert refused["detail"] == "This camera cannot be moved."

    def test_the_timeline_is_bounded(self, app: Flask, phone: Phone) -> None:
        path = f"{CAMERAS}{add_camera(app)}/timeline/"
        for query in ("", "?from_ms=1", "?from_ms=5&to_ms=5", "?from_ms=0&to_ms=90000001"):
            problem(phone.get(path + query), 422)
        line = answer(phone.get(f"{path}?from_ms=0&to_ms=3600000"))
        assert (line["recorded"], line["gaps"]) == ([], [])
        assert len(line["playback"]) == 1


class Worker:
    """Ends the next check, as the worker would."""

    def __init__(self, app: Flask, **result: Any) -> None:
        self.app, self.result = app, result
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self.app.app_context():

            def end() -> bool:
                db.session.rollback()
                probe = db.session.scalars(db.select(Probe)).first()
                if probe is None:
                    return False
                for name, value in self.result.items():
                    setattr(probe, name, value)
                db.session.commit()
                return True

            wait_until(end, 10, "a check")


def test_two_cameras_never_share_a_number(app: Flask, phone: Phone) -> None:
    body = NEW | {"probe": False, "number": 5}
    answer(phone.post(f"{CAMERAS}register/", body), 201)
    assert "number" in problem(phone.post(f"{CAMERAS}register/", body), 422)["errors"]
    with app.app_context():
        assert db.session.scalar(db.select(db.func.count(Camera.id))) == 1
