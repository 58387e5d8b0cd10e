"""The page on which a person says what counts as activity; without JavaScript, as with it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import Activity, Camera
from tests.services.footage import T0, make_camera


@pytest.fixture
def camera(app: Flask) -> int:
    with app.app_context():
        return make_camera().id


ROWS = {
    "sensitivity": "70",
    "is_watched": "y",
    "zone_name": ["Gate", "", "Gone"],
    "zone_use": ["watch", "ignore", "watch"],
    "zone_corners": ["10,20 60,20 60,80.5", "0,0 100,0 100,10", ""],
}


def test_typed_zones_are_kept_and_shown_again(signed_in: FlaskClient, app: Flask, camera: int) -> None:
    answer = signed_in.post(f"/cameras/{camera}/activity", data=ROWS)
    assert answer.status_code == 303
    with app.app_context():
        row = db.session.get_one(Camera, camera)
        assert row.sensitivity == 70
        assert row.zones == [
            {"name": "Gate", "points": [[0.1, 0.2], [0.6, 0.2], [0.6, 0.805]], "is_ignored": False},
            {"name": "Zone 2", "points": [[0, 0], [1, 0], [1, 0.1]], "is_ignored": True},
        ]
    page = signed_in.get(f"/cameras/{camera}/activity").text
    assert 'value="10,20 60,20 60,80.5"' in page
    assert "Nothing has moved yet." in page


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"zone_corners": ["10,20 60,20"], "zone_name": ["Gate"]}, "Gate: a zone has 3 to 24 corners"),
        ({"zone_corners": ["10,20 60,20 60,120"]}, "corners inside the picture"),
        ({"zone_corners": ["1,1 2,1 2,2"], "zone_name": ["Dot"]}, "Dot is too small"),
        ({"zone_name": ["A", "a", ""]}, "Two zones have the same name."),
        ({"sensitivity": "101"}, "Choose a sensitivity from 1 to 100."),
        ({"sensitivity": "much"}, "Type a whole number."),
    ],
)
def test_what_cannot_be_is_said_and_nothing_typed_is_lost(
    signed_in: FlaskClient, app: Flask, camera: int, changed: dict[str, object], sentence: str
) -> None:
    answer = signed_in.post(f"/cameras/{camera}/activity", data=ROWS | changed)
    assert answer.status_code == 422
    assert sentence in answer.text
    for corners in changed.get("zone_corners", []):  # type: ignore[attr-defined]
        assert f'value="{corners}"' in answer.text
    with app.app_context():
        assert db.session.get_one(Camera, camera).zones == []


def test_who_changed_it_in_the_meantime_is_not_overwritten(signed_in: FlaskClient, camera: int) -> None:
    answer = signed_in.post(f"/cameras/{camera}/activity", data=ROWS | {"version": "77"})
    assert answer.status_code == 409


def test_what_was_seen_last_leads_to_playback(signed_in: FlaskClient, app: Flask, camera: int) -> None:
    with app.app_context():
        row = db.session.get_one(Camera, camera)
        row.activity_trouble = "2 pictures after 13:00:00 UTC are damaged"
        db.session.add(Activity(camera_id=camera, started_ms=T0, ended_ms=T0 + 9000, peak=0.1, zone="Gate"))
        db.session.commit()
    page = signed_in.get(f"/cameras/{camera}/activity").text
    assert f"/playback?cams={camera}&amp;t={T0}&amp;z=1h" in page
    assert "9 s · Gate" in page
    assert "2 pictures after 13:00:00 UTC are damaged." in page
