"""Programs of the operating system: which are missing, and how the distribution brings them.

Installs packages, never starts or enables a service: the parts that we need are started by ourselves.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.prepare.progress import VENV, SetUpError, run

# The oldest ffmpeg whose options were tried (docs/decisions): Debian 12 brings 5.1, Ubuntu 24.04 brings 6.1.
_OLDEST_FFMPEG = (5, 1)

# A package must not start its service: ours run privately. Docker images already have such a file.
_INSTALL = """
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; }
lists=$(find /var/lib/apt/lists -name '*Packages*' 2>/dev/null | head -n 1)
if [ -n "$lists" ] && install "$@"; then exit 0; fi
apt-get update && install "$@"
"""


@dataclass(frozen=True)
class Need:
    """One thing that must be on the machine, and the distribution's packages that bring it."""

    name: str
    packages: tuple[str, ...]
    is_there: Callable[[], bool]


def has_program(*names: str) -> bool:
    """True when one of these programs is on PATH or in the virtual environment."""
    return any(shutil.which(name) or (VENV / "bin" / name).exists() for name in names)


def has_ffmpeg() -> bool:
    """True for an ffmpeg (with its ffprobe, unless it is the wheel's) new enough for our options."""
    if (VENV / "bin" / "ffmpeg").exists():
        return True
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        return False
    said = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", said)
    # A build from the development tree has no number; it is newer than ours.
    return found is None or (int(found[1]), int(found[2])) >= _OLDEST_FFMPEG


def can_make_environments() -> bool:
    """True when the virtual environment is there or this Python can make one with pip in it."""
    return (VENV / "bin" / "pip").exists() or importlib.util.find_spec("ensurepip") is not None


def find_chromium() -> str | None:
    """The Chrome or Chromium for the browser tests: CHROME_PATH, else the first that is found."""
    given = os.environ.get("CHROME_PATH")
    if given:
        return given if Path(given).exists() else None
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _has_rtsp_server() -> bool:
    asked = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    elements = ("x264enc", "avdec_h264", "rtspsrc", "hlsdemux", "rtph264pay")
    return (
        Path("/usr/bin/python3").exists()
        and _succeeds("/usr/bin/python3", "-c", asked)
        and shutil.which("gst-inspect-1.0") is not None
        and all(_succeeds("gst-inspect-1.0", "--exists", name) for name in elements)
    )


def _has_postgres() -> bool:
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


def _has_faketime() -> bool:
    return bool(list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")))


def needs_to_run() -> list[Need]:
    """What the system itself needs."""
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    needs = [
        Need("virtual environments", (minor,), can_make_environments),
        Need("ffmpeg", ("ffmpeg",), has_ffmpeg),
        Need("setpriv", ("util-linux",), lambda: has_program("setpriv")),
    ]
    if not os.environ.get("REDIS_URL"):
        needs.append(Need("Redis", ("redis-server",), lambda: has_program("redis-server", "valkey-server")))
    return needs


def needs_to_test() -> list[Need]:
    """What the tests need besides: a second database, a browser and an RTSP server that is not ours."""
    gstreamer = ("base", "good", "bad", "ugly")
    return [
        Need("Redis", ("redis-server",), lambda: has_program("redis-server", "valkey-server")),
        Need("PostgreSQL", ("postgresql",), _has_postgres),
        Need("libfaketime", ("libfaketime",), _has_faketime),
        Need("ext4", ("e2fsprogs", "mount"), lambda: has_program("mkfs.ext4") and has_program("mount")),
        Need("Chromium", ("chromium",), lambda: find_chromium() is not None),
        Need(
            "GStreamer's RTSP server",
            (
                "gir1.2-gst-rtsp-server-1.0",
                "python3-gi",
                "gstreamer1.0-tools",
                "gstreamer1.0-libav",
                *(f"gstreamer1.0-plugins-{name}" for name in gstreamer),
            ),
            _has_rtsp_server,
        ),
    ]


def install_missing(needs: list[Need]) -> list[Need]:
    """Install what is missing where we may, and return what is still missing afterwards."""
    missing = [need for need in needs if not need.is_there()]
    if not missing or shutil.which("apt-get") is None:
        return missing
    packages = sorted({package for need in missing for package in need.packages})
    argv = ["sh", "-c", _INSTALL, "install", *packages]
    if os.geteuid() != 0:
        if not _may_sudo():
            return missing
        argv = ["sudo", *argv]
    run(argv)
    return [need for need in missing if not need.is_there()]


def _may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    if sys.stdin.isatty():
        # The password is asked here, before the output of the installation goes to the log.
        return subprocess.call(["sudo", "-v"]) == 0
    return subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL) == 0


def refuse(missing: list[Need]) -> SetUpError:
    """The sentence for what is missing and cannot be had in another way."""
    names = ", ".join(need.name for need in missing)
    packages = " ".join(sorted({package for need in missing for package in need.packages}))
    return SetUpError(
        f"Missing on this machine: {names}. Installing it needs root. Run this, then the command again:\n"
        f"    sudo apt-get update && sudo apt-get install -y {packages}"
    )
