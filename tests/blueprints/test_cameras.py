"""The list of cameras and the page of one: trouble first, search, renaming in place, what is kept."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms, utcnow
from cctv.extensions import db
from cctv.models import Camera, ModeChange, Role
from tests.blueprints.camera_rows import (
    HTML,
    HTMX,
    QueryCount,
    add_camera,
    add_person,
    change,
    tell_node_figures,
)
from tests.fixtures.application import sign_in


def version(body: str) -> str:
    found = re.search(r'-version" name="v" value="(\w+)"', body)
    assert found
    return found[1]


class TestTheList:
    def test_trouble_comes_first(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app, "Fine")
        add_camera(app, "Broken", state="offline", cause="noroute")
        body = signed_in.get("/cameras", headers=HTML).text
        assert body.index("Broken") < body.index("Fine")
        assert "1080p · 15 fps · 2.1 Mbit/s · H.264" in body

    def test_a_search_answers_with_the_rows_alone(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app, "Front gate")
        add_camera(app, "Yard")
        answer = signed_in.get("/cameras?q=yard", headers=HTMX)
        assert "<html" not in answer.text
        assert "Yard" in answer.text
        assert "Front gate" not in answer.text
        assert "1 found" in answer.text

    def test_a_search_without_a_hit_offers_to_clear_it(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        body = signed_in.get("/cameras?q=<nothing>", headers=HTML).text
        assert "Clear the search" in body
        assert "<nothing>" not in body

    def test_filters_count_and_filter(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app, "Fine")
        add_camera(app, "Broken", state="offline", cause="noroute")
        add_camera(app, "Resting", state="off")
        trouble = signed_in.get("/cameras?state=trouble", headers=HTMX).text
        assert "Broken" in trouble
        assert "Fine" not in trouble
        assert "Resting" in signed_in.get("/cameras?state=off", headers=HTMX).text

    def test_without_cameras_it_offers_the_demo_camera_and_an_address(self, signed_in: FlaskClient) -> None:
        body = signed_in.get("/cameras", headers=HTML).text
        assert "Use the demo camera" in body
        assert "Type an address" in body

    def test_it_costs_the_same_for_many_cameras(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app, "Camera 0")
        with QueryCount(app) as one:
            signed_in.get("/cameras", headers=HTML)
        for number in range(1, 20):
            add_camera(app, f"Camera {number}")
        with QueryCount(app) as twenty:
            body = signed_in.get("/cameras", headers=HTML).data
        assert len(twenty) <= len(one) <= 8
        assert len(body) < 60_000

    def test_states_refresh_out_of_band_and_only_when_they_changed(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        camera_id = add_camera(app)
        seen = version(signed_in.get("/cameras", headers=HTML).text)
        assert signed_in.get(f"/cameras/status?id={camera_id}&v={seen}", headers=HTMX).status_code == 204
        change(app, camera_id, state="offline", cause="noroute")
        body = signed_in.get(f"/cameras/status?id={camera_id}&v={seen}", headers=HTMX).text
        assert f'id="row-{camera_id}-state" hx-swap-oob="outerHTML"' in body
        assert "<template>" in body

    def test_a_visitor_is_refused(self, app: Flask, owner: object) -> None:
        visitor = sign_in(app, add_person(app, Role.VISITOR))
        assert visitor.get("/cameras", headers=HTML).status_code == 403


class TestRenaming:
    def test_it_happens_in_place(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        assert 'value="Front gate"' in signed_in.get(f"/cameras/{camera_id}/name", headers=HTMX).text
        answer = signed_in.post(f"/cameras/{camera_id}/name", data={"name": "Back gate"}, headers=HTMX)
        assert "Back gate" in answer.text
        assert "<html" not in answer.text

    def test_an_empty_name_is_refused_in_words_and_what_was_typed_stays(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(f"/cameras/{camera_id}/name", data={"name": "x" * 81}, headers=HTMX)
        assert answer.status_code == 422
        assert "at most 80 characters" in answer.text
        assert "x" * 81 in answer.text

    def test_without_javascript_it_leads_back_to_the_list(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(f"/cameras/{camera_id}/name", data={"name": "Gate"}, headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/cameras")


class TestOneCamera:
    def test_it_plays_and_says_what_is_kept(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        body = signed_in.get(f"/cameras/{camera_id}", headers=HTML).text
        assert 'data-mode="auto"' in body
        assert "All the time, now too" in body
        assert "720p · converted" in body
        assert "<title>Front gate" in body

    def test_a_broken_promise_is_told(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        with app.app_context():
            camera = db.session.get_one(Camera, camera_id)
            camera.created_at = camera.created_at.replace(year=2025)
            db.session.execute(db.update(ModeChange).values(started_ms=now_ms() - 3_600_000))
            db.session.commit()
        body = signed_in.get(f"/cameras/{camera_id}", headers=HTML).text
        assert "Should be recording, but nothing was saved since" in body
        assert "Why?" in body

    def test_time_in_which_it_was_off_breaks_no_promise(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        with app.app_context():
            db.session.execute(db.update(ModeChange).values(started_ms=now_ms() - 3_600_000))
            db.session.get_one(Camera, camera_id).switched_at = utcnow()
            db.session.commit()
        assert "nothing was saved" not in signed_in.get(f"/cameras/{camera_id}", headers=HTML).text

    def test_its_status_is_204_until_something_changes(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        seen = version(signed_in.get(f"/cameras/{camera_id}", headers=HTML).text)
        assert signed_in.get(f"/cameras/{camera_id}/status?v={seen}", headers=HTMX).status_code == 204
        change(app, camera_id, state="frozen", cause="stall", state_since_ms=now_ms() - 7000)
        body = signed_in.get(f"/cameras/{camera_id}/status?v={seen}", headers=HTMX).text
        assert "Frozen" in body
        assert "<video" not in body

    def test_the_password_is_nowhere(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app, state="refused", cause="auth")
        pages = ("", "/edit", "/diagnose", "/diagnose/report.txt", "/status")
        for path in ("/cameras", "/wall", "/", *(f"/cameras/{camera_id}{page}" for page in pages)):
            assert "geheim" not in signed_in.get(path, headers=HTML).text

    def test_a_deleted_or_unknown_camera_does_not_exist(self, signed_in: FlaskClient) -> None:
        assert signed_in.get("/cameras/4711", headers=HTML).status_code == 404

    def test_markup_in_a_name_stays_text(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app, "<script>alert(1)</script>")
        for path in ("/", "/wall", "/cameras", f"/cameras/{camera_id}", f"/cameras/{camera_id}/edit"):
            assert "<script>alert" not in signed_in.get(path, headers=HTML).text

    def test_a_camera_that_was_just_turned_on_is_connecting(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        tell_node_figures(app)
        change(app, camera_id, renewed_ms=0)
        assert "Connecting" in signed_in.get(f"/cameras/{camera_id}", headers=HTML).text

    def test_without_a_capture_worker_nothing_is_live(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        change(app, camera_id, renewed_ms=0)
        body = signed_in.get(f"/cameras/{camera_id}", headers=HTML).text
        assert "No capture worker is running" in body
        assert 'data-server="unknown"' in body


class TestPresses:
    def test_off_and_on_with_undo(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(f"/cameras/{camera_id}/disable", headers=HTMX)
        assert answer.status_code == 204
        assert f"/cameras/{camera_id}/enable" in answer.headers["HX-Trigger"]
        assert "cameras-changed" in answer.headers["HX-Trigger"]
        assert "Turned off by Olive Owner" in signed_in.get("/cameras", headers=HTML).text
        signed_in.post(f"/cameras/{camera_id}/enable", headers=HTMX)
        assert "Turned off by" not in signed_in.get("/cameras", headers=HTML).text

    def test_record_says_since_when_and_how_to_stop(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(f"/cameras/{camera_id}/record/start", headers=HTMX)
        said = answer.headers["HX-Trigger"]
        assert "Recording Front gate from" in said
        assert "before you pressed" in said
        assert f"/cameras/{camera_id}/record/stop" in said
        assert f"/playback?cams={camera_id}&t=" in said
        assert "record/stop" in signed_in.get("/wall", headers=HTML).text

    def test_stop_tells_how_much_was_kept_and_twice_is_harmless(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        camera_id = add_camera(app)
        signed_in.post(f"/cameras/{camera_id}/record/start", headers=HTMX)
        answer = signed_in.post(f"/cameras/{camera_id}/record/stop", headers=HTMX)
        assert "Kept" in answer.headers["HX-Trigger"]
        again = signed_in.post(f"/cameras/{camera_id}/record/stop", headers=HTMX)
        assert "stopped already" in again.headers["HX-Trigger"]

    def test_without_javascript_every_press_leads_back_to_a_page(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        camera_id = add_camera(app)
        for press in ("record/start", "record/extend", "record/stop", "disable", "enable"):
            answer = signed_in.post(f"/cameras/{camera_id}/{press}", headers=HTML)
            assert (answer.status_code, answer.location) == (303, f"/cameras/{camera_id}"), press

    def test_it_never_leads_to_another_host(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(
            f"/cameras/{camera_id}/disable", data={"next": "//evil.example"}, headers=HTML
        )
        assert answer.location == "/"

    def test_who_may_not_press_is_refused(self, app: Flask, owner: object) -> None:
        camera_id = add_camera(app)
        visitor = sign_in(app, add_person(app, Role.VISITOR))
        not_shared, never = (
            ("record/start", "record/stop", "snapshot"),
            ("disable", "enable", "delete", "name"),
        )
        for press, status in [*((one, 404) for one in not_shared), *((one, 403) for one in never)]:
            answer = visitor.post(f"/cameras/{camera_id}/{press}", headers=HTMX)
            assert answer.status_code == status, press
