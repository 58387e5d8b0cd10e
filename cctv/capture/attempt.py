"""One ffmpeg from start to exit: its folder, its processes' limits, its log, and why it ended.

It is told what to do and does not decide; an attempt outlives its worker and is adopted by the next one.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from cctv.capture import process
from cctv.clock import now_ms
from cctv.media import addresses, argv, stderr, tools, whereabouts
from cctv.media.signpost import Signpost
from cctv.services.camera.sources import Source
from cctv.storage import disk, paths
from cctv.storage.runfile import RunFile, read_run, write_run

LONGEST_LOG_BYTES = 256 * 1024
_TAIL_BYTES = 8 * 1024
_TIME_STEP = re.compile(r"0:0; previous: (\d+), current: (\d+)")
_STEP_TICKS = 90_000
_KNOCK_SECONDS = 1.5  # cameras are on local networks
# Generous for a stream copy of 13 MB, small enough that a leak ends the process and not the machine.
_LIMITS = (
    (resource.RLIMIT_AS, 2 * 1024**3),
    (resource.RLIMIT_FSIZE, 4 * 1024**3),
    (resource.RLIMIT_NOFILE, 128),
    (resource.RLIMIT_CORE, 0),
)
# What the dynamic loader and ffmpeg need; none of our secrets. The mark lets `scripts/run` find it again.
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "CCTV_STACK")
# No fast bins: ffmpeg frees a large block with each fragment, and glibc then sweeps all the small ones that
# are kept in them. 4 % of a capture (docs/decisions); another C library does not read it.
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.mxfast=0"}


class CannotStart(Exception):
    """The attempt was not made. `cause` is a code of causes.py; the text is technical."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Place:
    """Where attempts of this node write, and as whom."""

    media_dir: Path
    node_key: str
    segment_seconds: int = 60


