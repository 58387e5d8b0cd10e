"""The work of transfers on one node: a slice of a few seconds, in which files go up and old objects go away.

One process of a node at a time; whatever is killed, the next slice goes on from rows and the bucket's word.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from redis.exceptions import RedisError
from sqlalchemy import exists, select

from cctv import config, queue
from cctv.clock import now_ms, utcnow
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Event, Node, Transfer, TransferState
from cctv.services.bucket import cloud, transfer_rows, uploads
from cctv.services.bucket.transfer_rows import Claimed, Removal
from cctv.services.bucket.uploads import FileFault, Pace
from cctv.services.site import nodes, settings
from cctv.storage import bucket_faults
from cctv.storage.bucket_faults import BucketFault, FaultKind
from cctv.storage.sending import Throttle

SLICE_SECONDS = 15.0  # then other jobs of this disk get their turn
_TURN_SECONDS = 45  # so long a node's turn lasts without a sign of life
_BITS = 8

_log = logging.getLogger(__name__)


def dispatch() -> None:
    """Give each node that has something to do its turn; call it after a commit. Never raises."""
    if cloud.access() is None:
        return
    for node in nodes.list_nodes():
        if _has_work(node):
            _give_turn(node)
    db.session.commit()


def run(node_id: int, turn: str) -> None:
    """The job: one slice of work, then the next turn if there is more. One whose turn is over ends."""
    node = nodes.get_node(node_id)
    if not _holds_turn(node, turn):
        return
    work_on(node_id, seconds=SLICE_SECONDS, on_piece=lambda: _keep_turn(node, turn))
    _end_turn(node)
    if _has_work(node):
        _give_turn(node)


def work_on(node_id: int, *, seconds: float, on_piece: Callable[[], None] = lambda: None) -> int:
    """Transfer and remove what is due on this node, for about so long; how many files were finished."""
    if cloud.access() is None:
        return 0
    with _alone() as is_alone:
        if not is_alone:
            return 0
        transfer_rows.give_back_stale(node_id)
        limit = int(settings.get("cloud_limit_mbit")) * 1_000_000 // _BITS
        pace = Pace(Throttle(limit))
        until = time.monotonic() + seconds
        finished = 0
        while time.monotonic() < until and not cloud.is_paused(node_id):
            done = _one_step(node_id, pace, until, on_piece)
            if done is None:
                break
            finished += done
        return finished


def _one_step(node_id: int, pace: Pace, until: float, on_piece: Callable[[], None]) -> bool | None:
    """True: something was finished. None: nothing is due."""
    removal = transfer_rows.next_removal(node_id)
    if removal is not None:
        return _remove(node_id, removal)
    claimed = transfer_rows.claim(node_id, at_ms=now_ms())
    if claimed is None:
        return None
    return _send(node_id, claimed, pace, until, on_piece)


def _send(node_id: int, claimed: Claimed, pace: Pace, until: float, on_piece: Callable[[], None]) -> bool:
    # What was begun goes on in its bucket; the rest goes into the one that is set now.
    bucket = cloud.open_bucket(claimed.bucket if claimed.session_sealed else None)
    try:
        is_done = uploads.send(claimed, bucket, pace, until=until, on_piece=on_piece)
    except FileFault as fault:
        _fail(claimed, str(fault))
        return True
    except BucketFault as fault:
        _wait(node_id, claimed.id, claimed.tries, fault, only=TransferState.UPLOADING)
        return False
    cloud.note_success(node_id)
    return is_done


def _fail(claimed: Claimed, sentence: str) -> None:
    """A person has to look: nothing of it is tried again by itself, and nothing of it counts."""
    transfer_rows.change(
        claimed.id,
        state=TransferState.FAILED,
        cause=sentence[:300],
        next_at=None,
        session_sealed=None,
        offset_bytes=0,
        crc32c=None,
    )
    camera = db.session.get(Camera, claimed.camera_id)
    name = camera.name if camera else "A camera"
    begin_writing()
    text = f"{name}: footage could not be copied to the cloud. {sentence}"
    db.session.add(
        Event(at_ms=now_ms(), kind="cloud", severity="warn", camera_id=claimed.camera_id, text=text)
    )
    db.session.commit()


def _remove(node_id: int, removal: Removal) -> bool:
    """Take an object out of the bucket, unless its footage is held after all."""
    if removal.segment_id is not None and transfer_rows.is_held(removal.segment_id):
        transfer_rows.change(removal.id, only=TransferState.REMOVING, state=TransferState.VERIFIED)
        return True
    try:
        bucket = cloud.open_bucket(removal.bucket or None)
        if removal.session_sealed is not None:
            uploads.cancel(bucket, removal.session_sealed, removal.size_bytes)
        bucket.delete(removal.object_name, generation=removal.generation)
    except BucketFault as fault:
        _wait(node_id, removal.id, removal.tries, fault, only=TransferState.REMOVING)
        return False
    transfer_rows.forget(removal.id)
    cloud.note_success(node_id)
    return True


def _wait(node_id: int, transfer_id: int, tries: int, fault: BucketFault, *, only: TransferState) -> None:
    """Put a transfer aside for its next try, and the bucket itself when it is not the file's fault."""
    is_refused = fault.kind in (FaultKind.REFUSED, FaultKind.CLOCK)
    tries += not is_refused  # nothing is wrong with this file
    pause_s = 0.0 if is_refused else bucket_faults.pause_s(tries, fault.retry_after_s)
    transfer_rows.change(
        transfer_id,
        only=only,
        state=TransferState.PENDING if only == TransferState.UPLOADING else only,
        next_at=utcnow() + timedelta(seconds=pause_s),
        tries=tries,
        cause=fault.sentence[:300],
    )
    cloud.note_fault(node_id, fault)
    _log.warning("transfer %d waits: %s", transfer_id, fault.sentence)


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process of this machine transfers now. The kernel ends the lock with the process."""
    path = config.current().data_dir / "transfers.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _has_work(node: Node) -> bool:
    if cloud.is_paused(node.id):
        return False
    now = utcnow()
    waiting = [Transfer.state == TransferState.PENDING, Transfer.next_at <= now]
    if not cloud.is_open_at(now_ms()):
        waiting.append(Transfer.priority == transfer_rows.ASKED)
    of_node = Transfer.node_id == node.id
    removing = [Transfer.state == TransferState.REMOVING, Transfer.next_at <= now]
    stale = [Transfer.state == TransferState.UPLOADING]
    looks = [exists().where(of_node, *which) for which in (waiting, removing, stale)]
    found = any(bool(db.session.scalar(select(look))) for look in looks)
    db.session.commit()
    return found


# A node's turn is a key in Redis: while it is there no second job is queued, and a job that waited so long
# that a newer one took its place does nothing. So turns neither pile up nor get lost with Redis.


def _turn_key(node: Node) -> str:
    return f"cctv:transfers:{node.key}"


def _give_turn(node: Node) -> None:
    turn = secrets.token_hex(8)
    try:
        if not queue.redis_connection().set(_turn_key(node), turn, nx=True, ex=_TURN_SECONDS):
            return
    except (RedisError, OSError):
        return  # the next tick asks again
    queue.enqueue(queue.media(node.key), "cctv.jobs.transfers.run", node.id, turn)


def _holds_turn(node: Node, turn: str) -> bool:
    try:
        held = queue.redis_connection().get(_turn_key(node))
    except (RedisError, OSError):
        return True
    if held is not None and held != turn.encode():
        return False
    _keep_turn(node, turn)
    return True


def _keep_turn(node: Node, turn: str) -> None:
    try:
        queue.redis_connection().set(_turn_key(node), turn, ex=_TURN_SECONDS)
    except (RedisError, OSError):
        pass


def _end_turn(node: Node) -> None:
    try:
        queue.redis_connection().delete(_turn_key(node))
    except (RedisError, OSError):
        pass
