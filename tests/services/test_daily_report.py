"""The daily report: what of a day is recorded, why the rest is not, and the mail about it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from flask import Flask

from cctv.extensions import db
from cctv.models import Camera, MailMessage, NoticeKind, Role, Segment, SegmentState, User
from cctv.services.camera import cameras
from cctv.services.footage import daily_report
from cctv.services.mailing import mail, notices
from cctv.services.site import settings
from tests.blueprints.camera_rows import QueryCount
from tests.services.footage import MINUTE, add_state, index_spans, make_camera

DAY = date(2026, 11, 20)
START = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1000
HOUR = 60 * MINUTE
NEXT_MORNING = START + 31 * HOUR  # seven o'clock


def film(*, number: int = 1, but: tuple[int, int] | None = None) -> Camera:
    """A camera that recorded all day, `but` for hours of which there is nothing."""
    camera = make_camera(since_ms=START, number=number)
    spans = [(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(24)]
    index_spans(camera, [span for hour, span in enumerate(spans) if not but or not but[0] <= hour < but[1]])
    db.session.execute(db.update(Segment).values(state=SegmentState.KEPT))
    db.session.commit()
    return camera


def test_it_says_how_much_is_there_and_why_not(context: Flask) -> None:
    whole, broken, idle = film(), film(number=2, but=(6, 9)), make_camera("manual", since_ms=START, number=3)
    add_state(broken, "offline", START + 6 * HOUR, START + 8 * HOUR, cause="noroute")
    add_state(broken, "off", START + 8 * HOUR, START + 9 * HOUR)
    report = daily_report.of_day(DAY, [whole, broken, idle])
    assert [row.camera.id for row in report.rows] == [broken.id, whole.id, idle.id]
    assert [row.percent for row in report.rows] == [87.5, 100.0, None]
    assert report.percent == 93.7
    first, second = report.rows[0].causes
    assert (first.total_ms, first.count, first.longest_from_ms) == (2 * HOUR, 1, START + 6 * HOUR)
    assert first.sentence and second.sentence != first.sentence


def test_a_second_that_is_missing_is_never_a_hundred_percent(context: Flask) -> None:
    camera = make_camera(since_ms=START)
    index_spans(camera, [(START + n * HOUR, START + (n + 1) * HOUR - 1000 * (n == 5)) for n in range(24)])
    db.session.execute(db.update(Segment).values(state=SegmentState.KEPT))
    db.session.commit()
    (row,) = daily_report.of_day(DAY, [camera]).rows
    assert row.percent == 99.9 and row.missing_ms == 1000


def test_queries_do_not_grow_with_cameras(app: Flask, context: Flask) -> None:
    counts = []
    for numbers in ((1, 2), (3, 4)):
        for number in numbers:
            film(number=number, but=(3, 4))
        found = cameras.list_cameras()
        with QueryCount(app) as queries:
            daily_report.of_day(DAY, found)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.fixture
def told(context: Flask, owner: User) -> None:
    film(but=(6, 9))
    settings.save(notice_roles=notices.set_roles(NoticeKind.REPORT, [Role.SUPER_ADMIN]))


def messages() -> list[MailMessage]:
    return list(db.session.scalars(db.select(MailMessage)))


def test_it_is_mailed_once_at_seven_to_whom_it_is_set(told: None) -> None:
    assert daily_report.send_due(at_ms=NEXT_MORNING - 1) == 0
    assert daily_report.send_due(at_ms=NEXT_MORNING) == 1
    assert daily_report.send_due(at_ms=NEXT_MORNING + HOUR) == 0
    (message,) = messages()
    assert "Friday 20 November, 87.5 % recorded" in message.subject
    values = mail.open_values(message)
    assert values["cameras"][0]["name"] == "Camera 1"
    assert "3 h 00 min at 06:00" in values["cameras"][0]["causes"][0]


def test_a_system_that_was_down_at_seven_mails_it_later(told: None) -> None:
    assert daily_report.send_due(at_ms=NEXT_MORNING + 12 * HOUR) == 1


def test_nobody_gets_it_unless_it_is_set(context: Flask, owner: User) -> None:
    film()
    assert daily_report.send_due(at_ms=NEXT_MORNING) == 0
    assert messages() == []
