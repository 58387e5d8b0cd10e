"""The overview: what needs somebody, the figures, and the list of first steps that ticks itself."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Event, Gap, Role
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person, tell_node_figures
from tests.fixtures.application import sign_in


class TestThePage:
    def test_when_all_is_well_it_says_so_calmly(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        tell_node_figures(app)
        body = signed_in.get("/", headers=HTML).text
        assert "Nothing needs you" in body
        assert "No gaps" in body
        assert "61 % full" in body

    def test_a_camera_in_trouble_stands_first_with_reason_and_next_step(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        add_camera(app, "Fine")
        add_camera(app, "Loading bay", state="offline", cause="noroute")
        body = signed_in.get("/", headers=HTML).text
        assert "Needs you (1)" in body
        assert "The camera does not answer" in body
        assert "/diagnose" in body
        assert body.index('id="still-2"') < body.index('id="still-1"')
        assert 'data-trouble="1 offline"' in body

    def test_gaps_and_bad_events_are_counted(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        with app.app_context():
            now = now_ms()
            gap = Gap(
                camera_id=camera_id, started_ms=now - 3_600_000, ended_ms=now - 2_520_000, cause="noroute"
            )
            db.session.add_all(
                [gap, Event(at_ms=now, kind="storage", severity="bad", text="The disk was full.")]
            )
            db.session.commit()
        body = signed_in.get("/", headers=HTML).text
        assert "1 gap" in body
        assert "The longest took 18 min" in body
        assert "The disk was full." in body

    def test_each_part_has_its_own_address(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        for part in ("needs", "strip", "cards"):
            answer = signed_in.get(f"/overview/{part}", headers=HTMX)
            assert answer.status_code == 200
            assert "<html" not in answer.text
            assert f'id="{part}"' in answer.text

    def test_without_cameras_it_offers_the_first_one(self, signed_in: FlaskClient) -> None:
        assert "Use the demo camera" in signed_in.get("/", headers=HTML).text

    def test_it_costs_the_same_for_many_cameras(self, app: Flask, signed_in: FlaskClient) -> None:
        tell_node_figures(app)
        add_camera(app, "Camera 0")
        with QueryCount(app) as one:
            signed_in.get("/", headers=HTML)
        for number in range(1, 20):
            add_camera(app, f"Camera {number}")
        with QueryCount(app) as twenty:
            signed_in.get("/", headers=HTML)
        assert len(twenty) <= len(one) <= 20

    def test_a_visitor_starts_on_the_wall_and_sees_no_part(self, app: Flask, owner: object) -> None:
        visitor = sign_in(app, add_person(app, Role.VISITOR))
        assert visitor.get("/", headers=HTML).location == "/wall"
        for part in ("needs", "strip", "cards"):
            assert visitor.get(f"/overview/{part}", headers=HTMX).status_code == 403

    def test_a_developer_sees_states_but_no_pictures(self, app: Flask, owner: object) -> None:
        add_camera(app)
        developer = sign_in(app, add_person(app, Role.DEVELOPER))
        body = developer.get("/", headers=HTML).text
        assert "1 of 1 live" in body
        assert "snapshot.jpg" not in body


class TestFirstSteps:
    def test_they_tick_themselves_from_facts(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        assert "2 of 6 done" in signed_in.get("/", headers=HTML).text
        signed_in.post(f"/cameras/{camera_id}/record/start", headers=HTMX)
        assert "3 of 6 done" in signed_in.get("/", headers=HTML).text

    def test_they_can_be_closed(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        signed_in.post("/overview/first-steps/close", headers=HTML)
        assert "First steps" not in signed_in.get("/", headers=HTML).text
