"""Looks for activity in the files of this node: the key frames of each closed file, once, in order.

Writes rows of activity and keeps what they want; a camera that cannot be looked at never stops the others.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from cctv import config
from cctv.clock import from_ms, now_ms
from cctv.extensions import begin_writing, db
from cctv.media import zones
from cctv.media.boxes import NotMedia
from cctv.media.glances import MOST_BYTES, Clip, Glance, GlanceFailed
from cctv.media.motion import Episode, Episodes, Watcher
from cctv.models import Activity, Camera, StreamKind
from cctv.models.activity import LONGEST_ACTIVITY_MS
from cctv.services.footage import damaged, segments
from cctv.services.footage.finding import covered
from cctv.services.movement import activity
from cctv.services.movement.activity import FIRST_MS, OLDEST_MS
from cctv.services.movement.activity_files import FILES_A_TURN, LookedFile, batches, find
from cctv.services.recording.wanted import lock_cameras, wanted
from cctv.storage import paths, watch_memory

DECODE_SECONDS = 30.0  # of one child; a minute of pictures takes about one
PAUSE_MS = 8_000  # between two movements of one episode
WARM_UP_MS = 12_000  # of pictures looked at again where nothing is remembered
# Key frames closer than this are left out: a large one costs 20 ms, a small one 2 (docs/decisions).
LEAST_APART_MS = {StreamKind.MAIN: 1_450, StreamKind.SUB: 950}
_MOST_TRIES = 2  # of a file that ended this process

_TICKS_PER_MS = 90

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Look:
    """One camera in one pass."""

    camera_id: int
    zone_names: list[str]
    mark_ms: int | None  # how far the row says that was looked
    seen_ms: int  # how far was looked
    watcher: Watcher
    episodes: Episodes
    open_id: int | None  # of the row that the first episode goes on with
    warm_from_ms: int  # pictures from here on are compared, those from seen_ms on are told


def watch(node_id: int, *, seconds: float = 100.0, at_ms: int | None = None) -> int:
    """Look at what the cameras of this node recorded since the last time; how many files.

    The camera that waited longest comes first. Ends after about `seconds`; the next pass goes on. One pass at
    a time: another one that runs already makes this one return at once.
    """
    until = time.monotonic() + seconds
    at_ms = now_ms() if at_ms is None else at_ms
    count = 0
    with _alone() as is_alone:
        waiting = _camera_ids() if is_alone else []
        if is_alone:
            watch_memory.keep_only(config.current().data_dir, waiting)
        while waiting and time.monotonic() < until:
            camera_id = waiting.pop(0)
            files = _turn(camera_id, node_id, at_ms)
            count += files
            if files >= FILES_A_TURN:
                waiting.append(camera_id)
    return count


@contextmanager
def _alone() -> Iterator[bool]:
    directory = config.current().data_dir / "activity"
    directory.mkdir(mode=0o700, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _camera_ids() -> list[int]:
    query = (
        select(Camera.id)
        .where(Camera.deleted_at.is_(None), Camera.is_enabled, Camera.watches_activity)
        .order_by(Camera.activity_seen_ms.is_not(None), Camera.activity_seen_ms, Camera.id)
    )
    ids = list(db.session.scalars(query))
    db.session.commit()
    return ids


def _turn(camera_id: int, node_id: int, at_ms: int) -> int:
    """Some files of one camera; how many. Whatever goes wrong is told and ends only its turn."""
    try:
        return _look(camera_id, node_id, at_ms)
    except Exception as error:
        db.session.rollback()
        _log.exception("camera %d: looking for activity failed", camera_id)
        activity.tell_trouble(camera_id, f"{type(error).__name__}: {error}"[:200], at_ms)
        return 0


def _look(camera_id: int, node_id: int, at_ms: int) -> int:
    camera = db.session.get(Camera, camera_id)
    if camera is None:
        return 0
    first_ms = at_ms - FIRST_MS if camera.activity_seen_ms is None else camera.activity_seen_ms
    seen_ms = max(first_ms, at_ms - OLDEST_MS)
    files = find(camera, node_id, since_ms=seen_ms - WARM_UP_MS, seen_ms=seen_ms)
    if not any(file.ended_ms > seen_ms for file in files):
        db.session.commit()
        return 0
    look = _begin(camera, files[-1].stream_id, seen_ms)
    trouble = _passed_over(camera, seen_ms)
    count = 0
    fresh = [file for file in files if file.ended_ms > look.warm_from_ms]
    db.session.commit()  # no transaction waits for the decoder
    for group in batches(fresh):
        trouble = _look_at(look, group) or trouble
        count += sum(file.ended_ms > seen_ms for file in group)
        if not _write(look, max(seen_ms, group[-1].ended_ms)):
            return count  # somebody else looked at this camera meanwhile
    _remember(look, files[-1].stream_id)
    activity.tell_trouble(camera_id, trouble, at_ms)
    return count


def _passed_over(camera: Camera, seen_ms: int) -> str:
    """What is too old to be looked at now, in words; nothing when there is no such footage."""
    mark_ms = camera.activity_seen_ms
    if mark_ms is None or mark_ms >= seen_ms or not covered(camera.id, mark_ms, seen_ms, open_file=False):
        return ""
    return f"what was recorded from {_clock(mark_ms)} to {_clock(seen_ms)} was not looked at in time"


def _begin(camera: Camera, stream_id: int, seen_ms: int) -> _Look:
    kept = watch_memory.load(config.current().data_dir, camera.id)
    is_known = kept is not None and kept.stream_id == stream_id and kept.seen_ms == camera.activity_seen_ms
    watcher = Watcher(
        sensitivity=camera.sensitivity,
        labels=zones.labels(camera.zones),
        memory=kept.memory if kept is not None and is_known else None,
    )
    newest = db.session.scalars(
        select(Activity)
        .where(Activity.camera_id == camera.id, Activity.ended_ms >= seen_ms - PAUSE_MS)
        .order_by(Activity.started_ms.desc())
        .limit(1)
    ).first()
    return _Look(
        camera_id=camera.id,
        zone_names=[zone["name"] for zone in camera.zones],
        mark_ms=camera.activity_seen_ms,
        seen_ms=seen_ms,
        watcher=watcher,
        episodes=Episodes(
            pause_ms=PAUSE_MS, longest_ms=LONGEST_ACTIVITY_MS, open_one=newest and _episode(newest, camera)
        ),
        open_id=newest.id if newest else None,
        warm_from_ms=seen_ms if is_known else seen_ms - WARM_UP_MS,
    )


def _episode(row: Activity, camera: Camera) -> Episode:
    zone = next((index for index, zone in enumerate(camera.zones) if zone["name"] == row.zone), -1)
    ended_ms, peak_ms = row.ended_ms or row.started_ms, row.peak_ms or row.started_ms
    return Episode(row.started_ms, ended_ms, row.peak, peak_ms, zone)


def _look_at(look: _Look, files: list[LookedFile]) -> str:
    """Compare the pictures of these files; what went wrong, in words, or nothing."""
    data_dir, camera_id = config.current().data_dir, look.camera_id
    if watch_memory.begin_try(data_dir, camera_id, files[0].id) > _MOST_TRIES:
        watch_memory.end_try(data_dir, camera_id)
        return f"the file of {_clock(files[0].started_ms)} ended the comparison each time and is left out"
    try:
        return _compare(look, files)
    finally:
        watch_memory.end_try(data_dir, camera_id)


def _compare(look: _Look, files: list[LookedFile]) -> str:
    clip, unread, trouble = Clip(), 0, ""
    for file in files:
        if clip.size_bytes > MOST_BYTES:
            trouble = _see(look, files, clip) or trouble
            clip = Clip()
        wanted_keys = [key for key in file.gops if file.ms_at(file.start_ticks + key[1]) >= look.warm_from_ms]
        try:
            descriptor = paths.open_segment(
                config.current().media_dir, look.camera_id, file.run_key, file.number
            )
        except OSError as error:
            trouble = f"the file of {_clock(file.started_ms)} cannot be read: {error.strerror}"
            continue
        with open(descriptor, "rb", buffering=0) as opened:
            try:
                unread += clip.add(
                    opened.fileno(),
                    wanted_keys,
                    least_apart_ticks=LEAST_APART_MS[StreamKind(file.kind)] * _TICKS_PER_MS,
                    start_ticks=file.start_ticks,
                )
            except (NotMedia, OSError):
                trouble = f"the file of {_clock(file.started_ms)} is damaged"
    if unread:
        trouble = f"{unread} pictures after {_clock(files[0].started_ms)} are damaged"
    return _see(look, files, clip) or trouble


def _see(look: _Look, files: list[LookedFile], clip: Clip) -> str:
    try:
        glances = clip.decode(timeout_s=DECODE_SECONDS)
    except GlanceFailed as error:
        return f"the pictures after {_clock(files[0].started_ms)} could not be decoded: {error}"
    for glance in glances:
        at_ms = _wall_ms(files, glance)
        change = look.watcher.look(glance.picture, at_ms)
        if change is not None and at_ms >= look.seen_ms:
            look.episodes.add(look.watcher, change)
    if unseen := clip.unseen(glances):
        damaged.mark({_file_at(files, ticks).id for ticks in unseen}, "transit")
    return "" if len(glances) == clip.keys else f"{clip.keys - len(glances)} pictures could not be decoded"


def _wall_ms(files: list[LookedFile], glance: Glance) -> int:
    return _file_at(files, glance.ticks).ms_at(glance.ticks)


def _file_at(files: list[LookedFile], ticks: int) -> LookedFile:
    of_it = [file for file in files if file.start_ticks <= ticks]
    return of_it[-1] if of_it else files[0]


def _clock(ms: int) -> str:
    return f"{from_ms(ms):%H:%M:%S} UTC"


def _write(look: _Look, seen_ms: int) -> bool:
    """Store what was found up to now and how far it was looked; False when somebody else did meanwhile."""
    begin_writing()
    lock_cameras([look.camera_id])
    moved: Any = db.session.execute(
        update(Camera)
        .where(Camera.id == look.camera_id, Camera.activity_seen_ms.is_not_distinct_from(look.mark_ms))
        .values(activity_seen_ms=seen_ms)
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount:
        db.session.rollback()
        return False
    found = look.episodes.found
    for index, episode in enumerate(found):
        row = db.session.get(Activity, look.open_id) if index == 0 and look.open_id is not None else None
        look.open_id = _store(look, episode, row or Activity(camera_id=look.camera_id))
    if found:
        _keep(look.camera_id, found[0].started_ms, found[-1].ended_ms)
        del found[:-1]  # only the newest may go on
    db.session.commit()
    look.mark_ms = look.seen_ms = seen_ms
    return True


def _store(look: _Look, episode: Episode, row: Activity) -> int:
    row.started_ms, row.ended_ms = episode.started_ms, episode.ended_ms
    row.peak, row.peak_ms = episode.peak, episode.peak_ms
    row.zone = look.zone_names[episode.zone] if 0 <= episode.zone < len(look.zone_names) else ""
    db.session.add(row)
    db.session.flush()
    return row.id


def _keep(camera_id: int, start_ms: int, end_ms: int) -> None:
    """What is wanted because of it by now, although it was not when it was stored."""
    around_ms = 600_000  # longer than any pre-roll and post-roll
    for start, end in wanted(camera_id, start_ms - around_ms, end_ms + around_ms):
        segments.keep(camera_id, start, end)


def _remember(look: _Look, stream_id: int) -> None:
    kept = watch_memory.Kept(stream_id, look.seen_ms, look.watcher.memory)
    try:
        watch_memory.save(config.current().data_dir, look.camera_id, kept)
    except OSError as error:
        _log.warning("camera %d: what was seen cannot be remembered: %s", look.camera_id, error.strerror)
