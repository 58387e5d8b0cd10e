"""RQ entry points of camera checks."""

from cctv.services.camera import probes, usual_paths


def run(probe_id: int) -> None:
    """Check a camera address and tell the steps."""
    probes.run(probe_id)


def try_paths(probe_id: int) -> None:
    """Try the usual stream paths of a camera and tell the steps."""
    usual_paths.run(probe_id)
