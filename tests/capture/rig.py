"""A capture worker in a process of its own, with database, Redis and cameras: what the fault tests drive.

Everything is asked from outside - rows, files, processes - as an operator would.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from cctv import create_app
from cctv.capture import process
from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Gap, Run, Segment, StateChange, Stream
from cctv.services.camera import cameras
from cctv.storage import paths
from tests.cameras import CameraFarm, numbers_in
from tests.fixtures.application import make_config
from tests.fixtures.processes import ProductProcess, end_captures
from tests.servers import PostgresServer, RedisServer
from tests.waiting import wait_until

# Short enough for tests; the ratios between them are those of the product.
PATIENCE: dict[str, float] = {
    "tcp": 2.0,
    "first_fragment": 12.0,
    "frozen": 1.5,
    "stall": 3.0,
    "content_frozen": 4.0,
    "retry_longest": 2.0,
    "settled": 3.0,
    "refused_first": 3.0,
    "refused_later": 600.0,
    "storage_retry": 0.5,
    "storage_check": 1.0,
    "hung": 3.0,
    "poll": 0.5,
    "renew": 1.0,
    "on_demand_idle": 0.5,
}
SEGMENT_SECONDS = 3


@dataclass(frozen=True)
class Cam:
    """A camera of the product and its number in the farm."""

    number: int
    camera_id: int
    stream_id: int


class Rig:
    """One node."""

    def __init__(self, config: Config, farm: CameraFarm, **patience: float) -> None:
        self.config = config
        self.farm = farm
        self.app: Flask = create_app(config, has_pages=False)
        self._patience = {**PATIENCE, **patience}
        self.worker: ProductProcess | None = None
        self.redis: RedisServer  # set when it is the rig's own
        self.postgres: PostgresServer

    def start(self, *, clock_ahead_s: float = 0.0) -> ProductProcess:
        """Start a capture worker (another one, when one runs)."""
        argv = [sys.executable, "-m", "tests.capture.program", json.dumps(self._patience)]
        self.worker = ProductProcess(
            "capture", [*argv, str(SEGMENT_SECONDS), str(clock_ahead_s)], self.config
        )
        return self.worker

    def close(self) -> None:
        """End everything that is left."""
        if self.worker is not None:
            self.worker.close()
        end_captures(self.config)
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """A database session."""
        with self.app.app_context():
            try:
                yield db.session
            finally:
                db.session.remove()

    def add(self, profile: str, number: int, *, url: str | None = None, **form: Any) -> Cam:
        """Add a camera of the farm; it is captured at once."""
        with self.rows():
            camera = cameras.create_camera(
                cameras.CameraForm(
                    name=f"{profile} {number}", url=url or self.farm.url(profile, number), **form
                ),
                None,
            )
            return Cam(number, camera.id, camera.main.id)

    def stream(self, cam: Cam) -> Stream:
        """The row of its main stream, loaded."""
        with self.rows() as session:
            stream: Stream = session.get_one(Stream, cam.stream_id)
            session.expunge(stream)
            return stream

    def wait_state(self, cam: Cam, state: str, cause: str | None = None, *, timeout: float = 20) -> Stream:
        """Wait until the stream is in that state."""

        def is_there() -> Stream | None:
            row = self.stream(cam)
            return row if row.state == state and cause in (None, row.cause) else None

        try:
            return wait_until(is_there, timeout, f"camera {cam.number} to be {state} {cause or ''}")
        except AssertionError as error:
            row = self.stream(cam)
            raise AssertionError(f"{error}: it is {row.state} {row.cause} {row.detail}") from None

    def wait_live(self, *cams: Cam, timeout: float = 20) -> None:
        """Wait until all of them show a picture."""
        for cam in cams:
            self.wait_state(cam, "live", timeout=timeout)

    def segments(self, cam: Cam) -> list[Segment]:
        """The rows of its files, in order of time."""
        query = select(Segment).where(Segment.stream_id == cam.stream_id).order_by(Segment.started_ms)
        with self.rows() as session:
            found = list(session.scalars(query))
            session.expunge_all()
            return found

    def runs(self, cam: Cam) -> list[Run]:
        """The rows of its runs, in order."""
        with self.rows() as session:
            found = list(
                session.scalars(select(Run).where(Run.stream_id == cam.stream_id).order_by(Run.ordinal))
            )
            session.expunge_all()
            return found

    def gaps(self, cam: Cam) -> list[Gap]:
        """The rows of its gaps, in order of time."""
        query = select(Gap).where(Gap.camera_id == cam.camera_id).order_by(Gap.started_ms)
        with self.rows() as session:
            found = list(session.scalars(query))
            session.expunge_all()
            return found

    def history(self, cam: Cam) -> list[tuple[str, str | None]]:
        """The states it went through."""
        query = select(StateChange).where(StateChange.stream_id == cam.stream_id).order_by(StateChange.id)
        with self.rows() as session:
            return [(row.state, row.cause) for row in session.scalars(query)]

    def captures(self, cam: Cam | None = None) -> list[process.Running]:
        """The running ffmpegs, of one camera or all."""
        found = process.find_captures(self.config.media_dir)
        return [running for running in found if cam is None or running.camera_id == cam.camera_id]

    def pid(self, cam: Cam, *, other_than: int = 0) -> int:
        """Its one ffmpeg."""
        return wait_until(
            lambda: next((found.pid for found in self.captures(cam) if found.pid != other_than), None),
            15,
            f"an ffmpeg of camera {cam.number}",
        )

    def wait_closed(self, cam: Cam, count: int = 1, *, timeout: float = 20) -> list[Segment]:
        """Wait until so many files have their rows."""
        return wait_until(
            lambda: found if len(found := self.segments(cam)) >= count else None, timeout, f"{count} files"
        )

    def path(self, cam: Cam, segment: Segment) -> Path:
        """Where a file lies."""
        with self.rows() as session:
            key = session.get_one(Run, segment.run_id).key
        return paths.segment_path(self.config.media_dir, cam.camera_id, key, segment.number)

    def pictures(self, cam: Cam) -> list[int]:
        """The frame numbers in all of its files, read from the picture."""
        found: list[int] = []
        for segment in self.segments(cam):
            numbers = numbers_in(self.path(cam, segment))
            assert None not in numbers, f"an unreadable picture in file {segment.number}"
            found += [number for number in numbers if number is not None]
        return found

    def disable(self, cam: Cam) -> None:
        """Switch it off, so that it costs nothing any more."""
        with self.rows() as session:
            begin_writing()
            camera = session.get_one(Camera, cam.camera_id)
            camera.is_enabled = False
            session.commit()


def open_rig(folder: Path, database: Path, redis_url: str, farm: CameraFarm, **patience: float) -> Rig:
    """A node on a copy of the migrated database."""
    shutil.copyfile(database, folder / "cctv.db")
    config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis_url)
    return Rig(config, farm, **patience)
