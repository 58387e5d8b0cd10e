"""Exports: what the file holds, what is told before, what becomes of those that are cancelled or killed."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from cctv.clock import utcnow
from cctv.errors import Conflict, Gone, Invalid, LimitReached, NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, CameraGrant, Export, ExportState, Recording, Role, User
from cctv.processes import started_at
from cctv.services.export import export_files, export_list, export_making, export_progress, exports
from cctv.services.export.exports import Wish
from cctv.services.footage import open_files, segments
from cctv.services.site import nodes, settings
from cctv.storage import disk, paths
from cctv.storage.disk import Usage
from tests.media.loops import EPOCH_S
from tests.services.footage import MINUTE, T0, closed_files, index_spans, make_camera, put_real_run
from tests.services.persons import entries, person

pytestmark = pytest.mark.usefixtures("context", "quick_hashes")

E0 = EPOCH_S * 1000
KEY = E0 + 64  # the first key frame of runs with sound
SECOND = 1000


def filmed(number: int = 1, *, mode: str = "continuous", seconds: int = 12, **facts: int) -> Camera:
    camera = make_camera(mode, since_ms=0, number=number)
    directory = put_real_run(camera, node=nodes.this_node(), seconds=seconds, sound=True, **facts)
    segments.index(closed_files(directory))
    return camera


def ask(user: User, *cameras: Camera, start_s: float = 0, end_s: float = 12, **more: object) -> Export:
    start_ms, end_ms = E0 + round(start_s * SECOND), E0 + round(end_s * SECOND)
    wish = Wish(tuple(camera.id for camera in cameras), start_ms, end_ms, **more)  # type: ignore[arg-type]
    return exports.create_export(user, wish)


def made(user: User, *cameras: Camera, **wish: object) -> tuple[Export, Path]:
    export = ask(user, *cameras, **wish)  # type: ignore[arg-type]
    export_making.work(nodes.this_node().id)
    db.session.refresh(export)
    assert export.state == ExportState.READY, export.cause
    return export, export_list.open_file(user, export.id)[1]


def length_s(path: Path) -> float:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", str(path)]
    found = subprocess.run(command, check=True, capture_output=True, timeout=30)
    return float(json.loads(found.stdout)["format"]["duration"])


def leftovers() -> list[str]:
    return sorted(path.name for path in export_files.folder().iterdir())


@pytest.fixture
def boss() -> User:
    return person(Role.ADMIN, "Ada")


class TestTheFile:
    @pytest.mark.each_database
    def test_one_camera_becomes_an_mp4_under_a_name_that_says_it(self, boss: User) -> None:
        settings.save(time_zone="Europe/Lisbon")
        export, path = made(boss, filmed(), start_s=2.1, end_s=9)
        assert export.file_name == "Camera-1_2026-11-22_13-30-20_13-30-27.mp4"
        assert abs(length_s(path) - 7) < 0.3
        assert export.size_bytes == path.stat().st_size
        assert export.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert leftovers() == [f"{export.id}.mp4"]
        assert export.keep_until is not None
        assert export.keep_until > utcnow() + timedelta(days=13)
        (told,) = entries("export")
        assert (told.user_name, told.target, told.details["from_ms"]) == ("Ada", "Camera 1", E0 + 2100)

    def test_several_cameras_become_a_zip_that_can_be_checked(self, boss: User) -> None:
        settings.save(organisation_name="Depot", time_zone="Europe/Lisbon")
        silent = make_camera("off", number=3)
        export, path = made(boss, filmed(1), filmed(2), silent, note="Parcel")
        assert export.file_name == "3-cameras_2026-11-22_13-30-18_13-30-30.zip"
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            index = archive.read("index.txt").decode()
            names = [name for name in archive.namelist() if name.endswith(".mp4")]
            sums = [hashlib.sha256(archive.read(name)).hexdigest() for name in names]
        assert [name[:8] for name in names] == ["Camera-1", "Camera-2"]
        for said in (*names, *sums, "Depot", "by Ada", "Europe/Lisbon", "2026-11-22 13:30:18 WET", "Parcel"):
            assert said in index
        assert "Camera 3: nothing was recorded in this time." in index

    def test_only_what_somebody_wanted_from_the_key_frame_before(self, boss: User) -> None:
        camera = filmed(mode="manual", seconds=12)
        for start, end in ((1.5, 3), (10.2, 11)):
            start_ms, end_ms = E0 + int(start * SECOND), E0 + int(end * SECOND)
            db.session.add(
                Recording(camera_id=camera.id, kind="manual", started_ms=start_ms, ended_ms=end_ms)
            )
        db.session.commit()
        segments.keep(camera.id, E0, E0 + 12_000)
        db.session.commit()
        export, path = made(boss, camera)
        (file,) = export.result["files"]
        assert (file["started_ms"], file["ended_ms"]) == (KEY + 1000, E0 + 11_000)
        spans = [(E0, KEY + 1000), (E0 + 3000, KEY + 10_000), (E0 + 11_000, E0 + 12_000)]
        assert file["missing"] == [[*span, "not asked to record"] for span in spans]
        assert abs(length_s(path) - 3) < 0.3

    def test_a_file_that_is_gone_is_told(self, boss: User) -> None:
        camera = filmed()
        export = ask(boss, camera)
        (run,) = paths.list_runs(export_files.config.current().media_dir, camera.id)
        paths.segment_path(export_files.config.current().media_dir, camera.id, run, 1).unlink()
        export_making.work(nodes.this_node().id)
        (file,) = db.session.get_one(Export, export.id).result["files"]
        assert [hole[:2] for hole in file["missing"]] == [[KEY + 4000, KEY + 8000]]

    def test_a_camera_that_changed_its_picture_gives_two_films(self, boss: User) -> None:
        camera = filmed()
        directory = put_real_run(camera, node=nodes.this_node(), ordinal=2, shift_ms=20_000)
        for path in directory.glob("*.mp4"):
            raw = path.read_bytes()
            at = raw.index(b"avcC") + 4 + 3  # the level: players set up another decoder
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        segments.index(closed_files(directory))
        export, path = made(boss, camera, end_s=40)
        assert (export.file_name or "").endswith(".zip")
        with zipfile.ZipFile(path) as archive:
            assert len([name for name in archive.namelist() if name.endswith(".mp4")]) == 2

    def test_a_track_tells_the_time_at_the_site(self, boss: User) -> None:
        settings.save(time_zone="Europe/Lisbon")
        _, path = made(boss, filmed(), has_time_track=True)
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "srt", "-"]
        said = subprocess.run(command, check=True, capture_output=True, timeout=30, text=True).stdout
        said = re.sub(r"<[^>]*>", "", said)
        assert "00:00:02,936 --> 00:00:03,936\nCamera 1  2026-11-22 13:30:21 WET" in said

    def test_evidence_brings_the_originals_and_the_page_that_checks_them(self, boss: User) -> None:
        export, path = made(boss, filmed(), is_evidence=True)
        assert export.result["left_out"] == []
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = set(archive.namelist())
            listed = {one["name"]: one for one in json.loads(archive.read("manifest.json"))["files"]}
            for name, one in listed.items():
                assert one["sha256"] == hashlib.sha256(archive.read(name)).hexdigest()
        assert {"index.txt", "check.html", "signature.json"} <= names
        assert sum(name.startswith("originals/") for name in names) == 3
        assert listed.keys() == names - {"manifest.json", "signature.json"}


class TestBeforeItStarts:
    def test_more_than_there_is_room_for_is_refused_with_both_numbers(
        self, boss: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        camera = make_camera(since_ms=T0)
        index_spans(camera, [(T0, T0 + MINUTE)])
        db.session.execute(db.text("update segment set size_bytes = 4200000000"))
        db.session.execute(db.text(f"update run set node_id = {nodes.this_node().id}"))
        db.session.commit()
        monkeypatch.setattr(disk, "usage", lambda path: Usage(100_000_000_000, 2_100_000_000, 9))
        with pytest.raises(Invalid, match=r"Needs 4\.2 GB, free for exports 1\.1 GB"):
            exports.create_export(boss, Wish((camera.id,), T0, T0 + MINUTE))
        assert db.session.query(Export).count() == 0

    def test_a_visitor_does_not_take_the_room_of_all_others(
        self, boss: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        camera, vera = make_camera(since_ms=T0), person(Role.VISITOR, "Vera")
        index_spans(camera, [(T0, T0 + MINUTE)])
        db.session.execute(db.text("update segment set size_bytes = 4200000000"))
        db.session.execute(db.text(f"update run set node_id = {nodes.this_node().id}"))
        db.session.add(CameraGrant(user_id=vera.id, camera_id=camera.id, action="export"))
        db.session.commit()
        monkeypatch.setattr(disk, "usage", lambda path: Usage(100_000_000_000, 90_000_000_000, 9))
        wish = Wish((camera.id,), T0, T0 + MINUTE)
        exports.create_export(vera, wish)
        with pytest.raises(Invalid, match=r"Needs 4\.2 GB, free for exports 2\.0 GB"):
            exports.create_export(vera, wish)
        exports.create_export(boss, wish)

    def test_nothing_recorded_the_future_and_too_long_are_named(self, boss: User) -> None:
        camera = filmed()
        for start, end, said in (
            (100, 200, "Nothing was recorded"),
            (5, 5, "end comes before"),
            (10**10, 10**10 + 1, "future"),
            (0, 26 * 3600, "at most 24 hours"),
        ):
            with pytest.raises(Invalid, match=said):
                ask(boss, camera, start_s=start, end_s=end)

    def test_one_person_does_not_fill_the_queue(self, boss: User) -> None:
        camera = filmed()
        for _ in range(exports.MOST_UNDER_WAY):
            ask(boss, camera)
        with pytest.raises(LimitReached):
            ask(boss, camera)


class TestItsLife:
    def test_a_waiting_one_is_cancelled_at_once(self, boss: User) -> None:
        export = ask(boss, filmed())
        exports.cancel_export(boss, export)
        export_making.work(nodes.this_node().id)
        assert export.state == ExportState.CANCELLED
        with pytest.raises(Conflict):
            exports.cancel_export(boss, export)

    def test_a_running_one_stops_and_leaves_nothing(
        self, boss: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(export_progress, "_EVERY_S", 0)
        export = ask(boss, filmed())
        begin = export_progress.Progress.begin

        def pressed(progress: export_progress.Progress, phase: str, total: int | None = None) -> None:
            if phase == "cutting":
                exports.cancel_export(boss, db.session.get_one(Export, export.id))
            begin(progress, phase, total)

        monkeypatch.setattr(export_progress.Progress, "begin", pressed)
        export_making.work(nodes.this_node().id)
        db.session.refresh(export)
        assert export.state == ExportState.CANCELLED
        assert leftovers() == []

    @pytest.mark.each_database
    def test_one_whose_worker_was_killed_begins_again_and_is_told_the_third_time(self, boss: User) -> None:
        export, node_id = ask(boss, filmed()), nodes.this_node().id
        for state in (ExportState.QUEUED, ExportState.QUEUED, ExportState.FAILED):
            with subprocess.Popen(["sleep", "60"]) as child:
                export.state, export.worker = ExportState.RUNNING, f"{child.pid}:{started_at(child.pid)}"
                db.session.commit()
                export_files.unfinished_path(export.id).write_bytes(b"half")
                export_making.tend(node_id)
                export_making.work(node_id)
                db.session.refresh(export)
                assert export.state == ExportState.RUNNING
                child.kill()
            export_making.tend(node_id)
            db.session.refresh(export)
            assert export.state == state
            assert leftovers() == []
        assert "ended 3 times" in export.cause
        exports.retry_export(boss, export)
        export_making.work(node_id)
        db.session.refresh(export)
        assert export.state == ExportState.READY

    def test_a_full_disk_ends_it_with_a_sentence(self, boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
        export = ask(boss, filmed())
        monkeypatch.setattr(disk, "usage", lambda path: Usage(100_000_000_000, 1_000_000, 9))
        export_making.work(nodes.this_node().id)
        db.session.refresh(export)
        assert (export.state, leftovers()) == (ExportState.FAILED, [])
        assert "too full" in export.cause

    def test_files_go_when_their_time_is_over_unless_kept(self, boss: User) -> None:
        camera = filmed()
        (short, path), (kept, kept_path) = made(boss, camera), made(boss, camera)
        exports.keep_export(boss, kept, is_kept=True)
        short.keep_until = utcnow() - timedelta(seconds=1)
        db.session.commit()
        stray = export_files.folder() / "999.part"
        stray.write_bytes(b"of nobody")
        assert export_making.expire(nodes.this_node().id) == 1
        assert (path.exists(), kept_path.exists(), stray.exists()) == (False, True, True)
        db.session.refresh(short)
        assert short.state == ExportState.EXPIRED
        with pytest.raises(Gone):
            export_list.open_file(boss, short.id)
        exports.delete_export(boss, kept)
        assert not kept_path.exists()

    def test_waiting_ones_are_made_in_turn(self, boss: User, app: Flask) -> None:
        camera = filmed()
        first, second = ask(boss, camera), ask(boss, camera)
        assert export_list.waiting_before(second) == 1
        export_making.work(nodes.this_node().id)
        db.session.refresh(second)
        assert (first.state, second.state) == (ExportState.READY, ExportState.QUEUED)
        exports.enqueue_waiting()
        exports.enqueue_waiting()
        queued = exports.queue.queue(exports.queue.media(nodes.key())).get_job_ids()
        assert queued.count(f"exports-{nodes.this_node().id}") == 1


class TestWhose:
    def test_visitors_see_their_own_while_they_may(self, boss: User) -> None:
        gate, yard = filmed(1), filmed(2)
        vera, other = person(Role.VISITOR, "Vera"), person(Role.VISITOR, "Otto")
        for one in (vera, other):
            db.session.add(CameraGrant(user_id=one.id, camera_id=gate.id, action="export"))
        db.session.commit()
        export, path = made(vera, gate)
        foreign = ask(boss, yard)
        assert [one.id for one in export_list.find_exports(vera).items] == [export.id]
        assert export_list.find_exports(other).total == 0
        assert export_list.find_exports(boss).total == 2
        for who, what in ((other, export), (vera, foreign)):
            with pytest.raises(NotFound):
                export_list.open_file(who, what.id)
        with pytest.raises(NotFound):
            ask(vera, yard)
        with pytest.raises(NotAllowed):
            ask(person(Role.DEVELOPER, "Dev"), gate)
        db.session.query(CameraGrant).filter_by(user_id=vera.id).delete()
        db.session.commit()
        assert path.exists()
        assert export_list.find_exports(vera).total == 0
        with pytest.raises(NotFound):
            export_list.open_file(vera, export.id)

    def test_a_download_is_noted(self, boss: User) -> None:
        made(boss, filmed())
        db.session.commit()  # a reader sees what there was when it began
        told = db.session.scalars(db.select(AuditEntry).where(AuditEntry.action == "export.download")).all()
        assert len(told) == 1


def test_the_last_seconds_of_a_running_camera_are_there(boss: User) -> None:
    camera = filmed()
    (run,) = paths.list_runs(export_files.config.current().media_dir, camera.id)
    db.session.execute(db.text("delete from segment where number = 2"))
    camera.main.run_key = run
    camera.main.owner_node_id = nodes.this_node().id
    db.session.commit()
    _export, path = made(boss, camera)
    open_files.forget()
    assert abs(length_s(path) - 12) < 0.3
