"""Why there was no footage: read from the states of that time; their silence tells our own absence.

Answers for holes that others found, thousands of a flapping camera as well; writes nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import or_, select

from cctv.extensions import db
from cctv.intervals import Interval
from cctv.models import Camera, Node, Run, StateChange, Stream, StreamKind, StreamState
from cctv.services.camera import lease
from cctv.services.camera.lease import LEASE_MS
from cctv.services.lifetime.forgetting import KEPT_MS
from cctv.services.site import nodes

# A worker that watches turns a stream without bytes frozen or offline long before; a longer hole in a stream
# that is called live means that nobody watched.
WATCHED_MS = 20_000
_SLIVER_MS = 100

_BY_STATE = {
    StreamState.FROZEN: "stall",
    StreamState.OFFLINE: "unknown",
    StreamState.REFUSED: "unknown",
    StreamState.STORAGE: "disk_error",
}


class ExplainedGap(NamedTuple):
    """[started_ms, ended_ms) without footage; `cause` is a code of causes.py, `detail` a name or sentence."""

    started_ms: int
    ended_ms: int
    cause: str
    detail: str


@dataclass(slots=True)
class _Piece:
    """A part of a hole; `cause` None: borrowed from its neighbours."""

    start: int
    end: int
    cause: str | None
    detail: str = ""


class _State(NamedTuple):
    """What was told of a stream from then to then; `ended_ms` None: it goes on."""

    started_ms: int
    ended_ms: int | None
    state: str
    cause: str | None
    detail: str | None


class _Context(NamedTuple):
    """What is known about a camera's main stream now. Times by this machine's clock."""

    stream_id: int
    camera_id: int
    switched_by: str | None
    is_enabled: bool
    renewed_ms: int
    is_here: bool  # nobody or this machine owns it
    owner_seen_ms: int


def causes_of(holes: Mapping[int, list[Interval]], *, at_ms: int) -> dict[int, list[ExplainedGap]]:
    """The holes of each camera, divided where the cause changes. At most four queries in all."""
    answer: dict[int, list[ExplainedGap]] = {camera_id: [] for camera_id in holes}
    asked = {camera_id: group for camera_id, group in holes.items() if group}
    if not asked:
        return answer
    contexts = {context.camera_id: context for context in _contexts(asked)}
    start = min(group[0][0] for group in asked.values())
    end = max(group[-1][1] for group in asked.values())
    states = _states([context.stream_id for context in contexts.values()], start, end)
    started_ms = booted_ms()
    divided = {
        camera_id: [
            _divide(hole, near, contexts[camera_id], at_ms, started_ms)
            for hole, near in _with_states(group, states[contexts[camera_id].stream_id])
        ]
        for camera_id, group in asked.items()
        if camera_id in contexts
    }
    weak = [
        contexts[camera_id].stream_id for camera_id, group in divided.items() if any(map(_is_weak, group))
    ]
    ended = _ended_causes(weak, end)
    forgotten_ms = at_ms - KEPT_MS
    for camera_id, group in divided.items():
        endings = _Endings(ended.get(contexts[camera_id].stream_id, []), forgotten_ms=forgotten_ms)
        for pieces in group:
            answer[camera_id] += _finish(pieces, endings)
    return answer


def _contexts(camera_ids: Iterable[int]) -> list[_Context]:
    query = (
        select(
            Stream.id,
            Stream.camera_id,
            Camera.switched_by,
            Camera.is_enabled,
            Stream.renewed_ms,
            Node.key,
            Node.seen_ms,
            lease.clock().label("asked_ms"),
        )
        .join(Camera, Camera.id == Stream.camera_id)
        .outerjoin(Node, Node.id == Stream.owner_node_id)
        .where(Stream.camera_id.in_(list(camera_ids)), Stream.kind == StreamKind.MAIN)
    )
    here = nodes.key()
    return [
        _Context(
            stream_id=row.id,
            camera_id=row.camera_id,
            switched_by=row.switched_by,
            is_enabled=row.is_enabled,
            renewed_ms=lease.own_ms(row.renewed_ms, row.asked_ms),
            is_here=row.key in (None, here),
            owner_seen_ms=lease.own_ms(row.seen_ms or 0, row.asked_ms),
        )
        for row in db.session.execute(query)
    ]


def _states(stream_ids: list[int], start_ms: int, end_ms: int) -> dict[int, list[_State]]:
    found: dict[int, list[_State]] = {stream_id: [] for stream_id in stream_ids}
    told = StateChange.__table__.c  # plain columns: the mapper would cost more than all the rest
    query = select(told.stream_id, told.started_ms, told.ended_ms, told.state, told.cause, told.detail).where(
        StateChange.stream_id.in_(stream_ids),
        StateChange.started_ms < end_ms,
        or_(StateChange.ended_ms.is_(None), StateChange.ended_ms > start_ms),
    )
    for stream_id, *values in db.session.execute(query.order_by(told.started_ms)).all():
        found[stream_id].append(_State(*values))
    return found


def _with_states(holes: list[Interval], states: list[_State]) -> Iterator[tuple[Interval, list[_State]]]:
    """Each hole with the states that touch it, both in order of their beginnings: one pass over both."""
    near: list[_State] = []
    following = 0
    for start, end in holes:
        near = [state for state in near if state.ended_ms is None or state.ended_ms > start]
        while following < len(states) and states[following].started_ms < end:
            state = states[following]
            if state.ended_ms is None or state.ended_ms > start:
                near.append(state)
            following += 1
        yield (start, end), near


def _divide(
    hole: Interval, states: list[_State], context: _Context, at_ms: int, booted_ms: int
) -> list[_Piece]:
    """The hole along the states of that time; what no state covers has no cause of its own."""
    start, end = hole
    silent_from = _silent_from(context, at_ms) if end >= at_ms - 1_000 else None
    watched_to = end if silent_from is None else max(start, min(end, silent_from))
    pieces: list[_Piece] = []
    cursor = start
    for change in states:
        begin = max(cursor, change.started_ms)
        stop = min(watched_to, end if change.ended_ms is None else change.ended_ms)
        if stop <= begin:
            continue
        if begin > cursor:
            pieces.append(_Piece(cursor, begin, None))
        pieces.append(_from_state(change, begin, stop, context, booted_ms))
        cursor = stop
    if cursor < watched_to:
        pieces.append(_Piece(cursor, watched_to, None))
    if watched_to < end:
        pieces.append(_Piece(watched_to, end, _absence_now(context, at_ms)))
    return pieces


def _from_state(change: _State, start: int, end: int, context: _Context, booted_ms: int) -> _Piece:
    if change.state == StreamState.OFF:
        return _Piece(start, end, change.cause or "disabled", change.detail or context.switched_by or "")
    if change.state == StreamState.LIVE:
        return _Piece(
            start, end, _absence(start, end, context, booted_ms) if end - start > WATCHED_MS else None
        )
    if change.state == StreamState.CONNECTING:
        return _Piece(start, end, None if change.cause == "starting" else change.cause)
    if change.cause == "worker_down":
        return _Piece(start, end, _absence(start, end, context, booted_ms))
    return _Piece(start, end, change.cause or _BY_STATE.get(StreamState(change.state), "unknown"))


def _silent_from(context: _Context, at_ms: int) -> int | None:
    """Since when nobody has owned the stream that should be captured, or None while somebody does."""
    if not context.is_enabled or context.renewed_ms >= at_ms - LEASE_MS:
        return None
    if context.renewed_ms == 0 and nodes.is_capturing():
        return None  # new: a worker is about to take it
    return context.renewed_ms


def _absence_now(context: _Context, at_ms: int) -> str:
    """Somebody asks, so this machine is up; another machine that is silent counts as down."""
    is_seen = context.owner_seen_ms >= at_ms - LEASE_MS
    return "worker_down" if context.is_here or is_seen else "host_down"


def _absence(start: int, end: int, context: _Context, booted_ms: int) -> str:
    """Nobody watched from start to end: because this machine was off, when it was started in that time."""
    return "host_down" if context.is_here and start < booted_ms <= end else "worker_down"


def _is_weak(pieces: list[_Piece]) -> bool:
    return all(piece.cause is None for piece in pieces)


def _ended_causes(stream_ids: list[int], until_ms: int) -> dict[int, list[tuple[int, str | None]]]:
    """(epoch_ms, ended_cause) of the runs of streams, in order: a quick restart has no other witness."""
    found: dict[int, list[tuple[int, str | None]]] = {}
    if not stream_ids:
        return found
    query = select(Run.stream_id, Run.epoch_ms, Run.ended_cause).where(
        Run.stream_id.in_(stream_ids), Run.epoch_ms < until_ms
    )
    for stream_id, epoch_ms, cause in db.session.execute(query.order_by(Run.ordinal)):
        found.setdefault(stream_id, []).append((epoch_ms, cause))
    return found


class _Endings:
    """What ended the newest run that began before a moment; `runs` are (epoch_ms, ended_cause) in order."""

    def __init__(self, runs: list[tuple[int, str | None]], *, forgotten_ms: int = 0) -> None:
        """What happened before `forgotten_ms` may be forgotten."""
        self._forgotten_ms = forgotten_ms
        in_time = sorted((epoch_ms, number) for number, (epoch_ms, _cause) in enumerate(runs))
        self._epochs = [epoch_ms for epoch_ms, _number in in_time]
        # Runs are counted, and a clock that was set back makes a later one begin earlier.
        newest = accumulate((number for _epoch, number in in_time), max)
        self._causes = [runs[number][1] for number in newest]

    def before(self, ms: int) -> str:
        at = bisect_left(self._epochs, ms)
        if at:
            return self._causes[at - 1] or "unknown"
        return "starting" if ms >= self._forgotten_ms else "forgotten"


def _finish(pieces: list[_Piece], endings: _Endings) -> list[ExplainedGap]:
    """Parts without a cause take the one before, else the one after, else what ended the run before them."""
    before = next((piece for piece in pieces if piece.cause is not None), None)
    if before is None:
        return [ExplainedGap(pieces[0].start, pieces[-1].end, endings.before(pieces[0].start), "")]
    result: list[ExplainedGap] = []
    for piece in pieces:
        if piece.cause is not None and (piece.end - piece.start >= _SLIVER_MS or not result):
            before = piece
        gap = ExplainedGap(piece.start, piece.end, before.cause or "unknown", before.detail[:300])
        if result and result[-1][2:] == gap[2:]:
            gap = ExplainedGap(result.pop().started_ms, *gap[1:])
        result.append(gap)
    return result


def booted_ms() -> int:
    """When this machine started, epoch milliseconds (proc(5), btime); 0 where that is not told."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1000 for line in lines if line.startswith("btime ")), 0)
