"""Footage of which only the copy in the bucket is left: played, shown and fetched as if it were here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms
from cctv.config import Config
from cctv.errors import NotFound, Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import (
    Camera,
    Export,
    ExportState,
    MailMessage,
    Recording,
    Role,
    Segment,
    SegmentState,
    Transfer,
    User,
)
from cctv.services.bucket import cloud, cloud_expiry
from cctv.services.export import export_files, export_making, exports
from cctv.services.export.exports import Wish
from cctv.services.footage import footage_files, playback, reconcile, segments, snapshots, timeline
from cctv.services.lifetime import expiry
from cctv.services.mailing import mail, notices
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import sessions
from cctv.services.site import health_figures, settings
from cctv.storage import paths
from cctv.storage.bucket_faults import BucketFault, FaultKind
from tests.blueprints.camera_rows import add_person
from tests.bucket_server import Front
from tests.fixtures.bucket import in_cloud
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run
from tests.services.persons import person
from tests.services.stored import ask, this_node, work

E0 = EPOCH_S * 1000
LATER = E0 + 3_600_000
BROWSER = {"Sec-Fetch-Mode": "cors"}


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    cloud._buckets.clear()
    footage_files.forget_heads()
    return in_cloud(config, front)


def filmed_in_cloud() -> tuple[Camera, Path, list[bytes]]:
    """A camera with real video that is copied and gone from the disk; and the files as they were."""
    camera = make_camera(since_ms=0)
    directory = put_real_run(camera, node=this_node())
    segments.index(closed_files(directory))
    rows = db.session.query(Segment).order_by(Segment.number).all()
    ask(rows)
    assert work() == 3
    contents = [path.read_bytes() for path in sorted(directory.glob("*.mp4"))]
    begin_writing()
    for row in db.session.query(Segment):
        row.state = SegmentState.CLOUD
    for transfer in db.session.query(Transfer):
        transfer.is_local = False
    db.session.commit()
    for path in directory.glob("*.mp4"):
        path.unlink()
    return camera, directory, contents


def media_token(user: User, camera_id: int, action: Action) -> str:
    sessions.begin(user)
    return access.media_token(user, camera_id, action)


def stored_url(camera: Camera, directory: Path, token: str, number: int = 1) -> str:
    return f"/stream/{token}/{camera.id}/play/{directory.name}/{paths.segment_name(number)}"


@pytest.mark.usefixtures("context")
class TestServices:
    def test_the_timeline_the_playlist_and_the_picture_are_as_before(self) -> None:
        camera, _directory, _contents = filmed_in_cloud()
        (lane,) = timeline.lanes([camera.id], E0, E0 + 12_000, at_ms=LATER)
        assert lane.recorded == [(E0, E0 + 12_000)]
        made = playback.playlist(camera.id, E0, E0 + 12_000, at_ms=LATER)
        assert made.positions == [(E0, E0 + 12_000, 0.0)]
        picture = snapshots.at(camera.id, E0 + 6_700, width=192)
        assert picture.jpeg[:2] == b"\xff\xd8"
        assert 6_000 <= picture.taken_ms - E0 < 6_100

    def test_a_whole_file_is_fetched_and_checked(self, tmp_path: Path, front: Front) -> None:
        camera, directory, contents = filmed_in_cloud()
        target = tmp_path / "fetched.mp4"
        assert footage_files.fetch(camera.id, directory.name, 0, target).read_bytes() == contents[0]
        (directory / "00001.mp4").write_bytes(b"here")
        assert footage_files.fetch(camera.id, directory.name, 1, target) == directory / "00001.mp4"
        begin_writing()
        db.session.query(Transfer).update({"crc32c": "AAAAAA=="})
        db.session.commit()
        with pytest.raises(Unavailable, match="damaged"):
            footage_files.fetch(camera.id, directory.name, 0, target)
        with pytest.raises(NotFound):
            footage_files.open_source(camera.id, directory.name, 9)

    def test_a_bucket_that_is_away_is_said_and_the_playlist_still_comes(self, front: Front) -> None:
        camera, _directory, _contents = filmed_in_cloud()
        front.answer(r"GET /", 503, times=-1)
        assert playback.playlist(camera.id, E0, E0 + 12_000, at_ms=LATER).duration_s == pytest.approx(
            12, abs=0.1
        )
        with pytest.raises(Unavailable, match="only in the cloud"):
            snapshots.at(camera.id, E0 + 6_700)

    def test_a_file_that_vanishes_is_read_from_its_copy_and_nothing_is_lost(self) -> None:
        camera = make_camera(since_ms=0)
        directory = put_real_run(camera, node=this_node())
        segments.index(closed_files(directory))
        ask(db.session.query(Segment).filter_by(number=1).all())
        work()
        os.utime(directory, (E0 / 1000, E0 / 1000))
        (directory / "00001.mp4").unlink()
        (directory / "00002.mp4").unlink()
        report = reconcile.run(this_node())
        states = {row.number: row.state for row in db.session.query(Segment)}
        assert states == {0: SegmentState.KEPT, 1: SegmentState.CLOUD}
        assert report.lost == 1
        assert reconcile.run(this_node()).lost == 0

    def test_a_file_that_a_crash_left_behind_goes_when_its_copy_is_read(self) -> None:
        _camera, directory, contents = filmed_in_cloud()
        (directory / "00000.mp4").write_bytes(contents[0])
        reconcile.run(this_node())
        assert not (directory / "00000.mp4").exists()
        assert db.session.query(Segment).count() == 3

    def test_deleting_it_takes_the_object_along(self, front: Front) -> None:
        filmed_in_cloud()
        begin_writing()
        db.session.query(Segment).update({"state": SegmentState.EXPIRING})
        db.session.commit()
        assert expiry.finish_expiring(this_node().id) == 3
        assert work() == 3
        assert front.emulator.objects() == {}


@pytest.mark.usefixtures("pages")
class TestBytes:
    def test_apps_get_an_address_of_five_minutes_after_the_check(
        self, app: Flask, owner: User, front: Front
    ) -> None:
        with app.app_context():
            camera, directory, contents = filmed_in_cloud()
            token = media_token(owner, camera.id, Action.PLAYBACK)
            url = stored_url(camera, directory, token)
        response = app.test_client().get(url)
        assert response.status_code == 307
        assert "X-Goog-Expires=300" in response.location
        assert "no-store" in response.headers["Cache-Control"]
        got = requests.get(response.location, headers={"Range": "bytes=10-99"}, timeout=5)
        assert got.content == contents[1][10:100]
        assert requests.get(response.location.partition("?")[0], timeout=5).status_code == 403
        forged = response.location.replace("X-Goog-Expires=300", "X-Goog-Expires=900")
        assert requests.get(forged, timeout=5).status_code == 403

    def test_nobody_gets_one_without_the_right(self, app: Flask, owner: User, front: Front) -> None:
        with app.app_context():
            camera, directory, _contents = filmed_in_cloud()
            other = media_token(add_person(app, Role.VISITOR), camera.id, Action.PLAYBACK)
            live = media_token(owner, camera.id, Action.LIVE)
            urls = [stored_url(camera, directory, token) for token in (other, live, "forged")]
        asked = len(front.asked)
        for url in urls:
            response = app.test_client().get(url)
            assert response.status_code in (403, 404)
            assert "Location" not in response.headers
        assert len(front.asked) == asked

    def test_browsers_get_the_bytes_from_this_origin(self, app: Flask, owner: User, front: Front) -> None:
        with app.app_context():
            camera, directory, contents = filmed_in_cloud()
            url = stored_url(camera, directory, media_token(owner, camera.id, Action.PLAYBACK))
        client: FlaskClient = app.test_client()
        for wanted, status, part in (
            (None, 200, slice(None)),
            ("bytes=5-104", 206, slice(5, 105)),
            ("bytes=-7", 206, slice(-7, None)),
        ):
            headers: dict[str, Any] = BROWSER | ({"Range": wanted} if wanted else {})
            response = client.get(url, headers=headers)
            assert (response.status_code, response.data) == (status, contents[1][part])
        assert client.get(url, headers=BROWSER | {"Range": "bytes=99999999-"}).status_code == 416
        front.answer(r"GET /", 403, times=-1)
        refused = client.get(url, headers=BROWSER)
        assert refused.status_code == 503
        assert "only in the cloud" in refused.text


@pytest.mark.usefixtures("context")
class TestAge:
    def test_what_is_only_in_the_cloud_goes_after_its_days_and_what_is_locked_stays(
        self, front: Front
    ) -> None:
        camera, _directory, _contents = filmed_in_cloud()
        settings.save(cloud_keep_days=10)
        end_ms = E0 + 10 * 86_400_000
        assert cloud_expiry.expire(at_ms=end_ms) == 0
        held = {"kind": "manual", "locked_by": "Olive", "locked_reason": "x"}
        db.session.add(Recording(camera_id=camera.id, started_ms=E0 + 5_000, ended_ms=E0 + 6_000, **held))
        db.session.commit()
        assert cloud_expiry.expire(at_ms=end_ms + 3_600_000) == 2
        assert work() == 2
        assert [row.number for row in db.session.query(Segment)] == [1]
        assert len(front.emulator.objects()) == 1

    def test_the_timeline_and_the_health_tell_of_it(self, front: Front) -> None:
        camera, _directory, _contents = filmed_in_cloud()
        (lane,) = timeline.lanes([camera.id], E0, E0 + 12_000, at_ms=LATER)
        assert lane.cloud == [(E0, E0 + 12_000)]
        assert lane.copies == []
        begin_writing()
        db.session.query(Transfer).filter_by(id=1).update({"state": "failed", "cause": "It is gone."})
        db.session.query(Transfer).filter(Transfer.id > 1).update({"state": "pending"})
        db.session.commit()
        (lane,) = timeline.lanes([camera.id], E0, E0 + 12_000, at_ms=LATER)
        said = [(one.started_ms - E0, one.ended_ms - E0, one.state) for one in lane.copies]
        assert said == [(0, 4_000, "failed"), (4_000, 12_000, "waiting")]
        assert "It is gone." in lane.copies[0].sentence
        begin_writing()
        db.session.query(Transfer).update({"state": "verified"})
        db.session.commit()
        told = health_figures.collect()["cloud"]
        assert (told["state"], told["waiting"], told["failed"]) == ("ok", 0, 0)

    def test_people_are_told_once_when_the_bucket_refuses_and_when_it_is_over(self, owner: User) -> None:
        node = this_node()
        now = now_ms()
        fault = BucketFault(FaultKind.REFUSED, "The key is right but may not write.")
        cloud.note_fault(node.id, fault)
        for seconds in (5, 70, 140):
            notices.tick(now + seconds * 1000)
        (told,) = db.session.query(MailMessage)
        assert (told.template, told.address) == ("transfer_failed", owner.email)
        assert "may not write" in mail.open_values(told)["cause"]
        cloud.note_success(node.id)
        notices.tick(now + 300_000)
        assert db.session.query(MailMessage).count() == 2


def test_an_export_is_made_of_the_copies_alone(context: Flask, quick_hashes: None) -> None:
    camera, _, _ = filmed_in_cloud()
    boss = person(Role.ADMIN, "Ada")
    exports.create_export(boss, Wish((camera.id,), E0, E0 + 12_000))
    export_making.work(this_node().id)
    export = db.session.query(Export).one()
    assert (export.state, export.cause) == (ExportState.READY, "")
    (file,) = export.result["files"]
    assert (file["missing"], abs(file["duration_ms"] - 12_000) < 100) == ([], True)
    assert [path.name for path in export_files.folder().iterdir()] == [f"{export.id}.mp4"]
