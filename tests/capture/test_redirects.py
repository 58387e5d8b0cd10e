"""A camera that leads ffmpeg elsewhere: it is stopped at once, told, and not tried again soon."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.capture.rig import Rig
from tests.waiting import wait_until


class Elsewhere:
    """A place that is no camera: takes connections, keeps what it hears, says nothing. Or is closed."""

    def __init__(self, *, is_open: bool) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.heard: list[bytes] = []
        self.ended = 0
        if is_open:
            threading.Thread(target=self._serve, daemon=True).start()
        else:
            self.server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._hear, args=(client,), daemon=True).start()

    def _hear(self, client: socket.socket) -> None:
        with client:
            self.heard.append(b"")
            try:
                while more := client.recv(4096):
                    self.heard[-1] += more
            except OSError:
                pass
            self.ended += 1


@pytest.fixture(params=[True, False], ids=["open", "closed"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    place = Elsewhere(is_open=request.param)
    yield place
    place.server.close()


def test_a_camera_that_redirects_is_refused_and_left_alone(rig: Rig, elsewhere: Elsewhere) -> None:
    number = 471
    rig.farm.control("redirect", number, f"rtsp://127.0.0.1:{elsewhere.port}/stream")
    cam = rig.add("t1", number, url=rig.farm.url("t1", number, auth=True))
    rig.start()
    rig.wait_state(cam, "refused", "redirected", timeout=30)
    wait_until(lambda: not rig.captures(cam), 5, "the end of its ffmpeg")
    wait_until(lambda: elsewhere.ended == len(elsewhere.heard), 5, "the end of the connection")
    # Stopped while it waited for the first answer: nothing was described, set up or played.
    assert all(words.startswith(b"OPTIONS") and words.count(b"CSeq") == 1 for words in elsewhere.heard)
    asked = rig.farm.control.stats(number)["describes"]
    # Refused later: after some seconds here, after half an hour in the product.
    assert asked <= 4
    assert rig.segments(cam) == []
