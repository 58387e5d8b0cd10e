"""Mails about cameras and disks: one an episode, many cameras in one mail, nothing about short breaks.

Reads what capture wrote and never waits for it; an episode is a row, so that no restart tells it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from cctv.clock import now_ms, utcnow
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Event, Node, Notice, NoticeKind, Role, Setting, User
from cctv.services.bucket import cloud
from cctv.services.camera import cameras, status
from cctv.services.camera.status import CameraStatus
from cctv.services.mailing import mail, notice_words
from cctv.services.site import nodes, settings

TOLD_AFTER_MS = 60_000  # shorter breaks are nobody's business, and so is a short return
GATHER_MS = 30_000  # what fails together is told together
# A thing that was told about so shortly before is told again only when it stays away so long.
CALM_MS = 15 * 60_000
_DAY_MS = 86_400_000
_KEPT_MS = 90 * _DAY_MS
_LONG_AWAY_MS = 3_600_000  # a bucket that does not answer is nobody's business before
_EVENTS_EVERY_MS = 15 * 60_000
_MOST_EVENTS = 20
_STALE = timedelta(hours=6)  # a notice that could not be sent by then is not sent
_DOWN = {"offline", "refused", "frozen", "unknown"}  # `storage` is the disk's episode
_UP = {"live", "off"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing as it is now."""

    about: str
    is_down: bool
    is_up: bool
    since_ms: int
    sentence: str = ""
    is_wanted: bool = True  # False: turned off or gone; its episode ends without a word
    camera_id: int | None = None
    node_id: int | None = None


def tick(at_ms: int | None = None) -> None:
    """Open and end episodes, and tell what is ripe. Part of the periodic tick."""
    now = at_ms or now_ms()
    known = cameras.list_cameras()
    machines = nodes.list_nodes()
    seen = _see_cameras(known, status.of_cameras(known)) + [_see_disk(node, now) for node in machines]
    has_bucket = cloud.access() is not None
    seen += [_see_cloud(node, now, has_bucket=has_bucket) for node in machines]
    db.session.commit()
    _follow(seen, now)
    told = _tell_starts(seen, now) + _tell_ends(seen, now) + _tell_events(now)
    if told:
        mail.dispatch()


def recipients(kind: str) -> list[User]:
    """The people who get this kind of notice."""
    usual = settings.DEFAULTS["notice_roles"].get(kind, [])
    roles = settings.get("notice_roles").get(kind, usual)
    query = select(User).where(User.role.in_(roles), User.is_enabled).order_by(User.id)
    return list(db.session.scalars(query)) if roles else []


def set_roles(kind: NoticeKind, roles: Sequence[Role]) -> dict[str, list[str]]:
    """Who gets which notices, with this kind changed; the caller saves it."""
    return {**settings.get("notice_roles"), str(kind): [str(role) for role in Role if role in roles]}


def forget_old() -> None:
    """Remove episodes that ended long ago."""
    begin_writing()
    db.session.execute(delete(Notice).where(Notice.ended_ms < now_ms() - _KEPT_MS))
    db.session.commit()


def _see_cameras(known: list[Camera], statuses: dict[int, CameraStatus]) -> list[Seen]:
    return [
        Seen(
            about=f"camera {camera.id}",
            # What never sent a picture is being set up by somebody who looks at it.
            is_down=statuses[camera.id].state in _DOWN and camera.main.video_codec is not None,
            is_up=statuses[camera.id].state in _UP,
            since_ms=statuses[camera.id].since_ms,
            sentence=statuses[camera.id].headline,
            is_wanted=statuses[camera.id].state != "off",
            camera_id=camera.id,
        )
        for camera in known
    ]


def _see_disk(node: Node, now: int) -> Seen:
    is_down = node.storage_state != "ok"
    return Seen(
        about=f"disk {node.id}",
        is_down=is_down,
        is_up=not is_down,
        since_ms=now,
        sentence=node.storage_detail or node.storage_state,
        node_id=node.id,
    )


def _see_cloud(node: Node, now: int, *, has_bucket: bool) -> Seen:
    """Transfers of a machine that wait for somebody; or that nobody answers for long."""
    since_ms = node.cloud_since_ms or now
    is_refused = node.cloud_state == "refused"
    return Seen(
        about=f"cloud {node.id}",
        is_down=is_refused or (node.cloud_state == "away" and now - since_ms > _LONG_AWAY_MS),
        is_up=node.cloud_state == "ok",
        since_ms=since_ms if node.cloud_state != "ok" else now,
        sentence=node.cloud_detail,
        is_wanted=has_bucket,
        node_id=node.id,
    )


def _follow(seen: list[Seen], now: int) -> None:
    """Open an episode for what went down, end those of what is back or gone."""
    is_open = {row.about: row for row in db.session.scalars(select(Notice).where(Notice.ended_ms.is_(None)))}
    db.session.commit()
    for thing in seen:
        row = is_open.pop(thing.about, None)
        if row is None:
            if thing.is_down:
                _open(thing)
        elif thing.is_up and (row.told_ms is None or not thing.is_wanted or _is_settled(thing, now)):
            _end(row, thing.since_ms, is_silent=row.told_ms is None or not thing.is_wanted)
    for row in is_open.values():  # the camera was deleted
        _end(row, now, is_silent=True)


def _is_settled(thing: Seen, now: int) -> bool:
    """Whether a return is more than a flicker. A disk that takes footage again is back."""
    return thing.node_id is not None or now - thing.since_ms >= TOLD_AFTER_MS


