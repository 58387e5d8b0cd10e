"""The page of recordings: filters, what is said of each, what is done to many, and who may."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import (
    AuditEntry,
    Camera,
    Gap,
    Recording,
    Role,
    Segment,
    SegmentState,
    Transfer,
    TransferState,
    User,
)
from cctv.services.person import grants
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_person
from tests.fixtures.application import sign_in
from tests.services.footage import MINUTE, index_spans, make_camera, make_node

NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1000


def film(app: Flask, *, number: int = 1, minutes: int = 10, name: str = "") -> int:
    """A camera that records on demand, with footage from noon of 20 Nov 2026."""
    with app.app_context():
        camera = make_camera("manual", since_ms=NOON, number=number)
        camera.name = name or camera.name
        index_spans(camera, [(NOON + n * MINUTE, NOON + (n + 1) * MINUTE) for n in range(minutes)])
        db.session.execute(db.update(Segment).values(state=SegmentState.KEPT))
        db.session.commit()
        return camera.id


def record(app: Flask, camera_id: int, first: int, last: int | None, **columns: Any) -> int:
    """A recording of these minutes after noon."""
    end = {} if last is None else {"ended_ms": NOON + last * MINUTE}
    with app.app_context():
        row = Recording(
            camera_id=camera_id, **({"kind": "manual"} | columns), started_ms=NOON + first * MINUTE, **end
        )
        db.session.add(row)
        db.session.commit()
        return row.id


def ids(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'id="rec-(\d+)" data-open', page)]


def kept(app: Flask) -> int:
    with app.app_context():
        return db.session.query(Segment).filter(Segment.state == SegmentState.KEPT).count()


@pytest.fixture
def camera_id(app: Flask) -> int:
    return film(app, name="Gate")


class TestTheList:
    def test_it_says_when_how_long_why_by_whom_and_what_is_missing(
        self, app: Flask, signed_in: FlaskClient, owner: User, camera_id: int
    ) -> None:
        record(app, camera_id, 0, 10, user_id=owner.id, note="parcel")
        with app.app_context():
            gap = {"started_ms": NOON + 4 * MINUTE, "ended_ms": NOON + 6 * MINUTE}
            db.session.add(Gap(camera_id=camera_id, cause="noroute", **gap))
            db.session.commit()
        page = signed_in.get("/recordings", headers=HTML).text
        for words in (
            "1 found",
            "Fri 20 Nov",
            "12:00–12:10",
            "10 min",
            "2 min missing",
            "by Olive Owner",
            "parcel",
        ):
            assert words in page

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", [0, 1, 2]),
            ("kind=schedule", [1]),
            ("lock=locked", [2]),
            ("lock=open", [0, 1]),
            ("q=PARC", [0]),
            ("q=%25", []),
            ("q=theft", [2]),
            ("from=2026-11-20&to=2026-11-20", [0, 1]),
            ("from=2026-11-21", [2]),
            ("from=2026-11-20&time=12:00-12:02", [0]),
            ("from=2026-11-20&time=1203", [1]),
            ("cam=999999", []),
            ("from=nonsense&kind=none&time=later", [0, 1, 2]),
        ],
    )
    def test_filters(
        self, app: Flask, signed_in: FlaskClient, camera_id: int, query: str, expected: list[int]
    ) -> None:
        rows = [
            record(app, camera_id, 0, 1, note="parcel at the door"),
            record(app, camera_id, 3, 5, kind="schedule"),
            record(app, camera_id, 1440, 1450, locked_by="Ann", locked_reason="Theft"),
        ]
        answer = signed_in.get(f"/recordings?{query}", headers=HTML)
        if query == "cam=999999":
            assert answer.status_code == 404
            return
        assert sorted(ids(answer.text)) == [rows[number] for number in expected]
        if not expected:
            assert "No recordings" in answer.text and "Clear the filters" in answer.text

    def test_a_filter_by_htmx_gets_the_list_alone_and_a_clean_address(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        record(app, camera_id, 0, 1)
        answer = signed_in.get("/recordings?cam=&q=&lock=open", headers=HTMX)
        assert answer.headers["HX-Push-Url"] == "/recordings?lock=open"
        assert "<html" not in answer.text and 'id="list"' in answer.text

    def test_the_number_of_queries_does_not_grow_with_the_rows(
        self, app: Flask, signed_in: FlaskClient, owner: User, camera_id: int
    ) -> None:
        other = film(app, number=2)
        counts = []
        for rows in (2, 20):
            for n in range(rows):
                record(app, other if n % 2 else camera_id, n % 10, n % 10 + 1, user_id=owner.id)
            signed_in.get("/recordings", headers=HTML)
            with QueryCount(app) as queries:
                assert signed_in.get("/recordings", headers=HTML).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1], queries.statements
        assert counts[0] <= 8, queries.statements

    def test_more_rows_come_on_demand(self, app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
        with app.app_context():
            rows = [
                Recording(camera_id=camera_id, kind="manual", started_ms=NOON + n, ended_ms=NOON + n + 1)
                for n in range(28)
            ]
            db.session.add_all(rows)
            db.session.commit()
        first = signed_in.get("/recordings", headers=HTML).text
        assert len(ids(first)) == 25 and "Load 3 more" in first and "All 28 found" in first
        rest = signed_in.get("/recordings?p=2", headers=HTMX).text
        assert len(ids(rest)) == 3 and "Load" not in rest

    def test_nothing_yet_and_nothing_for_you_are_told_apart(self, app: Flask, signed_in: FlaskClient) -> None:
        assert "Add a camera" in signed_in.get("/recordings", headers=HTML).text
        film(app)
        assert "No recordings yet" in signed_in.get("/recordings", headers=HTML).text
        visitor = sign_in(app, add_person(app, Role.VISITOR))
        assert "shared with you yet" in visitor.get("/recordings", headers=HTML).text

    def test_only_what_changed_is_drawn_again(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        record(app, camera_id, 0, None)
        page = signed_in.get("/recordings", headers=HTML).text
        (state,) = re.findall(r'name="moving" value="([^"]+)"', page)
        path = f"/recordings/states?moving={state}"
        assert signed_in.get(path, headers=HTMX).status_code == 204
        with app.app_context():
            db.session.execute(db.update(Recording).values(ended_ms=NOON + MINUTE))
            db.session.commit()
        cells = signed_in.get(path, headers=HTMX).text
        assert "hx-swap-oob" in cells and "moving" not in cells

    def test_uploads_are_told_once_there_are_any(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        recording_id = record(app, camera_id, 0, 2)
        record(app, camera_id, 5, 6)
        assert "Upload" not in signed_in.get("/recordings", headers=HTML).text
        with app.app_context():
            files = db.session.scalars(db.select(Segment).order_by(Segment.started_ms).limit(2)).all()
            for number, (file, state) in enumerate(zip(files, ("verified", "uploading"), strict=True)):
                copy = {"segment_id": file.id, "camera_id": camera_id, "node_id": make_node().id}
                size = {"size_bytes": file.size_bytes, "offset_bytes": file.size_bytes // 2}
                name = {"bucket": "b", "object_name": str(number), "ended_ms": file.ended_ms}
                db.session.add(Transfer(**copy, **size, **name, state=state))
            db.session.commit()
        page = signed_in.get("/recordings", headers=HTML).text
        assert "Uploading 75 %" in page and "On this machine" in page
        assert ids(signed_in.get("/recordings?upload=waiting", headers=HTML).text) == [recording_id]
        with app.app_context():
            db.session.execute(db.update(Transfer).values(state=TransferState.FAILED, cause="No access"))
            db.session.commit()
        page = signed_in.get("/recordings?upload=failed", headers=HTML).text
        assert "Upload failed" in page and "No access" in page and len(ids(page)) == 1


class TestOne:
    def test_it_has_a_player_and_says_why_something_is_missing(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        recording_id = record(app, camera_id, 0, 10)
        with app.app_context():
            gap = {"started_ms": NOON + 4 * MINUTE, "ended_ms": NOON + 6 * MINUTE}
            db.session.add(Gap(camera_id=camera_id, cause="deleted_person", detail="Ann", **gap))
            db.session.commit()
        page = signed_in.get(f"/recordings/{recording_id}", headers=HTML).text
        (playlist,) = re.findall(r'data-playlist="([^"]+)"', page)
        assert f"from={NOON}&amp;to={NOON + 10 * MINUTE}" in playlist
        assert "by Ann" in page
        part = signed_in.get(f"/recordings/{recording_id}", headers=HTMX).text
        assert "<html" not in part and "data-playlist" in part

    def test_a_note_is_written_in_place(self, app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
        path = f"/recordings/{record(app, camera_id, 0, 1)}/note"
        assert "<b>x" not in signed_in.post(path, data={"note": "<b>x</b>  y"}, headers=HTMX).text
        assert "&lt;b&gt;x&lt;/b&gt; y" in signed_in.get(path, headers=HTMX).text
        refused = signed_in.post(path, data={"note": "x" * 501}, headers=HTMX)
        assert refused.status_code == 422 and "at most 500" in refused.text
        with app.app_context():
            told = db.session.scalars(
                db.select(AuditEntry).where(AuditEntry.action == "recording.note")
            ).one()
            assert told.details["after"] == {"note": "<b>x</b> y"}

    def test_a_visitor_writes_on_what_they_started(self, app: Flask, owner: User, camera_id: int) -> None:
        person = add_person(app, Role.VISITOR)
        with app.app_context():
            actor, visitor = db.session.get_one(User, owner.id), db.session.get_one(User, person.id)
            for action in ("playback", "record"):
                grants.set_grant(actor, visitor, action, True, camera_id=camera_id)
        client = sign_in(app, person)
        mine, other = record(app, camera_id, 0, 1, user_id=person.id), record(app, camera_id, 2, 3)
        assert (
            client.post(f"/recordings/{mine}/note", data={"note": "hello"}, headers=HTMX).status_code == 200
        )
        assert (
            client.post(f"/recordings/{other}/note", data={"note": "hello"}, headers=HTMX).status_code == 403
        )
        page = client.get("/recordings", headers=HTML).text
        assert len(ids(page)) == 2 and "hello" in page
        for word in ('name="id"', "Delete", "Unlock"):
            assert word not in page


class TestMany:
    def test_ten_are_deleted_but_for_two_that_are_locked(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        rows = [record(app, camera_id, n, n + 1) for n in range(8)]
        held = [record(app, camera_id, n, n + 1, locked_by="Ann", locked_reason="x") for n in (8, 9)]
        asked = {"do": "delete", "id": rows + held, "back": "kind=manual"}
        dialog = signed_in.post("/recordings/ask", data=asked, headers=HTMX).text
        assert "Delete 8 recordings" in dialog and "8 min of footage" in dialog
        assert "2 are locked and stay" in dialog and "There is no way back" in dialog
        assert kept(app) == 10
        answer = signed_in.post("/recordings/delete", data=asked, headers=HTMX)
        assert "8 of 10 deleted. 2 are locked." in answer.headers["HX-Trigger"]
        assert answer.headers["HX-Retarget"] == "#list"
        assert sorted(ids(answer.text)) == held and answer.text.count(" checked") == 2
        assert kept(app) == 2

    def test_without_javascript_it_is_a_page_and_the_kept_ones_stay_ticked(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        row = record(app, camera_id, 0, 1)
        held = record(app, camera_id, 2, 3, locked_by="Ann", locked_reason="x")
        asked = {"do": "delete", "id": [row, held], "back": ""}
        assert "<html" in signed_in.post("/recordings/ask", data=asked, headers=HTML).text
        answer = signed_in.post("/recordings/delete", data=asked, headers=HTML)
        assert (answer.status_code, answer.location) == (303, f"/recordings?sel={held}")
        page = signed_in.get(answer.location, headers=HTML).text
        assert "1 of 2 deleted. 1 is locked." in page and " checked" in page

    def test_much_needs_a_typed_word(self, app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
        rows = [record(app, camera_id, 0, 1) for _ in range(11)]
        asked = {"id": rows, "back": ""}
        refused = signed_in.post("/recordings/delete", data=asked, headers=HTMX)
        assert refused.status_code == 422 and "Type the word delete" in refused.text
        assert kept(app) == 10
        done = signed_in.post("/recordings/delete", data={**asked, "typed": "delete"}, headers=HTMX)
        assert "11 recordings deleted." in done.headers["HX-Trigger"]

    def test_locking_needs_a_reason_and_can_be_undone(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        rows = [record(app, camera_id, 0, 1), record(app, camera_id, 2, 3)]
        asked = {"id": rows, "back": ""}
        refused = signed_in.post("/recordings/lock", data={**asked, "reason": " "}, headers=HTMX)
        assert refused.status_code == 422 and "reason-error" in refused.text
        done = signed_in.post("/recordings/lock", data={**asked, "reason": "Theft"}, headers=HTMX)
        assert "2 recordings locked." in done.headers["HX-Trigger"] and "Theft" in done.text
        again = signed_in.post("/recordings/lock", data={**asked, "reason": "More"}, headers=HTMX)
        assert "Nothing was locked. 2 are already locked." in again.headers["HX-Trigger"]
        (undo,) = re.findall(r'"post": "([^"]+)"', done.headers["HX-Trigger"])
        undone = signed_in.post(undo, headers=HTMX)
        assert "2 recordings unlocked." in undone.headers["HX-Trigger"] and "Theft" not in undone.text
        with app.app_context():
            told = [entry.action for entry in db.session.scalars(db.select(AuditEntry))]
            assert (told.count("recording.lock"), told.count("recording.unlock")) == (2, 2)

    def test_only_a_part_is_locked(self, app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
        recording_id = record(app, camera_id, 0, 10)
        asked = {"id": [recording_id], "back": "", "reason": "Crash"}
        for typed in ("11:00", "nonsense"):
            refused = signed_in.post("/recordings/lock", data={**asked, "part_from": typed}, headers=HTMX)
            assert refused.status_code == 422 and "inside the recording" in refused.text
        part = {"part_from": "12:03", "part_to": "12:05"}
        assert signed_in.post("/recordings/lock", data={**asked, **part}, headers=HTMX).status_code == 200
        signed_in.post("/recordings/delete", data={"id": [recording_id], "back": ""}, headers=HTMX)
        with app.app_context():
            held = db.session.scalars(db.select(Recording)).one()
            span = (held.started_ms - NOON) // MINUTE, ((held.ended_ms or 0) - NOON) // MINUTE
            assert (*span, held.locked_by, held.locked_reason) == (3, 5, "Olive Owner", "Crash")
        assert kept(app) == 2

    def test_everything_that_the_filters_show(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        rows = [record(app, camera_id, n, n + 1, note="a" if n % 2 else "b") for n in range(6)]
        asked = {"do": "lock", "id": rows[:1], "all": "yes", "newest": rows[-1], "back": "q=a"}
        dialog = signed_in.post("/recordings/ask", data=asked, headers=HTMX).text
        assert "Lock 3 recordings" in dialog
        assert [int(one) for one in re.findall(r'name="id" value="(\d+)"', dialog)] == [
            rows[5],
            rows[3],
            rows[1],
        ]

    def test_exporting_leads_to_a_form_with_cameras_and_times(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        other = film(app, number=2)
        rows = [record(app, camera_id, 0, 2), record(app, other, 1, 5)]
        answer = signed_in.post("/recordings/ask", data={"do": "export", "id": rows}, headers=HTML)
        expected = f"cams={camera_id},{other}&from={NOON}&to={NOON + 5 * MINUTE}"
        assert unquote(answer.location) == f"/exports/new?{expected}"
        rows.append(record(app, other, 26 * 60, 26 * 60 + 1))
        refused = signed_in.post("/recordings/ask", data={"do": "export", "id": rows}, headers=HTMX)
        assert refused.status_code == 204 and "export them one by one" in refused.headers["HX-Trigger"]

    def test_uploading_without_a_bucket_says_so(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        rows = {"id": record(app, camera_id, 0, 2), "back": ""}
        refused = signed_in.post("/recordings/upload", data=rows, headers=HTMX)
        assert "No bucket is set up" in refused.headers["HX-Trigger"]
        assert "cloud-upload" not in signed_in.get("/recordings", headers=HTML).text

    def test_copies_go_along_when_asked_and_stay_when_not(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        rows = [record(app, camera_id, n, n + 1) for n in (0, 1)]
        with app.app_context():
            files = db.session.scalars(db.select(Segment).order_by(Segment.started_ms).limit(2)).all()
            for file in files:
                copy = {"segment_id": file.id, "camera_id": camera_id, "node_id": make_node().id}
                name = {"bucket": "b", "object_name": f"o{file.id}", "ended_ms": file.ended_ms}
                db.session.add(Transfer(**copy, **name, size_bytes=1, state=TransferState.VERIFIED))
            db.session.commit()
        dialog = signed_in.post("/recordings/ask", data={"do": "delete", "id": rows}, headers=HTMX).text
        assert "copies in the cloud (2 files)" in dialog
        signed_in.post("/recordings/delete", data={"id": rows[:1], "with_copies": "yes"}, headers=HTMX)
        signed_in.post("/recordings/delete", data={"id": rows[1:]}, headers=HTMX)
        with app.app_context():
            reasons = db.session.scalars(db.select(Transfer.reason).order_by(Transfer.ended_ms)).all()
            assert reasons == ["rule", "left"]


class TestAPartOfTheTimeline:
    def test_it_is_held_with_a_reason_where_there_is_footage(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        empty = film(app, number=2, minutes=0)
        part = {"cams": f"{camera_id},{empty}", "from": NOON + MINUTE, "to": NOON + 3 * MINUTE}
        dialog = signed_in.get("/recordings/hold", query_string=part, headers=HTMX).text
        assert "Gate, Camera 2" in dialog and "12:01–12:03" in dialog and "<html" not in dialog
        refused = signed_in.post("/recordings/hold", data={**part, "reason": ""}, headers=HTMX)
        assert refused.status_code == 422 and "Say why" in refused.text
        done = signed_in.post("/recordings/hold", data={**part, "reason": "Theft"}, headers=HTMX)
        assert "2 min of Gate locked. 1 had no footage then." in done.headers["HX-Trigger"]
        assert len(ids(signed_in.get("/recordings?lock=locked&q=theft", headers=HTML).text)) == 1

    def test_what_cannot_be_is_refused_in_words(
        self, app: Flask, signed_in: FlaskClient, camera_id: int
    ) -> None:
        for span, words in (
            ((NOON + 10 * 24 * 60 * MINUTE, NOON + 11 * 24 * 60 * MINUTE), "not in the future"),
            ((NOON, NOON), "after the start"),
            ((NOON - 26 * 60 * MINUTE, NOON), "at most a day"),
            ((NOON - 60 * MINUTE, NOON - 50 * MINUTE), "Nothing is recorded"),
        ):
            part = {"cams": camera_id, "from": span[0], "to": span[1], "reason": "x"}
            refused = signed_in.post("/recordings/hold", data=part, headers=HTMX)
            assert refused.status_code == 422 and words in refused.text, words
        assert signed_in.get("/recordings/hold?cams=&from=x", headers=HTML).status_code == 422
        assert signed_in.get("/recordings/hold?cams=9999&from=1&to=2", headers=HTML).status_code == 404


def test_what_is_locked_outlives_its_camera_and_is_still_seen(
    app: Flask, signed_in: FlaskClient, camera_id: int
) -> None:
    held = record(app, camera_id, 0, 1, locked_by="Ann", locked_reason="x")
    record(app, camera_id, 2, 3)
    answer = signed_in.post(f"/cameras/{camera_id}/delete", data={"typed_name": "Gate"}, headers=HTML)
    assert answer.status_code == 303
    page = signed_in.get("/recordings", headers=HTML).text
    assert ids(page) == [held] and "Deleted camera" in page
    assert "its locked footage is kept" in signed_in.get(f"/recordings/{held}", headers=HTML).text
    signed_in.post("/recordings/unlock", data={"id": held, "back": ""}, headers=HTMX)
    assert ids(signed_in.get("/recordings", headers=HTML).text) == []
    with app.app_context():
        assert db.session.get_one(Camera, camera_id).deleted_at is not None
