"""The private Redis of a DATA_DIR: configuration and program. Reached through a socket, never a port."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

from scripts.stack.part import Plan

# sun_path of unix(7) holds 108 bytes with its closing zero.
_LONGEST_SOCKET_PATH = 107

_CONFIGURATION = """\
# Written by scripts/run at every start; change nothing here.
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
daemonize no
save ""
# Queues survive a crash but for the last second; the database can rebuild even that.
appendonly yes
appendfsync everysec
# A queue must say that it is full instead of dropping jobs.
maxmemory 256mb
maxmemory-policy noeviction
"""


def plan(data_dir: Path) -> Plan:
    """Write the configuration and return the part.

    Raises:
        OSError: there is no Redis program, or the path of the socket would be too long.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise OSError("Neither redis-server nor valkey-server is on PATH; ./scripts/run installs one.")
    socket_path = data_dir / "redis.sock"
    if len(str(socket_path).encode()) > _LONGEST_SOCKET_PATH:
        raise OSError(f"DATA_DIR is too long a path for a socket in it: {data_dir}. Choose a shorter one.")
    folder = data_dir / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    configuration = folder / "redis.conf"
    configuration.write_text(_CONFIGURATION.format(socket=socket_path, folder=folder))
    return Plan(name="redis", argv=(program, str(configuration)), is_base=True)


def wait(data_dir: Path, *, patience_seconds: float) -> bool:
    """Wait until it answers PING (RESP: `+PONG`); reading a large append-only file takes it a while."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(0.5)
                client.connect(str(data_dir / "redis.sock"))
                client.sendall(b"PING\r\n")
                if client.recv(16).startswith(b"+PONG"):
                    return True
        except OSError:
            pass
        time.sleep(0.02)
    return False
