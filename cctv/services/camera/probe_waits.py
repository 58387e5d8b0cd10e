"""Waits a few seconds for the check of a camera, for askers that cannot look at its steps.

The check itself is that of the pages (probes.py); nothing is decided here.
"""

from __future__ import annotations

import time

from cctv import causes
from cctv.errors import Invalid, Unavailable
from cctv.extensions import db
from cctv.models import Camera, Probe, User
from cctv.services.camera import cameras, probes
from cctv.services.camera.cameras import CameraForm

LONGEST_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_UNDER_WAY = {"queued", "running"}


def demand_pass(form: CameraForm, user: User, *, camera: Camera | None = None) -> None:
    """Return once a check of this address and login has passed.

    Raises:
        Invalid: it failed; the key is the field that is wrong, the sentence says what to do.
        LimitReached: enough checks of this person are under way.
        Unavailable: it did not end in time, or the worker that checks is away.
    """
    cameras.check(form, is_demo=camera is not None and camera.is_demo)
    probe_id = probes.start(
        form.url, username=form.username, password=form.password, user=user, camera=camera
    ).id
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while (probe := _look(probe_id)).state in _UNDER_WAY and time.monotonic() < deadline:
        db.session.rollback()  # no transaction is held open while we wait
        time.sleep(_LOOK_SECONDS)
    if probe.state == "done":
        return
    is_late, cause, told = probe.state in _UNDER_WAY, probe.cause, probes.facts(probe)
    probes.cancel(probe)
    if is_late or cause in (None, "unknown"):
        raise Unavailable("The check did not come to an end. Try again, or leave it out with `probe: false`.")
    found = causes.get(cause or "")
    headline, body = found.told(**told)
    raise Invalid({found.field or "url": f"{headline}. {body}"})


def _look(probe_id: int) -> Probe:
    return db.session.get_one(Probe, probe_id, populate_existing=True)
