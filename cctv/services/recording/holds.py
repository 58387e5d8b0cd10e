"""Which times of a camera's footage are held: nothing that a locked recording touches may go (DECISIONS 21).

Reads recordings only; who may lock is decided elsewhere, and so is what goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, or_, select

from cctv.extensions import db
from cctv.intervals import Interval, overlaps, union
from cctv.models import Recording, RecordingKind
from cctv.services.footage.finding import LONGEST_FILE_MS
from cctv.services.recording.wanted import FOREVER_MS


class Piece(Protocol):
    """A file, as far as this matters."""

    @property
    def camera_id(self) -> int: ...
    @property
    def started_ms(self) -> int: ...
    @property
    def ended_ms(self) -> int: ...


AnyPiece = TypeVar("AnyPiece", bound=Piece)


def intervals(
    camera_ids: Iterable[int], start_ms: int, end_ms: int, *, spares_manual: bool = False
) -> dict[int, list[Interval]]:
    """Camera id -> the times in [start_ms, end_ms) that locked recordings hold.

    With `spares_manual` also those of recordings that somebody started.
    """
    which: ColumnElement[bool] = Recording.locked_by.is_not(None)
    if spares_manual:
        which = or_(which, Recording.kind == RecordingKind.MANUAL)
    query = select(Recording.camera_id, Recording.started_ms, Recording.ended_ms).where(
        which,
        Recording.camera_id.in_(list(camera_ids)),
        Recording.started_ms < end_ms,
        or_(Recording.ended_ms.is_(None), Recording.ended_ms > start_ms),
    )
    held: dict[int, list[Interval]] = {}
    for camera_id, started, ended in db.session.execute(query):
        held.setdefault(camera_id, []).append((started, FOREVER_MS if ended is None else ended))
    return held


def merged(held: Iterable[Interval]) -> list[Interval]:
    """Held times in order; those that are less than a file apart become one, so that no file counts twice."""
    return union(held, join_ms=LONGEST_FILE_MS)


def unheld(pieces: Sequence[AnyPiece], *, spares_manual: bool = False) -> list[AnyPiece]:
    """Those of the files that no held time touches, in the same order."""
    if not pieces:
        return []
    start = min(piece.started_ms for piece in pieces)
    end = max(piece.ended_ms for piece in pieces)
    held = intervals({piece.camera_id for piece in pieces}, start, end, spares_manual=spares_manual)
    return [
        piece
        for piece in pieces
        if not overlaps(held.get(piece.camera_id, []), piece.started_ms, piece.ended_ms)
    ]
