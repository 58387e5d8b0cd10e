"""The capture worker as tests start it: the same process, with other figures for its patience.

python -m tests.capture.program '{"poll": 0.3}' 10
"""

from __future__ import annotations

import json
import logging
import os
import sys

from cctv.capture.patience import Patience
from cctv.capture.worker import CaptureProcess
from cctv.config import Config


def main() -> None:
    """Run until a signal, as cctv.capture.worker.main does."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    patience, segment_seconds = Patience(**json.loads(sys.argv[1])), int(sys.argv[2])
    CaptureProcess(Config.from_environment(), patience=patience, segment_seconds=segment_seconds).run()
    os._exit(0)


if __name__ == "__main__":
    main()
