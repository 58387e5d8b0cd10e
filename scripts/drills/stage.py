"""The stage of a drill: the whole product on a temporary DATA_DIR with ports, servers and cameras of its own.

Starts, finds and ends processes; what a drill does to them stands in the drill.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
from sqlalchemy.exc import SQLAlchemyError

from cctv.clock import now_ms
from cctv.config import Config
from cctv.models import Role
from cctv.services.footage import gaps
from cctv.services.person import users
from scripts.drills.catalogue import Needs
from scripts.drills.onlooker import HEALTH, Onlooker
from scripts.drills.volumes import Volume
from scripts.stack import leftovers
from tests.cameras import CameraFarm, numbers_in, steps_of
from tests.capture.rig import PATIENCE, Cam, Rig
from tests.fixtures.application import make_config, migrate
from tests.fixtures.processes import ProductProcess, end_captures
from tests.servers import PostgresServer, RedisServer, free_port
from tests.waiting import wait_until

EMAIL, PASSWORD = "owner@example.org", "the password of the drills"
_FRAMES = 160  # in the loops of 16 s that the small profiles play
_SIZE_MB = 400  # of a small file system: its floor lies above what makes the reserve go


class Stage:
    """One machine with everything on it. `is_long`: the product's own patience, else that of the tests."""

    def __init__(self, farm: CameraFarm, needs: Needs, *, database: str, is_long: bool) -> None:
        self.farm = farm
        self.needs = needs
        self.is_long = is_long
        self.segment_seconds = 5 if is_long else 3
        self.top = Path(tempfile.mkdtemp(prefix="drill-"))
        self.redis = RedisServer()
        self.postgres = PostgresServer() if database == "postgresql" else None
        self.volume: Volume | None = None
        self.disk: Volume | None = None
        self.port = free_port()
        self.clock_offset_s = 0.0
        self.config = self._configure()
        migrate(self.config)
        self.rig = Rig(self.config, farm)
        self.cameras: list[Cam] = []
        self._retired = 0
        self._make_owner()
        self.crew: ProductProcess | None = None
        self.onlooker = Onlooker(self.port, count_captures=self.count_captures)

    def _configure(self) -> Config:
        data_dir = self.top / "data"
        if self.needs.power:
            self.disk = Volume(self.top / "disk", "ext4", size_mb=_SIZE_MB)
            data_dir = self.top / "disk" / "data"
        data_dir.mkdir()
        url = f"sqlite:///{data_dir}/cctv.db"
        if self.postgres is not None:
            url = self.postgres.url(self.postgres.create_database())
        config = make_config(data_dir, database_url=url, redis_url=self.redis.url)
        if self.needs.volume != "folder":
            self.volume = Volume(self.top / "footage", self.needs.volume, size_mb=_SIZE_MB, inodes=4000)
            config = replace(config, media_dir=self.top / "footage")
        return config

    def _make_owner(self) -> None:
        with self.rig.rows():
            users.create_user("Olive Owner", EMAIL, password=PASSWORD, role=Role.SUPER_ADMIN)

    # --- the parts -----------------------------------------------------------------------------------

    def start_as(self, parts: tuple[str, ...]) -> None:
        """`start` for a stage that was opened without parts."""
        self.needs = replace(self.needs, parts=parts)
        self.start()

    def spawn(self) -> None:
        """Start the supervisor with its parts, without waiting for them."""
        order = {
            "parts": self.needs.parts,
            "port": self.port,
            "patience": {} if self.is_long else PATIENCE,
            "segment_seconds": self.segment_seconds,
        }
        argv = [sys.executable, "-m", "scripts.drills.crew", json.dumps(order)]
        self.crew = ProductProcess("crew", argv, self.config, **self._clock_environment())

    def _clock_environment(self) -> dict[str, str]:
        if not self.needs.faketime:
            return {}
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if library is None:
            raise RuntimeError("libfaketime is not installed: apt-get install libfaketime")
        self.step_clock(0)
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.top / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(Path(__file__).parent / "faked"),
        }

    def step_clock(self, seconds: float) -> None:
        """The clock of every part steps by so much from now on."""
        self.clock_offset_s += seconds
        fresh = self.top / "clock.new"
        fresh.write_text(f"{self.clock_offset_s:+.0f}\n")
        fresh.replace(self.top / "clock")

    def start(self, *, timeout: float = 60) -> None:
        """Start everything and wait until it is ready; the onlooker signs in and begins to look."""
        self.spawn()
        self.wait_healthy(timeout)
        if not self.onlooker.is_alive():
            status = self.onlooker.sign_in(EMAIL, PASSWORD)
            assert status == 303, f"the sign-in was answered {status}"
            self.onlooker.start()

    def is_healthy(self) -> bool:
        """Whether every part answers."""
        return self.onlooker.ask(HEALTH).status == 200

    def wait_healthy(self, timeout: float = 60) -> None:
        """Wait until it is."""
        wait_until(self.is_healthy, timeout, f"health ({self.config.data_dir})", every_seconds=0.2)

    def pid_of(self, part: str) -> int | None:
        """The process of a part; None while it is not there."""
        for found in leftovers.find_marked(self.config.data_dir):
            if found.is_capture or not found.is_session_leader:
                continue
            with contextlib.suppress(psutil.Error):
                if psutil.Process(found.pid).environ().get("CCTV_PART") == part:
                    return found.pid
        return None

    def pid(self, part: str, *, other_than: int = 0) -> int:
        """The process of a part, waited for."""
        return wait_until(
            lambda: found if (found := self.pid_of(part)) not in (None, other_than) else None, 30, part
        )

    def kill(self, part: str) -> int:
        """kill -9 of one part; its old process id."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_everything(self) -> None:
        """As a power cut: all at once, nobody gets to say anything."""
        assert self.crew is not None
        os.kill(self.crew.process.pid, signal.SIGSTOP)
        for found in leftovers.find_marked(self.config.data_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGKILL)
        self.crew.close()
        end_captures(self.config)

    def stop(self, *, timeout: float = 20) -> float:
        """TERM, as an operator stops it; seconds until the last process was gone."""
        assert self.crew is not None
        began = time.monotonic()
        self.crew.stop(timeout=timeout)
        return time.monotonic() - began

    def close(self) -> None:
        """End and remove everything."""
        if self.onlooker.is_alive():
            self.onlooker.close()
        if self.crew is not None:
            self.kill_everything()
        self.rig.close()
        for server in (self.redis, self.postgres):
            if server is not None:
                with contextlib.suppress(Exception):
                    server.close()
        for volume in (self.volume, self.disk):
            if volume is not None:
                volume.close()
        if os.environ.get("DRILL_KEEP") != "1":
            shutil.rmtree(self.top, ignore_errors=True)

    # --- cameras and footage -------------------------------------------------------------------------

    def camera(self, profile: str = "t1", *, wait: bool = True, auth: bool = False) -> Cam:
        """A new camera, by default captured already."""
        number = 301 + len(self.cameras)
        cam = self.rig.add(profile, number, url=self.farm.url(profile, number, auth=auth))
        self.cameras.append(cam)
        if wait:
            self.rig.wait_live(cam, timeout=30)
        return cam

    def retire_cameras(self) -> None:
        """Switch off every camera so far: they cost nothing any more."""
        for cam in self.cameras[self._retired :]:
            with contextlib.suppress(SQLAlchemyError):
                self.rig.disable(cam)
        self._retired = len(self.cameras)

    def control(self, verb: str, cam: Cam, *words: object) -> None:
        """A fault on command."""
        self.farm.control(verb, cam.number, *words)

    def count_captures(self) -> Counter[int]:
        """How many ffmpegs each camera has."""
        return Counter(found.camera_id for found in self.rig.captures())

    def lost_ms(self, cam: Cam, since_ms: int) -> int:
        """Wanted time without footage from `since_ms` to a moment ago, by the index and the open file."""
        with self.rig.rows():
            until = now_ms() - 2_000
            missing = gaps.find_holes([cam.camera_id], since_ms, until)[cam.camera_id].missing
        return sum(end - start for start, end in missing)

    def wait_row_after(self, cam: Cam, at_ms: int, *, timeout: float = 40) -> None:
        """Wait until footage that ends after `at_ms` has its row."""
        wait_until(
            lambda: any(row.ended_ms > at_ms for row in self.rig.segments(cam)),
            timeout,
            f"a row of camera {cam.number}",
            every_seconds=0.2,
        )

    def pictures_lost(self, cam: Cam, since_ms: int) -> int:
        """Pictures missing inside the runs since then, read from the bar codes of files with rows."""
        files = [row for row in self.rig.segments(cam) if row.ended_ms > since_ms]
        lost = 0
        for run_id in {row.run_id for row in files}:
            numbers = [
                number
                for row in files
                if row.run_id == run_id
                for number in numbers_in(self.rig.path(cam, row))
            ]
            lost += sum(step - 1 for step in steps_of(numbers, _FRAMES))
        return lost

    def is_live(self, cam: Cam) -> Callable[[], bool]:
        """A question: is the camera told live?"""
        return lambda: self.rig.stream(cam).state == "live"

    def is_flowing(self, cam: Cam) -> Callable[[], bool]:
        """A question: has the camera footage of the last three seconds on disk?"""
        since = time.time()

        def ask() -> bool:
            folder = self.config.media_dir / str(cam.camera_id)
            with contextlib.suppress(OSError):
                newest = max((path.stat().st_mtime for path in folder.glob("*/*.mp4")), default=0.0)
                return newest > max(since, time.time() - 3.0)
            return False

        return ask
