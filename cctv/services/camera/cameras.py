"""Cameras: add, change, switch and delete them; which addresses are allowed.

A password is sealed before it reaches a row; what the capture needs to know changes `Stream.revision`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cctv import config, keys
from cctv.clock import now_ms, utcnow
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import begin_writing, db
from cctv.media import addresses
from cctv.models import Camera, ModeChange, RecordingMode, Stream, StreamKind, StreamState, User
from cctv.services.auditing import audit
from cctv.services.camera import borrowed_pictures, captures
from cctv.services.person import grants
from cctv.services.recording import recordings
from cctv.services.schedule import schedule_cameras

LONGEST_PRE_ROLL_SECONDS = 60  # the depth of the ring
LONGEST_POST_ROLL_SECONDS = 300  # after activity


@dataclass(frozen=True, slots=True)
class CameraForm:
    """What a person typed about a camera. `password` None means: keep the stored one."""

    name: str
    url: str
    username: str = ""
    password: str | None = None
    sub_url: str = ""
    recording_mode: str = RecordingMode.CONTINUOUS
    pre_roll_seconds: int = 10
    number: int | None = None
    post_roll_seconds: int = 10
    schedule_id: int | None = None  # which one, when it records by schedule


def list_cameras(search: str = "") -> list[Camera]:
    """Every camera that is not deleted, by number."""
    query = select(Camera).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
    if search.strip():
        query = query.where(func.lower(Camera.name).contains(search.strip().lower(), autoescape=True))
    return list(db.session.scalars(query))


def get_camera(camera_id: int) -> Camera:
    """The camera.

    Raises:
        NotFound: there is none, or it was deleted.
    """
    camera = db.session.get(Camera, camera_id)
    if camera is None or camera.deleted_at is not None:
        raise NotFound("This camera does not exist (any more).")
    return camera


def find_duplicate(url: str, *, except_id: int | None = None) -> Camera | None:
    """Another camera with the same main address, if any."""
    query = select(Camera).join(Stream).where(Stream.url == url, Camera.deleted_at.is_(None))
    if except_id is not None:
        query = query.where(Camera.id != except_id)
    return db.session.scalars(query).first()


def stored_form(camera: Camera) -> CameraForm:
    """A camera as the form that would save it unchanged; the password is the stored one."""
    sub = camera.stream(StreamKind.SUB)
    return CameraForm(
        name=camera.name,
        url=camera.main.url or "",
        username=camera.username,
        sub_url=(sub.url or "") if sub else "",
        recording_mode=camera.recording_mode,
        pre_roll_seconds=camera.pre_roll_seconds,
        number=camera.number,
        post_roll_seconds=camera.post_roll_seconds,
        schedule_id=schedule_cameras.schedule_id_of(camera.id),
    )


def check(form: CameraForm, *, is_demo: bool = False) -> None:
    """Say what is wrong with what was typed, before anything costs time.

    Raises:
        Invalid: keys are the fields of CameraForm.
    """
    _checked(form, is_demo=is_demo)


def create_camera(form: CameraForm, user: User | None, *, is_demo: bool = False) -> Camera:
    """Add a camera; capture starts at once.

    Raises:
        Invalid: keys are the fields of CameraForm.
    """
    url, sub_url, username, password = _checked(form, is_demo=is_demo)
    begin_writing()
    camera = Camera(
        number=form.number or _free_number(),
        name=form.name.strip(),
        is_demo=is_demo,
        username=username,
        password_encrypted=keys.encrypt(password) if password else None,
        recording_mode=form.recording_mode,
        pre_roll_seconds=form.pre_roll_seconds,
        post_roll_seconds=form.post_roll_seconds,
    )
    camera.streams = [_new_stream(StreamKind.MAIN, url)]
    if sub_url:
        camera.streams.append(_new_stream(StreamKind.SUB, sub_url))
    camera.streams += [_new_stream(kind, None) for kind in StreamKind if kind.is_derived]
    db.session.add(camera)
    _flush_number(form)
    _begin_mode(camera, form, user)
    grants.give_new_camera(camera)
    audit.add("camera.add", target=camera.name, camera_id=camera.id, after=_told(camera), user=user)
    db.session.commit()
    recordings.roll_days()
    captures.dispatch()
    return camera


def update_camera(
    camera_id: int, form: CameraForm, user: User | None, *, version: int | None = None
) -> Camera:
    """Change a camera; its capture starts anew only when address or login changed.

    Raises:
        Invalid: keys are the fields of CameraForm.
        Conflict: somebody else changed it since `version` was read.
    """
    camera = get_camera(camera_id)
    url, sub_url, username, typed = _checked(form, is_demo=camera.is_demo)
    borrowed_pictures.refuse(camera, {"url": url, "sub_url": sub_url}, user)
    keeps_password = form.password is None and not typed
    stored = stored_password(camera, *((url, sub_url) if keeps_password else ()))
    begin_writing()
    db.session.refresh(camera, with_for_update=True)
    if version is not None and camera.version != version:
        db.session.rollback()
        raise Conflict(
            "Somebody else changed this camera in the meantime. Reload to see it, then change it again."
        )
    before = _told(camera)
    password = stored if keeps_password else typed
    has_new_login = (username, password) != (camera.username, stored)
    camera.name, camera.username = form.name.strip(), username
    camera.pre_roll_seconds = form.pre_roll_seconds
    camera.post_roll_seconds = form.post_roll_seconds
    if form.number:
        camera.number = form.number
    if has_new_login:
        camera.password_encrypted = keys.encrypt(password) if password else None
    _set_url(camera, StreamKind.MAIN, url, restart=has_new_login)
    _set_url(camera, StreamKind.SUB, sub_url, restart=has_new_login)
    camera.version += 1
    _flush_number(form)
    audit.add(
        "camera.edit",
        target=camera.name,
        camera_id=camera.id,
        user=user,
        before=before,
        after=_told(camera),
        has_new_password=password != stored,
    )
    db.session.commit()
    if _has_new_mode(camera, form, before):
        recordings.set_mode(camera, RecordingMode(form.recording_mode), user, schedule_id=form.schedule_id)
    captures.dispatch()
    return camera


def rename(camera: Camera, name: str) -> None:
    """Give a camera another name.

    Raises:
        Invalid: no name, or a name over 80 characters.
    """
    if problem := _name_problem(name):
        raise Invalid({"name": problem})
    begin_writing()
    old, camera.name = camera.name, name.strip()
    camera.version += 1
    after = {"name": camera.name}
    audit.add("camera.edit", target=camera.name, camera_id=camera.id, before={"name": old}, after=after)
    db.session.commit()


def set_enabled(camera: Camera, is_enabled: bool, user: User) -> None:
    """Turn a camera on or off; off means no connection, no picture and no footage."""
    begin_writing()
    camera.is_enabled = is_enabled
    camera.switched_by, camera.switched_at = user.name, utcnow()
    camera.version += 1
    audit.add(f"camera.{'on' if is_enabled else 'off'}", target=camera.name, camera_id=camera.id, user=user)
    db.session.commit()
    captures.dispatch()


def delete_camera(camera: Camera, user: User, *, typed_name: str) -> None:
    """Delete a camera and its footage; the name must be typed, because there is no way back.

    Raises:
        Invalid: the typed name is another one.
    """
    if typed_name.strip() != camera.name:
        raise Invalid({"typed_name": f"Type the name exactly as it is: {camera.name}"})
    begin_writing()
    camera.deleted_at, camera.is_enabled, camera.number = utcnow(), False, None
    camera.switched_by, camera.switched_at = user.name, utcnow()
    camera.password_encrypted = None
    audit.add("camera.delete", target=camera.name, camera_id=camera.id, before=_told(camera), user=user)
    db.session.commit()


def networks(*, is_demo: bool = False) -> addresses.Networks:
    """The networks that camera addresses must lie in; the demo camera lives on this machine."""
    settings = config.current()
    allowed = addresses.Networks.parse(f"{settings.tailscale_network},{settings.camera_network}")
    return allowed.with_demo(settings.demo_camera_url) if is_demo else allowed


def stored_password(camera: Camera, *urls: str) -> str:
    """The stored password for use at these addresses; empty when there is none.

    It goes only to the device that it was typed for: who may change an address must not learn it by naming a
    machine of their own.

    Raises:
        Invalid: key password; one of the addresses leads to another device.
    """
    if not camera.password_encrypted:
        return ""
    known = {addresses.parse_typed(stream.url).host for stream in camera.streams if stream.url}
    if any(addresses.parse_typed(url).host not in known for url in urls if url):
        raise Invalid({"password": "The address leads to another device. Type its password."})
    return keys.decrypt(camera.password_encrypted)


def capture_url(stream: Stream) -> str:
    """The address with its credentials: for ffmpeg's list file only, never for a log, page or queue."""
    camera = stream.camera
    password = keys.decrypt(camera.password_encrypted) if camera.password_encrypted else ""
    # The demo camera's port may change from start to start: the start command knows, the row remembers.
    url = (camera.is_demo and config.current().demo_camera_url) or stream.url or ""
    return addresses.parse_typed(url).with_login(camera.username, password).url_with_credentials


