"""RQ entry points of captures."""

from rq import Retry

from cctv.services.camera import captures


def capture(stream_id: int) -> Retry | None:
    """Keep a stream captured until it is no longer wanted here; a Retry gives it to another worker."""
    return captures.hold(stream_id)
