"""Smaller qualities, made by us: an ffmpeg that reads the main stream's growing files instead of the camera.

Ends with its worker and with the run it reads; it must never open a connection to the camera.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import replace

from cctv.capture.attempt import Attempt, CannotStart, Place, cut_second, launch, make_folder, new_run
from cctv.clock import now_ms
from cctv.media import argv, tools
from cctv.services.camera.sources import Source
from cctv.storage import growing, paths
from cctv.storage.growing import GrowingRun, LocatedFragment
from cctv.storage.runfile import RunFile, read_run

_LOOK_EVERY_S = 0.05  # adds to the delay of the picture


def start(place: Place, source: Source, *, ordinal: int, fence: int) -> Attempt:
    """Begin a run from the main stream's run of the moment.

    Raises:
        CannotStart: the main stream has no picture now, or the disk refuses.
    """
    main = _main_run(place, source)
    reader = GrowingRun(place.media_dir, main.camera_id, main.run)
    fragments = _from_last_key(reader)
    if not fragments:
        reader.close()
        raise CannotStart("starting", "the main stream has no picture yet")
    try:
        attempt = _launch(place, source, main, ordinal=ordinal, fence=fence)
    except CannotStart:
        reader.close()
        raise
    threading.Thread(
        target=_feed, args=(attempt, reader, fragments), name=f"feed-{source.stream_id}", daemon=True
    ).start()
    return attempt


def _launch(place: Place, source: Source, main: RunFile, *, ordinal: int, fence: int) -> Attempt:
    run = new_run(place, source, ordinal=ordinal, fence=fence, epoch_ms=now_ms())
    run = _with_mapping(run, main)
    directory = paths.run_dir(place.media_dir, run.camera_id, run.run)
    try:
        make_folder(directory, run)
    except OSError as error:
        raise CannotStart("disk_error", error.strerror or "") from error
    command = argv.transcode_argv(
        directory,
        quality=source.kind,
        second_of_minute=cut_second(source.stream_id),
        has_audio=main.audio_codec is not None,
        segment_seconds=place.segment_seconds,
        ffmpeg_path=tools.ffmpeg_path() or "ffmpeg",
    )
    return launch(place, run, command, reads_stdin=True, dies_with_us=True)


def _main_run(place: Place, source: Source) -> RunFile:
    assert source.main_stream_id is not None
    key = growing.latest_run(place.media_dir, source.camera_id, source.main_stream_id)
    run = read_run(paths.run_dir(place.media_dir, source.camera_id, key)) if key else None
    if run is None or run.ended_cause is not None or run.video_codec is None:
        raise CannotStart("starting", "the main stream is not captured now")
    return run


def _with_mapping(run: RunFile, main: RunFile) -> RunFile:
    return replace(run, mapping=main.mapping)  # the decode times are those of the source


def _from_last_key(reader: GrowingRun) -> list[LocatedFragment]:
    found = reader.refresh()
    keys = [index for index, located in enumerate(found) if located.fragment.is_key]
    return found[keys[-1] :] if keys else []


def _feed(attempt: Attempt, reader: GrowingRun, fragments: list[LocatedFragment]) -> None:
    """Hand on what the camera's ffmpeg writes until its run ends or ours does."""
    pipe = attempt.stdin
    assert pipe is not None
    main_directory = reader.directory
    silent_since = time.monotonic()
    with suppress(OSError, EOFError, ValueError), reader:
        _write(pipe.fileno(), reader.read_init_bytes())
        while True:
            for located in fragments:
                _write(pipe.fileno(), reader.read(located))
            if fragments:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > 1.0:
                silent_since = time.monotonic()
                run = read_run(main_directory)
                if run is None or run.ended_cause is not None:
                    break
            time.sleep(_LOOK_EVERY_S)
            fragments = reader.refresh()
    with suppress(OSError):
        pipe.close()


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