def _checked(form: CameraForm, *, is_demo: bool) -> tuple[str, str, str, str]:
    """(url, sub url, user name, password) with the credentials taken out of the addresses."""
    errors: dict[str, str] = {}
    username, password = form.username.strip(), form.password or ""
    urls = {"url": "", "sub_url": ""}
    for field, typed in (("url", form.url), ("sub_url", form.sub_url)):
        if not typed.strip() and field == "sub_url":
            continue
        try:
            address = addresses.parse_typed(typed)
            networks(is_demo=is_demo).check_spelling(address)
        except (addresses.AddressInvalid, addresses.AddressRefused) as error:
            errors[field] = str(error)
            continue
        urls[field] = address.safe_url
        username, password = username or address.username, password or address.password
    if problem := _name_problem(form.name):
        errors["name"] = problem
    if not 0 <= form.pre_roll_seconds <= LONGEST_PRE_ROLL_SECONDS:
        errors["pre_roll_seconds"] = f"Choose 0 to {LONGEST_PRE_ROLL_SECONDS} seconds."
    if not 0 <= form.post_roll_seconds <= LONGEST_POST_ROLL_SECONDS:
        errors["post_roll_seconds"] = f"Choose 0 to {LONGEST_POST_ROLL_SECONDS} seconds."
    if form.recording_mode not in set(RecordingMode):
        errors["recording_mode"] = "Choose continuous, activity, schedule, manual or off."
    elif form.recording_mode == RecordingMode.SCHEDULE and schedule_cameras.find(form.schedule_id) is None:
        errors["schedule_id"] = "Choose the schedule that it follows."
    if form.number is not None and not 1 <= form.number <= 999:
        errors["number"] = "Choose a number from 1 to 999."
    if errors:
        raise Invalid(errors)
    return urls["url"], urls["sub_url"], username, password


