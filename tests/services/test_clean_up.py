"""What is left over goes: files of crashes, old logs, failed jobs, cameras that were deleted long ago."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from rq import Worker
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from cctv import config, keys, queue
from cctv.clock import now_ms, utcnow
from cctv.extensions import db
from cctv.models import Camera, Event, Gap, MailMessage, Recording
from cctv.services.lifetime import clean_up
from cctv.services.mailing import notices
from cctv.services.site import settings
from tests.services.footage import index_spans, make_camera

pytestmark = pytest.mark.usefixtures("context")

DAY_S = 86_400


def aged(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.utime(path, (time.time() - seconds, time.time() - seconds))
    return path


def test_files_of_crashes_and_old_logs_go_and_nothing_else() -> None:
    media, logs = config.current().media_dir, config.current().data_dir / "logs"
    camera = make_camera()
    (media / "77").mkdir(parents=True)
    (media / str(camera.id)).mkdir()
    gone = [
        aged(media / ".write-1-ab", 2 * 3600),
        aged(media / ".speed-1-ab", 2 * 3600),
        aged(logs / "web.log.3", 40 * DAY_S),
        aged(logs / "mail-worker.log", 40 * DAY_S),
    ]
    stays = [
        aged(media / ".write-2-ab", 60),
        aged(media / ".cctv-volume", 400 * DAY_S),
        aged(media / "archive.zip", 400 * DAY_S),  # not ours
        aged(logs / "web.log", 60),
    ]
    assert clean_up.clean_node() == 5
    assert not [path for path in gone if path.exists()]
    assert [path for path in stays if path.exists()] == stays
    assert (media / str(camera.id)).exists()
    assert not (media / "77").exists()


def test_jobs_that_failed_long_ago_are_forgotten() -> None:
    connection = queue.redis_connection()
    for age in (1, 9):
        queue.enqueue(queue.DEFAULT, "tests.jobs.samples.nowhere", job_id=f"failed-{age}")
    jobs = queue.queue(queue.DEFAULT)
    Worker([jobs], connection=connection, serializer=JSONSerializer).work(
        burst=True, logging_level="CRITICAL"
    )
    registry = FailedJobRegistry(queue=jobs)
    assert set(registry.get_job_ids()) == {"failed-1", "failed-9"}
    old = Job.fetch("failed-9", connection, serializer=JSONSerializer)
    old.ended_at = utcnow() - timedelta(days=9)
    old.save()
    assert clean_up.forget_failed_jobs() == 1
    assert registry.get_job_ids() == ["failed-1"]


@pytest.mark.each_database
def test_a_camera_is_forgotten_when_nothing_of_it_is_left() -> None:
    past = utcnow() - timedelta(days=100)
    empty, filmed, held, lately = (make_camera(number=number) for number in range(1, 5))
    index_spans(filmed, [(now_ms() - 60_000, now_ms())])
    db.session.add(
        Recording(
            camera_id=held.id, kind="manual", started_ms=1, ended_ms=2, locked_by="O", locked_reason="x"
        )
    )
    db.session.add(Gap(camera_id=empty.id, started_ms=1, ended_ms=2, cause="noroute"))
    for camera, when in ((empty, past), (filmed, past), (held, past), (lately, utcnow())):
        camera.deleted_at, camera.number = when, None
    stay = {filmed.id, held.id, lately.id}
    db.session.commit()
    assert clean_up.forget_deleted_cameras() == 1
    assert {camera.id for camera in db.session.query(Camera)} == stay
    assert db.session.query(Gap).count() == 0


def test_early_deletion_is_mailed(owner: object) -> None:
    settings.save(notice_roles={"camera": [], "disk": ["super_admin"]})
    at_ms = now_ms()
    for severity in ("note", "warn"):
        text = f"A {severity}: 21 days."
        db.session.add(Event(at_ms=at_ms - 120_000, kind="deleted_early", severity=severity, text=text))
    db.session.commit()
    notices.tick(at_ms)
    (message,) = db.session.query(MailMessage).all()
    said = keys.decrypt(str(message.values_sealed))
    assert "A warn: 21 days." in said
    assert "A note" not in said
