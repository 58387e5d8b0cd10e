"""The playback page and its fragments over a real index: moments, days, lanes, refusals."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Recording, Role
from cctv.services.site import settings
from tests.blueprints.camera_rows import add_person
from tests.fixtures.application import sign_in
from tests.services.footage import MINUTE, index_spans, make_camera

HTML = {"Accept": "text/html"}
DAY = 24 * 60 * MINUTE


def day_of(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"


@pytest.fixture
def filmed(app: Flask) -> tuple[int, int]:
    """(id of a camera, when its ten minutes began: at ten o'clock two days ago)."""
    today = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
    start_ms = int((today - timedelta(days=2)).timestamp()) * 1000
    with app.app_context():
        camera = make_camera(since_ms=start_ms)
        index_spans(camera, [(start_ms + n * MINUTE, start_ms + (n + 1) * MINUTE) for n in range(10)])
        return camera.id, start_ms


def test_a_day_opens_at_its_first_footage(signed_in: FlaskClient, filmed: tuple[int, int]) -> None:
    camera_id, start_ms = filmed
    page = signed_in.get(f"/playback?cams={camera_id}&day={day_of(start_ms)}", headers=HTML).text
    assert f'data-at="{start_ms}"' in page
    assert f'value="{day_of(start_ms)}"' in page
    assert f"day={day_of(start_ms - DAY)}" in page
    assert "pb-empty" not in page


def test_an_empty_day_names_the_nearest_with_footage(signed_in: FlaskClient, filmed: tuple[int, int]) -> None:
    camera_id, start_ms = filmed
    page = signed_in.get(f"/playback?cams={camera_id}&day={day_of(start_ms - DAY)}", headers=HTML).text
    assert "No recordings on" in page
    assert f'href="/playback?cams={camera_id}&amp;day={day_of(start_ms)}"' in page


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_opens_the_present(
    signed_in: FlaskClient, filmed: tuple[int, int], day: str
) -> None:
    page = signed_in.get(f"/playback?day={day}", headers=HTML)
    assert page.status_code == 200
    assert f'value="{day_of(now_ms() - 30_000)}"' in page.text


def test_cameras_that_are_gone_are_said(signed_in: FlaskClient, filmed: tuple[int, int]) -> None:
    camera_id, _ = filmed
    page = signed_in.get(f"/playback?cams={camera_id},998,999", headers=HTML)
    assert "names 2 more cameras" in page.text
    gone = signed_in.get("/playback?cams=999", headers=HTML)
    assert gone.status_code == 404
    assert "not there any more" in gone.text


def test_the_lanes_alone_are_the_fragment(signed_in: FlaskClient, filmed: tuple[int, int]) -> None:
    camera_id, start_ms = filmed
    query = f"cams={camera_id}&from={start_ms - MINUTE}&to={start_ms + 20 * MINUTE}"
    lanes = signed_in.get(f"/playback/lanes?{query}", headers={"HX-Request": "true"}).text
    assert lanes.count('class="recorded"') == 1
    assert 'class="gap"' in lanes
    assert "<html" not in lanes


def test_a_typed_time_is_located_and_nonsense_is_answered(
    signed_in: FlaskClient, filmed: tuple[int, int]
) -> None:
    camera_id, start_ms = filmed
    found = signed_in.get(f"/playback/seek?cam={camera_id}&t=10:05&near={start_ms}").json
    assert found["at_ms"] == start_ms + 5 * MINUTE
    assert found["is_recorded"]
    before = signed_in.get(f"/playback/seek?cam={camera_id}&t=09:00&near={start_ms}").json
    assert (before["is_recorded"], before["next_ms"]) == (False, start_ms)
    assert "Type a time" in signed_in.get(f"/playback/seek?cam={camera_id}&t=soon").json["error"]


def test_strangers_are_sent_to_the_sign_in_page(client: FlaskClient, owner: object) -> None:
    assert client.get("/playback", headers=HTML).status_code in {302, 303}
    assert client.get("/playback/seek?cam=1&t=1").status_code in {302, 303, 401}


@pytest.mark.parametrize(("day", "hours", "twice"), [("2026-10-25", 25, True), ("2026-03-29", 23, False)])
def test_a_day_on_which_the_clocks_change_is_drawn_whole(
    app: Flask, signed_in: FlaskClient, day: str, hours: int, twice: bool
) -> None:
    with app.app_context():
        settings.save(time_zone="Europe/Lisbon")
        camera_id = make_camera(since_ms=0).id
    lanes = signed_in.get(f"/playback/lanes?cams={camera_id}&day={day}").text
    start, end = (int(re.search(rf'data-{name}="(\d+)"', lanes)[1]) for name in ("from", "to"))  # type: ignore[index]
    assert end - start == hours * 60 * MINUTE
    assert re.findall(r">(\d\d:\d\d)</text>", lanes) == [f"{n:02}:00" for n in range(0, 24, 3)] + ["00:00"]
    night = signed_in.get(f"/playback/lanes?cams={camera_id}&from={start}&to={start + 6 * 60 * MINUTE}").text
    assert ("01:00 (2nd)" in night) == twice
    assert "02:00" in night


def test_the_calendar_marks_what_is_recorded_pressed_and_locked(
    app: Flask, signed_in: FlaskClient, filmed: tuple[int, int]
) -> None:
    camera_id, start_ms = filmed
    with app.app_context():
        rows = [
            Recording(
                camera_id=camera_id, kind="manual", started_ms=start_ms - 60 * DAY, ended_ms=start_ms + MINUTE
            ),
            Recording(
                camera_id=camera_id,
                kind="continuous",
                started_ms=start_ms,
                ended_ms=start_ms + MINUTE,
                locked_by="Olive",
            ),
        ]
        db.session.add_all(rows)
        db.session.commit()
    query = f"cams={camera_id}&day={day_of(start_ms)}"
    month = signed_in.get(f"/playback/calendar?{query}").text
    assert month.count("is-recorded") == 1
    assert "recorded, with a recording that somebody started, locked" in month
    assert f'href="/playback?cams={camera_id}&amp;day={day_of(start_ms)}"' in month
    assert 'aria-current="date"' in month
    before = re.search(r'id="cal-before" hx-get="([^"]+)"', month)
    assert before
    earlier = signed_in.get(before[1].replace("&amp;", "&")).text
    assert "is-recorded" not in earlier
    assert 'id="cal-after"' in earlier


@pytest.mark.parametrize("month", ["rubbish", "0001-01-01", "9999-12-31", "2100-01-01"])
def test_a_month_that_is_none_shows_the_present(
    signed_in: FlaskClient, filmed: tuple[int, int], month: str
) -> None:
    answer = signed_in.get(f"/playback/calendar?cams={filmed[0]}&month={month}")
    assert answer.status_code == 200
    assert f"{datetime.now(UTC):%B %Y}" in answer.text


def test_the_calendar_shows_nothing_of_cameras_that_are_not_shared(
    app: Flask, filmed: tuple[int, int], owner: object
) -> None:
    query = f"cams={filmed[0]}&day={day_of(filmed[1])}"
    visitor = sign_in(app, add_person(app, Role.VISITOR))
    assert "is-recorded" not in visitor.get(f"/playback/calendar?{query}").text
    developer = sign_in(app, add_person(app, Role.DEVELOPER))
    assert developer.get(f"/playback/calendar?{query}").status_code == 403
