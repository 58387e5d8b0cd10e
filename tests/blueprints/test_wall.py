"""The wall: a tile for each camera, chips that change without touching a picture, sizes, pages and rights."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.models import Role
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person, change
from tests.fixtures.application import sign_in


def version(body: str) -> str:
    found = re.search(r'id="wall-version" name="v" value="(\w+)"', body)
    assert found
    return found[1]


class TestThePage:
    def test_it_shows_a_tile_for_each_camera_with_still_player_and_state(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        camera_id = add_camera(app)
        body = signed_in.get("/wall", headers=HTML).text
        assert f'src="/cameras/{camera_id}/snapshot.jpg"' in body
        assert re.search(rf'data-player data-base="/stream/[^"]+/{camera_id}/" data-quality="main"', body)
        assert "1 of 1 live" in body
        assert "REC" in body

    def test_a_fragment_is_the_grid_alone(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        answer = signed_in.get("/wall?n=4", headers=HTMX)
        assert "<html" not in answer.text
        assert 'id="wall"' in answer.text
        assert "HX-Request" in answer.headers["Vary"]

    def test_the_size_is_the_smallest_that_shows_every_camera(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        for number in range(5):
            add_camera(app, f"Camera {number}")
        assert 'data-size="9"' in signed_in.get("/wall", headers=HTML).text
        assert 'data-size="1"' in signed_in.get("/wall?n=1", headers=HTML).text
        assert 'data-size="9"' in signed_in.get("/wall?n=7", headers=HTML).text

    def test_more_cameras_than_tiles_become_pages(self, app: Flask, signed_in: FlaskClient) -> None:
        for number in range(5):
            add_camera(app, f"Camera {number}")
        last = signed_in.get("/wall?n=4&p=2", headers=HTML).text
        assert "Camera 4" in last
        assert "Camera 0" not in last
        assert 'data-key="p"' in last

    def test_auto_takes_the_small_stream_in_grids_and_a_choice_is_remembered(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        add_camera(app, sub=True)
        assert 'data-quality="main"' in signed_in.get("/wall?n=1", headers=HTML).text
        assert 'data-quality="sub"' in signed_in.get("/wall?n=4", headers=HTML).text
        signed_in.get("/wall?n=4&q=high", headers=HTML)
        assert 'data-quality="main"' in signed_in.get("/wall?n=4", headers=HTML).text

    @pytest.mark.parametrize(
        ("state", "cause", "words"),
        [
            ("offline", "noroute", ("Offline 1 min", "The camera does not answer", "Diagnose")),
            (
                "refused",
                "auth",
                ("Password refused", "the camera refused the user admin", "Enter the password"),
            ),
            ("refused", "path", (">Refused<", "this stream path does not exist", "Diagnose")),
            ("frozen", "stall", ("Frozen 1 min",)),
            ("off", None, ("Off", "Turned off")),
            ("connecting", "starting", ("Connecting",)),
        ],
    )
    def test_every_state_has_its_word_and_its_reason(
        self, app: Flask, signed_in: FlaskClient, state: str, cause: str | None, words: tuple[str, ...]
    ) -> None:
        add_camera(app, state=state, cause=cause)
        body = signed_in.get("/wall", headers=HTML).text
        for word in words:
            assert word in body
        assert ("Enter the password" in body) == (cause == "auth")
        assert f'data-server="{state}"' in body

    def test_without_cameras_it_says_the_next_step(self, signed_in: FlaskClient) -> None:
        body = signed_in.get("/wall", headers=HTML).text
        assert "No cameras yet" in body
        assert "/cameras/add" in body

    def test_sixteen_tiles_stay_within_the_budget(self, app: Flask, signed_in: FlaskClient) -> None:
        for number in range(16):
            add_camera(app, f"Camera with a name {number}", state="offline", cause="noroute")
        assert len(signed_in.get("/wall?n=16", headers=HTML).data) < 60_000

    def test_who_was_given_no_camera_is_told_whom_to_ask(self, app: Flask, owner: object) -> None:
        add_camera(app)
        for role in (Role.DEVELOPER, Role.VISITOR):
            answer = sign_in(app, add_person(app, role)).get("/wall", headers=HTML)
            assert "No cameras are shared with you yet. Ask the owner." in answer.text
            assert "Front gate" not in answer.text


class TestTheStatus:
    def test_nothing_changed_is_204(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        seen = version(signed_in.get("/wall", headers=HTML).text)
        answer = signed_in.get(f"/wall/status?ids={camera_id}&v={seen}", headers=HTMX)
        assert answer.status_code == 204

    def test_a_change_brings_chips_and_never_a_video(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        seen = version(signed_in.get("/wall", headers=HTML).text)
        change(app, camera_id, state="offline", cause="noroute")
        body = signed_in.get(f"/wall/status?ids={camera_id}&v={seen}", headers=HTMX).text
        assert "Offline" in body
        assert "<video" not in body
        assert f'id="tile-{camera_id}-state"' in body
        assert 'data-trouble="1 offline"' in body
        assert version(body) != seen

    def test_other_cameras_are_not_told(self, app: Flask, signed_in: FlaskClient) -> None:
        first, second = add_camera(app, "One"), add_camera(app, "Two")
        body = signed_in.get(f"/wall/status?ids={first}", headers=HTMX).text
        assert f"tile-{second}-" not in body

    def test_an_unknown_or_odd_id_is_left_out(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        assert signed_in.get("/wall/status?ids=999,x,-1", headers=HTMX).status_code == 200

    def test_it_costs_the_same_for_sixteen_cameras_as_for_one(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        ids = [add_camera(app, "Camera 0")]
        with QueryCount(app) as one:
            signed_in.get(f"/wall/status?ids={ids[0]}", headers=HTMX)
        ids += [add_camera(app, f"Camera {number}") for number in range(1, 16)]
        with QueryCount(app) as sixteen:
            signed_in.get(f"/wall/status?ids={','.join(map(str, ids))}", headers=HTMX)
        assert len(sixteen) <= len(one) <= 6

    def test_a_stranger_gets_nothing(self, client: FlaskClient, owner: object) -> None:
        assert client.get("/wall/status?ids=1", headers=HTMX).status_code == 401