def _open(thing: Seen) -> None:
    kind = NoticeKind(thing.about.partition(" ")[0])
    begin_writing()
    db.session.add(
        Notice(
            kind=kind,
            about=thing.about,
            camera_id=thing.camera_id,
            node_id=thing.node_id,
            sentence=thing.sentence[:300],
            started_ms=thing.since_ms,
        )
    )
    try:
        db.session.commit()
    except IntegrityError:  # another job was faster
        db.session.rollback()


def _end(row: Notice, at_ms: int, *, is_silent: bool) -> None:
    ended_ms = max(at_ms, row.started_ms)
    begin_writing()
    db.session.execute(
        update(Notice)
        .where(Notice.id == row.id, Notice.ended_ms.is_(None))
        .values(ended_ms=ended_ms, end_told_ms=ended_ms if is_silent else None)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def _tell_starts(seen: list[Seen], now: int) -> int:
    """Tell the episodes that lasted long enough; wait a moment for others that are about to."""
    untold = list(
        db.session.scalars(select(Notice).where(Notice.ended_ms.is_(None), Notice.told_ms.is_(None)))
    )
    calm = _told_lately([row.about for row in untold], now)
    waits = {row.id: CALM_MS if row.about in calm else TOLD_AFTER_MS for row in untold}
    ripe = [row for row in untold if now - row.started_ms >= waits[row.id]]
    is_gathering = any(row not in ripe and row.about not in calm for row in untold)
    oldest_ms = max((now - row.started_ms - waits[row.id] for row in ripe), default=0)
    db.session.commit()
    if not ripe or (is_gathering and oldest_ms < GATHER_MS):
        return 0
    sentences = {thing.about: thing.sentence for thing in seen}
    count = 0
    for kind in NoticeKind:
        rows = _take([row.id for row in ripe if row.kind == kind], Notice.told_ms, now)
        for row in rows:
            row.sentence = sentences.get(row.about, row.sentence)[:300] or row.sentence
        for template, values in notice_words.of_starts(kind, rows, _breaks(rows, now)):
            count += _mail(kind, template, values)
        db.session.commit()
    return count


def _tell_ends(seen: list[Seen], now: int) -> int:
    over = list(
        db.session.scalars(select(Notice).where(Notice.ended_ms.is_not(None), Notice.end_told_ms.is_(None)))
    )
    if not over:
        db.session.commit()
        return 0
    still_open = set(
        db.session.scalars(select(Notice.about).where(Notice.ended_ms.is_(None), Notice.told_ms.is_not(None)))
    )
    db.session.commit()
    returning = any(thing.is_up and thing.is_wanted and thing.about in still_open for thing in seen)
    oldest_ms = max(now - TOLD_AFTER_MS - (row.ended_ms or now) for row in over)
    if returning and oldest_ms < TOLD_AFTER_MS:
        return 0
    count = 0
    for kind in NoticeKind:
        rows = _take([row.id for row in over if row.kind == kind], Notice.end_told_ms, now)
        for template, values in notice_words.of_ends(kind, rows):
            count += _mail(kind, template, values)
        db.session.commit()
    return count


def _tell_events(now: int) -> int:
    """Lost footage and the like, which is no state of a disk: the worst events, a few times an hour."""
    last_id = int(settings.get("notice_event_id"))
    is_trouble = and_(Event.severity == "bad", Event.kind == "storage")
    is_early = and_(Event.severity == "warn", Event.kind == "deleted_early")
    query = select(Event).where(Event.id > last_id, or_(is_trouble, is_early))
    events = list(db.session.scalars(query.where(Event.at_ms > now - _DAY_MS).order_by(Event.id)))
    db.session.commit()
    if not events or now - events[0].at_ms < TOLD_AFTER_MS:
        return 0
    if now - events[0].at_ms < _EVENTS_EVERY_MS and _has_told_events_lately(now):
        return 0
    subject, values = notice_words.of_events(events[:_MOST_EVENTS], len(events))
    begin_writing()
    # With the mails, and not in the audit log: nobody chose this.
    db.session.merge(Setting(key="notice_event_id", value=events[-1].id))
    count = _mail(NoticeKind.DISK, "generic", {"subject": subject, **values})
    db.session.commit()
    return count


def _has_told_events_lately(now: int) -> bool:
    last_id = int(settings.get("notice_event_id"))
    told = db.session.scalar(select(Event.at_ms).where(Event.id == last_id))
    return told is not None and told > now - _EVENTS_EVERY_MS


def _take(ids: list[int], column: Any, now: int) -> list[Notice]:
    """The rows that nobody else tells, marked as told in a transaction that the caller commits."""
    begin_writing()
    query = select(Notice).where(Notice.id.in_(ids), column.is_(None)).order_by(Notice.started_ms)
    rows = list(
        db.session.scalars(query.with_for_update(skip_locked=True).execution_options(populate_existing=True))
    )
    for row in rows:
        setattr(row, column.key, now)
    return rows


def _mail(kind: NoticeKind, template: str, values: dict[str, Any]) -> int:
    """One mail a person, in the caller's transaction; how many."""
    people = recipients(kind)
    for person in people:
        mail.add(template, person, values, expires_at=utcnow() + _STALE)
    return len(people)


def _told_lately(abouts: list[str], now: int) -> set[str]:
    query = select(Notice.about).where(
        Notice.about.in_(abouts), Notice.told_ms.is_not(None), Notice.ended_ms > now - CALM_MS
    )
    return set(db.session.scalars(query))


def _breaks(rows: list[Notice], now: int) -> dict[str, int]:
    """How often each of them was away in the last 24 hours, short breaks included."""
    query = (
        select(Notice.about, func.count())
        .where(Notice.about.in_([row.about for row in rows]), Notice.started_ms > now - _DAY_MS)
        .group_by(Notice.about)
    )
    return dict(db.session.execute(query).tuples().all())
