"""The process that captures: starts everything, listens to signals, and leaves in one of two ways.

TERM and INT stop the captures; USR1 leaves them running for the next worker (DECISIONS 2).
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time

from cctv import create_app
from cctv.capture.jobs import Jobs
from cctv.capture.node import CaptureNode
from cctv.capture.patience import Patience
from cctv.capture.steward import Steward
from cctv.config import Config
from cctv.services.camera import captures

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0  # between looks whether every thread lives
_STOP_SECONDS = 5.0  # for every ffmpeg to end
_LEAVE_SECONDS = 9.0  # all in all
_INDEX_SECONDS = 2.5  # for the last files to get their rows


class CaptureProcess:
    """All of it; `run` is the process's main thread."""

    def __init__(
        self, config: Config, *, patience: Patience | None = None, segment_seconds: int = 60
    ) -> None:
        self.app = create_app(config, has_pages=False)
        self.node = CaptureNode(self.app, config, patience=patience, segment_seconds=segment_seconds)
        self._lock = _lock_of(config)
        self.steward = Steward(self.node, is_alone=self._lock is not None)
        self.jobs = Jobs(config.redis_url, self.node, self.steward)
        self._signal: int | None = None
        self._asked = threading.Event()

    def start(self) -> None:
        """Begin to capture."""
        captures.attach_keepers(self)
        self.node.start()
        self.steward.start()
        self.jobs.start()

    def hold(self, stream_id: int) -> bool:
        """The body of a job: until the capture is over; True when somebody else should go on."""
        keeper = self.node.find(stream_id)
        if keeper is None:
            return False
        is_over = threading.Event()
        keeper.on_over.append(is_over.set)
        if self.node.find(stream_id) is keeper:
            is_over.wait()
        return keeper.requeue

    def run(self) -> None:
        """Until a signal asks to leave."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._on_signal)
        self.start()
        while not self._asked.wait(_LOOK_SECONDS):
            if dead := self._dead_threads():
                # Whoever watches this process starts it anew, and the next worker adopts what runs.
                _log.critical("ended by themselves: %s; the next worker goes on", ", ".join(dead))
                self._signal = signal.SIGUSR1
                break
        # A frozen database or disk must not hold the exit: what is left then, the next worker settles.
        limit = threading.Timer(_LEAVE_SECONDS, os._exit, (1,))
        limit.daemon = True
        limit.start()
        if self._signal == signal.SIGUSR1:
            self.hand_over()
        else:
            self.stop()

    def _dead_threads(self) -> list[str]:
        own = [thread.name for thread in (self.steward, self.jobs) if not thread.is_alive()]
        return own + self.node.dead_threads()

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = self._signal or number
        self._asked.set()

    def stop(self) -> None:
        """End every capture, give its last file a row, give its stream back."""
        began = time.monotonic()
        self.jobs.leave()
        self.steward.stop_claiming()
        self.node.leave_all(state="offline", cause="worker_down", requeue=True, timeout=_STOP_SECONDS)
        self.node.indexer.drain(_INDEX_SECONDS)
        self.steward.finish(reserve=False)
        self.jobs.finish(1.0)
        _log.info("stopped after %.1f s", time.monotonic() - began)

    def hand_over(self) -> None:
        """Leave every capture running, and its stream reserved for this machine."""
        self.jobs.leave()
        self.steward.stop_claiming()
        self.node.detach_all(_STOP_SECONDS)
        self.node.indexer.drain(_INDEX_SECONDS)
        self.steward.finish(reserve=True)
        _log.info("handed over")


def _lock_of(config: Config) -> int | None:
    """A lock that only the first capture worker of this DATA_DIR gets; it dies with its process."""
    descriptor = os.open(config.data_dir / "capture.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def main() -> int:
    """Run the capture worker of this machine until a signal."""
    process = CaptureProcess(Config.from_environment())
    process.run()
    logging.shutdown()
    os._exit(0)  # threads that wait for a hung disk or a frozen server must not hold the exit
