"""A self-check of the whole installation: one finding a line, each with its remedy.

Reads and tries, never repairs.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from cctv import causes, config, queue
from cctv.extensions import db
from cctv.media import tools
from cctv.models import Node
from cctv.services.camera import cameras, lease, status
from cctv.services.footage import refusals
from cctv.services.mailing import mail_trials, mailings
from cctv.services.site import nodes, settings, setup, weaknesses
from cctv.storage import disk

_OLDEST_FFMPEG = (5, 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `state` is ok, warn or bad."""

    name: str
    state: str
    sentence: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def examine() -> list[Finding]:
    """Every check, in the order in which a fault would be looked for."""
    findings: list[Finding] = []
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _ffmpeg,
        _secrets,
        _disk,
        _database,
        _redis,
        _workers,
        _refused_files,
        _mail,
        _set_up,
        _weaknesses,
        _cameras,
    )
    for check in checks:
        try:
            findings.extend(check())
        except (SQLAlchemyError, RedisError, OSError) as error:
            db.session.rollback()
            name = check.__name__.strip("_")
            findings.append(
                Finding(name, "bad", f"Could not be checked: {type(error).__name__}.", "See above.")
            )
    return findings


def _ffmpeg() -> Iterator[Finding]:
    path = tools.ffmpeg_path()
    if path is None:
        yield Finding("ffmpeg", "bad", "Not found.", "apt-get install ffmpeg")
        return
    banner = subprocess.run(
        [path, "-version"], capture_output=True, text=True, timeout=10, check=False
    ).stdout
    version = tools.parse_version(banner)
    if version and version < _OLDEST_FFMPEG:
        yield Finding(
            "ffmpeg", "bad", f"{version[0]}.{version[1]} is too old.", "Install ffmpeg 5.1 or newer."
        )
    else:
        yield Finding("ffmpeg", "ok", banner.splitlines()[0] if banner else path)


def _secrets() -> Iterator[Finding]:
    for name in ("secret_key", "jwt_secret_key", "evidence_key.pem"):
        path = config.current().data_dir / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield Finding("secrets", "bad", f"{path} is readable by others.", f"chmod 600 {path}")
            return
    yield Finding("secrets", "ok", "Not readable by others.")
    if not _hides_processes():
        yield Finding(
            "process list",
            "ok",
            "Camera passwords are in no command line and no file of a capture.",
        )


def _hides_processes() -> bool:
    mounts = Path("/proc/mounts").read_text()
    return any(line.startswith("proc ") and "hidepid" in line for line in mounts.splitlines())


def _disk() -> Iterator[Finding]:
    folder = config.current().media_dir
    if not folder.exists():
        yield Finding("disk", "bad", f"{folder} does not exist.", f"mkdir -p {folder}")
        return
    usage = disk.usage(folder)
    used_percent = 100 - 100 * usage.free_bytes // max(1, usage.total_bytes)
    limit = settings.get("disk_limit_percent")
    sentence = f"{folder}: {used_percent} % used, {usage.free_bytes / 1e9:.1f} GB free, limit {limit} %."
    if used_percent > limit:
        yield Finding(
            "disk", "warn", sentence, "Add space or lower retention: the oldest footage is being deleted."
        )
    else:
        yield Finding("disk", "ok", sentence)
    lag = disk.timed_write(folder)
    if lag is None:
        yield Finding("disk write", "bad", "A small write did not end.", "Check the disk and its mount.")
    else:
        state = "warn" if lag > 1000 else "ok"
        yield Finding(
            "disk write",
            state,
            f"A small write and fsync took {lag} ms.",
            "" if state == "ok" else "Slow disk.",
        )
    if shutil.disk_usage(config.current().data_dir).free < 512 * 1024**2:
        yield Finding("disk of the database", "bad", "Less than 512 MB free.", "Free some space in DATA_DIR.")


def find_damage() -> str:
    """What is wrong with the SQLite file, in a few words; empty when nothing is, or for another database.

    Reads all of it. OperationalError when it cannot be read now.
    """
    if db.engine.dialect.name != "sqlite":
        return ""
    try:
        verdict = str(db.session.execute(text("PRAGMA quick_check(1)")).scalar())
    except OperationalError:
        raise
    except DatabaseError as error:  # too damaged to be looked through
        db.session.rollback()
        verdict = str(error.orig)
    return "" if verdict == "ok" else verdict.strip().splitlines()[-1]


