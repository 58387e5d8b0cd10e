"""Trying the usual stream paths after a check whose path was wrong: queued, told step by step like a check.

Goes on with the login that is sealed in the row of the check; it is cleared with the last try.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import update

from cctv import queue
from cctv.errors import Conflict
from cctv.extensions import begin_writing, db
from cctv.media import usual_paths
from cctv.models import Probe
from cctv.services.camera import probes


def start(probe: Probe) -> Probe:
    """Queue the tries on the camera of a check; the new check that tells them.

    Raises:
        Conflict: the check ended otherwise, or too long ago to know the password.
    """
    if probe.state != "failed" or not probes.may_try_paths(probe.cause, probe.result):
        raise Conflict("Check the address again first, then try the usual paths.")
    begin_writing()
    tries = Probe(
        camera_id=probe.camera_id,
        user_id=probe.user_id,
        url=probe.url,
        username=probe.username,
        password_encrypted=probe.password_encrypted,
        steps=[],
        result={"tried": 0},
    )
    taken = db.session.execute(
        update(Probe)
        .where(Probe.id == probe.id, Probe.state == "failed")
        .values(state="expired", password_encrypted=None)
        .returning(Probe.id)
    ).scalar()
    if taken is None:
        db.session.rollback()
        raise Conflict("The usual paths are being tried already.")
    db.session.add(tries)
    db.session.commit()
    if not queue.enqueue(queue.HIGH, "cctv.jobs.probes.try_paths", tries.id, timeout_seconds=60):
        probes.finish(tries.id, state="failed", cause="unknown", result={"tried": 0})
    return tries


def run(probe_id: int) -> None:
    """Try them; called by the worker."""
    claimed = probes.claim(probe_id)
    if claimed is None:
        return
    address, networks = claimed
    with suppress(probes.Cancelled):
        outcome = usual_paths.find(
            address, networks=networks, on_step=lambda step: probes.add_step(probe_id, step)
        )
        result = {
            "tried": outcome.tried,
            "found": outcome.found,
            "make": outcome.make,
            "detail": outcome.detail,
        }
        state = "found" if outcome.found else "failed"
        probes.finish(probe_id, state=state, cause=outcome.cause, result=result)
