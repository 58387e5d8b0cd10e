"""What has to be right before the parts start, in one short process: configuration, secrets, database.

Prints one JSON object for the supervisor; the application is imported here so that the supervisor needs not.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_LOOK_THROUGH_BYTES = 256 * 1024**2
LOCK_NAME = "run.lock"


@dataclass(frozen=True)
class Facts:
    """What the supervisor has to know of the configuration, or the sentence why it must not start."""

    data_dir: str = ""
    media_dir: str = ""
    redis_url: str = ""
    has_private_redis: bool = False
    demo_camera_url: str = ""
    setup_path: str = ""
    """Address of the set-up with its code while there is no owner, else empty."""
    warning: str = ""
    refusal: str = ""


def try_lock(data_dir: Path) -> int | None:
    """Take the lock of a DATA_DIR for as long as the returned descriptor is open; None when another has it.

    Never inherited: a child that holds it would block the next start (FAULTS, facts measured).
    """
    descriptor = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def already_running(data_dir: Path) -> str:
    """The sentence for a second start; the holder wrote its process id and address into the lock file."""
    said = (data_dir / LOCK_NAME).read_text().split()
    where = f" at {said[1]} (process {said[0]})" if len(said) == 2 else ""
    return f"It is already running{where} on {data_dir}. Stop that one first, or set another DATA_DIR."


def inspect(*, take_lock: bool) -> Facts:
    """Read the configuration, bring the database up to date, and make a set-up code if one is needed.

    `take_lock` is False when the supervisor that asks holds the lock of the DATA_DIR itself.
    """
    from cctv.config import Config, ConfigError

    try:
        config = Config.from_environment()
    except (ConfigError, OSError) as error:
        return Facts(refusal=str(error))
    # Held until this process ends: two starts at once must not both migrate.
    if take_lock and try_lock(config.data_dir) is None:
        return Facts(refusal=already_running(config.data_dir))
    private = f"unix://{config.data_dir}/redis.sock"
    facts = {
        "data_dir": str(config.data_dir),
        "media_dir": str(config.media_dir),
        "redis_url": config.redis_url,
        "has_private_redis": config.redis_url == private,
        "demo_camera_url": config.demo_camera_url,
    }
    return Facts(**facts, **_prepare_database(config))  # type: ignore[arg-type]


def _prepare_database(config: object) -> dict[str, str]:
    """A database that is away delays the migrations, not the start: the parts heal when it comes."""
    from flask_migrate import upgrade
    from sqlalchemy.exc import DatabaseError, OperationalError

    from cctv import create_app

    app = create_app(config)  # type: ignore[arg-type]
    with app.app_context():
        try:
            if damage := _quick_damage():
                return {"refusal": _damaged(damage)}
            upgrade()
            return {"setup_path": _setup_path()}
        except OperationalError as error:
            return {"warning": f"The database does not answer, trying on: {str(error.orig).splitlines()[0]}"}
        except DatabaseError as error:
            return {"refusal": _damaged(str(error.orig))}


def _quick_damage() -> str:
    """A look through the SQLite file at every start, as long as that costs no more than a second."""
    from cctv.extensions import db
    from cctv.services.site import doctor

    file = Path(db.engine.url.database or "")
    is_small = (
        db.engine.dialect.name == "sqlite" and file.is_file() and file.stat().st_size < _LOOK_THROUGH_BYTES
    )
    return doctor.find_damage() if is_small else ""


def _damaged(how: str) -> str:
    return (
        f"The database is damaged ({how.splitlines()[0]}). Put a backup of it in its place; after the start "
        f"`flask reconcile` finds the footage that is newer than the backup."
    )


def _setup_path() -> str:
    from cctv.services.site import setup

    code = setup.code()
    return f"/setup/welcome?code={code}" if code else ""


if __name__ == "__main__":
    # Only the last line is read, whatever a migration prints before.
    print(json.dumps(asdict(inspect(take_lock="--again" not in sys.argv))))
