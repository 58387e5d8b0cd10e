"""Every byte of video passes the token; what passes is exact to the byte."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.errors import LimitReached, Unavailable
from cctv.extensions import db
from cctv.live import watch
from cctv.models import Camera, Stream, StreamState, User
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.storage import paths
from tests.cameras import CameraFarm
from tests.captured import GrowingCapture, add_camera, stream_base
from tests.waiting import wait_until

Address = Callable[[str], str]


@pytest.fixture
def capture(app: Flask, farm: CameraFarm, owner: User) -> Iterator[GrowingCapture]:
    """A camera of the application that is being captured."""
    camera_id, stream_id = add_camera(app)
    media_dir = app.extensions["cctv.config"].media_dir
    with GrowingCapture(
        farm.url("t1a", 1), media_dir, camera_id=camera_id, stream_id=stream_id, segment_seconds=4
    ) as running:
        running.wait_for_picture()
        yield running


@pytest.fixture
def live(app: Flask, owner: User, capture: GrowingCapture) -> str:
    return stream_base(app, owner, capture.camera_id) + "main/"


@pytest.fixture
def stored(app: Flask, owner: User, capture: GrowingCapture) -> str:
    base = stream_base(app, owner, capture.camera_id, Action.PLAYBACK)
    return f"{base}play/{capture.key}/0.mp4"


def listed(client: FlaskClient, live: str) -> dict[str, str]:
    """One address of each kind, as the playlists give them."""
    plain = client.get(f"{live}live.m3u8").text
    low = client.get(f"{live}ll.m3u8").text
    found = {
        "init": re.search(r'URI="(init-[^"]+)"', plain),
        "cell": re.search(r"^([^#\n]+\.m4s)$", plain, re.M),
        "part": re.search(r'#EXT-X-PART:[^\n]*URI="([^"]+)"', low),
        "next part": re.search(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', low),
    }
    addresses = {kind: live + match[1] for kind, match in found.items() if match}
    assert len(addresses) == len(found), plain + low
    return addresses | {name: live + name for name in ("live.m3u8", "ll.m3u8", "direct.mp4", "master.m3u8")}


def test_every_address_answers_and_head_too(client: FlaskClient, live: str, stored: str) -> None:
    types = {"m3u8": "application/vnd.apple.mpegurl", "mp4": "video/mp4", "m4s": "video/mp4"}
    for address in [*listed(client, live).values(), stored]:
        answer = client.head(address)
        assert answer.status_code == 200, address
        assert answer.mimetype == types[address.rpartition(".")[2]]
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        if not address.endswith("direct.mp4"):
            assert client.get(address).status_code == 200


def test_nobody_gets_in_with_another_token(
    app: Flask, client: FlaskClient, owner: User, capture: GrowingCapture, live: str, stored: str
) -> None:
    other, _ = add_camera(app)
    addresses = [*listed(client, live).values(), stored]
    right, play = live.split("/")[2], stored.split("/")[2]
    wrong = {
        "another camera": stream_base(app, owner, other).split("/")[2],
        "another action": stream_base(app, owner, capture.camera_id, Action.SNAPSHOT).split("/")[2],
        "tampered": right[:-2] + ("AA" if right[-2:] != "AA" else "BB"),
        "nonsense": "x",
        "empty payload": "W10.aaaa.bbbb",
    }
    for address in addresses:
        for why, token in wrong.items():
            answer = client.get(address.replace(right, token).replace(play, token))
            assert answer.status_code == 404, f"{why}: {address}"
            assert b"moof" not in answer.data
        swapped = address.replace(f"/{capture.camera_id}/", f"/{other}/", 1)
        assert client.get(swapped).status_code == 404, "the path names the camera of the token"
    # Neither action opens the other's addresses.
    assert client.get(f"{live.replace(right, play)}live.m3u8").status_code == 404
    assert client.get(stored.replace(play, right)).status_code == 404


def test_a_token_ends(
    app: Flask, client: FlaskClient, owner: User, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get(f"{live}live.m3u8").status_code == 200
    monkeypatch.setattr(access, "TOKEN_SECONDS", -1)
    assert client.get(f"{live}live.m3u8").status_code == 404


def test_a_session_that_was_ended_closes_its_streams(
    app: Flask, client: FlaskClient, owner: User, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_RECHECK_SECONDS", 0.0)
    stream = client.get(f"{live}direct.mp4", buffered=False)
    chunks = stream.iter_encoded()
    assert next(chunks)[4:8] == b"ftyp"
    with app.app_context():
        db.session.get(User, owner.id).session_version += 1
        db.session.commit()
    assert client.get(f"{live}live.m3u8").status_code == 404
    # The stream that is already open ends by itself within a second or two.
    assert sum(1 for _ in chunks) < 20
    stream.close()


@pytest.mark.parametrize(
    "path",
    [
        "main/../../1/main/live.m3u8",
        "main/init-..%2f..%2fcctv.db.mp4",
        "main/init-1-1700000000-zzzz.mp4",
        "main/1-1700000000-abcd/1700000000.m4s",
        "main/1-1700000000-abcd/0-1.m4s",
        "main/%2e%2e/0-1.m4s",
        "4k/live.m3u8",
        "sub/live.m3u8",
        "play/..%2f..%2fcctv.db",
        "play/1-1700000000-abcd/0.mp4",
        "play/1-1700000000-abcd/-1.mp4",
        "play/1-1700000000-abcd/99999999999999999999.mp4",
        "play/run.json",
    ],
)
def test_what_was_never_written_is_not_found(app: Flask, client: FlaskClient, owner: User, path: str) -> None:
    camera_id, _ = add_camera(app, state=StreamState.OFFLINE)
    for action in (Action.LIVE, Action.PLAYBACK):
        assert client.get(stream_base(app, owner, camera_id, action) + path).status_code == 404


def test_a_link_in_the_folder_is_not_followed(
    app: Flask, client: FlaskClient, capture: GrowingCapture, stored: str
) -> None:
    secret = app.extensions["cctv.config"].data_dir / "secret"
    secret.write_text("secret")
    (capture.folder / "00077.mp4").symlink_to(secret)
    assert client.get(stored.replace("/0.mp4", "/77.mp4")).status_code == 404


def test_a_cell_is_its_parts(client: FlaskClient, live: str) -> None:
    def compared() -> bool:
        text = client.get(f"{live}ll.m3u8").text
        for block in text.split("#EXTINF")[:-1]:
            parts = re.findall(r'#EXT-X-PART:[^\n]*URI="([^"]+)"', block)
            cell = re.search(rf"{re.escape(block[-40:])}#EXTINF[^\n]*\n([^\n]+)", text)
            if len(parts) >= 4 and cell:
                joined = b"".join(client.get(live + part).data for part in parts)
                assert client.get(live + cell[1]).data == joined
                return True
        return False

    wait_until(compared, 8, "a whole second with parts")


def test_stored_files_come_by_ranges(
    client: FlaskClient, capture: GrowingCapture, stored: str, app: Flask
) -> None:
    path = paths.segment_path(capture.media_dir, capture.camera_id, capture.key, 0)
    wait_until(lambda: path.with_name("00001.mp4").exists(), 10, "the file to be closed")
    content = path.read_bytes()
    whole = client.get(stored)
    assert whole.data == content
    assert whole.headers["Accept-Ranges"] == "bytes"
    for spec, expected in {
        "bytes=0-99": content[:100],
        "bytes=100-": content[100:],
        "bytes=-50": content[-50:],
        f"bytes=10-{len(content) * 2}": content[10:],
    }.items():
        answer = client.get(stored, headers={"Range": spec})
        assert (answer.status_code, answer.data) == (206, expected), spec
        assert answer.headers["Content-Length"] == str(len(expected))
    beyond = client.get(stored, headers={"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(content)}"
    assert "ETag" not in whole.headers, "it was written a moment ago"
    os.utime(path, (time.time() - 120, time.time() - 120))
    settled = client.get(stored)
    assert client.get(stored, headers={"If-None-Match": settled.headers["ETag"]}).status_code == 304


def test_a_camera_that_is_off_or_away_says_so_soon(app: Flask, client: FlaskClient, owner: User) -> None:
    camera_id, stream_id = add_camera(app, state=StreamState.OFFLINE)
    live = stream_base(app, owner, camera_id) + "main/"
    with app.app_context():
        db.session.get(Stream, stream_id).cause = "auth"
        db.session.commit()
    for name in ("live.m3u8", "ll.m3u8", "direct.mp4"):
        answer = client.get(live + name)
        assert answer.status_code == 503
        assert answer.text == "Wrong user name or password.\n"
        assert "Retry-After" in answer.headers
    with app.app_context():
        camera = db.session.get(Camera, camera_id)
        camera.is_enabled = False
        db.session.commit()
    wait_until(lambda: "turned off" in client.get(f"{live}live.m3u8").text, 6, "the camera to be off")


def test_seats_are_limited_and_given_back(
    client: FlaskClient, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cctv.blueprints import media

    monkeypatch.setattr(media._direct_seats, "limit", media._direct_seats.taken + 1)
    first = client.get(f"{live}direct.mp4", buffered=False)
    chunks = first.iter_encoded()
    next(chunks)
    refused = client.get(f"{live}direct.mp4")
    assert refused.status_code == 503
    assert "Too many people" in refused.text
    chunks.close()
    first.close()
    again = client.get(f"{live}direct.mp4", buffered=False)
    assert again.status_code == 200
    again.close()


def test_one_person_does_not_take_all_seats(
    app: Flask, client: FlaskClient, live: str, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cctv.blueprints import _seats, media

    monkeypatch.setattr(media._direct_seats, "of_person", 1)
    monkeypatch.setattr(_seats.file_seats, "of_person", 1)
    first, file = client.get(f"{live}direct.mp4", buffered=False), client.get(stored, buffered=False)
    chunks = first.iter_encoded()
    next(chunks)
    for address, open_one in ((f"{live}direct.mp4", chunks), (stored, file)):
        refused = client.get(address)
        assert refused.status_code == 429
        assert "You are watching 1 picture" in refused.text
        open_one.close()
    first.close()
    assert client.head(f"{live}direct.mp4").status_code == 200
    assert client.get(stored).status_code == 200
    seats = watch.Seats(3, of_person=2)
    with seats.one(1), seats.one(1), pytest.raises(LimitReached), seats.one(1):
        raise AssertionError("a third seat for one person")
    with seats.one(1), seats.one(1), seats.one(2), pytest.raises(Unavailable), seats.one(3):
        raise AssertionError("a fourth seat of three")
    assert (seats.taken, seats._taken) == (0, {})
