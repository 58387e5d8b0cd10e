"""Which processes make the system on one machine. Their command lines are spelled here and nowhere else."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from scripts.stack.part import Plan

_ROOT = Path(__file__).resolve().parent.parent.parent
_DEMO_PORT_FILE = "demo_port"
_FIRST_DEMO_PORT = 18554
# Pages and captures come first on a small machine; what nobody waits for starts after them.
_LATER_SECONDS = 1.5


def web(host: str, port: int) -> Plan:
    """The pages, the API and every byte of video."""
    bound = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    configuration = str(_ROOT / "gunicorn.conf.py")
    return Plan(
        name="web",
        argv=(sys.executable, "-m", "gunicorn", "--config", configuration, "--bind", bound, "wsgi:app"),
    )


def demo(port: int) -> Plan:
    """The built-in camera."""
    # Its loops are the same for every DATA_DIR and take some seconds to encode: kept with the project.
    cache = str(_ROOT / ".cache" / "loops")
    argv = (sys.executable, "-m", "cctv.demo", "--port", str(port), "--cache", cache)
    return Plan(name="demo", argv=argv, is_base=True)


def workers() -> list[Plan]:
    """Captures, jobs and the scheduler of this machine."""
    jobs = [
        Plan(
            name=f"jobs-{queue}",
            argv=(sys.executable, str(_ROOT / "worker.py"), "jobs", queue),
            start_after_seconds=_LATER_SECONDS,
        )
        for queue in ("high", "default", "mail", "media", "activity")
    ]
    return [
        Plan(
            name="capture",
            argv=(sys.executable, str(_ROOT / "worker.py"), "capture"),
            # An orphaned worker hands over: its captures go on and the next start adopts them (DECISIONS 2).
            orphan_signal="USR1",
        ),
        *jobs,
        Plan(
            name="scheduler",
            argv=(sys.executable, str(_ROOT / "worker.py"), "scheduler"),
            start_after_seconds=_LATER_SECONDS,
        ),
    ]


def demo_port(data_dir: Path, configured_url: str) -> int:
    """The port of the demo camera, the same at every start while it is free: its address is stored."""
    if configured_url:
        return urlsplit(configured_url).port or 554
    file = data_dir / _DEMO_PORT_FILE
    with contextlib.suppress(OSError, ValueError):
        port = int(file.read_text())
        if is_free("127.0.0.1", port):
            return port
    # Below the range that outgoing connections take from, so that it stays free between two starts.
    port = next(port for port in range(_FIRST_DEMO_PORT, 32768) if is_free("127.0.0.1", port))
    file.write_text(f"{port}\n")
    return port


def is_free(host: str, port: int) -> bool:
    """True when this machine may listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
