"""What notices say: times of the site, names, reasons, and what to do.

Rows in, values of mail templates out; nothing is sent or changed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from cctv.clock import from_ms
from cctv.extensions import db
from cctv.models import Camera, Event, Node, Notice, NoticeKind
from cctv.services.mailing import mail
from cctv.services.site import settings

Letter = tuple[str, dict[str, Any]]  # template and values

_REMEDIES = {
    "full": "Make room on it, or lower how long footage is kept.",
    "read_only": "Nothing can be written to it. Look at the disk and its mount.",
    "hung": "It does not answer. Look at the disk or the network storage.",
    "missing": "It is not mounted. Connect it; recording goes on by itself.",
}


def of_starts(kind: NoticeKind, rows: Sequence[Notice], breaks: dict[str, int]) -> Iterator[Letter]:
    """What began: all cameras in one mail, a mail for each disk."""
    if kind == NoticeKind.CAMERA and rows:
        names = _camera_names(rows)
        cameras = [
            {
                "name": names.get(row.camera_id or 0, "A camera"),
                "since": _minute(row.started_ms),
                "cause": row.sentence,
                "breaks": breaks.get(row.about, 1),
            }
            for row in rows
        ]
        yield "camera_offline", {"cameras": cameras, "link": mail.link("/cameras")}
    elif kind == NoticeKind.DISK:
        for row in rows:
            yield "disk", _of_disk(row)
    elif kind == NoticeKind.CLOUD:
        for row in rows:
            yield (
                "transfer_failed",
                {
                    "what": f"Footage of {_machine(row)} waits since {_minute(row.started_ms)} and",
                    "cause": f"{row.sentence} Recording goes on; what waits is sent when this is put right.",
                    "link": mail.link("/settings/cloud"),
                },
            )


def of_ends(kind: NoticeKind, rows: Sequence[Notice]) -> Iterator[Letter]:
    """What is over."""
    if kind == NoticeKind.CAMERA and rows:
        names = _camera_names(rows)
        cameras = [
            {
                "name": names.get(row.camera_id or 0, "A camera"),
                "since": _minute(row.ended_ms or row.started_ms),
                "length": _length((row.ended_ms or row.started_ms) - row.started_ms),
            }
            for row in rows
        ]
        yield "camera_online", {"cameras": cameras, "link": mail.link("/cameras")}
    elif kind == NoticeKind.DISK:
        for row in rows:
            machine = _machine(row)
            yield (
                "generic",
                {
                    "subject": f"The disk of {machine} takes footage again",
                    "body": f"The disk of {machine} takes footage again since {_minute(row.ended_ms or 0)}.",
                    "link": mail.link("/"),
                },
            )
    elif kind == NoticeKind.CLOUD:
        for row in rows:
            machine, since = _machine(row), _minute(row.ended_ms or 0)
            yield (
                "generic",
                {
                    "subject": f"Footage of {machine} goes to the cloud again",
                    "body": f"The bucket takes footage of {machine} again since {since}.",
                    "link": mail.link("/settings/cloud"),
                },
            )


def of_events(events: Sequence[Event], count: int) -> tuple[str, dict[str, Any]]:
    """A subject and the values of one mail about several events."""
    lines = [f"{_minute(event.at_ms)}: {event.text}" for event in events]
    if count > len(events):
        lines.append(f"And {count - len(events)} more, on the overview.")
    subject = "Stored footage needs a look" if count == 1 else f"Stored footage: {count} things need a look"
    return subject, {"body": "\n\n".join(lines), "link": mail.link("/")}


def _of_disk(row: Notice) -> dict[str, Any]:
    node = db.session.get(Node, row.node_id)
    state = node.storage_state if node else ""
    sentence = row.sentence if " " in row.sentence else "Footage cannot be stored."
    return {
        "machine": _machine(row),
        "sentence": f"Since {_minute(row.started_ms)}: {sentence}",
        "remedy": _REMEDIES.get(state, ""),
        "link": mail.link("/"),
    }


def _machine(row: Notice) -> str:
    node = db.session.get(Node, row.node_id) if row.node_id else None
    return node.name if node else "a machine"


def _camera_names(rows: Sequence[Notice]) -> dict[int, str]:
    ids = [row.camera_id for row in rows]
    found = db.session.execute(select(Camera.id, Camera.name).where(Camera.id.in_(ids)))
    return dict(found.tuples().all())


def _minute(ms: int) -> str:
    local = from_ms(ms).astimezone(settings.zone())
    return f"{local:%H:%M} on {local.day} {local:%b}"


def _length(ms: int) -> str:
    minutes = round(ms / 60_000)
    if minutes < 2:
        return f"{round(ms / 1000)} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
