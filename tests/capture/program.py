"""The capture worker as tests start it: the same process, with other figures for its patience.

python -m tests.capture.program '{"poll": 0.3}' 10 [SECONDS BY WHICH ITS CLOCK IS AHEAD]
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time

from cctv.capture.patience import Patience
from cctv.capture.worker import CaptureProcess
from cctv.config import Config


def shift_clock(seconds: float) -> None:
    """From now on the clock of this process, as Python reads it, is ahead by so much."""
    own_time, own_time_ns = time.time, time.time_ns
    time.time = lambda: own_time() + seconds
    time.time_ns = lambda: own_time_ns() + int(seconds * 1e9)


def main() -> None:
    """Run until a signal, as cctv.capture.worker.main does."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    shift_clock(float(sys.argv[3]) if sys.argv[3:] else 0.0)
    patience, segment_seconds = Patience(**json.loads(sys.argv[1])), int(sys.argv[2])
    CaptureProcess(Config.from_environment(), patience=patience, segment_seconds=segment_seconds).run()
    os._exit(0)


if __name__ == "__main__":
    main()
