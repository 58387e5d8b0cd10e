"""Daily heads: the newest link of each camera at the end of a site day, signed, to be kept elsewhere as well.

Whoever has a head can tell later whether the chain below it is still the one of that day. Changes no link.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import case, func, select

from cctv.clock import day_bounds_ms, from_ms, now_ms, site_day, to_ms
from cctv.errors import Invalid
from cctv.extensions import begin_writing, db
from cctv.models import Camera, ChainHead, Segment, Stream, StreamKind
from cctv.services.mailing import mail
from cctv.services.proof import evidence_key
from cctv.services.site import settings

SETTLED_AFTER_MS = 15 * 60_000  # the last files of a day are hashed by then; later ones are in the next head
_MOST_DAYS = 31  # signed at once after a long absence; the chain carries what is older


class Summary(NamedTuple):
    """All heads in three figures."""

    total: int
    newest_day: date | None
    in_cloud: int


class _Link(NamedTuple):
    number: int
    hash: str
    ended_ms: int


def sign_due(*, at_ms: int | None = None) -> int:
    """Sign the heads of the days that ended and have none; mail them when set. How many."""
    at_ms = now_ms() if at_ms is None else at_ms
    newest_day = site_day(at_ms - SETTLED_AFTER_MS, settings.zone()) - timedelta(days=1)
    cameras = list(
        db.session.execute(
            select(Camera.id, Stream.id, Camera.chain_number)
            .join(Stream, Stream.camera_id == Camera.id)
            .where(Camera.chain_number > 0, Stream.kind == StreamKind.MAIN)
            .order_by(Camera.id)
        ).tuples()
    )
    db.session.commit()
    made = [head for camera in cameras for head in _sign_camera(*camera, newest_day=newest_day, at_ms=at_ms)]
    if made:
        _mail([head for head in made if head.day == max(one.day for one in made)])
    return len(made)


def statement(head: ChainHead) -> bytes:
    """The text that is signed; made of the row alone, so that it can be made again."""
    lines = (
        "cctv chain head 1",
        f"camera {head.camera_id}",
        f"day {head.day.isoformat()}",
        f"link {head.number}",
        f"hash {head.hash}",
        f"footage_until {head.ended_ms}",
        f"signed {to_ms(head.signed_at)}",
        f"key {head.key_id}",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def head_document(head: ChainHead) -> bytes:
    """A head as it is kept outside: JSON with the signed text, the signature and the public key."""
    public = evidence_key.known_keys().get(head.key_id, "")
    document = {
        "statement": statement(head).decode(),
        "signature": head.signature,
        "public_key": public,
        "key": head.key_id,
    }
    return json.dumps(document, indent=1).encode()


def is_genuine(head: ChainHead, known: dict[str, str] | None = None) -> bool:
    """Whether the head is what a key of this installation signed. `known`: as `evidence_key.known_keys()`."""
    known = evidence_key.known_keys() if known is None else known
    public = known.get(head.key_id)
    return public is not None and evidence_key.is_genuine(statement(head), head.signature, public)


def list_heads(camera_id: int, *, from_number: int = 0) -> list[ChainHead]:
    """The heads of a camera at or behind a link, in order."""
    query = select(ChainHead).where(ChainHead.camera_id == camera_id, ChainHead.number >= from_number)
    return list(db.session.scalars(query.order_by(ChainHead.number)))


def summary() -> Summary:
    """How many heads there are, for the settings; one query."""
    row = db.session.execute(
        select(
            func.count(ChainHead.id),
            func.max(ChainHead.day),
            func.sum(case((ChainHead.is_in_cloud, 1), else_=0)),
        )
    ).one()
    return Summary(row[0], row[1], int(row[2] or 0))


def set_address(address: str) -> None:
    """Whom the heads are mailed to; empty: nobody.

    Raises:
        Invalid: key evidence_mail.
    """
    address = address.strip()
    if address:
        try:
            address = validate_email(address, check_deliverability=False).normalized
        except EmailNotValidError as error:
            raise Invalid({"evidence_mail": f"This does not look like an e-mail address: {error}"}) from None
    settings.save(evidence_mail=address)


def _sign_camera(
    camera_id: int, stream_id: int, newest_number: int, *, newest_day: date, at_ms: int
) -> list[ChainHead]:
    last = db.session.execute(
        select(func.max(ChainHead.day), func.max(ChainHead.number)).where(ChainHead.camera_id == camera_id)
    ).one()
    db.session.commit()
    last_day, number = last[0], last[1] or 0
    if number >= newest_number:
        return []
    day = newest_day if last_day is None else last_day + timedelta(days=1)
    day = max(day, newest_day - timedelta(days=_MOST_DAYS - 1))
    zone = settings.zone()
    # Files of the day before may have been linked after its head was signed. The first head covers all.
    since_ms = 0 if last_day is None else day_bounds_ms(last_day - timedelta(days=1), zone)[0]
    made: list[ChainHead | None] = []
    while day <= newest_day:
        link = _newest_link(stream_id, since_ms, day_bounds_ms(day, zone)[1])
        if link is not None and link.number > number:
            made.append(_sign(camera_id, day, link, at_ms))
            number = link.number
        day += timedelta(days=1)
    return [head for head in made if head is not None]


def _newest_link(stream_id: int, start_ms: int, end_ms: int) -> _Link | None:
    query = (
        select(Segment.chain_number, Segment.chain_hash, Segment.ended_ms)
        .where(
            Segment.stream_id == stream_id,
            Segment.started_ms >= start_ms,
            Segment.started_ms < end_ms,
            Segment.chain_number.is_not(None),
        )
        .order_by(Segment.chain_number.desc())
        .limit(1)
    )
    row = db.session.execute(query).one_or_none()
    db.session.commit()
    return None if row is None else _Link(*row)


def _sign(camera_id: int, day: date, link: _Link, at_ms: int) -> ChainHead | None:
    own = evidence_key.public_key()
    head = ChainHead(
        camera_id=camera_id,
        day=day,
        number=link.number,
        hash=link.hash,
        ended_ms=link.ended_ms,
        key_id=evidence_key.key_id(own),
        signed_at=from_ms(at_ms),
        is_in_cloud=False,
    )
    head.signature = evidence_key.sign(statement(head)).signature
    begin_writing()
    is_there = select(ChainHead.id).where(ChainHead.camera_id == camera_id, ChainHead.day == day)
    if db.session.scalar(is_there) is not None:  # another machine was faster
        db.session.rollback()
        return None
    db.session.add(head)
    db.session.commit()
    return head


def _mail(heads: list[ChainHead]) -> None:
    address = settings.get("evidence_mail")
    if not address or not heads:
        return
    ids = [head.camera_id for head in heads]
    names = dict(db.session.execute(select(Camera.id, Camera.name).where(Camera.id.in_(ids))).tuples().all())
    own = evidence_key.public_key()
    body = [
        "These are the newest links of the chains of stored footage. Keep this mail: with it anybody can "
        "tell later whether footage of this day or before was changed or left out.",
        f"Key {evidence_key.spell(evidence_key.key_id(own))}, Ed25519, public half {own}",
    ]
    for head in heads:
        body.append(f"{names.get(head.camera_id, '')} - signature {head.signature} over these lines:")
        body.append(statement(head).decode().strip())
    begin_writing()
    subject = f"Footage of {heads[0].day:%d %b %Y}: {len(heads)} signed heads"
    mail.add("generic", address, {"subject": subject, "body": "\n\n".join(body)})
    db.session.commit()
    mail.dispatch()
