"""What a page offers is what the person may do to that very camera, and it costs no query for each."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, Probe, Role, User
from cctv.services.camera import probes
from tests.access.people import add_person, grant
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera
from tests.fixtures.application import sign_in


@pytest.fixture
def visitor(app: Flask, owner: User) -> User:
    return add_person(app, Role.VISITOR)


@pytest.fixture
def developer(app: Flask, owner: User) -> User:
    return add_person(app, Role.DEVELOPER)


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200, path
    return answer.text


class TestAVisitor:
    def test_with_live_alone_sees_pictures_and_no_buttons(self, app: Flask, visitor: User) -> None:
        gate = add_camera(app)
        grant(app, visitor, gate, ["live"])
        client = sign_in(app, visitor)
        for path in ("/wall", f"/cameras/{gate}"):
            body = page(client, path)
            assert "data-player" in body
            for word in (
                "record/start",
                f"/cameras/{gate}/snapshot&#34;",
                'aria-label="Snapshot',
                "/playback",
            ):
                assert word not in body, (path, word)

    def test_gets_on_each_camera_what_was_granted_there(self, app: Flask, visitor: User) -> None:
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
        grant(app, visitor, gate, ["live", "record"])
        grant(app, visitor, yard, ["live", "snapshot", "playback"])
        body = page(sign_in(app, visitor), "/wall")
        assert f"/cameras/{gate}/record/start" in body
        assert f"/cameras/{yard}/record/start" not in body
        assert "Snapshot of Yard" in body
        assert "Snapshot of Gate" not in body
        client = sign_in(app, visitor)
        assert "cam-hour" in page(client, f"/cameras/{yard}")
        assert "cam-hour" not in page(client, f"/cameras/{gate}")
        assert "Gate" not in page(client, "/playback")

    def test_starts_on_the_wall_which_says_whom_to_ask(self, app: Flask, visitor: User) -> None:
        add_camera(app, "Gate")
        client = sign_in(app, visitor)
        assert client.get("/", headers=HTML).location == "/wall"
        body = page(client, "/wall")
        assert "No cameras are shared with you yet. Ask the owner." in body
        assert 'href="/wall"' in body
        assert 'href="/playback"' not in body
        assert "No recordings are shared with you yet." in page(client, "/playback")
        assert "No cameras are shared with you yet." in page(client, "/search")
        grant(app, visitor, 1, ["live"])
        assert "No camera is called" in page(client, "/search?q=zebra")

    def test_who_may_take_snapshots_gets_the_one_that_was_taken_and_no_other(
        self, app: Flask, visitor: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from cctv.services.footage import snapshots
        from cctv.services.footage.snapshots import Picture

        taken_ms = now_ms() - 1000
        monkeypatch.setattr(snapshots, "newest", lambda *_, **__: Picture(b"\xff\xd8", taken_ms))
        monkeypatch.setattr(snapshots, "at", lambda *_, **__: Picture(b"\xff\xd8", taken_ms))
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
        grant(app, visitor, gate, ["live", "snapshot"])
        grant(app, visitor, yard, ["live"])
        client = sign_in(app, visitor)
        offered = client.post(f"/cameras/{gate}/snapshot", headers=HTML)
        assert offered.status_code == 303
        assert "Download" in page(client, offered.location)
        still = f"/cameras/{gate}/still.jpg?size=full&download=1&t="
        assert client.get(f"{still}{taken_ms}").status_code == 200
        assert client.get(f"{still}{taken_ms - 120_000}").status_code == 403
        assert client.get(f"/cameras/{yard}/still.jpg?t={taken_ms}").status_code == 403

    def test_costs_no_query_for_each_camera(self, app: Flask, visitor: User) -> None:
        client = sign_in(app, visitor)
        grant(app, visitor, add_camera(app), ["live"])
        client.get("/wall", headers=HTML)  # the first time notes that the person is there
        with QueryCount(app) as one:
            client.get("/wall", headers=HTML)
        for number in range(1, 16):
            grant(app, visitor, add_camera(app, f"Camera {number}"), ["live", "record", "snapshot"])
        with QueryCount(app) as sixteen:
            assert "Camera 15" in client.get("/wall", headers=HTML).text
        assert len(sixteen) == len(one) <= 8, "\n".join(sixteen.statements)


class TestADeveloper:
    def test_sees_every_camera_and_no_picture(self, app: Flask, developer: User) -> None:
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard", state="refused", cause="auth")
        client = sign_in(app, developer)
        for path in ("/", "/cameras", f"/cameras/{gate}/diagnose", "/search"):
            body = page(client, path)
            assert path == "/" or "Gate" in body, path
            assert "snapshot.jpg" not in body, path
            assert f'href="/cameras/{gate}"' not in body, path
            assert "/playback" not in body, path
        assert f"/cameras/{yard}/edit" in page(client, "/")
        grant(app, developer, gate, ["live"])
        body = page(client, "/cameras")
        assert f"/cameras/{gate}/snapshot.jpg" in body
        assert f"/cameras/{yard}/snapshot.jpg" not in body

    def test_changes_how_a_camera_is_reached_and_nothing_else(self, app: Flask, developer: User) -> None:
        gate = add_camera(app, "Gate")
        client = sign_in(app, developer)
        form = page(client, f"/cameras/{gate}/edit")
        for field in ("url", "username", "password", "sub_url"):
            assert f'name="{field}"' in form
        for field in ("name", "number", "recording_mode", "pre_roll_seconds"):
            assert f'name="{field}"' not in form
        typed = {"url": "rtsp://127.0.0.99/new", "username": "admin", "password": "p", "keep_anyway": "y"}
        typed |= {"name": "Mine now", "number": "77", "recording_mode": "off", "pre_roll_seconds": "60"}
        saved = client.post(f"/cameras/{gate}/edit", data=typed, headers=HTML)
        assert (saved.status_code, saved.location) == (303, f"/cameras/{gate}/diagnose")
        with app.app_context():
            camera = db.session.get_one(Camera, gate)
            assert camera.main.url == "rtsp://127.0.0.99/new"
            assert (camera.name, camera.number, camera.recording_mode) == ("Gate", 1, "continuous")
            assert camera.pre_roll_seconds == 10

    def test_cannot_watch_a_camera_through_one_that_is_shared(self, app: Flask, developer: User) -> None:
        gate, _yard = add_camera(app, "Gate", sub=True), add_camera(app, "Yard")
        client = sign_in(app, developer)

        def save(**typed: str) -> int:
            kept = {"url": "rtsp://127.0.0.10/stream1", "sub_url": "rtsp://127.0.0.10/stream2"}
            more = {"username": "admin", "password": "p", "keep_anyway": "y"}
            return client.post(f"/cameras/{gate}/edit", data=kept | more | typed, headers=HTML).status_code

        assert save(url="rtsp://127.0.0.11/stream1") == 303, "without a picture there is nothing to see"
        assert save() == 303
        grant(app, developer, gate, ["live"])
        foreign = (
            "rtsp://127.0.0.11/stream1",
            "rtsp://127.0.0.11/stream1?x=1",
            "rtsp://127.0.0.11:554/another",
        )
        for url in foreign:
            assert save(url=url) == 422, url
            assert save(sub_url=url) == 422, url
        assert save(url="rtsp://127.0.0.10/another") == 303
        assert save(url="rtsp://127.0.0.99/stream1") == 303

    @pytest.mark.parametrize("press", ["name", "enable", "disable", "delete", "record/start", "snapshot"])
    def test_may_not_press_anything_else(self, app: Flask, developer: User, press: str) -> None:
        gate = add_camera(app)
        grant(app, developer, gate, ["live", "record", "snapshot"])
        answer = sign_in(app, developer).post(f"/cameras/{gate}/{press}", headers=HTML)
        assert answer.status_code == 403
        assert "Ask the owner." in answer.text

    def test_gets_a_test_picture_and_no_film(self, app: Flask, developer: User) -> None:
        gate = add_camera(app)
        with app.app_context():
            probe = Probe(camera_id=gate, user_id=developer.id, url="rtsp://127.0.0.10/stream1", state="done")
            probe.username, probe.steps, probe.result = "admin", [], {}
            db.session.add(probe)
            db.session.commit()
            for kind in (".jpg", ".mp4"):
                probes.picture_path(probe.id).with_suffix(kind).write_bytes(b"x")
            probe_id = probe.id
        client = sign_in(app, developer)
        assert "<video" not in client.get(f"/probes/{probe_id}", headers=HTMX).text
        assert client.get(f"/probes/{probe_id}/picture.jpg").status_code == 200
        assert client.get(f"/probes/{probe_id}/clip.mp4").status_code == 403
        with app.app_context():
            seen = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "test_picture")).one()
            assert (seen.user_id, seen.camera_id, seen.target) == (developer.id, gate, "Front gate")
        grant(app, developer, gate, ["live"])
        assert "<video" in client.get(f"/probes/{probe_id}", headers=HTMX).text
        assert client.get(f"/probes/{probe_id}/clip.mp4").status_code == 200


def test_a_check_is_closed_to_whoever_lost_the_right_to_make_it(app: Flask, owner: User) -> None:
    gate, admin = add_camera(app), add_person(app, Role.ADMIN)
    with app.app_context():
        for camera_id in (gate, None):
            probe = Probe(camera_id=camera_id, user_id=admin.id, url="rtsp://127.0.0.10/x", state="done")
            probe.username, probe.steps, probe.result = "admin", [], {}
            db.session.add(probe)
        db.session.commit()
    client = sign_in(app, admin)
    assert [client.get(f"/probes/{number}", headers=HTML).status_code for number in (1, 2)] == [200, 200]
    with app.app_context():
        db.session.get_one(User, admin.id).role = Role.VISITOR
        db.session.commit()
    assert [client.get(f"/probes/{number}", headers=HTML).status_code for number in (1, 2)] == [403, 403]


def test_footage_of_a_camera_that_is_not_shared_is_not_answered_with_another_one(
    app: Flask, visitor: User
) -> None:
    gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
    grant(app, visitor, gate, ["playback"])
    client = sign_in(app, visitor)
    for path in ("/playback?", "/playback/lanes?from=1&to=9&", "/playback/calendar?month=2026-11-01&"):
        assert client.get(f"{path}cams={gate}", headers=HTML).status_code == 200
        assert client.get(f"{path}cams={yard}", headers=HTML).status_code == 404
