"""The door of the background processes: captures, jobs of one queue, the scheduler, or all of this machine.

Picks a role and starts it; what a role does is in `cctv`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one role until TERM."""
    parser = argparse.ArgumentParser(prog="worker.py", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("capture", help="captures the cameras of this machine")
    jobs = roles.add_parser("jobs", help="runs the jobs of one queue")
    jobs.add_argument("queue", help="high, default, mail; media or activity (this machine's own disk)")
    roles.add_parser("scheduler", help="enqueues the periodic jobs")
    roles.add_parser("all", help="all of these for one machine, restarted when they end")
    given = parser.parse_args(arguments)
    # Before anything of rq is imported: it would configure logging its own way.
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if given.role == "capture":
        from cctv.capture.worker import main as capture

        return capture() or 0
    if given.role == "jobs":
        from cctv.jobs.worker import work

        return work(given.queue)
    if given.role == "scheduler":
        from cctv.jobs.periodic import run_scheduler

        return run_scheduler()
    return _all()


def _all() -> int:
    from cctv.config import Config
    from scripts.stack.parts import workers
    from scripts.stack.supervisor import Supervisor

    data_dir = Path(Config.from_environment().data_dir)
    supervisor = Supervisor(data_dir, os.environ)
    supervisor.listen_to_signals()
    supervisor.start(workers())
    try:
        supervisor.run(lambda: None)
    finally:
        supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