def _database() -> Iterator[Finding]:
    if damage := find_damage():
        yield Finding(
            "database", "bad", f"SQLite is damaged: {damage}.", "Restore a backup, then flask reconcile."
        )
        return
    db.session.execute(text("SELECT 1"))
    yield Finding("database", "ok", f"{db.engine.dialect.name} answers.")


def _redis() -> Iterator[Finding]:
    connection = queue.redis_connection()
    try:
        connection.set("cctv:health", 1, ex=60)  # one that is full or a replica still answers a ping
    except (RedisError, OSError) as error:
        yield Finding(
            "redis",
            "bad",
            f"Does not answer ({type(error).__name__}). Recording goes on.",
            "Start Redis; check REDIS_URL.",
        )
        return
    policy = str(connection.config_get("maxmemory-policy").get("maxmemory-policy", ""))
    if policy not in {"noeviction", ""}:
        yield Finding("redis", "warn", f"Evicts keys ({policy}).", "Set maxmemory-policy noeviction.")
    else:
        yield Finding("redis", "ok", "Answers.")


def _workers() -> Iterator[Finding]:
    since = lease.now() - lease.LEASE_MS
    known = list(db.session.scalars(select(Node)))
    for node in known:
        if node.seen_ms > since:
            yield Finding(f"capture on {node.name}", "ok", "Alive.")
        else:
            yield Finding(
                f"capture on {node.name}",
                "bad",
                "No sign of life for 15 s.",
                "python worker.py capture on that machine.",
            )
        if node.storage_state != "ok":
            yield Finding(
                f"storage on {node.name}",
                "bad",
                node.storage_detail or node.storage_state,
                "See the disk line.",
            )
    if not known:
        yield Finding(
            "capture",
            "bad",
            "No capture worker was ever started.",
            "./scripts/run, or python worker.py capture",
        )
    served = {
        name for worker in Worker.all(connection=queue.redis_connection()) for name in worker.queue_names()
    }
    for name in (queue.HIGH, queue.DEFAULT, queue.MAIL, queue.media(nodes.key())):
        if name in served:
            yield Finding(f"queue {name}", "ok", "Has a worker.")
        else:
            yield Finding(f"queue {name}", "bad", "Nobody works on it.", f"python worker.py jobs {name}")


def _refused_files() -> Iterator[Finding]:
    for place in refusals.here():
        yield Finding(
            "file without a row",
            "bad",
            f"{place}: the database refuses its facts; the file is kept.",
            "Look at its run.json and at the event of it; then flask reconcile.",
        )


def _mail() -> Iterator[Finding]:
    told = config.current()
    if not told.email_host:
        sentence = f"EMAIL_HOST is not set: mails are files in {told.data_dir / 'mail'}."
        yield Finding("mail", "warn", sentence, "Set EMAIL_HOST, then flask mail test ADDRESS.")
        return
    if cause := mailings.newest_cause():
        yield Finding("mail", "warn", f"A mail waits: {cause}", "flask mail list --state waiting")
        return
    if failed := mailings.failed_lately():
        sentence = f"{failed} of the last 24 hours were not sent."
        yield Finding("mail", "warn", sentence, "flask mail list --state failed")
        return
    trial = mail_trials.last()
    if trial is None:
        yield Finding("mail", "ok", f"{told.email_host}, never tested.", "flask mail test ADDRESS")
        return
    state = "ok" if trial.is_good else "warn"
    yield Finding(
        "mail", state, f"Last test: {trial.sentence}", "" if trial.is_good else "See the settings of mail."
    )


def _set_up() -> Iterator[Finding]:
    if setup.needs_owner():
        yield Finding("owner", "warn", "No owner yet.", "Open the address that ./scripts/run printed.")


def _weaknesses() -> Iterator[Finding]:
    for one in weaknesses.find():
        yield Finding(one.name, "warn", one.sentence, one.remedy)


def _cameras() -> Iterator[Finding]:
    known = cameras.list_cameras()
    states = status.of_cameras(known)
    for camera in known:
        found = states[camera.id]
        reason = causes.get(found.cause) if found.cause else None
        state = "ok" if found.state in {"live", "off"} else ("warn" if found.state == "connecting" else "bad")
        sentence = f"{found.word}. {found.headline}".strip()
        yield Finding(
            f"camera {camera.number} {camera.name}"[:40], state, sentence, reason.body if reason else ""
        )
