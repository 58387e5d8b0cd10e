"""The captures of this machine: keepers in their rounds, starters, indexer, syncer and volume, put together.

Works without database and Redis; who owns what is settled in steward.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from cctv.capture import attempt as attempts
from cctv.capture import derived, heard, process
from cctv.capture.attempt import Attempt, CannotStart, Place
from cctv.capture.housekeeper import Housekeeper
from cctv.capture.indexer import Indexer
from cctv.capture.keeper import Keeper, Phase
from cctv.capture.patience import Patience
from cctv.capture.rounds import Rounds
from cctv.capture.syncer import Syncer
from cctv.capture.volume import Volume
from cctv.clock import now_ms
from cctv.config import Config
from cctv.media.signpost import Signpost
from cctv.services.camera import captures, sources
from cctv.services.camera.sources import Source
from cctv.services.site import nodes
from cctv.storage import paths
from cctv.storage.measure import MeasuredSegment
from cctv.storage.runfile import RunFile

_log = logging.getLogger(__name__)

_ASKERS = 8  # as above; each waits for a camera that may say nothing
_STARTERS = 12  # threads: a name service that hangs for one camera must not hold up the others


class CaptureNode:
    """All captures of one process. Public methods may be called from any thread."""

    def __init__(
        self, app: Flask, config: Config, *, patience: Patience | None = None, segment_seconds: int = 60
    ) -> None:
        self.app = app
        self.patience = patience or Patience()
        self.worker = process.identity()
        with app.app_context():
            node_key = nodes.key()
        self.place = Place(config.media_dir, node_key, segment_seconds)
        self.reports: deque[captures.Report] = deque(maxlen=20_000)
        self.has_reports = threading.Event()
        self.volume = Volume(
            config.media_dir,
            config.data_dir,
            every_s=self.patience.storage_check,
            hung_after_s=self.patience.hung,
        )
        self.rounds = Rounds(clock_step=self.patience.clock_step, on_clock_step=self._clock_stepped)
        self.indexer = Indexer(app, config.media_dir, on_disk_error=self.volume.report)
        self.signpost = Signpost()
        self.syncer = Syncer(app, config, self.open_files)
        self.housekeeper = Housekeeper(app, trouble=self.storage_trouble, every_s=10.0)
        self._starters = ThreadPoolExecutor(_STARTERS, thread_name_prefix="start")
        self._askers = ThreadPoolExecutor(_ASKERS, thread_name_prefix="ask")
        self._next_start = 0.0
        self._start_lock = threading.Lock()

    def start(self) -> None:
        """Begin to work; keepers come later."""
        self.volume.prepare()
        for thread in (self.volume, self.rounds, self.indexer, self.syncer, self.housekeeper):
            thread.start()

    def dead_threads(self) -> list[str]:
        """Names of the threads that should live and do not; without one of them cameras are lost silently."""
        threads = (self.volume, self.rounds, self.indexer, self.syncer, self.housekeeper)
        return [thread.name for thread in threads if not thread.is_alive()]

    # --- keepers -------------------------------------------------------------------------------------

    def keep(
        self, source: Source, *, fence: int, ordinal: int, running: process.Running | None = None
    ) -> Keeper:
        """Keep a stream captured from now on; `running` is its ffmpeg of an earlier worker."""
        keeper = Keeper(source, self, fence=fence, ordinal=ordinal)
        self.rounds.order(self._take_in, keeper, running)
        return keeper

    def _take_in(self, keeper: Keeper, running: process.Running | None) -> None:
        self.rounds.keepers[keeper.source.stream_id] = keeper
        attempt = attempts.adopt(self.place, running) if running else None
        if attempt is None:
            return
        _log.info("stream %d: goes on in run %s", keeper.source.stream_id, attempt.run.run)
        keeper.adopt(attempt, time.monotonic())
        numbers = paths.list_segments(self.place.media_dir, attempt.run.camera_id, attempt.run.run)
        for number in numbers[:-1][-1000:]:
            self.indexer.put_unmeasured(attempt.run, number)

    def find(self, stream_id: int) -> Keeper | None:
        """The keeper of a stream."""
        return self.rounds.keepers.get(stream_id)

    def held(self) -> dict[int, Keeper]:
        """Keepers by stream, as they are now."""
        return dict(self.rounds.keepers)

    def leave_all(self, *, state: str | None, cause: str | None, requeue: bool, timeout: float) -> bool:
        """End every capture; False when some did not end in time."""
        keepers = list(self.held().values())

        def leave() -> None:
            for keeper in keepers:
                keeper.leave(time.monotonic(), state=state, cause=cause, requeue=requeue)

        self.rounds.order(leave)
        return _wait(lambda: not self.rounds.keepers, timeout)

    def detach_all(self, timeout: float) -> bool:
        """Leave every ffmpeg running for the next worker; derived ones end with us."""
        is_done = threading.Event()

        def detach() -> None:
            for keeper in list(self.rounds.keepers.values()):
                if keeper.source.is_derived:
                    keeper.leave(time.monotonic(), state="off")
                else:
                    keeper.detach()
            is_done.set()

        _wait(lambda: all(keeper.phase != Phase.STARTING for keeper in self.held().values()), timeout)
        self.rounds.order(detach)
        return is_done.wait(timeout)

    def open_files(self) -> list[tuple[int, Path]]:
        """(camera, path) of each file that grows now, of main streams."""
        found = []
        for keeper in self.held().values():
            content = keeper.content
            if content is None or content.growing.number is None or keeper.source.kind != "main":
                continue
            name = paths.segment_name(content.growing.number)
            found.append((keeper.source.camera_id, content.growing.directory / name))
        return found

    def _clock_stepped(self) -> None:
        _log.warning("the clock of this machine stepped: every capture begins a new run")
        for keeper in self.rounds.keepers.values():
            keeper.end("clock_step", time.monotonic())

    # --- what keepers need (keeper.Outside) ----------------------------------------------------------

    def begin(self, keeper: Keeper) -> None:
        """Make an attempt in a starter's thread."""
        knocks = keeper.voice.cause in ("refused", "noroute")
        self._starters.submit(self._start, keeper, keeper.source, keeper.ordinal, keeper.fence, knocks)

    def _start(self, keeper: Keeper, source: Source, ordinal: int, fence: int, knocks: bool) -> None:
        self._wait_for_turn()
        if keeper.is_leaving:  # while it waited: an ffmpeg begun now would outlive a worker that stops
            self.rounds.order(self._could_not, keeper, CannotStart("starting"))
            return
        try:
            with self.app.app_context():
                attempt = self._make(source, ordinal, fence, knocks=knocks)
        except CannotStart as problem:
            self.rounds.order(self._could_not, keeper, problem)
        except Exception as error:  # the keeper must hear of it, or it waits for ever
            _log.exception("stream %d: the attempt failed", source.stream_id)
            self.rounds.order(self._could_not, keeper, CannotStart("unknown", type(error).__name__))
        else:
            self.rounds.order(self._began, keeper, attempt)

    def _make(self, source: Source, ordinal: int, fence: int, *, knocks: bool) -> Attempt:
        if not self.volume.is_there():
            raise CannotStart("volume_missing", "the marker of the footage disk is not there")
        if source.is_derived:
            return derived.start(self.place, source, ordinal=ordinal, fence=fence)
        return attempts.start(
            self.place,
            source,
            sources.networks(source),
            signpost=self.signpost,
            ordinal=ordinal,
            fence=fence,
            knocks=knocks,
        )

    def ask(self, keeper: Keeper, attempt: Attempt) -> None:
        """Ask the camera for a sign of life in an asker's thread."""
        self._askers.submit(self._ask, keeper, attempt, keeper.source)

    def _ask(self, keeper: Keeper, attempt: Attempt, source: Source) -> None:
        assert source.url is not None
        try:
            with self.app.app_context():
                address = attempts.checked(source.url, sources.networks(source))
        except CannotStart:
            return
        if keeper.attempt is attempt and heard.answers(address):
            self.rounds.order(self._answers_others, keeper, attempt)

    @staticmethod
    def _answers_others(keeper: Keeper, attempt: Attempt) -> None:
        keeper.answers_others(attempt, time.monotonic())

    @staticmethod
    def _began(keeper: Keeper, attempt: Attempt) -> None:
        keeper.began(attempt, time.monotonic())

    @staticmethod
    def _could_not(keeper: Keeper, problem: CannotStart) -> None:
        keeper.could_not(problem, time.monotonic())

    def _wait_for_turn(self) -> None:
        with self._start_lock:
            now = time.monotonic()
            turn = max(now, self._next_start)
            self._next_start = turn + 1 / self.patience.starts_per_second
        time.sleep(turn - now)

    def tell(self, keeper: Keeper, state: str | None, cause: str | None, detail: str, at_ms: int) -> None:
        """A keeper's state, for the database."""
        _log.info("stream %d: %s %s", keeper.source.stream_id, state, cause or "")
        self._report(keeper, at_ms, state=state, cause=cause, detail=detail or None)

    def learn(self, keeper: Keeper, **facts: object) -> None:
        """What a keeper learnt, for the database."""
        self._report(keeper, now_ms(), facts=facts)

    def run_ended(self, keeper: Keeper, run: RunFile) -> None:
        """The end of a run and its cause, for the database."""
        self._report(keeper, now_ms(), ended_run=(run.run, run.ended_cause))

    def _report(self, keeper: Keeper, at_ms: int, **what: Any) -> None:
        report = captures.Report(keeper.source.stream_id, keeper.fence, at_ms)
        self.reports.append(report._replace(**what))
        self.has_reports.set()

    def closed(self, keeper: Keeper, run: RunFile, files: list[MeasuredSegment]) -> None:
        """Finished files, for the index."""
        for measured in files:
            self.indexer.put(replace(run, fence=keeper.fence), measured)

    def storage_trouble(self) -> str | None:
        """Cause for which nothing may be written now."""
        return self.volume.trouble

    def follow(self, keeper: Keeper, attempt: Attempt) -> None:
        """Hear the end of its process."""
        self.rounds.follow(keeper, attempt)

    def over(self, keeper: Keeper) -> None:
        """A keeper is done."""
        if self.rounds.keepers.get(keeper.source.stream_id) is keeper:
            del self.rounds.keepers[keeper.source.stream_id]

    def wall_ms(self) -> int:
        """Epoch milliseconds now."""
        return now_ms()


def _wait(is_done: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
