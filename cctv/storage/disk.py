"""What the product asks of a disk: that bytes are really on it, how much room there is, whether it still
answers. Nothing here may hang with a hung disk: what can, runs in a child process that is left behind.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cctv.storage import paths

_libc = ctypes.CDLL(None, use_errno=True)

RESERVE_BYTES = 512 * 1024**2  # frees a full disk for the database and the last words


class Usage(NamedTuple):
    """Room on the file system of a path, for us (not what is set aside for root). Inodes are -1 where not
    counted."""

    total_bytes: int
    free_bytes: int
    free_inodes: int


class WriteCheck(NamedTuple):
    """`state` is ok, full, read_only, hung, missing or error; `elapsed_ms` of a small write with fsync."""

    state: str
    elapsed_ms: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a large file did."""

    write_bytes_per_second: float
    read_bytes_per_second: float


def fsync_file(path: Path) -> None:
    """Wait until the bytes and the size of a file are on the disk. OSError when the disk refuses."""
    _sync(path, os.O_RDONLY | os.O_NOFOLLOW, os.fsync)


def fdatasync_path(path: Path) -> None:
    """As fsync_file, without times of change: for a file that somebody else is writing (1.5 ms, ENGINE
    11.4)."""
    _sync(path, os.O_RDONLY | os.O_NOFOLLOW, os.fdatasync)


def sync_filesystem(path: Path) -> None:
    """Wait until everything on the file system of `path` is on the disk: one journal commit instead of one
    for each file, a quarter of the cost for 32 growing files (measured). OSError when the disk refuses."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def fsync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk: after creating, renaming and removing."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY, os.fsync)


def _sync(path: Path, flags: int, how) -> None:  # type: ignore[no-untyped-def]
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        how(descriptor)
    finally:
        os.close(descriptor)


def unlink(path: Path) -> bool:
    """Remove a file; False when it was gone already. OSError when the disk refuses."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return False
    return True


def remove_run(media_dir: Path, camera_id: int, run_key: str) -> bool:
    """Remove the directory of a run that has no segment left; False when there still is one or it is gone."""
    directory = paths.run_dir(media_dir, camera_id, run_key)
    if paths.list_segments(media_dir, camera_id, run_key):
        return False
    try:
        for entry in os.scandir(directory):
            if entry.is_file(follow_symlinks=False) or entry.is_symlink():
                unlink(Path(entry.path))
        directory.rmdir()
    except OSError:
        return False
    return True


def usage(path: Path) -> Usage:
    """Room where `path` lies. OSError when it does not exist. A hung disk still answers this (FAULTS)."""
    stat = os.statvfs(path)
    inodes = stat.f_favail if stat.f_files else -1
    return Usage(stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize, inodes)


# The children: write and fsync, then remove. A Python would cost eight times as much as these programs, and a
# shell around them would hide from us the one that hangs.
_WRITE = ("dd", "if=/dev/zero", "of={}", "bs=4096", "count=1", "conv=excl,fsync", "status=none")
_REMOVE = ("rm", "-f", "{}")
_STATES = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
}
_ERRORS = {os.strerror(number): number for number in (*_STATES, errno.EIO)}  # as dd words them
_abandoned: dict[str, subprocess.Popen[bytes]] = {}
_guard = threading.Lock()


def check_write(directory: Path, *, timeout_s: float = 10.0) -> WriteCheck:
    """Write 4 KB and fsync it in a child process; never takes longer than `timeout_s`.

    A child that does not end is killed and left (in uninterruptible sleep it stays until the disk
    answers), and no second one is started for this directory before it is gone: the state stays `hung` and
    heals by itself.
    """
    with _guard:
        earlier = _abandoned.get(str(directory))
        if earlier is not None and earlier.poll() is None:
            return WriteCheck("hung", int(timeout_s * 1000), "an earlier write has not ended yet")
        _abandoned.pop(str(directory), None)
    target = f"{directory}/.write-{os.getpid()}-{secrets.token_hex(4)}"
    started = time.monotonic()
    problem = ""
    for command in (_WRITE, _REMOVE):
        left_s = max(0.0, timeout_s - (time.monotonic() - started))
        words = _run([word.format(target) for word in command], directory, left_s)
        if words is None:
            return WriteCheck("hung", int(timeout_s * 1000), "a small write does not end")
        problem = problem or words
    elapsed_ms = int((time.monotonic() - started) * 1000)
    if not problem:
        return WriteCheck("ok", elapsed_ms)
    return WriteCheck(_STATES.get(_ERRORS.get(problem, errno.EIO), "error"), elapsed_ms, problem)


def _run(command: list[str], directory: Path, timeout_s: float) -> str | None:
    """What is wrong, in the system's words; empty when nothing is, None when the program does not end."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        start_new_session=True,
    )
    try:
        _, said = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        with _guard:
            _abandoned[str(directory)] = child
        return None
    if child.returncode == 0:
        return ""
    return said.decode("ascii", "replace").partition("\n")[0].rpartition(": ")[2] or "it broke off"


def timed_write(directory: Path, *, timeout_s: float = 10.0) -> int | None:
    """Milliseconds of a small write with fsync, start of its process included; None when it failed or did
    not end."""
    found = check_write(directory, timeout_s=timeout_s)
    return found.elapsed_ms if found.state == "ok" else None


def measure_speed(directory: Path, *, size_bytes: int = 64 * 1024**2) -> Speed:
    """Write, read back and delete a file. OSError when the disk refuses. Reading may be answered by the
    cache."""
    path = Path(directory) / f".speed-{os.getpid()}-{secrets.token_hex(4)}"
    block = os.urandom(1 << 20)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        started = time.monotonic()
        for _ in range(size_bytes >> 20):
            os.write(descriptor, block)
        os.fsync(descriptor)
        written = time.monotonic()
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(descriptor, 0, os.SEEK_SET)
        while os.read(descriptor, 1 << 20):
            pass
        read = time.monotonic()
    finally:
        os.close(descriptor)
        unlink(path)
    return Speed(size_bytes / max(written - started, 1e-6), size_bytes / max(read - written, 1e-6))


def read_marker(media_dir: Path) -> str | None:
    """The id of the footage volume; None when the marker is not there (not mounted, another disk)."""
    try:
        return paths.marker_path(media_dir).read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def write_marker(media_dir: Path, volume_id: str) -> None:
    """Declare the directory to be the footage volume. OSError when the disk refuses; an existing marker
    stays."""
    path = paths.marker_path(media_dir)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        os.write(descriptor, f"{volume_id}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fsync_directory(Path(media_dir))


def is_volume(media_dir: Path, volume_id: str) -> bool:
    """Whether this is the disk that it should be; nothing is written and no index pruned when it is not."""
    return read_marker(media_dir) == volume_id


def make_reserve(media_dir: Path, *, size_bytes: int = RESERVE_BYTES) -> bool:
    """Set room aside that `drop_reserve` frees at once; False when there is not enough for it."""
    path = paths.reserve_path(media_dir)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return False
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError:
        unlink(path)
        return False
    finally:
        os.close(descriptor)
    return True


def drop_reserve(media_dir: Path) -> bool:
    """Free the room that was set aside; False when there was none."""
    return unlink(paths.reserve_path(media_dir))
