"""Checking a camera address before it is trusted: queued, run by a worker, its steps told as they happen.

The password is sealed in the row while the check runs and cleared at its end; it never reaches the queue.
It stays for some minutes only when the path was wrong, so that usual_paths.py may go on with the same login.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, update

from cctv import config, keys, queue
from cctv.clock import utcnow
from cctv.errors import Invalid, LimitReached, NotFound
from cctv.extensions import begin_writing, db
from cctv.media import addresses, rtsp
from cctv.models import Camera, Probe, User
from cctv.services.camera import cameras

KEPT_HOURS = 24
LONGEST_SECONDS = 600  # no check runs, and no password waits for the usual paths, longer than this
MOST_AT_A_TIME = 4  # of one person
_LONGEST_WAIT_SECONDS = 120  # a check that was lost with its worker does not count for ever
_UNDER_WAY = ("queued", "running")


class Cancelled(Exception):
    """The person left; the check ends where it is."""


def start(
    url: str, *, username: str, password: str | None, user: User, camera: Camera | None = None
) -> Probe:
    """Queue a check of what was typed; `password` None takes the stored one of `camera`.

    Raises:
        Invalid: key url, or password when the stored one belongs to another device.
        LimitReached: enough checks of this person are under way.
    """
    is_demo = camera is not None and camera.is_demo
    try:
        address = addresses.parse_typed(url)
        cameras.networks(is_demo=is_demo).check_spelling(address)
    except (addresses.AddressInvalid, addresses.AddressRefused) as error:
        raise Invalid({"url": str(error)}) from None
    password = password or address.password
    if not password and camera is not None:
        password = cameras.stored_password(camera, url)
    begin_writing()
    _refuse_many(user)
    probe = Probe(
        camera_id=camera.id if camera else None,
        user_id=user.id,
        url=address.safe_url,
        username=username.strip() or address.username,
        password_encrypted=keys.encrypt(password) if password else None,
        steps=[],
        result={},
    )
    db.session.add(probe)
    db.session.commit()
    if not queue.enqueue(queue.HIGH, "cctv.jobs.probes.run", probe.id, timeout_seconds=60):
        finish(probe.id, state="failed", cause="unknown", result={})
    return probe


def _refuse_many(user: User) -> None:
    """One person must not fill the queue of everybody's checks."""
    since = utcnow() - timedelta(seconds=_LONGEST_WAIT_SECONDS)
    query = select(func.count(Probe.id)).where(
        Probe.user_id == user.id, Probe.state.in_(_UNDER_WAY), Probe.created_at > since
    )
    if (db.session.scalar(query) or 0) >= MOST_AT_A_TIME:
        db.session.rollback()
        raise LimitReached(f"{MOST_AT_A_TIME} of your checks are under way. Wait for one of them.")


def check_now(url: str, *, username: str, password: str) -> dict[str, Any]:
    """Check an address in this process, without a row: for the command line.

    Returns:
        "cause" (causes.py) or None, "steps" and "facts".

    Raises:
        Invalid: key url.
    """
    try:
        address = addresses.parse_typed(url)
        cameras.networks().check_spelling(address)
    except (addresses.AddressInvalid, addresses.AddressRefused) as error:
        raise Invalid({"url": str(error)}) from None
    steps: list[dict[str, Any]] = []
    report = rtsp.check(
        address.with_login(username or address.username, password or address.password),
        networks=cameras.networks(),
        on_step=lambda step: steps.append(asdict(step)),
    )
    return {"cause": report.cause, "steps": steps, "facts": report.facts()}