class Attempt:
    """A running (or just ended) ffmpeg of a run."""

    def __init__(
        self, place: Place, run: RunFile, *, child: subprocess.Popen[bytes] | None, pidfd: int
    ) -> None:
        self.place = place
        self.run = run
        self.directory = paths.run_dir(place.media_dir, run.camera_id, run.run)
        self.pidfd = pidfd
        self.port = 0  # of the camera
        self.allowed: list[tuple[str, int]] = []  # places it may be connected to; empty: not known
        self._child = child
        self._log_path = str(paths.log_path(self.directory))  # asked every second
        self._log_size = 0

    @property
    def pid(self) -> int:
        """Of the ffmpeg."""
        assert self.run.pid is not None
        return self.run.pid

    @property
    def is_adopted(self) -> bool:
        """Begun by an earlier worker."""
        return self._child is None

    @property
    def stdin(self) -> IO[bytes] | None:
        """Where a derived stream's bytes go."""
        return self._child.stdin if self._child else None

    def is_led_astray(self) -> bool:
        """Whether the camera has sent ffmpeg to another place by a redirect."""
        return bool(self.allowed) and bool(whereabouts.strays(self.pid, self.allowed))

    def signal(self, number: signal.Signals) -> None:
        """Signal exactly this process, never another one with the same pid."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def has_ended(self) -> bool:
        """Whether it is gone; a child is reaped by asking."""
        if self._child is not None:
            return self._child.poll() is not None
        return process.started_at(self.pid) != self.run.pid_started

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it; unknown, hence False, when adopted."""
        return self._child is not None and (self._child.returncode or 0) < 0

    def close(self) -> None:
        """After the end: let go of the process. Its pipe, if any, belongs to the thread that feeds it: closed
        here, its number could be another file's by the time of that thread's next write."""
        os.close(self.pidfd)

    def clear_away(self) -> None:
        """Remove the folder of an attempt that made no file: an absent camera is tried thousands of times."""
        with contextlib.suppress(OSError):
            disk.remove_run(self.place.media_dir, self.run.camera_id, self.run.run)

    def detach(self) -> None:
        """Leave it running for the next worker."""
        os.close(self.pidfd)
        if self._child is not None:
            self._child.returncode = 0  # nobody waits for it here any more

    def save(self, **changes: object) -> None:
        """Change run.json. A full or broken disk is told by other means, so it does not raise."""
        self.run = replace(self.run, **changes)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            write_run(self.directory, self.run, durable=False)

    def new_log(self) -> str:
        """What ffmpeg wrote to its log since the last call; a long log is cut in place."""
        path = self._log_path
        try:
            size = os.stat(path).st_size  # noqa: PTH116 - polled
            if size == self._log_size:
                return ""
            start = max(self._log_size if size > self._log_size else 0, size - _TAIL_BYTES)
            with open(path, "rb") as file:
                file.seek(start)
                text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
            self._log_size = size
            if size > LONGEST_LOG_BYTES:
                os.truncate(path, 0)
                self._log_size = 0
        except OSError:
            return ""
        return text

    def last_words(self) -> str:
        """The end of the log; may hold an address with a password."""
        try:
            with open(paths.log_path(self.directory), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


def stands_still(log: str) -> bool:
    """Whether ffmpeg says that many packets lie far before the newest one: the camera's clock went back."""
    steps = [int(previous) - int(current) for previous, current in _TIME_STEP.findall(log)]
    return sum(step > _STEP_TICKS for step in steps) >= 5


def start(
    place: Place,
    source: Source,
    networks: addresses.Networks,
    *,
    signpost: Signpost,
    ordinal: int,
    fence: int,
    knocks: bool = False,
) -> Attempt:
    """Begin a run of a camera stream. Blocks for the name service, the knock and the disk.

    With `knocks`, for a camera whose port did not answer before, the port is tried first: an ffmpeg that
    only finds it closed costs 80 ms of a processor, more than ten seconds of capturing.

    The camera's address and password reach ffmpeg through the signpost, which must live in this process.

    Raises:
        CannotStart: the address is not allowed or unknown, or the disk refuses.
    """
    assert source.url is not None
    address = checked(source.url, networks)
    if knocks:
        _knock(address)
    epoch_ms = now_ms()
    run = new_run(place, source, ordinal=ordinal, fence=fence, epoch_ms=epoch_ms)
    directory = paths.run_dir(place.media_dir, run.camera_id, run.run)
    try:
        make_folder(directory, run)
    except OSError as error:
        raise _disk_refuses(error) from error
    command = argv.capture_argv(
        signpost.address_of(address.url_with_credentials),
        directory,
        epoch_ms=epoch_ms,
        second_of_minute=cut_second(source.stream_id),
        audio=_sound_option(source.audio_source),
        hevc=bool(source.video_codec and source.video_codec.startswith(("hvc1", "hev1"))),
        full_analysis=source.full_analysis,
        wallclock=source.wallclock,
        segment_seconds=place.segment_seconds,
        ffmpeg_path=tools.ffmpeg_path() or "ffmpeg",
    )
    attempt = launch(place, run, command)
    attempt.port = address.port
    attempt.allowed = [(address.host, address.port), signpost.place]
    return attempt


def _knock(address: addresses.CameraAddress) -> None:
    try:
        socket.create_connection((address.host, address.port), timeout=_KNOCK_SECONDS).close()
    except ConnectionRefusedError:
        raise CannotStart("refused", "Connection refused") from None
    except OSError as error:
        raise CannotStart("noroute", error.strerror or "no answer") from None


def checked(url: str, networks: addresses.Networks) -> addresses.CameraAddress:
    """The address of a camera with its name resolved. CannotStart when it may not be called."""
    try:
        address = addresses.parse_typed(url)
        return address.pinned(addresses.resolve(address, networks))
    except addresses.AddressRefused as error:
        raise CannotStart(error.code, str(error)) from error
    except addresses.AddressInvalid as error:
        raise CannotStart("badurl", str(error)) from error


def cut_second(stream_id: int) -> int:
    """In which second of the minute its files end: six groups, so that not all end at once and those of a
    group share one transaction of the index."""
    return stream_id % 6 * 10


def new_run(place: Place, source: Source, *, ordinal: int, fence: int, epoch_ms: int) -> RunFile:
    """The facts of a run that begins now."""
    return RunFile(
        run=paths.new_run_key(source.stream_id, epoch_ms // 1000),
        camera_id=source.camera_id,
        stream_id=source.stream_id,
        kind=source.kind,
        node=place.node_key,
        ordinal=ordinal,
        fence=fence,
        revision=source.revision,
        epoch_ms=epoch_ms,
    )


def make_folder(directory: Path, run: RunFile) -> None:
    """The folder of a run with its run.json, before its ffmpeg: nothing on disk is ever unexplained."""
    directory.mkdir(parents=True)
    write_run(directory, run)


def launch(
    place: Place, run: RunFile, command: list[str], *, reads_stdin: bool = False, dies_with_us: bool = False
) -> Attempt:
    """Start ffmpeg in its own session, with nothing of ours but its log.

    `dies_with_us` ties it to the calling thread, which must live as long as it should (DECISIONS 1).
    What reads our own bytes decodes what a camera sent: it gets no network.
    """
    directory = paths.run_dir(place.media_dir, run.camera_id, run.run)
    if dies_with_us:
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    if reads_stdin:
        command = tools.without_network(command)
    try:
        log = os.open(paths.log_path(directory), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if reads_stdin else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
                env=_ALLOCATOR | {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        finally:
            os.close(log)
        for limit, value in _LIMITS:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(child.pid, limit, (value, value))
        with contextlib.suppress(OSError):
            # Packets need not interrupt whoever runs: fewer switches, 4 % of a capture, the same share of
            # the processor.
            os.sched_setscheduler(child.pid, os.SCHED_BATCH, os.sched_param(0))
        run = replace(run, pid=child.pid, pid_started=process.started_at(child.pid))
        pidfd = os.pidfd_open(child.pid)
        attempt = Attempt(place, run, child=child, pidfd=pidfd)
        attempt.save()
    except OSError as error:
        raise _disk_refuses(error) from error
    return attempt


def adopt(place: Place, running: process.Running) -> Attempt | None:
    """Take over a capture that an earlier worker began; None when it has ended or is not ours."""
    try:
        pidfd = os.pidfd_open(running.pid)
    except OSError:
        return None
    directory = paths.run_dir(place.media_dir, running.camera_id, running.run_key)
    run = read_run(directory)
    if run is None or run.node != place.node_key or process.started_at(running.pid) != running.pid_started:
        os.close(pidfd)
        return None
    run = replace(run, pid=running.pid, pid_started=running.pid_started)
    return Attempt(place, run, child=None, pidfd=pidfd)


def why_it_ended(attempt: Attempt, *, had_pictures: bool) -> tuple[str, str]:
    """(code, masked technical lines): a code of causes.py, or `analysis` or `sound`, which can be cured."""
    words = attempt.last_words()
    # A stranger's bytes may be among them, and PostgreSQL takes no NUL.
    lines = addresses.mask("\n".join(stderr.telling_lines(words))).replace("\0", "")
    if "incompatible with output codec" in words:
        return "changed", lines
    if attempt.allowed and whereabouts.strayed(words, attempt.allowed):
        return "redirected", lines
    code = stderr.classify(words, had_pictures=had_pictures)
    if attempt.was_killed and code in ("ended", "unknown"):
        code = "killed"
    return code, lines


def _sound_option(audio_source: str | None) -> str | None:
    if audio_source == "none":
        return None
    return "copy" if audio_source in (None, "", "aac", "mp4a", "mpeg4-generic") else "aac"


def _disk_refuses(error: OSError) -> CannotStart:
    import errno

    cause = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "disk_error"
    return CannotStart(cause, error.strerror or str(error))
