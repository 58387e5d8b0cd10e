"""One file on its way into the bucket: begin or go on, send, compare what is there with what was captured.

Goes on where the bucket says that it stopped, whoever was killed; never marks a copy good on an answer alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from cctv import config, keys
from cctv.clock import now_ms, utcnow
from cctv.errors import Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import Event, Segment, TransferState
from cctv.services.bucket import transfer_rows
from cctv.services.bucket.transfer_rows import Claimed
from cctv.storage import paths, sending
from cctv.storage.bucket import Bucket
from cctv.storage.bucket_faults import BucketFault, FaultKind
from cctv.storage.sending import UNIT_BYTES, FileChanged, Piece, Session, StoredObject, Throttle

FIRST_PIECE_BYTES = 4 << 20  # until the speed of the line is known
_PIECE_SECONDS = 4.0  # how stale "43 %" may be, and how long a stop waits
_MOST_SPOILT = 3  # times that the bucket got other bytes, before a person has to look

_log = logging.getLogger(__name__)


class FileFault(Exception):
    """The local file is not what was captured; the sentence names what is wrong."""


class Pace:
    """How much to send at once: what the line takes in a few seconds. Shared by the files of one job."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self._piece = FIRST_PIECE_BYTES

    def piece_bytes(self, left: int) -> int:
        """The size of the next piece of a file of which so much is left."""
        wanted = self._piece
        if self.throttle.bytes_per_second:
            wanted = min(wanted, round(self.throttle.bytes_per_second * _PIECE_SECONDS))
        wanted = max(UNIT_BYTES, wanted // UNIT_BYTES * UNIT_BYTES)
        # A short rest would cost a request of its own.
        return left if left <= wanted + wanted // 4 else wanted

    def note(self, size: int, seconds: float) -> None:
        """So long it took."""
        if size >= UNIT_BYTES:
            self._piece = round(size / max(seconds, 0.001) * _PIECE_SECONDS)


def send(
    claimed: Claimed,
    bucket: Bucket,
    pace: Pace,
    *,
    until: float,
    on_piece: Callable[[], None] = lambda: None,
) -> bool:
    """Bring a file into the bucket; True when its copy is verified, False when the time (`until`, of
    time.monotonic) was up before or somebody decided otherwise meanwhile.

    Raises:
        FileFault: the local file is gone, or not as it was captured.
        BucketFault: the bucket could not take it now; what it has is kept for the next try.
    """
    descriptor = _open(claimed)
    try:
        crc32c = claimed.crc32c if claimed.session_sealed else None
        crc32c = crc32c or _captured(claimed, descriptor)
        try:
            stored = _Upload(claimed, bucket, pace, descriptor, crc32c).run(until, on_piece)
            return stored is not None and _settle(claimed, bucket, crc32c)
        except BucketFault as fault:
            if fault.kind != FaultKind.DIFFERS:
                raise
            raise _spoilt(claimed, bucket, descriptor, crc32c) from None
    except FileChanged:
        raise _changed(claimed, "is shorter than it was when it was recorded") from None
    finally:
        os.close(descriptor)


def cancel(bucket: Bucket, session_sealed: str, size_bytes: int) -> None:
    """Forget what a session has got so far.

    Raises:
        BucketFault: the bucket cannot be asked now.
    """
    try:
        address = keys.decrypt(session_sealed)
    except Unavailable:
        return  # it ends by itself after a week
    bucket.session(address, total_bytes=size_bytes).cancel()


class _Upload:
    """The way of one file through its session."""

    def __init__(self, claimed: Claimed, bucket: Bucket, pace: Pace, descriptor: int, crc32c: str) -> None:
        self._claimed, self._bucket, self._pace = claimed, bucket, pace
        self._descriptor, self._crc32c = descriptor, crc32c

    def run(self, until: float, on_piece: Callable[[], None]) -> StoredObject | None:
        """The object as the bucket answered at its end; None: to be gone on with later, or not at all."""
        session, reached = self._resume() or self._begin()
        while session is not None and not isinstance(reached, StoredObject):
            if time.monotonic() >= until:
                self._save(state=TransferState.PENDING, next_at=utcnow())
                return None
            reached = self._send_piece(session, reached)
            on_piece()
            if not isinstance(reached, StoredObject) and not self._save(offset_bytes=reached):
                session.cancel()
                return None
        return reached if isinstance(reached, StoredObject) else None

    def _resume(self) -> tuple[Session | None, int | StoredObject] | None:
        """The session of an earlier try and where it stands; None when there is none (any more)."""
        claimed = self._claimed
        if claimed.session_sealed is not None:
            try:
                session = self._session(keys.decrypt(claimed.session_sealed))
                return session, session.ask()
            except Unavailable:
                _log.warning("the session of transfer %d cannot be read: a new one is begun", claimed.id)
            except BucketFault as fault:
                if fault.kind != FaultKind.SESSION:
                    raise
        if claimed.session_sealed is not None or claimed.tries:
            # The end of an earlier try may have been lost on its way back to us.
            found = self._bucket.look(claimed.object_name)
            if found is not None:
                return None, found
        return None

    def _begin(self) -> tuple[Session | None, int]:
        claimed = self._claimed
        address = self._bucket.begin(claimed.object_name, size_bytes=claimed.size_bytes, crc32c=self._crc32c)
        session = self._session(address)
        sealed = keys.encrypt(address)
        if not self._save(
            session_sealed=sealed, crc32c=self._crc32c, offset_bytes=0, bucket=self._bucket.name
        ):
            session.cancel()
            return None, 0
        return session, 0

    def _send_piece(self, session: Session, offset: int) -> int | StoredObject:
        left = self._claimed.size_bytes - offset
        piece = Piece(self._descriptor, offset, self._pace.piece_bytes(left), self._pace.throttle)
        size, began = len(piece), time.monotonic()
        try:
            reached = session.send(piece, offset)
        except BucketFault as fault:
            if fault.kind != FaultKind.EXISTS:
                raise
            return self._existing()
        self._pace.note(size, time.monotonic() - began)
        return reached

    def _existing(self) -> StoredObject:
        """An object of our name is there already: our own, or else it is left alone and we take another."""
        found = self._bucket.look(self._claimed.object_name)
        if found and (found.size_bytes, found.crc32c) == (self._claimed.size_bytes, self._crc32c):
            return found
        _begin_anew(self._claimed, with_new_name=True)
        _tell("The bucket already had another object of a name that was new. It was left alone.")
        raise BucketFault(FaultKind.AWAY, "Another object of this name was in the bucket: sent again.")

    def _session(self, address: str) -> Session:
        return self._bucket.session(address, total_bytes=self._claimed.size_bytes)

    def _save(self, **values: Any) -> bool:
        return transfer_rows.change(self._claimed.id, **values)


def _spoilt(claimed: Claimed, bucket: Bucket, descriptor: int, announced: str) -> Exception:
    """What to say, and the way free for a new try, after the bucket got other bytes than were announced."""
    if _captured(claimed, descriptor) != announced:
        return _changed(claimed, "has changed while it was sent")
    _begin_anew(claimed, with_new_name=False)
    if claimed.tries + 1 >= _MOST_SPOILT:
        return FileFault(f"The bucket {bucket.name} got other bytes than were sent, {_MOST_SPOILT} times.")
    return BucketFault(FaultKind.AWAY, "The bucket got other bytes than were sent: sent again.")


def _settle(claimed: Claimed, bucket: Bucket, crc32c: str) -> bool:
    """Ask the bucket what it holds now, and mark the copy as good only if that is what was captured."""
    found = bucket.look(claimed.object_name)
    if found is None:
        _begin_anew(claimed, with_new_name=False)
        raise BucketFault(
            FaultKind.AWAY, "The object is not in the bucket although it was taken: sent again."
        )
    if (found.size_bytes, found.crc32c) != (claimed.size_bytes, crc32c):
        # Ours, under a name that nobody else knows, and worth nothing.
        bucket.delete(claimed.object_name, generation=found.generation)
        raise BucketFault(FaultKind.DIFFERS, "The stored object is not what was sent.")
    return transfer_rows.change(
        claimed.id,
        state=TransferState.VERIFIED,
        generation=found.generation,
        crc32c=crc32c,
        offset_bytes=claimed.size_bytes,
        session_sealed=None,
        bucket=bucket.name,
        cause="",
        tries=0,
        next_at=None,
        verified_at=utcnow(),
    )


def _begin_anew(claimed: Claimed, *, with_new_name: bool) -> None:
    values: dict[str, Any] = {"session_sealed": None, "offset_bytes": 0, "crc32c": None}
    if with_new_name:
        started_ms = db.session.scalar(db.select(Segment.started_ms).where(Segment.id == claimed.segment_id))
        db.session.commit()
        values["object_name"] = transfer_rows.new_name(
            claimed.camera_id, claimed.run_key, claimed.number, started_ms or now_ms()
        )
    transfer_rows.change(claimed.id, **values)


def _open(claimed: Claimed) -> int:
    try:
        return paths.open_segment(
            config.current().media_dir, claimed.camera_id, claimed.run_key, claimed.number
        )
    except FileNotFoundError:
        raise _changed(claimed, "is gone from this machine") from None
    except (OSError, ValueError) as error:
        raise _changed(claimed, f"cannot be read ({getattr(error, 'strerror', error)})") from None


def _captured(claimed: Claimed, descriptor: int) -> str:
    """CRC-32C of the file, which must be the one whose SHA-256 was taken when it was captured."""
    digest = hashlib.sha256() if claimed.sha256 else None
    try:
        crc32c = sending.fingerprint(descriptor, claimed.size_bytes, digest)
    except OSError as error:
        raise _changed(claimed, f"cannot be read ({error.strerror})") from None
    if digest is not None and digest.hexdigest() != claimed.sha256:
        raise _changed(claimed, "has changed since it was recorded")
    return crc32c


def _changed(claimed: Claimed, how: str) -> FileFault:
    return FileFault(f"The file {claimed.run_key}/{paths.segment_name(claimed.number)} {how}.")


def _tell(sentence: str) -> None:
    begin_writing()
    db.session.add(Event(at_ms=now_ms(), kind="cloud", severity="warn", text=sentence))
    db.session.commit()
