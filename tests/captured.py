"""A real ffmpeg that writes a growing run of the demo camera, with the command line of the capture."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from cctv.extensions import db
from cctv.media.argv import capture_argv
from cctv.models import Camera, Stream, StreamState, User
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import sessions
from cctv.storage import paths
from cctv.storage.growing import GrowingRun
from cctv.storage.runfile import RunFile, write_run


class GrowingCapture:
    """One run. Use as a context manager; `stop` ends it as a keeper would, `kill` as a power cut would."""

    def __init__(
        self,
        url: str,
        media_dir: Path,
        *,
        camera_id: int = 1,
        stream_id: int = 1,
        ordinal: int = 1,
        segment_seconds: int = 60,
        audio: str | None = "copy",
    ) -> None:
        self.media_dir = media_dir
        self.camera_id = camera_id
        self.key = paths.new_run_key(stream_id, int(time.time()))
        self.folder = paths.run_dir(media_dir, camera_id, self.key)
        self.folder.mkdir(parents=True)
        epoch_ms = time.time_ns() // 1_000_000
        write_run(
            self.folder,
            RunFile(self.key, camera_id, stream_id, ordinal=ordinal, epoch_ms=epoch_ms),
            durable=False,
        )
        argv = capture_argv(url, self.folder, epoch_ms=epoch_ms, segment_seconds=segment_seconds, audio=audio)
        with paths.log_path(self.folder).open("ab") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_for_picture(self, *, timeout_seconds: float = 15) -> None:
        """Return once a fragment with a key frame is complete."""
        deadline = time.monotonic() + timeout_seconds
        with GrowingRun(self.media_dir, self.camera_id, self.key) as growing:
            while not any(located.fragment.is_key for located in growing.refresh()):
                assert self.child.poll() is None, paths.log_path(self.folder).read_text()
                assert time.monotonic() < deadline, "no picture in time"
                time.sleep(0.05)

    def stop(self) -> None:
        """End with TERM."""
        self.child.terminate()
        self.child.wait(10)

    def kill(self) -> None:
        """End without a chance to write anything more."""
        self.child.kill()
        self.child.wait(10)

    def __enter__(self) -> GrowingCapture:
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.kill()


def add_camera(app: Flask, *, name: str = "Gate", state: str = StreamState.LIVE) -> tuple[int, int]:
    """Rows of a camera as if it were captured; (camera id, id of its main stream)."""
    with app.app_context():
        number = (db.session.scalar(select(func.max(Camera.number))) or 0) + 1
        camera = Camera(number=number, name=name)
        camera.streams = [Stream(kind="main", url="rtsp://127.0.0.1/x", state=state)]
        db.session.add(camera)
        db.session.commit()
        return camera.id, camera.main.id


def stream_base(app: Flask, user: User, camera_id: int, action: Action = Action.LIVE) -> str:
    """Where the bytes of a camera are for this person; ends with a slash."""
    with app.app_context():
        if not user.session_id:
            sessions.begin(user)
        return f"/stream/{access.media_token(user, camera_id, action)}/{camera_id}/"
