"""Opens a stream for watching: which one it is, that it runs while somebody watches, and why it does not.

Reads rows at most every few seconds; the bytes are found by the room `live`, never here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import select

from cctv import causes, config
from cctv.clock import now_ms
from cctv.errors import NotFound, Unavailable
from cctv.extensions import db
from cctv.live.recent import Recent
from cctv.live.tail import tails
from cctv.live.watch import Renewals
from cctv.live.window import complete_cells, is_stale
from cctv.models import Camera, Stream, StreamState
from cctv.services.camera import captures

_FACTS_SECONDS = 3.0  # a camera that was turned off is refused after this
_STARTING_SECONDS = 10.0  # patience with a stream that starts because of this viewer
_LOOK_SECONDS = 0.5  # between looks whether a stream that should start was refused
_THINK_SECONDS = 3.0
_TROUBLED_SECONDS = 1.0  # patience with one that is known to be away

_renewals = Renewals()


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """What must be known of a stream to serve its bytes."""

    stream_id: int
    camera_id: int
    kind: str
    is_on_demand: bool
    is_enabled: bool
    state: str
    cause: str | None
    state_since_ms: int
    width: int | None
    height: int | None
    bitrate_kbps: int | None

    @property
    def patience_seconds(self) -> float:
        """How long a viewer may be kept waiting for the first picture."""
        is_starting = self.is_on_demand or self.state == StreamState.CONNECTING
        is_troubled = self.state in {StreamState.OFFLINE, StreamState.REFUSED, StreamState.STORAGE}
        return _TROUBLED_SECONDS if is_troubled and not is_starting else _STARTING_SECONDS

    def away(self) -> Unavailable:
        """Why there is no picture, as an error with a sentence."""
        if not self.is_enabled:
            return Unavailable("This camera is turned off.")
        if not self.cause:
            return Unavailable("There is no live picture now. Trying again.")
        limit = config.current().transcode_limit
        headline, body = causes.get(self.cause).told(pictures=f"{limit} picture{'' if limit == 1 else 's'}")
        return Unavailable(f"{headline}. {body}" if self.is_over_limit else f"{headline}.")

    @property
    def is_over_limit(self) -> bool:
        """Whether the capture worker refused to convert one more."""
        return self.is_on_demand and self.cause == "limit"


def open_stream(camera_id: int, kind: str) -> tuple[WatchedStream, Recent]:
    """The stream and its newest seconds; one that runs on demand is started and kept running.

    Raises:
        NotFound: the camera has no such stream.
        Unavailable: it is turned off.
    """
    stream = _facts.get(camera_id, kind)
    if not stream.is_enabled:
        raise stream.away()
    keep_running(stream)
    return stream, tails.stream(config.current().media_dir, camera_id, stream.stream_id)


def keep_running(stream: WatchedStream) -> None:
    """Say that somebody watches; call it at least every 10 s, it does nothing when that is too often."""
    if stream.is_on_demand and _renewals.is_due(stream.stream_id):
        try:
            captures.start_on_demand(stream.stream_id)
        finally:
            db.session.remove()


def wait_for_picture(stream: WatchedStream, recent: Recent) -> None:
    """Return when there is a complete second of the present.

    Raises:
        Unavailable: there is none within the patience; the sentence says why.
    """

    def is_live() -> bool:
        return bool(complete_cells(recent)) and not is_stale(recent)

    recent.refresh()
    if not is_live():
        wait_patiently(stream, lambda seconds: tails.wait(recent, is_live, timeout_seconds=seconds))


def wait_patiently(stream: WatchedStream, wait: Callable[[float], bool]) -> None:
    """Call `wait(seconds)` until it says that there is a picture. A refusal to convert ends it at once.

    Raises:
        Unavailable: there is none within the patience; the sentence says why, as of now.
    """
    began, began_ms = time.monotonic(), now_ms()
    while True:
        waited = time.monotonic() - began
        left = max(0.0, stream.patience_seconds - waited)
        if wait(min(left, _LOOK_SECONDS) if stream.is_on_demand else left):
            return
        told = _read(stream.camera_id, stream.kind)
        # An old refusal is believed only when the worker had the time to think again.
        is_news = told.state_since_ms >= began_ms or waited > _THINK_SECONDS
        if not left or not stream.is_on_demand or (told.is_over_limit and is_news):
            raise told.away()


class _Facts:
    """Rows of the last seconds: parts come at five a second and viewer."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, str], tuple[float, WatchedStream]] = {}
        self._lock = Lock()

    def get(self, camera_id: int, kind: str) -> WatchedStream:
        key = (str(config.current().data_dir), camera_id, kind)
        until, stream = self._found.get(key, (0.0, None))
        if stream is not None and time.monotonic() < until:
            return stream
        stream = _read(camera_id, kind)
        with self._lock:
            if len(self._found) > 1000:
                self._found.clear()
            self._found[key] = (time.monotonic() + _FACTS_SECONDS, stream)
        return stream


_facts = _Facts()


def _read(camera_id: int, kind: str) -> WatchedStream:
    query = (
        select(Stream, Camera.is_enabled)
        .join(Camera, Camera.id == Stream.camera_id)
        .where(Stream.camera_id == camera_id, Stream.kind == kind, Camera.deleted_at.is_(None))
    )
    try:
        row = db.session.execute(query).one_or_none()
        if row is None:
            raise NotFound("This camera has no such stream.")
        stream, is_enabled = row
        return WatchedStream(
            stream_id=stream.id,
            camera_id=camera_id,
            kind=kind,
            is_on_demand=stream.is_on_demand,
            is_enabled=is_enabled,
            state=stream.state,
            cause=stream.cause,
            state_since_ms=stream.state_since_ms,
            width=stream.width,
            height=stream.height,
            bitrate_kbps=stream.bitrate_kbps,
        )
    finally:
        db.session.remove()
