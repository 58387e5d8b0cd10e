"""Whether a camera has said anything to an ffmpeg, and whether it would answer somebody else: asked only of a
capture that has got no picture for long. Reads the kernel's books of its sockets; never the socket itself.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from cctv.media.addresses import CameraAddress
from cctv.media.rtsp_client import RtspClient, RtspTrouble
from cctv.media.whereabouts import sockets_of

# sock_diag(7): the request, its answer, and where in struct tcp_info the received bytes are counted.
_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = struct.Struct("=IHHIIBBBxI48x")  # nlmsghdr, then inet_diag_req_v2 with an empty inet_diag_sockid
_HEAD = struct.Struct("=IHHII")
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_INFO = 2  # INET_DIAG_INFO
_ESTABLISHED = 1 << 1
_PORTS, _FAR_IP, _INODE, _ATTRIBUTES = 16 + 4, 16 + 24, 16 + 68, 16 + 72
_RECEIVED = 128
_ANSWER_SECONDS = 3.0


def is_unheard(pid: int, ip: str, port: int) -> bool:
    """Whether the process is connected to that place and has not got a byte from there.

    False also when nothing can be said: it has ended, or the kernel does not tell.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        received = [
            count
            for inode, far_ip, far_port, count in _connections(family)
            if far_port == port and far_ip == socket.inet_pton(family, ip) and inode in sockets_of(pid)
        ]
    except (OSError, struct.error):
        return False
    return bool(received) and not any(received)


def answers(address: CameraAddress) -> bool:
    """Whether the camera answers OPTIONS, the first request of all, on a connection of its own. No login."""
    client = RtspClient(address, address.host, timeout_s=_ANSWER_SECONDS)
    try:
        client.connect()
        return client.options().status > 0
    except RtspTrouble:
        return False
    finally:
        client.close()


def _connections(family: int) -> Iterator[tuple[int, bytes, int, int]]:
    """(inode, far ip, far port, bytes received) of every TCP connection of this machine."""
    size = 16 if family == socket.AF_INET6 else 4
    with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)) as kernel:
        kernel.settimeout(1.0)
        request = (_REQUEST.size, _BY_FAMILY, _DUMP, 1, 0, family, socket.IPPROTO_TCP, 1 << (_INFO - 1))
        kernel.sendto(_REQUEST.pack(*request, _ESTABLISHED), (0, 0))
        while True:
            data = kernel.recv(1 << 18)
            at = 0
            while at < len(data):
                length, kind, *_ = _HEAD.unpack_from(data, at)
                if kind != _BY_FAMILY:
                    return  # the end, or an error
                entry = data[at : at + length]
                (port,) = struct.unpack_from(">2xH", entry, _PORTS)
                (inode,) = struct.unpack_from("=I", entry, _INODE)
                yield inode, entry[_FAR_IP : _FAR_IP + size], port, _received(entry)
                at += (length + 3) & ~3


def _received(entry: bytes) -> int:
    at = _ATTRIBUTES
    while at + 4 <= len(entry):
        length, kind = struct.unpack_from("=HH", entry, at)
        if kind == _INFO:
            return int(struct.unpack_from("=Q", entry, at + 4 + _RECEIVED)[0])
        at += max(4, (length + 3) & ~3)
    raise OSError(os.strerror(61))  # the kernel tells nothing of this connection
