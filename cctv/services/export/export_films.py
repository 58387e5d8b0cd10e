"""Makes films of the parts of a camera: opens the stored files and joins what fits into one film.

Reads footage and writes nothing; a file that is gone by now becomes a hole that is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from cctv import config
from cctv.errors import NotFound
from cctv.media.boxes import NotMedia
from cctv.media.movie import Layout, Movie, Piece
from cctv.models.segment import TICKS_PER_MS
from cctv.services.export import export_files, export_index
from cctv.services.export.export_parts import STANDING_PICTURE_MS, Part, Source
from cctv.services.footage import footage_files
from cctv.storage import disk, paths


@dataclass(slots=True)
class Film:
    """One video file in the making, and the parts in it with where their bytes lie among its data."""

    movie: Movie
    taken: list[tuple[Part, Piece, int]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    asked: tuple[int, int] | None = None  # of the time that was asked for what this film answers for

    @property
    def started_ms(self) -> int:
        """Wall time of its first picture."""
        return self.taken[0][0].started_ms

    @property
    def ended_ms(self) -> int:
        """Wall time of its end."""
        return self.taken[-1][0].ended_ms

    @property
    def parts(self) -> list[Part]:
        """What is in it."""
        return [part for part, _, _ in self.taken]

    def layout(self) -> Layout:
        """The bytes of the file."""
        return self.movie.layout(made_s=self.started_ms // 1000, texts=self.texts)

    def sources(self, layout: Layout) -> list[Source]:
        """Which stored bytes lie where in the file."""
        in_front = len(layout.head)
        return [
            Source(
                segment_id=part.found.id,
                run_key=part.found.run_key,
                number=part.found.number,
                offset=piece.offset,
                size_bytes=piece.size,
                position=in_front + at,
                sha256=part.found.sha256,
            )
            for part, piece, at in self.taken
        ]


def films(
    parts: Iterable[Part],
    files: ExitStack,
    *,
    stamp: tuple[str, ZoneInfo] | None = None,
    on_part: Callable[[Part], None] = lambda part: None,
) -> list[Film]:
    """The films of one camera's parts, in order; mostly one.

    A new one begins where the camera's format changed, which players do not follow. `stamp`: camera name and
    zone for a track that tells the time. `files` closes what was opened.

    Raises:
        Unavailable: footage is only in the bucket, which cannot be read now.
    """
    made: list[Film] = []
    before: Part | None = None
    opened: dict[tuple[str, int], int] = {}
    for part in parts:
        on_part(part)
        descriptor = _open(part, opened, files)
        init = _init(descriptor, part) if descriptor is not None else None
        if descriptor is None or init is None:
            continue
        try:
            if not made or not made[-1].movie.fits(init):
                made.append(Film(Movie(init)))
                before = None
        except NotMedia:
            continue
        film = made[-1]
        if before is None or not part.follows(before):
            film.movie.begin(init, part.start_ticks, hole_ticks=_hole_ticks(before, part))
        at = film.movie.size_bytes
        piece = film.movie.add(descriptor, part.offset, part.end_offset, stop_ticks=part.stop_ticks)
        if not piece.size:
            continue
        film.taken.append((part, piece, at))
        if stamp:
            name, zone = stamp
            film.texts += [
                (film.movie.at(ticks), said) for ticks, said in export_index.stamps(part, zone, name)
            ]
        before = part
    return [film for film in made if film.taken]


def _hole_ticks(before: Part | None, part: Part) -> int:
    """How long the last picture stays."""
    if before is None:
        return 0
    hole_ms = part.started_ms - before.ended_ms
    return hole_ms * TICKS_PER_MS if 0 < hole_ms <= STANDING_PICTURE_MS else 0


def _open(part: Part, opened: dict[tuple[str, int], int], files: ExitStack) -> int | None:
    """The stored file, held open until the film is written: it may be deleted meanwhile."""
    camera_id, key = part.found.camera_id, (part.found.run_key, part.found.number)
    if key not in opened:
        try:
            source = footage_files.open_source(camera_id, *key)
            if isinstance(source, Path):
                opened[key] = paths.open_segment(config.current().media_dir, camera_id, *key)
            else:
                opened[key] = _fetch(part)
        except (NotFound, FileNotFoundError):
            return None
        files.callback(os.close, opened[key])
    return opened[key]


def _fetch(part: Part) -> int:
    """A file that is only in the bucket, brought here for as long as it is open."""
    target = export_files.fetched_path()
    try:
        path = footage_files.fetch(part.found.camera_id, part.found.run_key, part.found.number, target)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        disk.unlink(target)


def _init(descriptor: int, part: Part) -> bytes | None:
    init = os.pread(descriptor, part.found.init_size, 0)
    return init if len(init) == part.found.init_size else None
