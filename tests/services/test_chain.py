"""The chain of stored files: who changes, drops or cuts a file, or its entry, is found and named."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from cctv.clock import day_bounds_ms, from_ms, site_day
from cctv.extensions import begin_writing, db
from cctv.models import (
    Camera,
    ChainHead,
    ChainRemoval,
    Event,
    MailMessage,
    Node,
    RecordingMode,
    Segment,
    SegmentState,
)
from cctv.services.footage import reconcile, segments
from cctv.services.lifetime import expiry
from cctv.services.proof import chain, chain_check, chain_heads, evidence_key, hashing, scrub, verification
from cctv.services.site import nodes, settings
from tests.media.loops import EPOCH_S
from tests.services.footage import closed, closed_files, make_camera, put_real_run, run_of

pytestmark = pytest.mark.usefixtures("context")

E0 = EPOCH_S * 1000
DAY_MS = 86_400_000


@pytest.fixture
def node() -> Node:
    return nodes.this_node()


def filmed(node: Node, *, number: int = 1) -> tuple[Camera, Path]:
    """A camera with three linked files of 4 s."""
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=E0, number=number)
    directory = put_real_run(camera, node=node)
    segments.index(closed_files(directory))
    assert hashing.hash_some(node.id, seconds=10) == 3
    return camera, directory


def rows() -> list[Segment]:
    return list(db.session.scalars(select(Segment).order_by(Segment.started_ms)))


def remove(which: list[Segment], reason: str) -> None:
    ids = [row.id for row in which]
    begin_writing()
    db.session.execute(update(Segment).where(Segment.id.in_(ids)).values(**chain.expiring(reason)))  # type: ignore[arg-type]
    db.session.commit()
    assert expiry.remove_expiring(ids) == len(ids)


def removals() -> list[tuple[int, int, str]]:
    found = db.session.scalars(select(ChainRemoval).order_by(ChainRemoval.first_number))
    return [(one.first_number, one.last_number, one.reason) for one in found]


@pytest.mark.each_database
def test_files_are_linked_in_order_of_time_and_each_camera_has_its_own_chain(node: Node) -> None:
    camera, _directory = filmed(node)
    other, _directory = filmed(node, number=2)
    before = chain.START
    for number, row in enumerate([row for row in rows() if row.stream_id == camera.main.id], start=1):
        facts = chain.Facts(
            camera.id,
            number,
            row.run.key,
            row.number,
            row.started_ms,
            row.ended_ms,
            row.start_ticks,
            row.duration_ticks,
            row.size_bytes,
            row.sha256 or "",
        )
        before = chain.link_hash(before, facts.digest)
        assert (row.chain_number, row.chain_hash) == (number, before)
    db.session.refresh(camera)
    db.session.refresh(other)
    assert (camera.chain_number, camera.chain_hash) == (3, before)
    assert other.chain_number == 3
    assert other.chain_hash != camera.chain_hash
    verdict = verification.verify_all()
    assert (verdict.is_good, verdict.files, verdict.links, verdict.unhashed) == (True, 6, 6, 0)


def test_what_goes_on_purpose_is_told_from_what_is_taken_away(node: Node) -> None:
    camera, _directory = filmed(node)
    remove(rows()[:1], "expired")
    remove(rows()[:1], "expired")
    assert removals() == [(1, 2, "expired")]
    (kept,) = db.session.scalars(select(ChainRemoval))
    assert (kept.started_ms, kept.ended_ms) == (E0, E0 + 8_000)
    assert chain_check.check(camera.id) == (1, [])
    remove(rows(), "deleted")
    assert removals() == [(1, 2, "expired"), (3, 3, "deleted")]
    assert chain_check.check(camera.id) == (0, [])


@pytest.mark.each_database
def test_removals_that_meet_are_joined(node: Node) -> None:
    filmed(node)
    first, second, third = rows()
    remove([first, third], "early")
    assert removals() == [(1, 1, "early"), (3, 3, "early")]
    remove([second], "early")
    assert removals() == [(1, 3, "early")]


def _change_a_byte(directory: Path) -> None:
    with (directory / "00001.mp4").open("r+b") as file:
        file.seek(5_000)
        byte = file.read(1)
        file.seek(5_000)
        file.write(bytes([byte[0] ^ 1]))


def _cut(directory: Path) -> None:
    path = directory / "00001.mp4"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


def _drop(directory: Path) -> None:
    (directory / "00001.mp4").unlink()


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (_change_a_byte, "changed", "the file was changed"),
        (_cut, "truncated", "the file is shorter than it was"),
        (_drop, "missing", "the file is missing"),
    ],
)
def test_a_harmed_file_is_named_with_camera_and_time(
    node: Node, harm: Callable[[Path], None], kind: str, words: str
) -> None:
    camera, directory = filmed(node)
    harm(directory)
    verdict = verification.verify_all()
    assert not verdict.is_good
    (finding,) = verdict.findings
    assert (finding.camera_id, finding.kind, finding.started_ms) == (camera.id, kind, E0 + 4_000)
    when = f"{from_ms(E0 + 4_000):%Y-%m-%d %H:%M:%S} UTC"
    where = f"{directory.name}/00001.mp4"
    assert verdict.sentence == f"Bad file: Camera 1 (camera {camera.id}), {when}: {words} ({where})."
    assert verification.verify_interval(camera.id, E0, E0 + 2_000).is_good
    assert not verification.verify_interval(camera.id, E0, E0 + 12_000).is_good


def test_an_entry_that_was_changed_with_its_file_is_named(node: Node) -> None:
    camera, directory = filmed(node)
    _change_a_byte(directory)
    row = rows()[1]
    digest = hashing.file_sha256(camera.id, directory.name, 1, size_bytes=row.size_bytes)
    db.session.execute(update(Segment).where(Segment.id == row.id).values(sha256=digest))
    db.session.commit()
    (finding,) = verification.verify_all().findings
    assert (finding.kind, finding.link, finding.started_ms) == ("entry_changed", 2, E0 + 4_000)


@pytest.mark.each_database
def test_an_entry_that_was_taken_away_with_its_file_is_named(node: Node) -> None:
    camera, directory = filmed(node)
    _drop(directory)
    db.session.execute(delete(Segment).where(Segment.chain_number == 2))
    db.session.commit()
    (finding,) = verification.verify_all().findings
    assert (finding.kind, finding.link) == ("entry_missing", 2)
    assert (finding.started_ms, finding.ended_ms) == (E0 + 4_000, E0 + 8_000)
    assert finding.camera_id == camera.id


def test_the_newest_entry_cannot_be_cut_off_unseen(node: Node) -> None:
    camera, _directory = filmed(node)
    last, newest = rows()[1:]
    db.session.delete(newest)
    values = {"chain_number": 2, "chain_hash": last.chain_hash}
    db.session.execute(update(Camera).where(Camera.id == camera.id).values(**values))
    db.session.commit()
    (finding,) = chain_check.check(camera.id)[1]
    assert (finding.kind, finding.link) == ("entry_missing", 3)  # this machine remembers it
    # What is added later does not make the machine forget.
    segments.index([closed(run_of(camera, node=node, ordinal=9), 0, E0 + 20_000, E0 + 24_000)])
    db.session.execute(update(Segment).where(Segment.sha256.is_(None)).values(sha256="1" * 64))
    db.session.commit()
    hashing.hash_some(node.id, seconds=5)
    assert [one.kind for one in chain_check.check(camera.id)[1]] == ["tip_differs"]


def test_a_file_that_reconcile_writes_off_stays_known_as_lost(node: Node) -> None:
    camera, directory = filmed(node)
    _drop(directory)
    assert reconcile.run(node).lost == 1
    assert removals() == [(2, 2, "lost")]
    (finding,) = verification.verify_all().findings
    assert (finding.kind, finding.started_ms) == ("lost", E0 + 4_000)
    assert "nobody had removed" in finding.sentence
    assert finding.camera_id == camera.id


@pytest.mark.each_database
def test_a_file_that_was_linked_too_early_gets_a_new_link(node: Node) -> None:
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=E0)
    directory = put_real_run(camera, node=node)
    files = closed_files(directory)
    first = files[0].segment
    early = replace(first, size_bytes=first.gops[2][0], ended_ms=first.started_ms + 2_000)
    segments.index([files[0]._replace(segment=early)])
    hashing.hash_some(node.id, seconds=5)
    segments.index(files)
    assert removals() == [(1, 1, "grown")]
    hashing.hash_some(node.id, seconds=5)
    assert sorted(row.chain_number or 0 for row in rows()) == [2, 3, 4]
    assert verification.verify_all().is_good


@pytest.mark.each_database
def test_two_machines_that_link_at_once_make_one_chain(app: Flask, node: Node) -> None:
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=E0)
    run = run_of(camera, node=node)
    segments.index([closed(run, n, E0 + n * 4_000, E0 + (n + 1) * 4_000) for n in range(40)])
    camera_id, sizes = camera.id, {row.id: row.size_bytes for row in rows()}
    db.session.commit()

    def link(part: int) -> None:
        with app.app_context():
            for segment_id in sorted(sizes)[part::2]:
                chain.append(camera_id, {segment_id: ("5" * 64, sizes[segment_id])})
            db.session.remove()

    threads = [threading.Thread(target=link, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(row.chain_number or 0 for row in rows()) == list(range(1, 41))
    assert chain_check.check(camera_id) == (40, [])


@pytest.mark.each_database
def test_the_head_of_a_day_is_signed_once_and_mailed(node: Node) -> None:
    camera, _directory = filmed(node)
    chain_heads.set_address("archive@example.org")
    _start, end_ms = day_bounds_ms(site_day(E0, settings.zone()), settings.zone())
    assert chain_heads.sign_due(at_ms=end_ms + 60_000) == 0  # its last files may be on their way
    assert chain_heads.sign_due(at_ms=end_ms + chain_heads.SETTLED_AFTER_MS) == 1
    assert chain_heads.sign_due(at_ms=end_ms + DAY_MS * 3) == 0
    (head,) = chain_heads.list_heads(camera.id)
    assert (head.number, head.hash) == (3, rows()[2].chain_hash)
    assert chain_heads.is_genuine(head)
    assert json.loads(chain_heads.head_document(head))["statement"] == chain_heads.statement(head).decode()
    (mail,) = db.session.scalars(select(MailMessage))
    assert mail.address == "archive@example.org"
    assert stat.S_IMODE(evidence_key.path().stat().st_mode) == 0o600


def test_who_rewrites_the_whole_chain_contradicts_a_signed_head(node: Node) -> None:
    camera, _directory = filmed(node)
    _start, end_ms = day_bounds_ms(site_day(E0, settings.zone()), settings.zone())
    chain_heads.sign_due(at_ms=end_ms + DAY_MS)
    db.session.execute(update(Segment).values(sha256="3" * 64, chain_number=None, chain_hash=None))
    db.session.execute(update(Camera).values(chain_number=0, chain_hash=chain.START))
    db.session.commit()
    hashing.hash_some(node.id, seconds=5)
    kinds = [one.kind for one in chain_check.check(camera.id)[1]]
    assert kinds == ["head_differs", "tip_differs"]
    head = db.session.scalars(select(ChainHead)).one()
    head.hash = rows()[2].chain_hash or ""
    db.session.commit()
    assert "head_forged" in [one.kind for one in chain_check.check(camera.id)[1]]


@pytest.mark.each_database
def test_the_scrub_marks_what_changed_and_tells_it_once(node: Node) -> None:
    camera, directory = filmed(node)
    _change_a_byte(directory)
    done = scrub.scrub_some(node.id, seconds=10, bytes_per_second=10**9)
    assert (done.files, done.bad) == (3, 1)
    assert done.finished_ms is not None
    damaged = [row for row in rows() if row.is_damaged]
    assert [(row.number, row.damage) for row in damaged] == [(1, "changed")]
    assert all(row.checked_ms for row in rows())
    (event,) = db.session.scalars(select(Event))
    assert (event.camera_id, event.severity) == (camera.id, "bad")
    assert "the file was changed" in event.text
    assert scrub.scrub_some(node.id, seconds=10) == done  # the next round is a week away
    (scrub._path()).unlink()
    assert scrub.scrub_some(node.id, seconds=10, bytes_per_second=10**9).bad == 1
    assert len(list(db.session.scalars(select(Event)))) == 1


def test_the_scrub_reads_no_faster_than_it_may_and_goes_on_where_it_was(node: Node) -> None:
    filmed(node)
    part = scrub.scrub_some(node.id, seconds=10, may_go_on=iter([True, True, False, False]).__next__)
    assert (part.files, part.finished_ms) == (1, None)
    assert scrub.scrub_some(node.id, seconds=10).files == 3


@pytest.mark.each_database
def test_what_an_older_version_hashed_is_linked_without_reading(node: Node) -> None:
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=E0)
    run = run_of(camera, node=node)
    segments.index([closed(run, n, E0 + n * 4_000, E0 + (n + 1) * 4_000) for n in range(3)])
    db.session.execute(update(Segment).values(sha256="7" * 64))
    db.session.commit()
    assert hashing.hash_some(node.id, seconds=5) == 3
    assert chain_check.check(camera.id) == (3, [])


def test_ring_files_have_no_link_and_leave_no_trace(node: Node) -> None:
    camera = make_camera(RecordingMode.OFF, since_ms=E0)
    segments.index(closed_files(put_real_run(camera, node=node)))
    assert hashing.hash_some(node.id, seconds=5) == 0
    assert {row.state for row in rows()} == {SegmentState.RING}
    assert expiry.expire_ring(node.id, at_ms=E0 + DAY_MS) == 3
    assert removals() == []


@pytest.mark.usefixtures("pages")
def test_the_command_line_names_the_first_bad_file(app: Flask, node: Node) -> None:
    camera, directory = filmed(node)
    runner = app.test_cli_runner()
    good = runner.invoke(args=["recording", "verify"])
    assert (good.exit_code, "3 files" in good.output, "3 links followed" in good.output) == (0, True, True)
    _change_a_byte(directory)
    bad = runner.invoke(args=["recording", "verify", "--camera", str(camera.id), "--json"])
    assert bad.exit_code == 1
    told = json.loads(bad.output)
    assert told["first_bad"] == f"{directory.name}/00001.mp4: the file was changed"
    assert [(one["kind"], one["started_ms"]) for one in told["findings"]] == [("changed", E0 + 4_000)]
    key = json.loads(runner.invoke(args=["recording", "key", "--json"]).output)
    assert key["key"] == evidence_key.key_id(key["public_key"])


@pytest.mark.usefixtures("pages")
def test_a_restored_backup_is_believed_when_somebody_says_so(app: Flask, node: Node) -> None:
    camera, _directory = filmed(node)
    last, newest = rows()[1:]
    db.session.delete(newest)
    values = {"chain_number": 2, "chain_hash": last.chain_hash}
    db.session.execute(update(Camera).where(Camera.id == camera.id).values(**values))
    db.session.commit()
    assert chain_check.check(camera.id)[1]
    assert app.test_cli_runner().invoke(args=["recording", "accept-chains", "--yes"]).exit_code == 0
    assert chain_check.check(camera.id) == (2, [])


def test_a_broken_chain_is_told_once_by_itself(node: Node) -> None:
    camera, _directory = filmed(node)
    db.session.execute(delete(Segment).where(Segment.chain_number == 2))
    db.session.commit()
    assert scrub.check_chains(hour=(camera.id + 1) % 24) == 0
    assert scrub.check_chains(hour=camera.id % 24) == 1
    assert scrub.check_chains() == 1
    (event,) = db.session.scalars(select(Event))
    assert "link 2 is missing" in event.text
