"""Recordings through the API: start, stop, list, lock, and what deleting one removes and what it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask

from cctv.clock import site_day
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, Recording, Role, Segment, SegmentState, User
from cctv.services.footage import timeline
from cctv.services.lifetime import expiry, retention
from cctv.services.recording import evidence
from cctv.services.site import settings
from cctv.storage.disk import Usage
from tests.api.apps import CAMERAS, RECORDINGS, Phone, answer, phone_of, problem
from tests.api.test_cameras import grant
from tests.blueprints.camera_rows import QueryCount, add_camera
from tests.services.footage import MINUTE, T0, index_spans, make_camera, make_node


def add_recording(app: Flask, camera_id: int, **columns: Any) -> int:
    facts = {"kind": "manual", "started_ms": T0, "ended_ms": T0 + 2 * MINUTE} | columns
    with app.app_context():
        row = Recording(camera_id=camera_id, **facts)
        db.session.add(row)
        db.session.commit()
        return row.id


class TestStartAndStop:
    def test_a_person_records_stops_and_finds_it(self, app: Flask, phone: Phone) -> None:
        path = f"{CAMERAS}{add_camera(app)}/"
        started = answer(phone.post(f"{path}start_recording/", {"max_seconds": 60}), 201)
        assert (started["kind"], started["is_running"]) == ("manual", True)
        assert started["planned_end_ms"] > started["started_ms"]
        assert answer(phone.get(path))["recording_since_ms"] == started["started_ms"]
        stopped = answer(phone.post(f"{path}stop_recording/"))
        assert (stopped["id"], stopped["is_running"]) == (started["id"], False)
        problem(phone.post(f"{path}stop_recording/"), 409)
        found = answer(phone.get(f"{RECORDINGS}?kind=manual"))["items"]
        assert [one["id"] for one in found] == [started["id"]]
        details = answer(phone.get(f"{RECORDINGS}{started['id']}/"))
        assert details["playback_url"].startswith("http://localhost/stream/")
        assert details["playback_url"] == details["playback"][0]["url"]

    def test_no_body_means_the_cameras_own_pre_roll_and_no_end(self, app: Flask, phone: Phone) -> None:
        path = f"{CAMERAS}{add_camera(app)}/start_recording/"
        assert answer(phone.post(path), 201)["planned_end_ms"] is None
        for body in ({"max_seconds": 0}, {"pre_roll_seconds": -1}, {"seconds": 5}, {"max_seconds": 1.5}):
            problem(phone.post(path, body), 422)

    def test_the_same_key_starts_one(self, app: Flask, phone: Phone) -> None:
        path, key = f"{CAMERAS}{add_camera(app)}/start_recording/", {"Idempotency-Key": "a" * 100}
        ids = {answer(phone.ask("POST", path, headers=key), 201)["id"] for _ in range(3)}
        assert len(ids) == 1
        problem(phone.ask("POST", path, headers={"Idempotency-Key": "a" * 101}), 422)
        problem(phone.ask("POST", path, headers={"Idempotency-Key": "with space"}), 422)

    def test_a_refused_request_leaves_its_key_free(self, app: Flask, phone: Phone) -> None:
        camera_id, key = add_camera(app, state="off"), {"Idempotency-Key": "again"}
        path = f"{CAMERAS}{camera_id}/"
        problem(phone.ask("POST", f"{path}start_recording/", headers=key), 409)
        answer(phone.patch(path, {"is_enabled": True}, version="*"))
        answer(phone.ask("POST", f"{path}start_recording/", headers=key), 201)

    def test_rights_are_those_of_the_camera(self, app: Flask, owner: User) -> None:
        shared, other = add_camera(app, "Gate"), add_camera(app, "Yard")
        visitor = phone_of(app, Role.VISITOR)
        grant(app, visitor, shared, "record")
        answer(visitor.post(f"{CAMERAS}{shared}/start_recording/"), 201)
        problem(visitor.post(f"{CAMERAS}{other}/start_recording/"), 404)
        problem(visitor.get(f"{CAMERAS}{shared}/timeline/?from_ms=0&to_ms=5"), 403)
        problem(phone_of(app, Role.DEVELOPER).post(f"{CAMERAS}{shared}/start_recording/"), 403)


class TestTheList:
    @pytest.mark.each_database
    def test_filters_order_and_pages(self, app: Flask, phone: Phone) -> None:
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
        early = add_recording(app, gate)
        late = add_recording(app, yard, started_ms=T0 + 60 * MINUTE, ended_ms=None)
        held = add_recording(app, gate, started_ms=T0 + MINUTE, locked_by="Olive", locked_reason="x")

        def ids(**query: Any) -> list[int]:
            found = answer(phone.get(RECORDINGS, query_string=query | {"kind": "manual"}))
            return [one["id"] for one in found["items"]]

        assert ids() == [late, held, early]
        assert ids(sort="started_ms") == [early, held, late]
        assert ids(camera_id=yard) == [late]
        assert ids(is_locked="true") == [held]
        assert ids(to_ms=T0 + 1) == [early]
        assert ids(from_ms=T0 + 3 * MINUTE) == [late]
        assert ids(page=2, page_size=2) == [early]
        problem(phone.get(f"{RECORDINGS}?camera_id=987654"), 404)
        problem(phone.get(f"{RECORDINGS}?sort=note"), 422)

    def test_what_is_not_shared_is_not_there(self, app: Flask, owner: User) -> None:
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
        mine, foreign = add_recording(app, gate), add_recording(app, yard)
        visitor = phone_of(app, Role.VISITOR)
        grant(app, visitor, gate, "live", "playback")
        found = answer(visitor.get(f"{RECORDINGS}?kind=manual"))
        assert ([one["id"] for one in found["items"]], found["total"]) == ([mine], 1)
        answer(visitor.get(f"{RECORDINGS}{mine}/"))
        for path in (f"{foreign}/", "987654/"):
            refused = problem(visitor.get(RECORDINGS + path), 404)
            assert refused["detail"] == "This recording does not exist (any more)."
        problem(visitor.get(f"{RECORDINGS}?camera_id={yard}"), 404)
        problem(visitor.delete(f"{RECORDINGS}{mine}/"), 403)
        problem(visitor.post(f"{RECORDINGS}{mine}/lock/", {"reason": "x"}), 403)
        problem(phone_of(app, Role.DEVELOPER).get(RECORDINGS), 403)

    def test_a_long_day_plays_in_pieces(self, app: Flask, phone: Phone) -> None:
        day = add_recording(app, add_camera(app), ended_ms=T0 + 24 * 60 * MINUTE)
        pieces = answer(phone.get(f"{RECORDINGS}{day}/"))["playback"]
        assert len(pieces) == 4
        assert all(before["to_ms"] == after["from_ms"] for before, after in pairwise(pieces))

    @pytest.mark.parametrize("count", [1, 64])
    def test_a_page_costs_the_same_number_of_queries(self, app: Flask, phone: Phone, count: int) -> None:
        for number in range(count):
            add_recording(app, add_camera(app, f"Camera {number}"))
        visitor = phone_of(app, Role.VISITOR)
        for camera_id in range(1, count + 1):
            grant(app, visitor, camera_id, "playback")
        for who in (phone, visitor):
            answer(who.get(RECORDINGS))
            with QueryCount(app) as queries:
                found = answer(who.get(f"{RECORDINGS}?page_size=200&kind=manual"))
                assert len(found["items"]) == count
            assert len(queries) <= 8, queries.statements


class TestLocking:
    @pytest.mark.each_database
    def test_a_locked_recording_is_deleted_by_nobody_until_it_is_unlocked(
        self, app: Flask, phone: Phone
    ) -> None:
        path = f"{RECORDINGS}{add_recording(app, add_camera(app))}/"
        locked = answer(phone.post(f"{path}lock/", {"reason": "Accident"}))
        assert (locked["locked_by"], locked["locked_reason"]) == ("Olive Owner", "Accident")
        problem(phone.post(f"{path}lock/", {"reason": "Another"}), 409)
        assert "Unlock it first" in problem(phone.delete(path), 409)["detail"]
        assert answer(phone.post(f"{path}unlock/"))["locked_by"] is None
        problem(phone.post(f"{path}unlock/"), 409)
        assert phone.delete(path).status_code == 204
        problem(phone.get(path), 404)
        with app.app_context():
            told = [entry.action for entry in db.session.scalars(db.select(AuditEntry))]
            assert {"recording.lock", "recording.unlock", "recording.delete"} <= set(told)

    def test_a_reason_is_needed(self, app: Flask, phone: Phone) -> None:
        path = f"{RECORDINGS}{add_recording(app, add_camera(app))}/lock/"
        for body in ({}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 301}):
            assert "reason" in problem(phone.post(path, body), 422)["errors"]


@pytest.fixture
def user(context: Flask, owner: User) -> Iterator[User]:
    yield db.session.get_one(User, owner.id)


def kept(camera: Camera) -> list[int]:
    """The minutes after T0 of which there are still files."""
    query = db.select(Segment.started_ms).where(Segment.state == SegmentState.KEPT)
    rows = db.session.scalars(query.where(Segment.stream_id == camera.main.id))
    return sorted((started - T0) // MINUTE for started in rows)


class TestDeleting:
    """What goes and what stays; files are minutes after T0."""

    def film(self, mode: str, minutes: int = 6) -> Camera:
        camera = make_camera(mode)
        index_spans(camera, [(T0 + n * MINUTE, T0 + (n + 1) * MINUTE) for n in range(minutes)])
        db.session.execute(db.update(Segment).values(state=SegmentState.KEPT))
        db.session.commit()
        return camera

    def record(self, camera: Camera, first: int, last: int, **columns: Any) -> Recording:
        facts = {"kind": "manual", "started_ms": T0 + first * MINUTE, "ended_ms": T0 + last * MINUTE}
        row = Recording(camera_id=camera.id, **(facts | columns))
        db.session.add(row)
        db.session.commit()
        return row

    def test_footage_that_only_it_kept_goes(self, user: User) -> None:
        camera = self.film("manual")
        recording = self.record(camera, 1, 3)
        self.record(camera, 0, 1)
        self.record(camera, 3, 6)
        assert evidence.delete_recording(recording, user) == 2
        assert kept(camera) == [0, 3, 4, 5]

    def test_a_file_that_belongs_to_another_one_as_well_stays(self, user: User) -> None:
        camera = self.film("manual")
        recording = self.record(camera, 1, 4)
        db.session.add(
            Recording(camera_id=camera.id, kind="manual", started_ms=T0 + 210_000, ended_ms=T0 + 220_000)
        )
        db.session.commit()
        evidence.delete_recording(recording, user)
        assert kept(camera) == [0, 3, 4, 5]

    def test_footage_of_a_camera_that_always_records_stays_in_its_day(self, user: User) -> None:
        camera = self.film("continuous")
        assert evidence.delete_recording(self.record(camera, 1, 3), user) == 0
        assert kept(camera) == [0, 1, 2, 3, 4, 5]

    @pytest.mark.each_database
    def test_a_day_goes_but_for_what_people_asked_for_and_the_gap_says_who(self, user: User) -> None:
        camera = self.film("continuous")
        day = self.record(
            camera, 0, 5, kind="continuous", day=site_day(T0, settings.zone()), ended_ms=T0 + 5 * MINUTE
        )
        self.record(camera, 2, 3)
        assert evidence.delete_recording(day, user) == 4
        assert kept(camera) == [2, 5]
        (lane,) = timeline.lanes([camera.id], T0, T0 + 6 * MINUTE)
        assert {gap.cause for gap in lane.gaps} == {"deleted_person"}
        assert "Olive Owner" in lane.gaps[0].sentence

    def test_a_locked_one_inside_a_day_stays(self, user: User) -> None:
        camera = self.film("continuous")
        day = self.record(camera, 0, 6, kind="continuous", day=site_day(T0, settings.zone()))
        self.record(camera, 4, 5, locked_by="Olive", locked_reason="x")
        evidence.delete_recording(day, user)
        assert kept(camera) == [4]

    def test_one_that_goes_on_is_not_deleted(self, app: Flask, phone: Phone) -> None:
        camera_id = add_camera(app)
        running = answer(phone.post(f"{CAMERAS}{camera_id}/start_recording/"), 201)["id"]
        assert "Stop it first" in problem(phone.delete(f"{RECORDINGS}{running}/"), 409)["detail"]

    def test_no_rule_removes_what_is_locked(self, user: User) -> None:
        camera = self.film("manual")
        evidence.lock(self.record(camera, 1, 3), user, reason="Accident")
        settings.save(spared_hours=0)
        full = Usage(total_bytes=10**12, free_bytes=0, free_inodes=10**6)
        retention.enforce_floor(make_node().id, usage=lambda _: full)
        expiry.expire_ring(make_node().id)
        assert kept(camera) == [1, 2]
