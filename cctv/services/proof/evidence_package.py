"""What makes an export evidence: the stored files as they are, a signed manifest, a page that checks both.

Adds to a zip that the export has begun; what is exported, and whether somebody may, is decided before.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from cctv.clock import from_ms, now_ms
from cctv.errors import NotFound, Unavailable
from cctv.extensions import db
from cctv.models import Camera, ChainRemoval, Export
from cctv.services.footage import damage, footage_files, gaps
from cctv.services.footage.finding import FoundSegment, find_segments
from cctv.services.footage.footage_files import CloudCopy
from cctv.services.mailing import mail_words
from cctv.services.proof import chain_heads, chain_links, evidence_key, evidence_page, hashing
from cctv.services.proof.chain_links import Link
from cctv.services.site import settings

FORMAT = "cctv evidence 1"
MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "signature.json"
PAGE_NAME = "check.html"
_CHUNK_BYTES = 1 << 20


class PackedFile(NamedTuple):
    """A file that the export has put into the zip: its name there, its size, its SHA-256 in hex."""

    name: str
    size_bytes: int
    sha256: str
    camera_id: int | None = None


class Written(NamedTuple):
    """What `write` added. `left_out`: a sentence for each stored file that could not be put in."""

    originals: int
    size_bytes: int
    left_out: list[str]


class _Original(NamedTuple):
    entry: FoundSegment
    link: Link


def estimate_bytes(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> int:
    """About how much `write` will add to the zip: to be asked before there is an export."""
    return sum(
        entry.size_bytes + 1000 for camera_id in camera_ids for entry in _stored(camera_id, start_ms, end_ms)
    )


def write(
    archive: zipfile.ZipFile,
    export: Export,
    files: Sequence[PackedFile],
    *,
    on_bytes: Callable[[int], None] = lambda _count: None,
) -> Written:
    """Add the stored files of the export's cameras and time, manifest, signature and page to `archive`.

    `files` are those in the zip so far. `on_bytes` is told how many bytes were just copied; what it raises
    ends the writing, so an export can be cancelled from there. Holds no transaction while it copies.

    Raises:
        Unavailable: the key cannot be read, or a copy in the bucket.
        OSError: the disk refuses.
    """
    names = _names(export.camera_ids)
    entries: list[dict[str, Any]] = [_copy_entry(one) for one in files]
    left_out: list[dict[str, Any]] = []
    cameras = []
    originals, size = 0, 0
    for camera_id in export.camera_ids:
        found = _link_all(_stored(camera_id, export.started_ms, export.ended_ms), camera_id)
        packed: list[_Original] = []
        for entry, link in found:
            added = _add_original(archive, entry, link, on_bytes)
            if isinstance(added, str):
                left_out.append(_left_out(entry, added))
                continue
            entries.append(added)
            size += added["size"]
            if link is not None:
                packed.append(_Original(entry, link))
        originals += len(found) - sum(one["camera"] == camera_id for one in left_out)
        cameras.append(_camera(camera_id, names.get(camera_id, ""), packed, export))
    page = evidence_page.page()
    archive.writestr(_info(PAGE_NAME), page)
    entries.append(_plain_entry(PAGE_NAME, page, kind="page"))
    _sign(archive, _manifest(export, cameras, entries, left_out))
    return Written(originals, size, [_sentence(one, names) for one in left_out])


def _stored(camera_id: int, start_ms: int, end_ms: int) -> list[FoundSegment]:
    """Each file once, also one of which another node shows a part better."""
    found = {entry.id: entry for entry in find_segments(camera_id, start_ms, end_ms, open_file=False)}
    return sorted(found.values(), key=lambda entry: (entry.started_ms, entry.ordinal))


def _link_all(entries: list[FoundSegment], camera_id: int) -> list[tuple[FoundSegment, Link | None]]:
    """Each file with its link; those that have none yet get it now."""
    hashing.hash_these([entry.id for entry in entries if entry.id is not None])
    links = {link.segment_id: link for link in chain_links.list_links(camera_id)}
    return [(entry, links.get(entry.id or 0)) for entry in entries]


def _add_original(
    archive: zipfile.ZipFile, entry: FoundSegment, link: Link | None, on_bytes: Callable[[int], None]
) -> dict[str, Any] | str:
    """The entry of the manifest, or why the file is not in the package."""
    try:
        source = footage_files.open_source(entry.camera_id, entry.run_key, entry.number)
        size = source.stat().st_size if isinstance(source, Path) else source.size_bytes
    except (OSError, NotFound):
        return "its file is not on this machine"
    if size < entry.size_bytes:
        return "its file is shorter than it was"
    name = original_name(entry)
    digest = _copy(archive, name, _pieces(source, entry.size_bytes), entry.size_bytes, on_bytes)
    recorded = link.facts.sha256 if link else digest
    problem = "changed" if digest != recorded else ""
    return {
        "name": name,
        "kind": "original",
        "size": entry.size_bytes,
        "sha256": digest,
        "camera": entry.camera_id,
        "from_ms": entry.started_ms,
        "to_ms": entry.ended_ms,
        "problem": f"This file {damage.words(problem)} after it was stored." if problem else "",
        "facts": link.facts._asdict() if link else None,
    }


def original_name(entry: FoundSegment) -> str:
    """Where a stored file lies in the package. The last part alone is unique, too."""
    moment = from_ms(entry.started_ms)
    return (
        f"originals/camera-{entry.camera_id}/camera-{entry.camera_id}_{moment:%Y-%m-%dT%H-%M-%S}Z_"
        f"{entry.run_key}_{entry.number:05d}.mp4"
    )


def _pieces(source: Path | CloudCopy, size_bytes: int) -> Iterator[bytes]:
    if not isinstance(source, Path):
        yield from source.blocks(0, size_bytes)
        return
    with source.open("rb", buffering=0) as file:
        while size_bytes > 0 and (piece := file.read(min(_CHUNK_BYTES, size_bytes))):
            size_bytes -= len(piece)
            yield piece


def _copy(
    archive: zipfile.ZipFile,
    name: str,
    pieces: Iterator[bytes],
    size_bytes: int,
    on_bytes: Callable[[int], None],
) -> str:
    digest = hashlib.sha256()
    info = _info(name)
    info.file_size = size_bytes
    with archive.open(info, "w", force_zip64=size_bytes >= 2**31) as target:
        for piece in pieces:
            target.write(piece)
            digest.update(piece)
            size_bytes -= len(piece)
            on_bytes(len(piece))
    if size_bytes:
        raise OSError(f"{name} became shorter while it was copied")
    return digest.hexdigest()


def _camera(camera_id: int, name: str, packed: list[_Original], export: Export) -> dict[str, Any]:
    holes = gaps.list_gaps(camera_id, export.started_ms, export.ended_ms)
    camera: dict[str, Any] = {
        "id": camera_id,
        "name": name,
        "chain": None,
        "heads": [],
        "gaps": [[hole.started_ms, hole.ended_ms, hole.cause] for hole in holes],
    }
    if not packed:
        return camera
    first = min(one.link.number for one in packed)
    newest = max(one.link.number for one in packed)
    heads = chain_heads.list_heads(camera_id, from_number=first)
    covering = next((head.number for head in heads if head.number >= newest), newest)
    section = chain_links.section(camera_id, first, covering)
    camera["chain"] = {
        "first": section.first,
        "before": section.before,
        "links": [_step(one) for one in section.links],
    }
    camera["heads"] = [
        json.loads(chain_heads.head_document(head)) for head in heads if head.number <= covering
    ]
    return camera


def _step(step: str | ChainRemoval) -> str | dict[str, Any]:
    if isinstance(step, str):
        return step
    return {
        "from": step.first_number,
        "to": step.last_number,
        "hash": step.last_hash,
        "reason": step.reason,
        "from_ms": step.started_ms,
        "to_ms": step.ended_ms,
    }


def _manifest(
    export: Export, cameras: list[dict[str, Any]], files: list[dict[str, Any]], left_out: list[dict[str, Any]]
) -> bytes:
    document = {
        "format": FORMAT,
        "export": export.id,
        "organisation": mail_words.organisation(),
        "time_zone": settings.get("time_zone"),
        "made_ms": now_ms(),
        "made_by": export.user.name if export.user else "",
        "note": export.note,
        "from_ms": export.started_ms,
        "to_ms": export.ended_ms,
        "cameras": cameras,
        "files": files,
        "left_out": left_out,
    }
    db.session.commit()
    return json.dumps(document, indent=1, ensure_ascii=True).encode()


def _sign(archive: zipfile.ZipFile, manifest: bytes) -> None:
    own = evidence_key.key_id(evidence_key.public_key())
    digest = hashlib.sha256(manifest).hexdigest()
    statement = f"{FORMAT}\nmanifest {digest}\nsigned {now_ms()}\nkey {own}\n"
    signed = evidence_key.sign(statement.encode())
    if signed.key_id != own:
        raise Unavailable("The key that signs evidence was exchanged at this moment. Try again.")
    document = {"statement": statement, "signature": signed.signature, "public_key": signed.public_key}
    archive.writestr(_info(MANIFEST_NAME), manifest)
    archive.writestr(_info(SIGNATURE_NAME), json.dumps(document, indent=1).encode())


def _names(camera_ids: list[int]) -> dict[int, str]:
    rows = db.session.execute(select(Camera.id, Camera.name).where(Camera.id.in_(camera_ids)))
    return dict(rows.tuples().all())


def _copy_entry(file: PackedFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "kind": "copy",
        "size": file.size_bytes,
        "sha256": file.sha256,
        "camera": file.camera_id,
    }


def _plain_entry(name: str, content: bytes, *, kind: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _left_out(entry: FoundSegment, why: str) -> dict[str, Any]:
    return {"camera": entry.camera_id, "from_ms": entry.started_ms, "to_ms": entry.ended_ms, "why": why}


def _sentence(left_out: dict[str, Any], names: dict[int, str]) -> str:
    moment = from_ms(left_out["from_ms"]).astimezone(settings.zone())
    return f"{names.get(left_out['camera'], 'A camera')}, {moment:%d %b %Y %H:%M:%S}: {left_out['why']}."


def _info(name: str) -> zipfile.ZipInfo:
    # Stored: video does not get smaller, and the page reads that also where a browser cannot unpack.
    info = zipfile.ZipInfo(name, date_time=from_ms(now_ms()).timetuple()[:6])
    info.compress_type = zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info
