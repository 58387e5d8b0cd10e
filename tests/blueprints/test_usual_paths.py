"""Usual paths after a wrong one: one press, one login, an end at a refusal, no password comes back."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv import keys
from cctv.clock import utcnow
from cctv.demo import digest
from cctv.extensions import db
from cctv.media import usual_paths as tries
from cctv.media.addresses import Networks, parse_typed
from cctv.models import Probe, Role, User
from cctv.services.camera import probes, usual_paths
from tests.blueprints.camera_rows import HTML, HTMX, add_camera, add_person
from tests.blueprints.test_probes import add_probe
from tests.fixtures.application import sign_in

SDP = "v=0\r\ns=x\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
NONCE = "0123456789abcdef"


class PathCamera:
    """A camera with Digest login that has one path only, and counts what it was asked for."""

    def __init__(self, path: str, *, password: str = "geheim-5") -> None:
        self.path, self.password = path, password
        self.paths: list[str] = []  # of each DESCRIBE with a login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/wrong"

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                while request := connection.recv(4096).decode():
                    connection.sendall(self._answer(request).encode())

    def _answer(self, request: str) -> str:
        method, url, _ = request.partition("\r\n")[0].split(" ")
        cseq = re.search(r"CSeq: (\d+)", request)
        said = re.search(r"Authorization: (.*)\r", request)
        head = f"CSeq: {cseq[1] if cseq else 0}\r\n"
        if method == "OPTIONS":
            return f"RTSP/1.0 200 OK\r\n{head}\r\n"
        if said:
            self.paths.append("/" + url.split("/", 3)[3])
        if not said or not digest.is_right(said[1], method, NONCE, user="admin", password=self.password):
            return f"RTSP/1.0 401 Unauthorized\r\n{head}WWW-Authenticate: {digest.challenge(NONCE)}\r\n\r\n"
        if self.paths[-1] != self.path:
            return f"RTSP/1.0 404 Not Found\r\n{head}\r\n"
        return f"RTSP/1.0 200 OK\r\n{head}Content-Length: {len(SDP)}\r\n\r\n{SDP}"


@contextmanager
def camera_with(path: str, **options: str) -> Iterator[PathCamera]:
    camera = PathCamera(path, **options)
    try:
        yield camera
    finally:
        camera.close()


def failed_check(app: Flask, user: User, url: str) -> int:
    with app.app_context():
        sealed = keys.encrypt("geheim-5")
    return add_probe(app, user, state="failed", cause="path", url=url, password_encrypted=sealed)


def sealed_anywhere(app: Flask) -> list[str]:
    with app.app_context():
        return [one for one in db.session.scalars(db.select(Probe.password_encrypted)) if one]


def pressed(app: Flask, client: FlaskClient, probe_id: int) -> int:
    """Press the button and let the worker do it; the id of the tries."""
    answer = client.post(f"/probes/{probe_id}/paths", headers=HTML)
    assert answer.status_code == 303
    tries_id = int(answer.location.rsplit("/", 1)[1])
    with app.app_context():
        usual_paths.run(tries_id)
    return tries_id


class TestTheTries:
    def test_they_stop_at_the_path_that_works(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        with camera_with("/h264Preview_01_main") as camera:
            probe_id = failed_check(app, owner, camera.url)
            tries_id = pressed(app, signed_in, probe_id)
        assert [path.split("?")[0] for path in camera.paths] == [
            "/Streaming/Channels/101",
            "/cam/realmonitor",
            "/axis-media/media.amp",
            "/h264Preview_01_main",
        ]
        found = f"rtsp://127.0.0.1:{camera.port}/h264Preview_01_main"
        body = signed_in.get(f"/probes/{tries_id}", headers=HTMX).text
        assert f"Found: {found}" in body
        assert f'data-use-path="{found}"' in body
        assert "/Streaming/Channels/101 (Hikvision) does not exist (404)" in body
        form = signed_in.get(f"/cameras/add?found={tries_id}", headers=HTML).text
        assert f'value="{found}"' in form
        assert 'value="admin"' in form
        assert "geheim" not in body + form
        assert sealed_anywhere(app) == []

    def test_a_refused_login_is_tried_once(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        with camera_with("/stream1", password="another") as camera:
            tries_id = pressed(app, signed_in, failed_check(app, owner, camera.url))
        assert len(camera.paths) == 1
        assert "Wrong user name or password" in signed_in.get(f"/probes/{tries_id}", headers=HTMX).text
        assert sealed_anywhere(app) == []

    def test_six_tries_are_all(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        with camera_with("/mine") as camera:
            tries_id = pressed(app, signed_in, failed_check(app, owner, camera.url))
        assert len(camera.paths) == tries.MOST_TRIES == len(set(camera.paths))
        body = signed_in.get(f"/probes/{tries_id}", headers=HTMX).text
        assert "None of the usual stream paths exists" in body
        assert "Try usual paths" not in body
        assert sealed_anywhere(app) == []

    def test_the_path_that_failed_is_not_tried_again(self) -> None:
        assert "/stream1" not in {make.main for make in tries.usual("/stream1")}

    def test_somebody_who_leaves_ends_them(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        with camera_with("/mine") as camera:
            probe_id = failed_check(app, owner, camera.url)
            answer = signed_in.post(f"/probes/{probe_id}/paths", headers=HTML)
            tries_id = int(answer.location.rsplit("/", 1)[1])
            with app.app_context():
                claimed = probes.claim(tries_id)
                assert claimed is not None
            assert signed_in.post(f"/probes/{tries_id}/cancel").status_code == 204
            with app.app_context(), pytest.raises(probes.Cancelled):
                tries.find(
                    parse_typed(camera.url).with_login("admin", "geheim-5"),
                    networks=Networks.parse("127.0.0.0/8"),
                    on_step=lambda step: probes.add_step(tries_id, step),
                )
        assert len(camera.paths) == 1
        assert sealed_anywhere(app) == []


class TestTheButton:
    def test_it_is_there_after_a_wrong_path_only(
        self, app: Flask, signed_in: FlaskClient, owner: User
    ) -> None:
        wrong = failed_check(app, owner, "rtsp://127.0.0.9/x")
        other = add_probe(app, owner, state="failed", cause="auth")
        assert "Try usual paths" in signed_in.get(f"/probes/{wrong}", headers=HTMX).text
        assert "Try usual paths" not in signed_in.get(f"/probes/{other}", headers=HTMX).text
        assert signed_in.post(f"/probes/{other}/paths", headers=HTMX).status_code == 409

    def test_a_second_press_is_refused(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        wrong = failed_check(app, owner, "rtsp://127.0.0.9/x")
        first = signed_in.post(f"/probes/{wrong}/paths", headers=HTMX)
        assert "Trying usual paths" in first.text
        assert 'hx-trigger="load delay:500ms"' in first.text
        assert signed_in.post(f"/probes/{wrong}/paths", headers=HTMX).status_code == 409
        assert len(sealed_anywhere(app)) == 1

    def test_nobody_else_may_press_it(self, app: Flask, owner: User) -> None:
        wrong = failed_check(app, owner, "rtsp://127.0.0.9/x")
        admin = sign_in(app, add_person(app, Role.ADMIN))
        assert admin.post(f"/probes/{wrong}/paths", headers=HTMX).status_code == 404
        assert admin.get(f"/cameras/add?found={wrong}", headers=HTML).status_code == 404

    def test_the_password_waits_ten_minutes_at_most(self, app: Flask, owner: User) -> None:
        old = failed_check(app, owner, "rtsp://127.0.0.9/x")
        failed_check(app, owner, "rtsp://127.0.0.9/y")
        with app.app_context():
            db.session.get_one(Probe, old).created_at = utcnow() - timedelta(seconds=601)
            db.session.commit()
            probes.forget_passwords()
        assert len(sealed_anywhere(app)) == 1

    def test_leaving_forgets_the_password(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        wrong = failed_check(app, owner, "rtsp://127.0.0.9/x")
        body = signed_in.get(f"/probes/{wrong}", headers=HTMX).text
        assert f'data-cancel="/probes/{wrong}/cancel"' in body
        signed_in.post(f"/probes/{wrong}/cancel")
        assert sealed_anywhere(app) == []


class TestAnAddressThatIsHereAlready:
    def test_the_check_says_so_and_opens_it(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        camera_id = add_camera(app, "Front gate")
        check = add_probe(app, owner, url="rtsp://127.0.0.10/stream1", state="done")
        body = signed_in.get(f"/probes/{check}", headers=HTMX).text
        assert "This camera is already here as Front gate" in body
        assert f'href="/cameras/{camera_id}">Open it' in body

    def test_a_camera_is_no_twin_of_itself(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        camera_id = add_camera(app)
        url = "rtsp://127.0.0.10/stream1"
        check = add_probe(app, owner, url=url, state="done", camera_id=camera_id)
        assert "already here" not in signed_in.get(f"/probes/{check}", headers=HTMX).text

    def test_it_may_be_added_all_the_same(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app, "Front gate")
        typed = {"url": "127.0.0.10/stream1", "name": "Yard", "recording_mode": "continuous"}
        answer = signed_in.post("/cameras/add", data=typed, headers=HTML)
        assert answer.status_code == 303
        page = signed_in.get(answer.location, headers=HTML).text
        assert "Its address is already here as Front gate." in page