def get_probe(probe_id: int, user: User) -> Probe:
    """The person's own check.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    probe = db.session.get(Probe, probe_id)
    if probe is None or probe.user_id != user.id:
        raise NotFound("This check does not exist (any more).")
    return probe


def demand_check(camera: Camera, typed: cameras.CameraForm, *, probe_id: int | None, user: User) -> None:
    """A new address or login may replace one that works only after a check of exactly that passed.

    Raises:
        Invalid: key keep_anyway, the name of the box that skips this.
    """
    try:
        address = addresses.parse_typed(typed.url)
    except addresses.AddressInvalid:
        return  # the service says it better
    username = typed.username.strip() or address.username
    is_same = (address.safe_url, username) == (camera.main.url, camera.username)
    if is_same and not typed.password and not address.password:
        return
    probe = db.session.get(Probe, probe_id) if probe_id else None
    has_passed = probe is not None and probe.user_id == user.id and probe.state == "done"
    if probe is not None and has_passed and (probe.url, probe.username) == (address.safe_url, username):
        return
    raise Invalid({"keep_anyway": "Check the new address or login first, or keep it without a check."})


def cancel(probe: Probe) -> None:
    """The person left the page: what has not started is not started, what runs ends soon."""
    begin_writing()
    mine = update(Probe).where(Probe.id == probe.id)
    db.session.execute(mine.where(Probe.state.in_(_UNDER_WAY)).values(state="left"))
    db.session.execute(mine.where(Probe.password_encrypted.is_not(None)).values(password_encrypted=None))
    db.session.commit()


def has_left(probe_id: int) -> bool:
    """Whether the person left."""
    state = db.session.scalar(select(Probe.state).where(Probe.id == probe_id))
    db.session.commit()
    return state != "running"


def run(probe_id: int) -> None:
    """Do the check; called by the worker. A check that somebody else runs or cancelled is left alone."""
    claimed = claim(probe_id)
    if claimed is None:
        return
    address, networks = claimed
    with suppress(Cancelled):
        report = rtsp.check(
            address,
            networks=networks,
            picture_path=picture_path(probe_id),
            on_step=lambda step: add_step(probe_id, step),
            is_unwanted=lambda: has_left(probe_id),
        )
        state = "failed" if report.cause else "done"
        finish(probe_id, state=state, cause=report.cause, result=report.facts())


def claim(probe_id: int) -> tuple[addresses.CameraAddress, addresses.Networks] | None:
    """Begin a queued check: its address with the login, and where it may lie; None: not to be run."""
    begin_writing()
    claimed = db.session.execute(
        update(Probe)
        .where(Probe.id == probe_id, Probe.state == "queued")
        .values(state="running")
        .returning(Probe.id)
    ).scalar()
    db.session.commit()
    if claimed is None:
        return None
    probe = db.session.get_one(Probe, probe_id)
    password = keys.decrypt(probe.password_encrypted) if probe.password_encrypted else ""
    address = addresses.parse_typed(probe.url).with_login(probe.username, password)
    is_demo = probe.camera is not None and probe.camera.is_demo
    return address, cameras.networks(is_demo=is_demo)


def picture_path(probe_id: int) -> Path:
    """Where the JPEG of a check lies; the moving clip beside it ends in .mp4."""
    folder = config.current().data_dir / "probes"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{probe_id}.jpg"


def facts(probe: Probe) -> dict[str, str | int | None]:
    """What the sentences about this check may name: host, address, port and user; never the password."""
    address = addresses.parse_typed(probe.url)
    gop_ms = probe.result.get("gop_ms")
    return {
        "host": address.host,
        "address": address.host,
        "port": address.port,
        "user": probe.username,
        "seconds": round(gop_ms / 1000) if gop_ms else None,
    }


def forget_old() -> None:
    """Remove checks of yesterday with their pictures."""
    horizon = utcnow().timestamp() - KEPT_HOURS * 3600
    for path in picture_path(0).parent.iterdir():
        if path.stat().st_mtime < horizon:
            path.unlink(missing_ok=True)
    begin_writing()
    from_then = utcnow().fromtimestamp(horizon, tz=utcnow().tzinfo)
    db.session.execute(delete(Probe).where(Probe.created_at < from_then))
    db.session.commit()


def forget_passwords() -> None:
    """Clear the passwords of checks whose worker died and of paths that nobody tried."""
    old = Probe.created_at < utcnow() - timedelta(seconds=LONGEST_SECONDS)
    overdue = (Probe.password_encrypted.is_not(None) | Probe.state.in_(_UNDER_WAY)) & old
    if db.session.scalar(select(Probe.id).where(overdue).limit(1)) is None:
        return
    begin_writing()
    db.session.execute(update(Probe).where(overdue).values(state="expired", password_encrypted=None))
    db.session.commit()


def add_step(probe_id: int, step: rtsp.Step) -> None:
    """Tell one more step.

    Raises:
        Cancelled: the person left.
    """
    begin_writing()
    probe = db.session.get_one(Probe, probe_id, populate_existing=True)
    if probe.state != "running":
        db.session.rollback()
        raise Cancelled
    probe.steps = [*probe.steps, asdict(step)]
    db.session.commit()


def finish(probe_id: int, *, state: str, cause: str | None, result: dict[str, Any]) -> None:
    """The end of a check that was not cancelled. A wrong path leaves the password for the usual ones."""
    values: dict[str, Any] = {"state": state, "cause": cause, "result": result}
    if not may_try_paths(cause, result):
        values["password_encrypted"] = None
    begin_writing()
    db.session.execute(update(Probe).where(Probe.id == probe_id, Probe.state.in_(_UNDER_WAY)).values(values))
    db.session.commit()


def may_try_paths(cause: str | None, result: dict[str, Any]) -> bool:
    """Whether the usual paths are worth a try after a check that ended so; not a second time."""
    return cause == "path" and "tried" not in result
