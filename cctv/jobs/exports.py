"""RQ entry points of exports; they run on the machine that holds the footage.

Ids in, one service call, safe to run twice.
"""

from __future__ import annotations

import os

from cctv.services.export import export_making

_NICE = 10  # recording and pages come first; each job has a process of its own


def work(node_id: int) -> None:
    """Make the machine's next export."""
    os.nice(_NICE)
    export_making.work(node_id)


def tend(node_id: int) -> None:
    """Let what was interrupted begin again, and remove what it left."""
    export_making.tend(node_id)


def expire(node_id: int) -> None:
    """Remove the files of exports that are not kept any longer."""
    export_making.expire(node_id)
