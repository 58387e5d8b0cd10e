"""Diagnose: state, seven days of history, gaps, and a report that can be passed on."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Gap, Role, StateChange
from tests.blueprints.camera_rows import HTML, HTMX, add_camera, add_person
from tests.fixtures.application import sign_in

HOUR = 3_600_000


def add_history(app: Flask, camera_id: int) -> None:
    """Live for nine hours, offline for one, live since."""
    with app.app_context():
        stream_id = db.session.get_one(Camera, camera_id).main.id
        now = now_ms()
        spells = [("live", 10, 2), ("offline", 2, 1), ("live", 1, None)]
        for state, start, end in spells:
            ended = None if end is None else now - end * HOUR
            cause = "noroute" if state == "offline" else None
            db.session.add(
                StateChange(
                    stream_id=stream_id,
                    state=state,
                    cause=cause,
                    started_ms=now - start * HOUR,
                    ended_ms=ended,
                )
            )
        db.session.add(
            Gap(camera_id=camera_id, started_ms=now - 2 * HOUR, ended_ms=now - HOUR, cause="noroute")
        )
        db.session.commit()


def test_it_shows_seven_days_reconnects_and_gaps(app: Flask, signed_in: FlaskClient) -> None:
    camera_id = add_camera(app)
    add_history(app, camera_id)
    body = signed_in.get(f"/cameras/{camera_id}/diagnose", headers=HTML).text
    assert "90.0 %" in body
    assert 'class="is-offline"' in body
    assert "0.1 an hour" in body
    assert "camera offline - does not answer" in body


def test_a_camera_without_history_is_no_error(app: Flask, signed_in: FlaskClient) -> None:
    camera_id = add_camera(app)
    assert "Nothing known yet" in signed_in.get(f"/cameras/{camera_id}/diagnose", headers=HTML).text


def test_check_now_runs_the_check_in_place(app: Flask, signed_in: FlaskClient) -> None:
    camera_id = add_camera(app)
    answer = signed_in.post(f"/cameras/{camera_id}/diagnose", headers=HTMX)
    assert 'id="check"' in answer.text
    assert signed_in.post(f"/cameras/{camera_id}/diagnose", headers=HTML).status_code == 303


def test_the_report_is_text_without_passwords(app: Flask, signed_in: FlaskClient) -> None:
    camera_id = add_camera(app, state="refused", cause="auth")
    add_history(app, camera_id)
    answer = signed_in.get(f"/cameras/{camera_id}/diagnose/report.txt")
    assert answer.mimetype == "text/plain"
    assert "password set" in answer.text
    assert "geheim" not in answer.text
    assert "Gaps in seven days: 1" in answer.text


def test_a_visitor_is_refused(app: Flask, owner: object) -> None:
    camera_id = add_camera(app)
    visitor = sign_in(app, add_person(app, Role.VISITOR))
    assert visitor.get(f"/cameras/{camera_id}/diagnose", headers=HTML).status_code == 403
