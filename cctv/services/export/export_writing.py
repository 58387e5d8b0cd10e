"""Writes the file of an export: one MP4, or a zip of several with the list of them.

Knows bytes and names; which export is made when, and what becomes of it, is said in export_making.py.
"""

from __future__ import annotations

import hashlib
import os
import resource
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cctv.clock import from_ms, now_ms
from cctv.extensions import db
from cctv.media.movie import Layout
from cctv.models import Export, User
from cctv.services.export import export_files, export_films, export_index, export_list, export_parts
from cctv.services.export.export_films import Film
from cctv.services.export.export_parts import MadeFile, Part
from cctv.services.export.export_progress import Progress
from cctv.services.proof import evidence_package
from cctv.services.proof.evidence_package import PackedFile
from cctv.services.site import settings
from cctv.storage import pouring


class Nothing(Exception):
    """There is no footage of it (any more)."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to make, read once: rows are not held while bytes are copied."""

    id: int
    cover: export_index.Cover
    cameras: list[tuple[int, str]]
    has_time_track: bool
    is_evidence: bool
    estimated_bytes: int


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, under its last name."""

    path: Path
    name: str
    sha256: str
    files: list[MadeFile]
    empty: list[str]
    left_out: list[str] = field(default_factory=list)  # stored files that the proof lacks, in words


def read_task(export_id: int) -> Task:
    """What to make of an export."""
    export = db.session.get_one(Export, export_id)
    names = export_list.names_of([export])
    user = db.session.get(User, export.user_id) if export.user_id else None
    task = Task(
        id=export.id,
        cover=export_index.Cover(
            number=export.id,
            organisation=settings.get("organisation_name"),
            made_ms=now_ms(),
            made_by=user.name if user else "",
            started_ms=export.started_ms,
            ended_ms=export.ended_ms,
            note=export.note,
            zone=settings.zone(),
        ),
        cameras=[(camera_id, names[camera_id]) for camera_id in export.camera_ids if camera_id in names],
        has_time_track=export.has_time_track,
        is_evidence=export.is_evidence,
        estimated_bytes=export.estimated_bytes,
    )
    db.session.commit()
    return task


def write(task: Task, progress: Progress) -> Made:
    """Write the unfinished file, down to the disk.

    Raises:
        Nothing: there is no footage of it (any more).
        Cancelled, NoRoom: as Progress says.
        EOFError: a stored file is shorter than its row says.
        OSError: a disk refuses.
    """
    progress.begin("reading")
    parts = {
        camera: export_parts.parts_of(camera[0], task.cover.started_ms, task.cover.ended_ms)
        for camera in task.cameras
    }
    db.session.commit()
    total = sum(part.size_bytes for found in parts.values() for part in found)
    if not total:
        raise Nothing
    _allow_files(max(len(found) for found in parts.values()))
    unfinished = export_files.unfinished_path(task.id)
    descriptor = os.open(
        unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    with os.fdopen(descriptor, "w+b", buffering=0) as file:
        if len(parts) == 1 and not task.is_evidence:
            ((camera, found),) = parts.items()
            with ExitStack() as files:
                made = _films(task, camera, found, files, progress, total)
                if len(made) == 1:
                    return _single(task, camera, made[0], file.fileno(), progress)
        return _zip(task, parts, file, progress, total)


def _single(task: Task, camera: tuple[int, str], film: Film, descriptor: int, progress: Progress) -> Made:
    progress.begin("cutting", film.movie.size_bytes)

    def pour(layout: Layout) -> str:
        return pouring.pour_into(descriptor, layout.head, layout.pieces, on_bytes=progress.add)

    made = _pour(task, camera, film, pour)
    progress.begin("storing")
    os.fsync(descriptor)
    path = export_files.folder() / f"{task.id}.mp4"
    return Made(path, made.name, made.sha256, [made], [])


def _zip(
    task: Task,
    parts: dict[tuple[int, str], list[Part]],
    file: Any,
    progress: Progress,
    total: int,
) -> Made:
    """Each camera's films, one camera after the other, and the list of them."""
    made: list[MadeFile] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        progress.begin("cutting", max(total, task.estimated_bytes))
        for camera, found in parts.items():
            with ExitStack() as files:
                shot = _films(task, camera, found, files, progress, None)
                made += [_into_zip(task, camera, film, archive, progress) for film in shot]
        if not made:
            raise Nothing
        empty = [name for (camera_id, name), found in parts.items() if not found]
        index = export_index.text(task.cover, made, empty).encode()
        archive.writestr(_entry(task, export_index.NAME), index)
        left_out = _add_proof(task, archive, made, index, progress) if task.is_evidence else []
    size = file.seek(0, os.SEEK_END)
    progress.begin("checking", size)
    sha256 = pouring.sha256_of(export_files.unfinished_path(task.id), on_bytes=progress.add)
    progress.begin("storing")
    os.fsync(file.fileno())
    names = [name for _, name in task.cameras]
    name = export_files.zip_name(names, task.cover.started_ms, task.cover.ended_ms, task.cover.zone)
    return Made(export_files.folder() / f"{task.id}.zip", name, sha256, made, empty, left_out)


