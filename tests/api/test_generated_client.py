"""A client that an independent generator made from the description does a whole story against real parts.

Sign in, list cameras, watch, record, stop, find the recording, play it back, sign out: with a camera, a
capture worker and the web server in processes of their own. No line of it knows a path of the API.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from flask import Flask

from cctv.models import User
from cctv.services.camera import cameras
from tests.api.apps import Phone, answer
from tests.cameras import CameraFarm, numbers_in
from tests.fixtures.application import OWNER_PASSWORD
from tests.fixtures.processes import LiveServer, ProductProcess
from tests.waiting import wait_until

# What the generator cannot know (a JPEG is bytes), and what it would format for readers.
_SETTINGS = "post_hooks: []\ncontent_type_overrides:\n  image/jpeg: application/octet-stream\n"
PACKAGE = "generated_from_the_description"


@dataclass
class Generated:
    """The package that was made."""

    folder: Path

    def part(self, name: str) -> ModuleType:
        """One of its modules."""
        return importlib.import_module(f"{PACKAGE}.{name}")

    def operation(self, tag: str, name: str) -> Any:
        """One of its operations."""
        return self.part(f"api.{tag}.{name}")


@pytest.fixture
def generated(app: Flask, owner: User, tmp_path: Path) -> Iterator[Generated]:
    """The client, made by openapi-python-client without a warning."""
    (tmp_path / "schema.json").write_text(json.dumps(answer(Phone(app).get("/api/docs/schema/"))))
    (tmp_path / "settings.yml").write_text(_SETTINGS)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("openapi-python-client")),
            *("generate", "--path", "schema.json", "--output-path", PACKAGE),
            *("--meta", "none", "--config", "settings.yml", "--fail-on-warning"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(tmp_path))
    yield Generated(tmp_path / PACKAGE)
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def first_part(player: httpx.Client, playlist_url: str) -> bytes:
    """As a native player: the playlist, the start of its first file, and the first piece of video."""
    found = player.get(playlist_url)
    assert found.status_code == 200, found.text
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"(?:,BYTERANGE="(\d+)@(\d+)")?', found.text)
    piece = re.search(
        r"#EXTINF[^\n]*\n(?:#EXT-X-BYTERANGE:(\d+)@(\d+)\n)?(?:#[^\n]*\n)*([^#\n]+)", found.text
    )
    assert init and piece, found.text
    content = b""
    for uri, size, offset in ((init[1], init[2], init[3]), (piece[3], piece[1], piece[2])):
        headers = {"Range": f"bytes={offset}-{int(offset) + int(size) - 1}"} if size else {}
        part = player.get(urljoin(playlist_url, uri), headers=headers)
        assert part.status_code in (200, 206), part.text
        content += part.content
    return content


@pytest.mark.timeout(180)
def test_it_watches_records_and_plays_back(
    app: Flask,
    farm: CameraFarm,
    node: ProductProcess,
    live_server: LiveServer,
    generated: Generated,
    tmp_path: Path,
) -> None:
    with app.app_context():
        form = cameras.CameraForm(name="Gate", url=farm.url("t1", 1), recording_mode="manual")
        cameras.create_camera(form, None)
    client, models = generated.part("client"), generated.part("models")

    stranger = client.Client(base_url=live_server.url)
    body = models.LoginBody(login="owner", password=OWNER_PASSWORD, device="Generated client")
    tokens = generated.operation("auth", "auth_login").sync(client=stranger, body=body)
    assert isinstance(tokens, models.Tokens), tokens
    me = client.AuthenticatedClient(base_url=live_server.url, token=tokens.access_token)

    def camera() -> Any:
        page = generated.operation("cameras", "cameras_index").sync(client=me, search="gate")
        assert isinstance(page, models.CameraPage), page
        (found,) = page.items
        return found if found.state == "live" else None

    gate = wait_until(camera, 40, "the camera to be live")
    assert gate.can.watch and gate.can.record and gate.can.play_back

    with httpx.Client(timeout=20) as player:  # neither header nor cookie
        watch = generated.operation("watching", "watching_stream").sync(gate.id, client=me)
        live = first_part(player, watch.qualities[0].hls_url)
        (tmp_path / "live.mp4").write_bytes(live)
        assert None not in numbers_in(tmp_path / "live.mp4"), "real pictures of the camera"
        picture = generated.operation("watching", "watching_snapshot").sync(gate.id, client=me)
        assert picture.payload.read(2) == b"\xff\xd8"

        started = generated.operation("watching", "watching_start_recording").sync(
            gate.id, client=me, body=models.RecordBody(pre_roll_seconds=2), idempotency_key="once"
        )
        assert isinstance(started, models.RecordingAnswer) and started.is_running, started
        show = generated.operation("recordings", "recordings_show")

        def recorded() -> Any:
            details = show.sync(started.id, client=me)
            return details if player.get(details.playback_url).status_code == 200 else None

        wait_until(recorded, 40, "enough footage to play back", every_seconds=0.5)
        stopped = generated.operation("watching", "watching_stop_recording").sync(gate.id, client=me)
        assert stopped.id == started.id and not stopped.is_running
        page = generated.operation("recordings", "recordings_index").sync(client=me, camera_id=gate.id)
        assert [one.id for one in page.items if one.kind == "manual"] == [started.id]
        played = first_part(player, show.sync(started.id, client=me).playback_url)
        (tmp_path / "played.mp4").write_bytes(played)
        numbers = numbers_in(tmp_path / "played.mp4")
        assert len(numbers) > 10 and None not in numbers

        assert generated.operation("auth", "auth_logout").sync_detailed(client=me).status_code == 204
        refused = generated.operation("cameras", "cameras_index").sync(client=me)
        assert isinstance(refused, models.Problem) and refused.status == 401
        wait_until(
            lambda: player.get(watch.qualities[0].hls_url).status_code == 404, 10, "the live address to die"
        )
