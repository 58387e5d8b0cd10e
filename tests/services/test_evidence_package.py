"""What an evidence package holds: the stored files byte for byte, a signed manifest, and the page."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from cctv.extensions import db
from cctv.models import Camera, Export, Node, RecordingMode, Segment
from cctv.services.footage import segments
from cctv.services.proof import chain, chain_heads, evidence_key, evidence_package, evidence_page, hashing
from cctv.services.proof.evidence_package import PackedFile
from cctv.services.site import nodes
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

pytestmark = pytest.mark.usefixtures("context")

E0 = EPOCH_S * 1000
COPY = b"a copy for viewing"


def filmed(node: Node, number: int) -> tuple[Camera, Path]:
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=E0, number=number)
    directory = put_real_run(camera, node=node)
    segments.index(closed_files(directory))
    return camera, directory


def make_package(target: Path, cameras: list[int], *, end_ms: int = E0 + 12_000) -> evidence_package.Written:
    """An evidence package of these cameras with one viewing copy in it."""
    export = Export(camera_ids=cameras, started_ms=E0, ended_ms=end_ms, note="The door at night")
    db.session.add(export)
    db.session.commit()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("camera-1.mp4", COPY)
        copy = PackedFile("camera-1.mp4", len(COPY), hashlib.sha256(COPY).hexdigest(), cameras[0])
        return evidence_package.write(archive, export, [copy])


def test_it_holds_what_was_stored_and_a_signed_list_of_it(tmp_path: Path) -> None:
    node = nodes.this_node()
    camera, directory = filmed(node, 1)
    other, _directory = filmed(node, 2)
    hashing.hash_some(node.id, seconds=5)
    chain_heads.sign_due(at_ms=E0 + 3 * 86_400_000)
    written = make_package(tmp_path / "a.zip", [camera.id, other.id])
    assert (written.originals, written.left_out) == (6, [])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(found["manifest.json"])
    for file in manifest["files"]:
        assert (len(found[file["name"]]), hashlib.sha256(found[file["name"]]).hexdigest()) == (
            file["size"],
            file["sha256"],
        )
    assert {file["name"] for file in manifest["files"]} == found.keys() - {"manifest.json", "signature.json"}
    originals = [file for file in manifest["files"] if file["kind"] == "original"]
    stored = [(directory / f"{number:05d}.mp4").read_bytes() for number in range(3)]
    sizes = [row.size_bytes for row in db.session.query(Segment).order_by(Segment.id).limit(3)]
    assert [found[file["name"]] for file in originals[:3]] == [
        content[:size] for content, size in zip(stored, sizes, strict=True)
    ]
    signature = json.loads(found["signature.json"])
    assert hashlib.sha256(found["manifest.json"]).hexdigest() in signature["statement"]
    signed = (signature["statement"].encode(), signature["signature"], signature["public_key"])
    assert evidence_key.is_genuine(*signed)
    assert signature["public_key"] == evidence_key.public_key()
    assert found["check.html"] == evidence_page.page()
    first = manifest["cameras"][0]
    before = first["chain"]["before"]
    assert before == chain.START
    for digest in first["chain"]["links"]:
        before = chain.link_hash(before, digest)
    assert before == json.loads(json.dumps(first["heads"][0]))["statement"].split("hash ")[1][:64]
    assert written.size_bytes <= evidence_package.estimate_bytes([camera.id, other.id], E0, E0 + 12_000)


def test_what_is_not_linked_yet_is_linked_and_what_is_gone_is_said(tmp_path: Path) -> None:
    camera, directory = filmed(nodes.this_node(), 1)
    (directory / "00001.mp4").unlink()
    written = make_package(tmp_path / "a.zip", [camera.id])
    assert written.originals == 2
    assert written.left_out == ["Camera 1, 22 Nov 2026 13:30:22: its file is not on this machine."]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert [one["from_ms"] for one in manifest["left_out"]] == [E0 + 4_000]
    assert [file["facts"]["link"] for file in manifest["files"] if file["kind"] == "original"] == [1, 2]


def test_a_stored_file_that_had_been_changed_is_packed_and_called_so(tmp_path: Path) -> None:
    node = nodes.this_node()
    camera, directory = filmed(node, 1)
    hashing.hash_some(node.id, seconds=5)
    with (directory / "00002.mp4").open("r+b") as file:
        file.seek(4_000)
        file.write(b"\xff\xff\xff\xff")
    make_package(tmp_path / "a.zip", [camera.id])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
    problems = [file["problem"] for file in manifest["files"] if file["kind"] == "original"]
    assert problems == ["", "", "This file was changed after it was stored."]


def test_a_cancelled_export_ends_the_writing(tmp_path: Path) -> None:
    camera, _directory = filmed(nodes.this_node(), 1)
    export = Export(camera_ids=[camera.id], started_ms=E0, ended_ms=E0 + 12_000)
    db.session.add(export)
    db.session.commit()

    def cancel(_count: int) -> None:
        raise InterruptedError

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, pytest.raises(InterruptedError):
        evidence_package.write(archive, export, [], on_bytes=cancel)
