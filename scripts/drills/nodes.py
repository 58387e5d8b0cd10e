"""Two workers and two machines that want the same cameras (row 15).

The second machine has a DATA_DIR, a disk and a key of its own and shares PostgreSQL and Redis.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from cctv.capture import process
from cctv.clock import now_ms
from scripts.drills.catalogue import drill
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.capture.rig import PATIENCE, Cam
from tests.fixtures.processes import ProductProcess, end_captures
from tests.servers import free_port

_TAKEN_OVER_S = 20


@drill(
    "two-workers",
    "15",
    "a second capture worker is started beside the first",
    "one wins each camera, never two ffmpegs, nothing lost",
)
def two_workers(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(), stage.camera()]
    at_ms = now_ms()
    trial.fault = "two capture workers of one DATA_DIR"
    figures = json.dumps({} if stage.is_long else PATIENCE)
    argv = [sys.executable, "-m", "tests.capture.program", figures, str(stage.segment_seconds)]
    second = ProductProcess("second", argv, stage.config)
    try:
        time.sleep(trial.pick(6, 30))
        late = stage.camera()
        for cam in [*cams, late]:
            trial.require(len(stage.rig.captures(cam)) == 1, f"{len(stage.rig.captures(cam))} ffmpegs")
        second.stop()
        for cam in cams:
            stage.wait_row_after(cam, now_ms())
            lost_ms = stage.lost_ms(cam, at_ms)
            trial.lost.append(f"camera {cam.number}: {lost_ms / 1000:.1f} s")
            trial.require(lost_ms == 0, "footage was lost")
    finally:
        second.close()


@drill(
    "host-gone",
    "15",
    "the machine that captures disappears; later it comes back with its captures still running",
    "the other machine takes over within 20 s; the old captures are ended; overlap is shown once",
    database="postgresql",
)
def host_gone(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    at_ms = now_ms()
    other = _second_machine(stage)
    try:
        time.sleep(3.0)
        trial.require(not _captures(other, cam), "the second machine captured what the first one has")
        trial.fault = "every process of the first machine but its ffmpeg is frozen, as after a lost network"
        frozen = _freeze(stage)
        trial.within("taken over", _TAKEN_OVER_S, lambda: bool(_captures(other, cam)), patience_s=60)
        row = stage.rig.stream(cam)
        trial.seen.append(f"fence {row.fence}")
        time.sleep(trial.pick(2, 20))
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        trial.within("the old capture ended", 15, lambda: not stage.rig.captures(cam), patience_s=60)
        stage.wait_row_after(cam, now_ms())
        lost_ms = stage.lost_ms(cam, at_ms)
        trial.lost.append(f"{lost_ms / 1000:.1f} s")
        trial.require(lost_ms <= _TAKEN_OVER_S * 1000, "more lost than the take-over may take")
        trial.require(bool(_captures(other, cam)), "the second machine does not capture any more")
    finally:
        other.stop()
        other.close()
        end_captures(other.config)
    trial.within("taken back", _TAKEN_OVER_S, lambda: bool(stage.rig.captures(cam)), patience_s=60)
    _forget_second_disk(stage, other)


def _second_machine(stage: Stage) -> ProductProcess:
    data_dir = stage.top / "second"
    data_dir.mkdir(exist_ok=True)
    config = replace(stage.config, data_dir=data_dir, media_dir=data_dir / "media", node_name="second")
    order = {
        "parts": ["capture"],
        "port": free_port(),
        "patience": {} if stage.is_long else PATIENCE,
        "segment_seconds": stage.segment_seconds,
    }
    argv = [sys.executable, "-m", "scripts.drills.crew", json.dumps(order)]
    return ProductProcess("second", argv, config)


def _captures(machine: ProductProcess, cam: Cam) -> list[process.Running]:
    found = process.find_captures(Path(machine.config.media_dir))
    return [running for running in found if running.camera_id == cam.camera_id]


def _freeze(stage: Stage) -> list[int]:
    """The worker of the first machine; its ffmpegs go on, as those of a machine without network would."""
    pid = stage.pid("capture")
    os.kill(pid, signal.SIGSTOP)
    return [pid]


def _forget_second_disk(stage: Stage, other: ProductProcess) -> None:
    """The rows of the second machine belong to a disk that the checks of the stage do not look at."""
    from sqlalchemy import delete, select

    from cctv.models import Node, Run, Segment

    with stage.rig.rows() as session:
        node_id = session.scalar(select(Node.id).where(Node.name == "second"))
        runs = select(Run.id).where(Run.node_id == node_id)
        session.execute(delete(Segment).where(Segment.run_id.in_(runs)))
        session.commit()
    stage.rig.disable(stage.cameras[-1])
