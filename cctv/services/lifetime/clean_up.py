"""What nobody needs any more and nothing else removes: files of crashes, old logs, failed jobs, cameras.

Footage goes by retention; exports, checks, mails and sessions by rules of their own; here is what is left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from datetime import UTC, timedelta
from pathlib import Path

from redis.exceptions import RedisError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import delete, exists, select

from cctv import config, queue
from cctv.clock import utcnow
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Recording, Segment, Stream, Transfer
from cctv.storage import disk, paths

CAMERA_KEPT = timedelta(days=90)  # as the history of footage that is gone (forgetting.py)
FAILED_JOB_KEPT = timedelta(days=7)
_TRIAL_FILES = (".write-*", ".speed-*")  # a write that was never finished (storage/disk.py)
_TRIAL_KEPT_S = 3_600.0
_LOG_KEPT_S = 30 * 86_400.0


def clean_node() -> int:
    """Remove what lies around on this machine's disks; how many files and folders."""
    told = config.current()
    trials = [path for pattern in _TRIAL_FILES for path in told.media_dir.glob(pattern)]
    logs = (told.data_dir / "logs").glob("*.log*")  # of parts that do not run any more, and moved aside
    return (
        _remove_old(trials, older_than_s=_TRIAL_KEPT_S)
        + _remove_old(logs, older_than_s=_LOG_KEPT_S)
        + _remove_empty_folders(told.media_dir)
    )


def forget_failed_jobs() -> int:
    """Remove jobs that failed more than a week ago from Redis; how many. While it is away they stay."""
    count = 0
    try:
        connection = queue.redis_connection()
        for one in queue.known(connection):
            registry = FailedJobRegistry(queue=one)
            jobs = Job.fetch_many(registry.get_job_ids(), connection, serializer=JSONSerializer)
            old = [job for job in jobs if job is not None and _is_old(job)]
            for job in old:
                registry.remove(job, delete_job=True)
            count += len(old)
    except (RedisError, OSError):
        return count
    return count


def forget_deleted_cameras() -> int:
    """Remove the rows of cameras that were deleted long ago and of which nothing is left; how many.

    As long as there is footage on a disk or in the bucket, or a locked recording, the camera stays.
    """
    has_footage = exists().where(Segment.stream_id == Stream.id, Stream.camera_id == Camera.id)
    has_copies = exists().where(Transfer.camera_id == Camera.id)
    is_held = exists().where(Recording.camera_id == Camera.id, Recording.locked_by.is_not(None))
    ids = db.session.scalars(
        select(Camera.id).where(
            Camera.deleted_at < utcnow() - CAMERA_KEPT, ~has_footage, ~has_copies, ~is_held
        )
    ).all()
    db.session.commit()
    for camera_id in ids:
        begin_writing()
        db.session.execute(
            delete(Camera).where(Camera.id == camera_id), execution_options={"synchronize_session": False}
        )
        db.session.commit()
    return len(ids)


def _is_old(job: Job) -> bool:
    ended_at = job.ended_at or job.created_at
    if ended_at.tzinfo is None:  # RQ's own times are UTC
        ended_at = ended_at.replace(tzinfo=UTC)
    return utcnow() - ended_at > FAILED_JOB_KEPT


def _remove_old(found: Iterable[Path], *, older_than_s: float) -> int:
    count = 0
    for path in found:
        with contextlib.suppress(OSError):
            if path.is_file() and time.time() - path.stat().st_mtime > older_than_s:
                count += disk.unlink(path)
    return count


def _remove_empty_folders(media_dir: Path) -> int:
    """Folders of cameras that are deleted and have nothing left."""
    ids = db.session.scalars(select(Camera.id).where(Camera.deleted_at.is_(None))).all()
    db.session.commit()
    count = 0
    for camera_id in set(paths.list_cameras(media_dir)) - set(ids):
        with contextlib.suppress(OSError):  # there is something in it
            paths.camera_dir(media_dir, camera_id).rmdir()
            count += 1
    return count
