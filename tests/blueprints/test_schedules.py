"""The pages of schedules without JavaScript: rows of times, exceptions, cameras, and who may."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.blueprints.schedule_forms import minutes
from cctv.extensions import db
from cctv.models import Camera, Role
from cctv.services.schedule import schedules
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person
from tests.fixtures.application import sign_in

WORKDAYS = ["0", "1", "2", "3", "4"]


def typed(*rows: tuple[list[str], str, str, str], **fields: Any) -> dict[str, Any]:
    """A form with these rows of days, from, to and mode."""
    data: dict[str, Any] = {"name": "Office", "row": []}
    for number, (days, start, end, mode) in enumerate(rows):
        data["row"].append(str(number))
        data |= {f"day-{number}": days, f"from-{number}": start, f"to-{number}": end, f"mode-{number}": mode}
    return data | fields


def dated(*rows: tuple[str, str, str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {"date-row": [str(number) for number in range(len(rows))]}
    for number, (day, mode, start, end) in enumerate(rows):
        data |= {f"date-{number}": day, f"date-mode-{number}": mode}
        data |= {f"date-from-{number}": start, f"date-to-{number}": end}
    return data


def plan(app: Flask, schedule_id: int) -> Any:
    with app.app_context():
        return schedules.plan_of(schedules.get_schedule(schedule_id))


@pytest.fixture
def office(app: Flask, signed_in: FlaskClient) -> int:
    add_camera(app), add_camera(app, "Yard")
    answer = signed_in.post(
        "/schedules/new",
        data=typed(
            (WORKDAYS, "6", "19:00", "continuous"), (WORKDAYS, "1900", "22:00", "activity"), camera="1"
        ),
        headers=HTML,
    )
    assert answer.status_code == 303
    return int(answer.location.rpartition("/")[2])


def test_a_schedule_is_typed_shown_in_words_and_followed(
    app: Flask, signed_in: FlaskClient, office: int
) -> None:
    page = signed_in.get("/schedules", headers=HTML).text
    assert "Mon–Fri 06:00–19:00 continuous, 19:00–22:00 on activity; else off." in page
    assert "Front gate" in page and "Always" in page
    page = signed_in.get(f"/schedules/{office}", headers=HTML).text
    assert "65 h a week ≈ 61 GB per camera, and up to 15 h ≈ 14 GB on activity" in page
    assert re.search(r"<strong>Now: (continuous|on activity|off) until ", page)
    assert 'value="06:00"' in page and "follows Office" not in page
    with app.app_context():
        assert db.session.get_one(Camera, 1).recording_mode == "schedule"
    assert "Office: " in signed_in.get("/cameras", headers=HTML).text
    assert "Office: " in signed_in.get("/cameras/1", headers=HTML).text


def test_the_night_goes_on_into_the_next_day_and_dates_have_their_own(
    app: Flask, signed_in: FlaskClient, office: int
) -> None:
    data = typed((["6"], "22:00", "06:15", "continuous"), ([], "", "", "continuous"), version="1")
    data |= dated(
        ("2098-12-31", "continuous", "00:00", "08:00"),
        ("2098-12-25", "off", "", ""),
        ("2098-12-31", "activity", "20:00", "24:00"),
        ("", "off", "", ""),
    )
    assert signed_in.post(f"/schedules/{office}", data=data, headers=HTML).status_code == 303
    saved = plan(app, office)
    assert saved.weekly == [[0, 0, 375, "continuous"], [6, 1320, 1440, "continuous"]]
    assert saved.exceptions == [
        {"date": "2098-12-25", "blocks": []},
        {"date": "2098-12-31", "blocks": [[0, 480, "continuous"], [1200, 1440, "activity"]]},
    ]
    page = signed_in.get(f"/schedules/{office}", headers=HTML).text
    assert "Except 25 Dec 2098 off; 31 Dec 2098 00:00–08:00 continuous, 20:00–24:00 on activity." in page
    with app.app_context():  # nothing was ticked
        assert db.session.get_one(Camera, 1).recording_mode == "continuous"


REFUSED: list[tuple[list[Any], dict[str, Any], str]] = [
    ([(WORKDAYS, "soon", "19:00", "continuous")], {}, "soon is not a time"),
    ([(WORKDAYS, "06:10", "19:00", "continuous")], {}, "06:10: use quarters of an hour"),
    ([([], "06:00", "19:00", "continuous")], {}, "Choose the days."),
    ([(["0"], "06:00", "19:00", "always")], {}, "Choose continuous or on activity."),
    (
        [(["0"], "06:00", "19:00", "continuous"), (["0"], "18:00", "20:00", "activity")],
        {},
        "Monday: 18:00 to 19:00 is there twice",
    ),
    ([], dated(("31.12.2098", "off", "", "")), "Type the date as year-month-day"),
    ([], dated(("2098-12-31", "activity", "10:00", "09:00")), "The end must be after the start"),
    ([], {"name": " "}, "Give the schedule a name."),
    ([], {"name": "Always"}, "There is a schedule called Always already."),
    ([], {"camera": "99"}, "One of these cameras does not exist"),
    ([], {"version": "7"}, "Somebody else changed this schedule in the meantime."),
]


def test_a_refusal_says_what_is_wrong_and_keeps_what_was_typed(
    app: Flask, signed_in: FlaskClient, office: int
) -> None:
    before = plan(app, office)
    for rows, more, sentence in REFUSED:
        data = typed(*rows) | more
        answer = signed_in.post(f"/schedules/{office}", data=data, headers=HTMX)
        assert answer.status_code == 422 and sentence in answer.text and "<html" not in answer.text
        page = signed_in.post(f"/schedules/{office}", data=data, headers=HTML)
        assert page.status_code == 422 and sentence in page.text
        for _days, start, end, _mode in rows:
            assert f'value="{start}"' in page.text and f'value="{end}"' in page.text
    assert plan(app, office) == before


def test_the_preview_tells_without_saving(app: Flask, signed_in: FlaskClient, office: int) -> None:
    before = plan(app, office)
    told = signed_in.post("/schedules/preview", data=typed(camera="1"), headers=HTMX).text
    assert "Front gate: is never recorded by this." in told and "Never." in told and "Now: off" in told
    told = signed_in.post(
        "/schedules/preview", data=typed((["0"], "x", "y", "continuous")), headers=HTMX
    ).text
    assert "cannot be read yet" in told
    assert plan(app, office) == before


def test_it_is_switched_deleted_and_brought_back(app: Flask, signed_in: FlaskClient, office: int) -> None:
    signed_in.post(f"/schedules/{office}/deactivate", headers=HTML)
    page = signed_in.get(f"/schedules/{office}", headers=HTML).text
    assert "This schedule is off" in page and f"/schedules/{office}/activate" in page
    signed_in.post(f"/schedules/{office}/activate", headers=HTML)
    signed_in.post(f"/schedules/{office}/delete", headers=HTML)
    page = signed_in.get(f"/schedules/{office}", headers=HTML).text
    assert "Front gate follows this schedule. Say first when they record instead." in page
    signed_in.post(f"/schedules/{office}", data=typed(version="1"), headers=HTML)
    signed_in.post(f"/schedules/{office}", data=typed(), headers=HTML)
    signed_in.post(f"/schedules/{office}/delete", headers=HTML)
    assert signed_in.get(f"/schedules/{office}", headers=HTML).status_code == 404
    assert f"/schedules/{office}/restore" in signed_in.get("/schedules", headers=HTML).text
    signed_in.post(f"/schedules/{office}/restore", headers=HTML)
    assert signed_in.get(f"/schedules/{office}", headers=HTML).status_code == 200


def test_a_developer_reads_and_a_visitor_does_not(app: Flask, office: int) -> None:
    developer = sign_in(app, add_person(app, Role.DEVELOPER))
    page = developer.get(f"/schedules/{office}", headers=HTML).text
    assert "Only an Admin can change schedules." in page and "schedule-form" not in page
    assert "New schedule" not in developer.get("/schedules", headers=HTML).text
    assert developer.post(f"/schedules/{office}", data=typed(), headers=HTML).status_code == 403
    visitor = sign_in(app, add_person(app, Role.VISITOR))
    assert visitor.get("/schedules", headers=HTML).status_code == 403


def test_the_form_of_a_camera_offers_schedules_and_activity(
    app: Flask, signed_in: FlaskClient, office: int
) -> None:
    page = signed_in.get("/cameras/1/edit", headers=HTML).text
    assert f'<option selected value="schedule:{office}">Schedule: Office</option>' in page
    camera = {
        "name": "Front gate",
        "url": "rtsp://127.0.0.10/stream1",
        "username": "admin",
        "keep_anyway": "y",
    }
    rolls = {"pre_roll_seconds": "5", "post_roll_seconds": "30"}
    signed_in.post("/cameras/1/edit", data=camera | rolls | {"recording_mode": "activity"}, headers=HTML)
    with app.app_context():
        stored = db.session.get_one(Camera, 1)
        assert (stored.recording_mode, stored.post_roll_seconds) == ("activity", 30)
    assert "On activity" in signed_in.get("/cameras/1", headers=HTML).text
    refused = signed_in.post("/cameras/1/edit", data=camera | {"recording_mode": "schedule:99"}, headers=HTMX)
    assert refused.status_code == 422 and "Not a valid choice" not in refused.text
    signed_in.post("/cameras/1/edit", data=camera | {"recording_mode": f"schedule:{office}"}, headers=HTML)
    assert "Office: " in signed_in.get("/cameras/1", headers=HTML).text


def test_the_list_asks_as_much_for_many_as_for_few(app: Flask, signed_in: FlaskClient, office: int) -> None:
    signed_in.get("/schedules", headers=HTML)
    with QueryCount(app) as few:
        signed_in.get("/schedules", headers=HTML)
    for number in range(5):
        signed_in.post("/schedules/new", data=typed(name=f"Other {number}"), headers=HTML)
    with QueryCount(app) as many:
        signed_in.get("/schedules", headers=HTML)
    assert len(many.statements) == len(few.statements)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("6", 360),
        ("6:15", 375),
        ("0615", 375),
        ("06.15", 375),
        ("24:00", 1440),
        ("24:15", None),
        ("6:60", None),
        ("", None),
    ],
)
def test_times_are_read_in_their_usual_spellings(text: str, minute: int | None) -> None:
    assert minutes(text) == minute
