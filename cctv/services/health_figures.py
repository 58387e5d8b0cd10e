"""Figures of the installation for who may see them: cameras by state, disks, queues.

A handful of queries, whatever the number of cameras; readiness itself is in health.py.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from redis.exceptions import RedisError

from cctv import queue
from cctv.services import cameras, nodes, status

_QUEUES = (queue.HIGH, queue.DEFAULT, queue.MAIL, queue.CAPTURE)


def collect() -> dict[str, Any]:
    """cameras: state -> count; recording: count; disks: one for each node; queues: name -> waiting jobs."""
    statuses = status.of_cameras(cameras.list_cameras()).values()
    return {
        "cameras": dict(Counter(one.state for one in statuses)),
        "recording": sum(one.is_recording for one in statuses),
        "disks": [
            {
                "node": node.name,
                "state": node.storage_state,
                "total_bytes": node.total_bytes,
                "free_bytes": node.free_bytes,
            }
            for node in nodes.list_nodes()
        ],
        "queues": _waiting(),
    }


def _waiting() -> dict[str, int]:
    try:
        return {name: queue.queue(name).count for name in _QUEUES}
    except (RedisError, OSError):
        return {}
