"""Figures of the installation for who may see them: cameras by state, disks, queues.

A handful of queries, whatever the number of cameras; readiness itself is in health.py.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from redis.exceptions import RedisError

from cctv import queue
from cctv.services.bucket import cloud, transfer_figures
from cctv.services.camera import cameras, status
from cctv.services.site import nodes

_QUEUES = (queue.HIGH, queue.DEFAULT, queue.MAIL, queue.CAPTURE)


def collect() -> dict[str, Any]:
    """cameras: state -> count; recording: count; disks: one for each node; queues: name -> waiting jobs;
    cloud: how copies get on, None without a bucket."""
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
        "cloud": _cloud(),
    }


def _cloud() -> dict[str, Any] | None:
    """How copies in the bucket get on; None: there is no bucket."""
    if cloud.access() is None:
        return None
    found = transfer_figures.collect(counts_verified=False)
    worst = max((one.state for one in found.problems), default="ok")  # ok, away, refused
    return {
        "state": worst,
        "detail": next((one.sentence for one in found.problems if one.state == worst), ""),
        "waiting": found.waiting + found.uploading,
        "waiting_bytes": found.waiting_bytes,
        "oldest_waiting_seconds": found.waits_s,
        "failed": found.failed,
        "clears_in_seconds": None if found.clears_in_s is None else round(found.clears_in_s),
    }


def _waiting() -> dict[str, int]:
    try:
        return {name: queue.queue(name).count for name in _QUEUES}
    except (RedisError, OSError):
        return {}
