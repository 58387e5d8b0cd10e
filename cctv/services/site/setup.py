"""The first run: from nothing to a picture. Open only with the setup code, and only until it is finished.

The code lives in DATA_DIR and dies when the owner exists; from then on only the owner continues.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

from cctv import config
from cctv.errors import Conflict, Invalid, NotFound, Unavailable
from cctv.models import Camera, Role, User
from cctv.services.camera import cameras
from cctv.services.person import users
from cctv.services.schedule import schedules
from cctv.services.site import settings
from cctv.storage import disk

STEPS = ("welcome", "owner", "place", "storage", "camera", "done")
_DEMO_BYTES_PER_DAY = 2_000_000 // 8 * 86_400  # a camera of 2 Mbit/s, the usual 1080p


@dataclass(frozen=True, slots=True)
class StorageReport:
    """Where footage goes and how long the disk holds it."""

    folder: Path
    total_bytes: int
    free_bytes: int
    is_writable: bool
    remedy: str  # a command to type, or empty
    days_for_one_camera: float


@dataclass(frozen=True, slots=True)
class StorageTest:
    """The result of writing, reading and deleting a file in the media folder."""

    is_good: bool
    sentence: str


def is_open() -> bool:
    """Whether the wizard still exists for anybody."""
    return not settings.get("setup_finished")


def needs_owner() -> bool:
    """Whether nobody owns this installation yet."""
    return not users.has_owner()


def code() -> str | None:
    """The setup code, made when missing; None once the owner exists."""
    path = _code_path()
    if not needs_owner():
        path.unlink(missing_ok=True)
        return None
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(9))
    return path.read_text().strip()


def is_right_code(typed: str) -> bool:
    """Whether that is the setup code; always False once the owner exists."""
    expected = code()
    return expected is not None and hmac.compare_digest(typed.strip().encode(), expected.encode())


def create_owner(*, name: str, email: str, password: str, setup_code: str) -> User:
    """The first account, which can do everything.

    Raises:
        NotFound: the code is wrong, or the owner exists.
        Invalid: keys are name, email, password.
        Conflict: somebody else with the code was faster.
    """
    if not is_right_code(setup_code):
        raise NotFound("The set-up is finished or the code is not right.")
    owner = users.create_user(name, email, password=password, role=Role.SUPER_ADMIN, is_owner=True)
    _code_path().unlink(missing_ok=True)
    return owner


def may_continue(user: User | None) -> bool:
    """Whether this person is the owner in the middle of the set-up."""
    return is_open() and user is not None and user.id == settings.get("setup_owner_id")


def save_place(*, organisation_name: str, time_zone: str) -> None:
    """Name and time zone of the site.

    Raises:
        Invalid: keys are organisation_name, time_zone.
    """
    errors = {}
    if not organisation_name.strip() or len(organisation_name) > 80:
        errors["organisation_name"] = "Enter the name of your organisation, at most 80 characters."
    if time_zone not in available_timezones():
        errors["time_zone"] = "Choose a time zone from the list, for example Europe/Lisbon."
    if errors:
        raise Invalid(errors)
    settings.save(organisation_name=organisation_name.strip(), time_zone=time_zone)
    schedules.follow_zone()


def save_storage(*, disk_limit_percent: int) -> None:
    """How full the disk may get before the oldest footage goes.

    Raises:
        Invalid: key disk_limit_percent.
    """
    if not 10 <= disk_limit_percent <= 95:
        raise Invalid({"disk_limit_percent": "Choose 10 to 95 percent."})
    settings.save(disk_limit_percent=disk_limit_percent)


def storage_report() -> StorageReport:
    """The media folder as it is now."""
    folder = config.current().media_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        pass
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    usage = disk.usage(existing)
    is_writable = folder.exists() and os.access(folder, os.W_OK)
    remedy = "" if is_writable else f"sudo install -d -o {os.getuid()} {folder}"
    usable = usage.free_bytes - usage.total_bytes * (100 - settings.get("disk_limit_percent")) // 100
    return StorageReport(
        folder, usage.total_bytes, usage.free_bytes, is_writable, remedy, max(0, usable) / _DEMO_BYTES_PER_DAY
    )


def test_storage() -> StorageTest:
    """Write, read back and delete 64 MB in the media folder, timed."""
    folder = config.current().media_dir
    try:
        speed = disk.measure_speed(folder)
    except OSError as error:
        return StorageTest(False, f"Writing to {folder} failed: {error.strerror or error}.")
    streams = int(speed.write_bytes_per_second // 250_000 // 4)  # a quarter of the disk, at 2 Mbit/s each
    rate = f"{speed.write_bytes_per_second / 1e6:.0f} MB/s"
    return StorageTest(
        True, f"Wrote, read and deleted a test file at {rate}: enough for about {streams} cameras."
    )


def add_demo_camera(user: User) -> Camera:
    """The built-in camera; a second call answers with the first one.

    Raises:
        Unavailable: the start command did not start it.
    """
    existing = next((camera for camera in cameras.list_cameras() if camera.is_demo), None)
    if existing is not None:
        return existing
    url = config.current().demo_camera_url
    if not url:
        raise Unavailable("The demo camera is not running. Start the product with ./scripts/run.")
    return cameras.create_camera(cameras.CameraForm(name="Demo camera", url=url), user, is_demo=True)


def finish(user: User) -> None:
    """Close the wizard for everybody.

    Raises:
        Conflict: it is not this person's set-up.
    """
    if not may_continue(user):
        raise Conflict("The set-up is finished.")
    settings.save(setup_finished=True)


def _code_path() -> Path:
    return config.current().data_dir / "setup_code"
