"""RQ entry point of looking for activity; it runs on the node that holds the files.

Ids in, one service call, safe to run twice.
"""

from __future__ import annotations

import gc
import os

from cctv.services.movement import activity_watch

_NICENESS = 10  # captures and pages come first


def watch(node_id: int) -> None:
    """Look at what the cameras of the node recorded since the last time."""
    gc.freeze()  # what the worker holds is no rubbish: looking through it would cost as much as the pictures
    os.nice(_NICENESS)  # of this job's own process, which ends with it
    activity_watch.watch(node_id)
