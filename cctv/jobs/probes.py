"""RQ entry points of camera checks."""

from cctv.services import probes


def run(probe_id: int) -> None:
    """Check a camera address and tell the steps."""
    probes.run(probe_id)
