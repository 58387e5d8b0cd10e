"""Cameras with footage for the tests of the index: rows made directly, or real files of a real ffmpeg."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cctv import config
from cctv.extensions import db
from cctv.models import Camera, ModeChange, Node, RecordingMode, StateChange, Stream, StreamKind, StreamState
from cctv.services.footage import segments
from cctv.storage import paths
from cctv.storage.measure import ClosedFile, MeasuredSegment, measure
from cctv.storage.runfile import RunFile, read_run, write_run
from tests.media.loops import EPOCH_S, run_files

T0 = 1_795_354_200_000  # a round minute
MINUTE = 60_000


def make_node(key: str = "n" * 32) -> Node:
    node = db.session.query(Node).filter_by(key=key).one_or_none()
    if node is None:
        node = Node(key=key, name=f"node {key[:2]}", seen_ms=0)
        db.session.add(node)
        db.session.commit()
    return node


def make_camera(
    mode: str = RecordingMode.CONTINUOUS, *, since_ms: int = T0, pre_roll_seconds: int = 10, number: int = 1
) -> Camera:
    """A camera with a main stream, in one mode since then."""
    camera = Camera(
        number=number, name=f"Camera {number}", recording_mode=mode, pre_roll_seconds=pre_roll_seconds
    )
    camera.streams = [Stream(kind=StreamKind.MAIN, url="rtsp://192.168.1.9/x", state=StreamState.OFFLINE)]
    db.session.add(camera)
    db.session.flush()
    db.session.add(ModeChange(camera_id=camera.id, mode=mode, started_ms=since_ms))
    db.session.commit()
    return camera


def run_of(
    camera: Camera, *, epoch_ms: int = T0, ordinal: int = 1, fence: int = 1, node: Node | None = None
) -> RunFile:
    """The facts of a run of the camera; its key is made of its ordinal."""
    return RunFile(
        run=f"{camera.main.id}-{epoch_ms // 1000}-{ordinal:04x}",
        camera_id=camera.id,
        stream_id=camera.main.id,
        node=(node or make_node()).key,
        ordinal=ordinal,
        fence=fence,
        epoch_ms=epoch_ms,
        video_codec="avc1.640028",
        width=1920,
        height=1080,
        init_size=800,
        init_sha256="0" * 64,
    )


def closed(run: RunFile, number: int, started_ms: int, ended_ms: int) -> ClosedFile:
    """A file that is told of but does not exist; a key frame every 2 s."""
    ticks = (ended_ms - started_ms) * 90
    gops = tuple((800 + at // 9, at) for at in range(0, max(ticks, 1), 180_000))
    return ClosedFile(
        run,
        MeasuredSegment(
            number,
            started_ms,
            ended_ms,
            started_ms * 90,
            ticks,
            800 + ticks // 9,
            800,
            gops,
            is_damaged=False,
        ),
    )


def index_spans(camera: Camera, spans: Iterable[tuple[int, int]], **facts: int) -> RunFile:
    """One run with a file for each span, indexed."""
    run = run_of(camera, **facts)  # type: ignore[arg-type]
    segments.index([closed(run, number, start, end) for number, (start, end) in enumerate(spans)])
    return run


def add_state(
    camera: Camera, state: str, start_ms: int, end_ms: int | None, *, cause: str | None = None
) -> None:
    db.session.add(
        StateChange(stream_id=camera.main.id, state=state, cause=cause, started_ms=start_ms, ended_ms=end_ms)
    )
    db.session.commit()


def put_real_run(
    camera: Camera,
    *,
    ordinal: int = 1,
    seconds: int = 12,
    shift_ms: int = 0,
    sound: bool = False,
    node: Node,
    picture: str = "testsrc2",
) -> Path:
    """The folder of a run of real 4 s files, a key frame a second; shown `shift_ms` later than EPOCH_S."""
    sources = run_files(seconds=seconds, sound=sound, picture=picture)
    return put_run(camera, sources, ordinal=ordinal, shift_ms=shift_ms, node=node)


def put_run(
    camera: Camera,
    sources: Iterable[Path],
    *,
    node: Node,
    ordinal: int = 1,
    shift_ms: int = 0,
    seconds: int = 4,
) -> Path:
    """The folder of a run with these files, of `seconds` each and with times from EPOCH_S."""
    run = run_of(camera, epoch_ms=EPOCH_S * 1000 + shift_ms, ordinal=ordinal, node=node)
    directory = paths.run_dir(config.current().media_dir, camera.id, run.run)
    directory.mkdir(parents=True)
    for number, source in enumerate(sources):
        target = directory / paths.segment_name(number)
        shutil.copyfile(source, target)
        end_s = EPOCH_S + shift_ms / 1000 + seconds * (number + 1)
        os.utime(target, (end_s, end_s))
    facts = _init_facts(directory / paths.segment_name(0))
    write_run(directory, RunFile(**{**_as_dict(run), **facts, "mapping": [(EPOCH_S * 1000, shift_ms)]}))
    return directory


def closed_files(directory: Path) -> list[ClosedFile]:
    """What the indexer would hand over of a run's folder."""
    run = read_run(directory)
    assert run is not None
    found = []
    for number in paths.list_segments(directory.parent.parent, run.camera_id, run.run):
        segment = measure(directory / paths.segment_name(number), run, number)
        assert segment is not None
        found.append(ClosedFile(run, segment))
    return found


def _as_dict(run: RunFile) -> dict[str, Any]:
    return {name: getattr(run, name) for name in RunFile.__dataclass_fields__}


def _init_facts(path: Path) -> dict[str, Any]:
    from cctv.media.boxes import read_init

    with path.open("rb") as file:
        init = read_init(file.fileno())
    return {
        "video_codec": init.video.codec,
        "audio_codec": init.audio.codec if init.audio else None,
        "init_size": init.size,
        "init_sha256": init.sha256,
        "width": init.video.width,
        "height": init.video.height,
    }
