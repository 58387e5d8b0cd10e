"""What is copied without being asked for: each rule alone, from when on, and never the test picture."""

from __future__ import annotations

import pytest

from cctv.config import Config
from cctv.extensions import db
from cctv.models import Activity, Camera, ModeChange, Recording, Segment, Transfer
from cctv.services.bucket import transfer_rows, transfer_rules
from cctv.services.site import settings
from tests.bucket_server import Front
from tests.fixtures.bucket import in_cloud
from tests.services.footage import MINUTE, T0, index_spans, make_camera

pytestmark = pytest.mark.usefixtures("context")

NOW = T0 + 10 * MINUTE


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    return in_cloud(config, front)


def filmed(number: int = 1) -> Camera:
    """Ten files of a minute."""
    camera = make_camera(since_ms=T0, number=number)
    index_spans(camera, [(T0 + n * MINUTE, T0 + (n + 1) * MINUTE) for n in range(10)])
    return camera


def wanted(*rules: str, since_ms: int = 0) -> list[tuple[int, int]]:
    """(minute, priority) of the files that the rules ask for; asked twice, nothing is asked for twice."""
    settings.save(cloud_rules=list(rules), cloud_rules_since_ms=since_ms)
    count = transfer_rules.plan(at_ms=NOW)
    assert transfer_rules.plan(at_ms=NOW) == 0
    rows = (
        db.session.query(Segment.started_ms, Transfer.priority)
        .join(Transfer, Transfer.segment_id == Segment.id)
        .order_by(Segment.started_ms)
        .all()
    )
    assert len(rows) == count
    return [((started - T0) // MINUTE, priority) for started, priority in rows]


def add(row: object) -> None:
    db.session.add(row)
    db.session.commit()


def recording(camera: Camera, first: int, last: int, **columns: object) -> Recording:
    facts = {"kind": "manual", "started_ms": T0 + first * MINUTE, "ended_ms": T0 + last * MINUTE}
    return Recording(camera_id=camera.id, **(facts | columns))


def test_no_rule_copies_nothing() -> None:
    filmed()
    assert wanted() == []


def test_who_switches_it_on_in_the_environment_wants_everything() -> None:
    filmed()
    assert transfer_rules.plan(at_ms=NOW) == 10


def test_everything_that_is_kept_from_when_the_rule_was_made() -> None:
    filmed()
    assert [minute for minute, _ in wanted("all", since_ms=T0 + 6 * MINUTE)] == [6, 7, 8, 9]


def test_what_somebody_started_to_record() -> None:
    add(recording(filmed(), 2, 4))
    assert wanted("recording") == [(2, transfer_rows.BY_RULE), (3, transfer_rows.BY_RULE)]


@pytest.mark.each_database
def test_what_schedules_record() -> None:
    camera = filmed()
    mode = db.session.query(ModeChange).filter_by(camera_id=camera.id).one()
    mode.ended_ms = T0 + 8 * MINUTE
    add(ModeChange(camera_id=camera.id, mode="schedule", started_ms=T0 + 8 * MINUTE))
    add(recording(camera, 9, 10))  # what is wanted in that time
    assert [minute for minute, _ in wanted("schedule")] == [9]


def test_what_moved_with_the_seconds_around_it() -> None:
    camera = filmed()
    moved = T0 + 5 * MINUTE + 5_000
    add(Activity(camera_id=camera.id, started_ms=moved, ended_ms=moved + 1000, peak=0.5, zone=""))
    assert [minute for minute, _ in wanted("activity")] == [4, 5]  # ten seconds before


@pytest.mark.each_database
def test_what_is_locked_however_old_and_before_the_rest() -> None:
    camera = filmed()
    add(recording(camera, 0, 1, locked_by="Olive", locked_reason="x"))
    assert wanted("locked", since_ms=NOW) == [(0, transfer_rows.HELD)]


def test_the_test_picture_is_never_copied() -> None:
    camera = filmed()
    camera.is_demo = True
    add(recording(camera, 0, 9, locked_by="Olive", locked_reason="x"))
    assert wanted("all", "locked") == []
