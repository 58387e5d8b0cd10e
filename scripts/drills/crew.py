"""The supervisor of `scripts/run` with the parts that a drill needs, as a process of its own.

python -m scripts.drills.crew '{"parts": ["web"], "port": 8000, "patience": {}, "segment_seconds": 5}'
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.stack import parts
from scripts.stack.part import Plan
from scripts.stack.supervisor import Supervisor


def main() -> int:
    """Run the parts until TERM, as `scripts/run` does."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    supervisor = Supervisor(Path(os.environ["DATA_DIR"]), os.environ)
    supervisor.listen_to_signals()
    supervisor.start(_plans(order))
    try:
        supervisor.run(lambda: None)
    finally:
        supervisor.stop()
    return 0


def _plans(order: dict[str, Any]) -> list[Plan]:
    plans = [parts.web("127.0.0.1", order["port"]), *parts.workers()]
    return [_fitted(plan, order) for plan in plans if plan.name in order["parts"]]


def _fitted(plan: Plan, order: dict[str, Any]) -> Plan:
    """The capture worker with the drill's figures; everything at once, because nobody waits for the pages."""
    plan = replace(plan, start_after_seconds=0.0)
    if plan.name != "capture":
        return plan
    figures = (json.dumps(order["patience"]), str(order["segment_seconds"]))
    return replace(plan, argv=(sys.executable, "-m", "tests.capture.program", *figures))


if __name__ == "__main__":
    sys.exit(main())
