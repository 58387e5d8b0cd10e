"""A file whose row the database refuses costs no other file its row; it is kept, told of and tried again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from cctv import config
from cctv.capture.indexer import Indexer
from cctv.extensions import db
from cctv.models import Event, Node, Run, Segment
from cctv.services.footage import reconcile, refusals, segments
from cctv.services.site import doctor, nodes
from cctv.storage import paths
from cctv.storage.measure import ClosedFile, MeasuredSegment
from cctv.storage.runfile import read_run, update_run
from tests.services.footage import closed_files, make_camera, put_real_run

pytestmark = pytest.mark.usefixtures("context")
each_database = pytest.mark.each_database

# Facts that a broken camera or file could claim.
STRANGE = {
    "duration": {"duration_ticks": 2**70},
    "offset": {"gops": ((2**40, 0),)},
    "size": {"size_bytes": 2**70},
}


@pytest.fixture
def node() -> Node:
    return nodes.this_node()


def strange(segment: MeasuredSegment, what: str) -> MeasuredSegment:
    return replace(segment, **STRANGE[what])  # type: ignore[arg-type]


def numbers() -> list[int]:
    db.session.rollback()
    return [row.number for row in db.session.query(Segment).order_by(Segment.number)]


@each_database
@pytest.mark.parametrize("what", STRANGE)
def test_the_others_get_their_rows(node: Node, what: str) -> None:
    directory = put_real_run(make_camera(), node=node)
    first, second, third = closed_files(directory)
    second = ClosedFile(second.run, strange(second.segment, what))
    assert segments.index([first, second, third]) == 2
    assert numbers() == [0, 2]
    assert segments.index([first, second, third]) == 0, "it is tried again"
    (event,) = db.session.query(Event).filter_by(kind=refusals.KIND)
    place = f"{first.run.camera_id}/{directory.name}/00001.mp4"
    assert event.text.startswith(f"{place} is kept but cannot be played back")
    assert refusals.here() == [place]
    assert any(finding.sentence.startswith(place) for finding in doctor._refused_files())
    assert paths.list_segments(config.current().media_dir, first.run.camera_id, directory.name) == [0, 1, 2]
    segments.index(closed_files(directory))
    assert refusals.here() == [], "what was refused is in order by now"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_text_that_postgresql_does_not_take_costs_its_own_run_only(node: Node) -> None:
    camera = make_camera()
    good = closed_files(put_real_run(camera, node=node))
    bad = closed_files(put_real_run(camera, ordinal=2, shift_ms=60_000, node=node))
    bad = [ClosedFile(replace(file.run, video_codec="avc1\0"), file.segment) for file in bad]
    assert segments.index([*bad, *good]) == 3
    assert len(refusals.here()) == 3


@each_database
def test_the_indexer_goes_on_and_does_not_try_for_ever(app: Flask, node: Node) -> None:
    directory = put_real_run(make_camera(), node=node)
    indexer = Indexer(app, config.current().media_dir, on_disk_error=lambda error: pytest.fail(str(error)))
    for run, segment in closed_files(directory):
        indexer.put(run, strange(segment, "duration") if segment.number == 1 else segment)
    indexer.start()
    assert indexer.drain(10)
    indexer.stop()
    assert numbers() == [0, 2]


@each_database
def test_reconcile_goes_on_and_names_the_file(node: Node) -> None:
    camera = make_camera(since_ms=0)
    odd = put_real_run(camera, node=node)
    put_real_run(camera, ordinal=2, shift_ms=60_000, node=node)
    facts = read_run(odd)
    assert facts is not None
    update_run(odd, mapping=[(0, 2**70)])
    report = reconcile.run(node)
    assert report.recovered == 3
    places = [f"{camera.id}/{odd.name}/{paths.segment_name(number)}" for number in range(3)]
    assert report.refused == report.as_dict()["refused"] == places
    assert f"The database refuses 3 files, which are kept: {places[0]} and others." in report.sentence
    assert reconcile.run(node).refused == places
    assert db.session.query(Event).filter_by(kind=refusals.KIND).count() == 3
    update_run(odd, mapping=facts.mapping)
    report = reconcile.run(node)
    assert (report.recovered, report.refused) == (3, [])
    assert db.session.query(Run).count() == 2