def _told(camera: Camera) -> dict[str, object]:
    """What the audit log says of a camera; never its password."""
    sub = camera.stream(StreamKind.SUB)
    return {
        "name": camera.name,
        "number": camera.number,
        "url": camera.main.url,
        "sub_url": sub.url if sub else "",
        "username": camera.username,
        "pre_roll_seconds": camera.pre_roll_seconds,
        "post_roll_seconds": camera.post_roll_seconds,
    }


def _name_problem(name: str) -> str | None:
    if not name.strip():
        return "Give the camera a name."
    return "Use at most 80 characters." if len(name.strip()) > 80 else None


def _has_new_mode(camera: Camera, form: CameraForm, before: dict[str, object]) -> bool:
    rolls = [before["pre_roll_seconds"], before["post_roll_seconds"]]
    if rolls != [camera.pre_roll_seconds, camera.post_roll_seconds]:
        return True
    is_other = form.schedule_id not in (None, schedule_cameras.schedule_id_of(camera.id))
    return form.recording_mode != camera.recording_mode or (
        is_other and form.recording_mode == RecordingMode.SCHEDULE
    )


def _begin_mode(camera: Camera, form: CameraForm, user: User | None) -> None:
    """The first interval of a new camera's mode, and the schedule that it follows."""
    at_ms = now_ms()
    db.session.add(
        ModeChange(
            camera_id=camera.id,
            mode=form.recording_mode,
            pre_roll_seconds=form.pre_roll_seconds,
            post_roll_seconds=form.post_roll_seconds,
            started_ms=at_ms,
            user_id=user.id if user else None,
        )
    )
    if form.recording_mode == RecordingMode.SCHEDULE:
        schedule_cameras.hold(form.schedule_id)
        try:
            schedule_cameras.check(form.recording_mode, form.schedule_id)
        except Invalid:  # deleted since the form was checked
            db.session.rollback()
            raise
        schedule_cameras.follow(camera.id, form.schedule_id, at_ms=at_ms)


def _new_stream(kind: StreamKind, url: str | None) -> Stream:
    return Stream(
        kind=kind,
        url=url,
        is_on_demand=kind != StreamKind.MAIN,
        state=StreamState.CONNECTING,
        state_since_ms=now_ms(),
    )


def _set_url(camera: Camera, kind: StreamKind, url: str, *, restart: bool) -> None:
    stream = camera.stream(kind)
    if stream is None:
        if url:
            camera.streams.append(_new_stream(kind, url))
    elif not url and kind == StreamKind.SUB:
        camera.streams.remove(stream)
    elif stream.url != url or restart:
        stream.url = url
        stream.revision += 1
        # A changed address or login deserves a first try of its own.
        stream.credentials_worked = stream.full_analysis = stream.wallclock = False


def _free_number() -> int:
    taken = set(db.session.scalars(select(Camera.number)))
    return next(number for number in range(1, 10_000) if number not in taken)


def _flush_number(form: CameraForm) -> None:
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        if form.number is None:
            raise Conflict("Somebody else added a camera at the same moment. Save again.") from None
        raise Invalid({"number": f"Number {form.number} belongs to another camera."}) from None
