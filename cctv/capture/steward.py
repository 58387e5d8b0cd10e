"""Settles with the database which streams this worker captures.

The only thread that claims and renews; when the database is away it changes nothing and asks again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from cctv.capture import orphans, process
from cctv.capture.keeper import Keeper
from cctv.capture.node import CaptureNode
from cctv.capture.process import Running
from cctv.capture.reporter import Reporter
from cctv.errors import CctvError, NotFound, Unavailable
from cctv.extensions import db
from cctv.services.camera import captures, sources
from cctv.services.camera.captures import Wanted
from cctv.services.camera.sources import Source
from cctv.services.site import nodes

_log = logging.getLogger(__name__)

_ORPHANS_EVERY_S = 20.0  # reading the names of all processes is dear
_OFFERED_S = 10.0  # for a worker to take what lies in the queue


class Steward(threading.Thread):
    """The thread."""

    def __init__(self, node: CaptureNode, *, is_alone: bool) -> None:
        """`is_alone`: no other capture worker of this machine lives, so running captures may be taken over
        without asking the database."""
        super().__init__(name="steward", daemon=True)
        self.node = node
        self.node_id: int | None = None
        self.reporter = Reporter(node)
        self._is_alone = is_alone
        self._claiming = threading.RLock()
        self._is_stopping = self._is_leaving = False
        self._next_poll = self._next_renew = self._next_orphans = 0.0
        self._unwatched_since: dict[int, float] = {}
        self._offered_at: dict[int, float] = {}  # free streams that nobody has taken from the queue yet
        self._unreadable: dict[int, int] = {}  # streams whose password cannot be opened, and their revision

    # --- the thread ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Until stopped."""
        if self._is_alone and not self._has_database():
            self._adopt_from_disk()
        while not self._is_stopping:
            self.node.has_reports.wait(min(1.0, self.node.patience.poll))
            try:
                with self._session():
                    self._work(time.monotonic())
            except (SQLAlchemyError, OSError, CctvError) as error:
                _log.warning("the database does not answer: %s", str(error).partition("\n")[0][:200])
                time.sleep(1.0)
            except Exception:  # nothing may end the renewing of rows
                _log.exception("the steward failed")
                time.sleep(1.0)

    def _work(self, now: float) -> None:
        with self._claiming:
            if self._is_stopping:
                return  # the rows are given back; a sign of life would take that back
            if self.node_id is None:
                self.node_id = nodes.this_node().id
            if now >= self._next_renew:  # before all else: nothing may cost the rows
                self._next_renew = now + self.node.patience.renew
                self._renew()
            self.reporter.tell_stuck_disk()
            self.reporter.write()
            if now >= self._next_poll and not self._is_leaving:
                self._next_poll = now + self.node.patience.poll
                self._poll(now)

    @contextmanager
    def _session(self) -> Iterator[None]:
        with self.node.app.app_context():
            try:
                yield
            finally:
                db.session.remove()

    def _has_database(self) -> bool:
        try:
            with self._session():
                self.node_id = nodes.this_node().id
        except (SQLAlchemyError, OSError):
            return False
        return True

    # --- ownership -----------------------------------------------------------------------------------

    def _renew(self) -> None:
        assert self.node_id is not None
        held = {stream_id: keeper.fence for stream_id, keeper in self.node.held().items() if keeper.fence}
        lost = captures.renew(
            held, node_id=self.node_id, worker=self.node.worker, storage=self.node.volume.columns()
        )
        for stream_id in lost:
            _log.warning("stream %d: somebody else captures it now", stream_id)
            self._leave(stream_id, state=None)

    def _leave(self, stream_id: int, *, state: str | None, cause: str | None = None) -> None:
        keeper = self.node.find(stream_id)
        if keeper is not None:
            self.node.rounds.order(self._leave_now, keeper, state, cause)

    @staticmethod
    def _leave_now(keeper: Keeper, state: str | None, cause: str | None) -> None:
        keeper.leave(time.monotonic(), state=state, cause=cause)

    def ensure(self, stream_id: int) -> Keeper | None:
        """The keeper of a stream that is, or now becomes, ours; None when somebody else has it.

        SQLAlchemyError when the database does not answer.
        """
        with self._claiming, self._session():
            if self.node_id is None:
                self.node_id = nodes.this_node().id
            return self._claim(stream_id)

    def _claim(self, stream_id: int, running: Running | None = None) -> Keeper | None:
        keeper = self.node.find(stream_id)
        if self._is_leaving or (keeper is not None and keeper.is_leaving):
            return None
        if keeper is not None and keeper.fence:
            return keeper
        assert self.node_id is not None
        if self._is_over_limit(stream_id):
            captures.set_state(stream_id, "offline", "limit")
            return None
        won = captures.claim(
            stream_id, node_id=self.node_id, worker=self.node.worker, is_alive=process.is_alive
        )
        if won is None:
            if keeper is not None:
                self._leave(stream_id, state=None)
            return None
        source = self._load(stream_id)
        if source is None:
            return None
        if keeper is not None:
            self.node.rounds.order(self._confirm, keeper, source, won)
            return keeper
        if running is None:
            running = orphans.newest_of(self.node.place, stream_id)
        if running is not None and orphans.is_outdated(self.node.place, running, source):
            orphans.end(self.node.place, running)
            running = None
        keeper = self.node.keep(source, fence=won.fence, ordinal=won.ordinal, running=running)
        self._await(stream_id)
        return keeper

    def _load(self, stream_id: int) -> Source | None:
        """The source; None, and told, when there is none any more or its password cannot be opened."""
        try:
            source = sources.load(stream_id)
        except NotFound:
            return None
        except Unavailable as problem:
            db.session.rollback()
            captures.set_state(stream_id, "refused", "sealed", str(problem))
            self._unreadable[stream_id] = captures.revision_of(stream_id)
            return None
        self._unreadable.pop(stream_id, None)
        return source

    def _is_over_limit(self, stream_id: int) -> bool:
        """Transcoding is dear: a node makes only so many derived streams at a time."""
        if not captures.is_derived(stream_id):
            return False
        held = self.node.held().values()
        return sum(keeper.source.is_derived for keeper in held) >= sources.transcode_limit()

    @staticmethod
    def _confirm(keeper: Keeper, source: Source, won: captures.Claim) -> None:
        is_changed = keeper.attempt is not None and keeper.attempt.run.revision != source.revision
        keeper.confirm(source, fence=won.fence, ordinal=won.ordinal)
        if is_changed:
            keeper.change(source, time.monotonic())

    def _await(self, stream_id: int) -> None:
        """The keeper is entered in another thread; go on when it can be found."""
        deadline = time.monotonic() + 2.0
        while self.node.find(stream_id) is None and time.monotonic() < deadline:
            time.sleep(0.002)

    # --- what is wanted ------------------------------------------------------------------------------

    def _poll(self, now: float) -> None:
        assert self.node_id is not None
        rows = {row.stream_id: row for row in captures.wanted_streams(self.node_id)}
        db.session.commit()
        self._settle_held(rows, now)
        self._take_free(rows, now)
        if now >= self._next_orphans:
            self._next_orphans = now + _ORPHANS_EVERY_S
            self._look_for_orphans(rows)

    def _settle_held(self, rows: dict[int, Wanted], now: float) -> None:
        held = self.node.held()
        idle = self._idle_on_demand([rows[key] for key in held if key in rows], now)
        for stream_id, keeper in held.items():
            row = rows.get(stream_id)
            if row is None:
                self._leave(stream_id, state="off", cause="disabled")
            elif stream_id in idle:
                self._leave(stream_id, state="off")
            elif not keeper.fence:
                self._claim(stream_id)
            elif row.revision != keeper.source.revision and not keeper.is_leaving:
                source = self._load(stream_id)
                if source is None:
                    self._leave(stream_id, state="refused", cause="sealed")
                else:
                    self.node.rounds.order(self._change, keeper, source)

    @staticmethod
    def _change(keeper: Keeper, source: Source) -> None:
        keeper.change(source, time.monotonic())

    def _idle_on_demand(self, rows: list[Wanted], now: float) -> set[int]:
        on_demand = [row.stream_id for row in rows if row.is_on_demand]
        watched = captures.watched(on_demand)
        if watched is None:
            return set()  # Redis is away: nobody can say so, and nobody can watch a new one
        for stream_id in on_demand:
            if stream_id in watched:
                self._unwatched_since.pop(stream_id, None)
            else:
                self._unwatched_since.setdefault(stream_id, now)
        idle_s = self.node.patience.on_demand_idle
        return {key for key in on_demand if now - self._unwatched_since.get(key, now) >= idle_s}

    def _take_free(self, rows: dict[int, Wanted], now: float) -> None:
        """What a dead worker of this machine left is taken at once; the rest is offered to the queue.

        A stream that the queue does not bring to anybody is taken after a while: a queue that takes jobs and
        gives none (suspended by hand, a loop that fails) must not cost footage.
        """
        assert self.node_id is not None
        is_offered = False
        for row in rows.values():
            if row.is_on_demand or self.node.find(row.stream_id):
                self._offered_at.pop(row.stream_id, None)
                continue
            if self._unreadable.get(row.stream_id) == row.revision:
                continue
            is_ours = row.owner_node_id == self.node_id and (
                row.owner_worker == self.node.worker or not process.is_alive(row.owner_worker or "")
            )
            if is_ours:
                self._claim(row.stream_id)
            elif row.is_free(node_id=self.node_id):
                is_offered = is_offered or captures.dispatch() is not None
                offered_at = self._offered_at.setdefault(row.stream_id, now)
                if not is_offered or now - offered_at > _OFFERED_S:
                    self._claim(row.stream_id)
            else:
                self._offered_at.pop(row.stream_id, None)

    # --- processes without a keeper ------------------------------------------------------------------

    def _adopt_from_disk(self) -> None:
        """Without the database: go on with what runs; its rows are won when the database is back."""
        for source, ordinal, running in orphans.adoptable(self.node.place):
            self.node.keep(source, fence=0, ordinal=ordinal, running=running)

    def _look_for_orphans(self, rows: dict[int, Wanted]) -> None:
        def is_another_workers(stream_id: int) -> bool:
            row = rows.get(stream_id)
            return (
                row is not None
                and row.owner_node_id == self.node_id
                and process.is_alive(row.owner_worker or "")
            )

        orphans.end_strays(self.node.place, self.node.find, is_another_workers)

    # --- leaving -------------------------------------------------------------------------------------

    def give_back(self, stream_id: int) -> None:
        """End a capture here and offer its stream to any worker."""
        keeper = self.node.find(stream_id)
        if keeper is None:
            return

        def release() -> None:
            with self._claiming, self._session():
                if self.node_id is not None:
                    captures.release([stream_id], node_id=self.node_id, worker=self.node.worker)

        def leave() -> None:
            keeper.on_over.append(lambda: threading.Thread(target=release, daemon=True).start())
            keeper.leave(time.monotonic(), state="connecting")

        self.node.rounds.order(leave)

    def stop_claiming(self) -> None:
        """No more streams; what is held is still renewed and reported."""
        self._is_leaving = True

    def finish(self, *, reserve: bool) -> None:
        """The last words: reports, and the rows given back or kept for this machine's next worker."""
        self._is_stopping = True
        with self._claiming, self._session():
            try:
                self.reporter.write()
                hand = captures.reserve if reserve else captures.release
                if self.node_id is not None:
                    hand(None, node_id=self.node_id, worker=self.node.worker)
                    # Nobody captures here now: health must not go on showing this worker's last sign.
                    captures.beat(self.node_id, seen_ms=0)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("the database does not answer: %s", str(error).partition("\n")[0][:200])
