"""RQ entry points of the jobs that touch one node's disk; they run on that node.

Ids in, one service call, safe to run twice.
"""

from __future__ import annotations

from cctv import queue
from cctv.services.footage import reconcile as reconciling
from cctv.services.lifetime import clean_up as cleaning
from cctv.services.proof import hashing, scrub
from cctv.services.site import nodes, storage_trials


def reconcile(node_id: int) -> None:
    """Make rows and files of the node agree."""
    reconciling.run(nodes.get_node(node_id))


def hash_segments(node_id: int) -> None:
    """Fill in the hashes of files that were closed lately."""
    hashing.hash_some(node_id, seconds=60)


def scrub_segments(node_id: int) -> None:
    """Read some of the stored files again, behind everything else that the disk has to do."""
    scrub.give_way()
    scrub.scrub_some(node_id, may_go_on=lambda: not queue.has_waiting(queue.media(nodes.key())))


def test_disk(node_id: int) -> None:
    """Try the disk of this machine; its steps are told as they happen."""
    storage_trials.run(node_id)


def clean_up() -> None:
    """Remove what lies around on this machine's disks."""
    cleaning.clean_node()
