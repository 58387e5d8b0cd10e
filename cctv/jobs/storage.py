"""RQ entry points of the jobs that touch one node's disk; they run on that node.

Ids in, one service call, safe to run twice.
"""

from __future__ import annotations

from cctv.services import hashing, nodes
from cctv.services import reconcile as reconciling


def reconcile(node_id: int) -> None:
    """Make rows and files of the node agree."""
    reconciling.run(nodes.get_node(node_id))


def hash_segments(node_id: int) -> None:
    """Fill in the hashes of files that were closed lately."""
    hashing.hash_some(node_id, seconds=60)
