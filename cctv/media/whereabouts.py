"""Where a running ffmpeg is connected to. A camera can lead ffmpeg to any host and port by a redirect, which
no option of it forbids (THREATS 8), so whoever starts one looks here until the first picture has come.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from cctv.media import stderr

_ESTABLISHED = "01"
_TABLES = ("tcp", "tcp6", "udp", "udp6")


class End(NamedTuple):
    """The far end of a connection, made or being made."""

    ip: str
    port: int
    is_established: bool = True


def ends(pid: int) -> list[End] | None:
    """Every far end of the process (proc(5)); None when it has ended or may not be looked at."""
    try:
        sockets = {str(inode) for inode in sockets_of(pid)}
    except OSError:
        return None
    if not sockets:
        return []
    return [end for table in _TABLES for end in _read(f"/proc/{pid}/net/{table}", sockets)]


def sockets_of(pid: int) -> set[int]:
    """The inodes of the sockets of a process. OSError when it has ended or may not be looked at."""
    found = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
        with contextlib.suppress(FileNotFoundError):  # closed since
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")  # noqa: PTH115
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    return found


def strays(pid: int, allowed: Iterable[tuple[str, int]]) -> list[End]:
    """The far ends that are none of the `allowed` places (IP address, port)."""
    places = {(_plain(ip), port) for ip, port in allowed}
    return [end for end in ends(pid) or [] if (end.ip, end.port) not in places]


def strayed(words: str, allowed: Iterable[tuple[str, int]]) -> bool:
    """Whether ffmpeg says in its log that it tried another place, and has ended since."""
    places = {(_plain(ip), port) for ip, port in allowed}
    return any((_plain(host), port) not in places for host, port in stderr.tried_places(words))


def _read(table: str, sockets: set[str]) -> list[End]:
    try:
        with open(table) as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return []
    found = (_end(row[2], row[3] == _ESTABLISHED) for row in rows if row[9] in sockets)
    return [end for end in found if end.port]


def _end(text: str, is_established: bool) -> End:
    """Of "0100007F:1F90": the words of the address are in this machine's byte order."""
    digits, _, port = text.partition(":")
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    address = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    return End(_plain(str(address)), int(port, 16), is_established)


def _plain(ip: str) -> str:
    """One spelling for an address; an IPv4 address inside IPv6 is that IPv4 address. A name stays a name."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    return str(getattr(address, "ipv4_mapped", None) or address)
