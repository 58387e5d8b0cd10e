"""The signpost leads one client to a camera, once; ffmpeg following it is in test_argv.py."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from cctv.media.signpost import Signpost

CAMERA = "rtsp://admin:p%40ss@192.0.2.7:8554/stream?channel=1"


@pytest.fixture
def signpost() -> Iterator[Signpost]:
    signpost = Signpost()
    yield signpost
    signpost.close()


def ask(address: str) -> bytes:
    where = urlsplit(address)
    with socket.create_connection(("127.0.0.1", where.port or 0), timeout=5) as connection:
        connection.sendall(f"OPTIONS {address} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        try:
            return connection.recv(4096)
        except ConnectionResetError:
            return b""


def test_it_leads_to_the_camera_once(signpost: Signpost) -> None:
    address = signpost.address_of(CAMERA)
    assert "192.0.2.7" not in address and "p%40ss" not in address
    assert f"Location: {CAMERA}\r\n".encode() in ask(address)
    assert ask(address).startswith(b"RTSP/1.0 404")


def test_it_leads_nobody_with_another_word(signpost: Signpost) -> None:
    address = signpost.address_of(CAMERA)
    assert ask(f"{address}x").startswith(b"RTSP/1.0 404")
    assert b"Location" in ask(address)


def test_it_does_not_answer_another_user(signpost: Signpost, monkeypatch: pytest.MonkeyPatch) -> None:
    address = signpost.address_of(CAMERA)
    monkeypatch.setattr("cctv.media.signpost.os.geteuid", lambda: 4_000_000)
    assert ask(address) == b""


def test_it_goes_on_after_a_client_that_says_nothing(signpost: Signpost) -> None:
    address = signpost.address_of(CAMERA)
    with socket.create_connection(("127.0.0.1", urlsplit(address).port or 0)):
        pass
    assert b"Location" in ask(address)


@pytest.mark.parametrize(
    "url", ["http://x/", "file:///etc/passwd", "rtsp://a\r\nX: y", "rtsp://a b", "rtsp://a\x00"]
)
def test_it_leads_to_cameras_only(signpost: Signpost, url: str) -> None:
    with pytest.raises(ValueError):
        signpost.address_of(url)
