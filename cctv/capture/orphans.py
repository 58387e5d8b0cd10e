"""Captures that run without a keeper: found through /proc, judged by their run.json, gone on with or ended.

A node touches only processes that write below its own MEDIA_DIR and carry its own key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from cctv.capture import process
from cctv.capture.attempt import Place
from cctv.capture.keeper import Keeper, Phase
from cctv.capture.process import Running
from cctv.services.camera.sources import Source
from cctv.storage import paths
from cctv.storage.runfile import RunFile, read_run

_log = logging.getLogger(__name__)


def newest_of(place: Place, stream_id: int) -> Running | None:
    """The newest capture of the stream that runs on this machine; older ones are ended."""
    found = [
        running
        for running in process.find_captures(place.media_dir)
        if paths.parse_run_key(running.run_key).stream_id == stream_id
    ]
    found.sort(key=lambda running: (paths.parse_run_key(running.run_key).epoch_s, running.pid_started))
    for running in found[:-1]:
        end(place, running)
    return found[-1] if found else None


def is_outdated(place: Place, running: Running, source: Source) -> bool:
    """Whether it captures another address than the one that is wanted now."""
    run = _run_of(place, running)
    return run is None or run.revision != source.revision or source.is_derived


def adoptable(place: Place) -> Iterator[tuple[Source, int, Running]]:
    """What can be gone on with from disk alone: (source without address, ordinal, process)."""
    for running in process.find_captures(place.media_dir):
        run = _run_of(place, running)
        if run is None or run.node != place.node_key or run.kind != "main":
            continue
        source = Source(
            stream_id=run.stream_id,
            camera_id=run.camera_id,
            kind=run.kind,
            revision=run.revision,
            is_on_demand=False,
        )
        yield source, run.ordinal, running


def end_strays(
    place: Place, find: Callable[[int], Keeper | None], is_another_workers: Callable[[int], bool]
) -> None:
    """End every ffmpeg under MEDIA_DIR whose stream is not wanted, is another node's, or has a second one."""
    for running in process.find_captures(place.media_dir):
        stream_id = paths.parse_run_key(running.run_key).stream_id
        keeper = find(stream_id)
        if keeper is None:
            is_stray = not is_another_workers(stream_id)
        else:
            is_stray = keeper.phase != Phase.STARTING and not _belongs(keeper, running)
        if is_stray:
            end(place, running)


def _belongs(keeper: Keeper, running: Running) -> bool:
    return keeper.attempt is None or keeper.attempt.run.pid == running.pid


def end(place: Place, running: Running) -> None:
    """Kill it, unless it is another node's."""
    run = _run_of(place, running)
    if run is not None and run.node not in ("", place.node_key):
        return
    _log.warning("run %s: its ffmpeg belongs to nobody and is ended", running.run_key)
    process.end(running)


def _run_of(place: Place, running: Running) -> RunFile | None:
    return read_run(paths.run_dir(place.media_dir, running.camera_id, running.run_key))