def _add_proof(
    task: Task, archive: zipfile.ZipFile, made: list[MadeFile], index: bytes, progress: Progress
) -> list[str]:
    """The stored files as they are, a signed list and the page that checks them; what could not be added."""
    packed = [PackedFile(file.name, file.size_bytes, file.sha256, file.camera_id) for file in made]
    packed.append(PackedFile(export_index.NAME, len(index), hashlib.sha256(index).hexdigest()))
    export = db.session.get_one(Export, task.id)
    return evidence_package.write(archive, export, packed, on_bytes=progress.add).left_out


def _films(
    task: Task,
    camera: tuple[int, str],
    found: list[Part],
    files: ExitStack,
    progress: Progress,
    total: int | None,
) -> list[Film]:
    stamp = (camera[1], task.cover.zone) if task.has_time_track else None

    def on_part(part: Part) -> None:
        progress.add(part.size_bytes if total else 0)

    made = export_films.films(found, files, stamp=stamp, on_part=on_part)
    if total and not made:
        raise Nothing
    _divide(made, task.cover.started_ms, task.cover.ended_ms)
    return made


def _divide(made: list[Film], start_ms: int, end_ms: int) -> None:
    """Each film answers for the time that was asked for from where the one before ends."""
    for film in made:
        is_last = film is made[-1]
        film.asked = min(start_ms, film.started_ms), max(end_ms, film.ended_ms) if is_last else film.ended_ms
        start_ms = film.ended_ms


def _into_zip(
    task: Task, camera: tuple[int, str], film: Film, archive: zipfile.ZipFile, progress: Progress
) -> MadeFile:
    name = _name(task, camera, film)
    taken = {info.filename for info in archive.infolist()}
    if name in taken:  # two cameras of one name
        name = f"{name.removesuffix('.mp4')}_{camera[0]}.mp4"
    with archive.open(_entry(task, name), "w", force_zip64=True) as target:

        def pour(layout: Layout) -> str:
            return pouring.pour(layout.head, layout.pieces, target.write, on_bytes=progress.add)

        return _pour(task, camera, film, pour, name=name)


def _pour(
    task: Task,
    camera: tuple[int, str],
    film: Film,
    pour: Callable[[Layout], str],
    *,
    name: str | None = None,
) -> MadeFile:
    layout = film.layout()
    sha256 = pour(layout)
    start_ms, end_ms = max(film.started_ms, 0), film.ended_ms
    # Of what was asked for: before its first film, between and after its last one as well.
    asked = film.asked or (start_ms, end_ms)
    missing = export_parts.missing(camera[0], film.parts, *asked)
    db.session.commit()
    return MadeFile(
        name=name or _name(task, camera, film),
        camera_id=camera[0],
        camera_name=camera[1],
        started_ms=start_ms,
        ended_ms=end_ms,
        duration_ms=layout.duration_ms,
        size_bytes=layout.size_bytes,
        sha256=sha256,
        missing=missing,
        sources=film.sources(layout),
    )


def _name(task: Task, camera: tuple[int, str], film: Film) -> str:
    return export_files.video_name(camera[1], film.started_ms, film.ended_ms, task.cover.zone)


def _entry(task: Task, name: str) -> zipfile.ZipInfo:
    local = from_ms(task.cover.made_ms).astimezone(task.cover.zone)
    entry = zipfile.ZipInfo(name, local.timetuple()[:6])
    entry.external_attr = 0o644 << 16
    return entry


def _allow_files(count: int) -> None:
    """A file a minute is held open while a film is written: a day has more than systems allow at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
