"""Adding, changing and deleting a camera: nothing typed is lost, no password comes back."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import Camera, Probe, Role
from tests.blueprints.camera_rows import HTML, HTMX, add_camera, add_person
from tests.fixtures.application import sign_in


def typed(**more: str) -> dict[str, str]:
    fields = {"url": "127.0.0.9", "name": "Yard", "recording_mode": "continuous", "pre_roll_seconds": "10"}
    return {**fields, **more}


class TestAdding:
    def test_a_saved_camera_opens_its_page(self, app: Flask, signed_in: FlaskClient) -> None:
        answer = signed_in.post("/cameras/add", data=typed(), headers=HTML)
        assert answer.status_code == 303
        assert "Yard" in signed_in.get(answer.location, headers=HTML).text

    def test_credentials_in_the_link_move_out_of_it(self, app: Flask, signed_in: FlaskClient) -> None:
        signed_in.post("/cameras/add", data=typed(url="rtsp://admin:p%40ss@127.0.0.9/s1"), headers=HTML)
        with app.app_context():
            camera = db.session.scalars(db.select(Camera)).one()
            assert camera.main.url == "rtsp://127.0.0.9/s1"
            assert camera.username == "admin"

    def test_a_make_fills_the_path(self, app: Flask, signed_in: FlaskClient) -> None:
        signed_in.post("/cameras/add", data=typed(make="hikvision"), headers=HTML)
        with app.app_context():
            camera = db.session.scalars(db.select(Camera)).one()
            assert camera.main.url == "rtsp://127.0.0.9/Streaming/Channels/101"
            assert camera.stream("sub").url == "rtsp://127.0.0.9/Streaming/Channels/102"  # type: ignore[union-attr]

    def test_a_make_never_replaces_a_typed_path(self, app: Flask, signed_in: FlaskClient) -> None:
        signed_in.post("/cameras/add", data=typed(make="dahua", url="127.0.0.9/mine"), headers=HTML)
        with app.app_context():
            assert db.session.scalars(db.select(Camera)).one().main.url == "rtsp://127.0.0.9/mine"

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("url", "", "does not look like an address"),
            ("url", "http://127.0.0.9/", "Only rtsp://"),
            ("url", "8.8.8.8", "outside the networks"),
            ("name", " ", "Give the camera a name"),
            ("number", "x", "Type a whole number"),
            ("number", "1000", "1 to 999"),
            ("pre_roll_seconds", "99", "0 to 60"),
        ],
    )
    def test_what_is_wrong_is_said_and_everything_typed_stays(
        self, app: Flask, signed_in: FlaskClient, field: str, value: str, sentence: str
    ) -> None:
        data = typed(username="guard", password="geheim-99") | {field: value}
        answer = signed_in.post("/cameras/add", data=data, headers=HTML)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert 'value="guard"' in answer.text
        assert "geheim-99" not in answer.text
        if value.strip():
            assert f'value="{value}"' in answer.text

    def test_htmx_gets_the_messages_and_never_the_form(self, signed_in: FlaskClient) -> None:
        answer = signed_in.post("/cameras/add", data=typed(url=""), headers=HTMX)
        assert answer.status_code == 422
        assert 'id="url-error" hx-swap-oob' in answer.text
        assert "<input" not in answer.text

    def test_a_number_that_is_taken_is_told(self, app: Flask, signed_in: FlaskClient) -> None:
        add_camera(app)
        answer = signed_in.post("/cameras/add", data=typed(number="1"), headers=HTML)
        assert "belongs to another camera" in answer.text

    def test_who_may_not_add_is_told_who_may(self, app: Flask, owner: object) -> None:
        developer = sign_in(app, add_person(app, Role.DEVELOPER))
        assert developer.get("/cameras/add", headers=HTML).status_code == 403
        assert developer.post("/cameras/add", data=typed(), headers=HTML).status_code == 403
        assert developer.post("/cameras/demo", headers=HTML).status_code == 403


class TestEditing:
    def data(self, **more: str) -> dict[str, str]:
        base = {"url": "rtsp://127.0.0.10/stream1", "username": "admin", "name": "Front gate", "version": "1"}
        return typed(**(base | more))

    def test_a_new_name_needs_no_check(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(f"/cameras/{camera_id}/edit", data=self.data(name="Gate"), headers=HTML)
        assert answer.status_code == 303
        with app.app_context():
            camera = db.session.get_one(Camera, camera_id)
            assert camera.name == "Gate"
            assert camera.password_encrypted

    @pytest.mark.parametrize(
        "changed", [{"url": "127.0.0.77"}, {"username": "guard"}, {"password": "new one"}]
    )
    def test_a_new_address_or_login_demands_a_check(
        self, app: Flask, signed_in: FlaskClient, changed: dict[str, str]
    ) -> None:
        camera_id = add_camera(app)
        answer = signed_in.post(f"/cameras/{camera_id}/edit", data=self.data(**changed), headers=HTML)
        assert answer.status_code == 422
        assert "Check the new address or login first" in answer.text

    def test_it_can_be_kept_anyway(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        data = self.data(url="rtsp://127.0.0.77/s", password="its own", keep_anyway="y")
        assert signed_in.post(f"/cameras/{camera_id}/edit", data=data, headers=HTML).status_code == 303
        with app.app_context():
            assert db.session.get_one(Camera, camera_id).main.url == "rtsp://127.0.0.77/s"

    def test_a_passed_check_of_the_same_address_is_enough(
        self, app: Flask, signed_in: FlaskClient, owner: object
    ) -> None:
        camera_id = add_camera(app)
        with app.app_context():
            probe = Probe(
                user_id=owner.id,  # type: ignore[attr-defined]
                url="rtsp://127.0.0.77/s",
                username="admin",
                state="done",
                steps=[],
                result={},
            )
            db.session.add(probe)
            db.session.commit()
            probe_id = probe.id
        other = self.data(url="rtsp://127.0.0.78/s", password="its own", probe=str(probe_id))
        same = self.data(url="rtsp://127.0.0.77/s", password="its own", probe=str(probe_id))
        assert signed_in.post(f"/cameras/{camera_id}/edit", data=other, headers=HTML).status_code == 422
        assert signed_in.post(f"/cameras/{camera_id}/edit", data=same, headers=HTML).status_code == 303

    def test_a_change_by_somebody_else_is_told(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        signed_in.post(f"/cameras/{camera_id}/name", data={"name": "Other"}, headers=HTML)
        answer = signed_in.post(f"/cameras/{camera_id}/edit", data=self.data(), headers=HTML)
        assert answer.status_code == 409
        assert "Somebody else changed this camera" in answer.text

    @pytest.mark.parametrize("field", ["url", "sub_url"])
    def test_the_stored_password_never_goes_to_another_device(
        self, app: Flask, signed_in: FlaskClient, field: str
    ) -> None:
        camera_id = add_camera(app)
        data = self.data(**{field: "rtsp://127.0.0.77:554/stream1"}, keep_anyway="y")
        answer = signed_in.post(f"/cameras/{camera_id}/edit", data=data, headers=HTML)
        assert answer.status_code == 422
        assert "leads to another device" in answer.text
        moved = self.data(url="rtsp://127.0.0.10:8554/other", keep_anyway="y")
        assert signed_in.post(f"/cameras/{camera_id}/edit", data=moved, headers=HTML).status_code == 303


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:geheim-99@127.0.0.9:99999/x",
        "http://admin:geheim-99@127.0.0.9/x",
        "rtsp://admin:gehe@im-99@[::1/x",
        "rtsp://admin:geheim%2D99@8.8.8.8/x",
    ],
)
@pytest.mark.parametrize("field", ["url", "sub_url"])
def test_a_password_inside_a_refused_address_does_not_come_back(
    signed_in: FlaskClient, field: str, url: str
) -> None:
    answer = signed_in.post("/cameras/add", data=typed(**{field: url}), headers=HTML)
    assert answer.status_code == 422
    assert "admin@" in answer.text
    assert not any(part in answer.text for part in ("geheim", "im-99", "%2D99"))


class TestDeleting:
    def test_the_name_has_to_be_typed(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        wrong = signed_in.post(f"/cameras/{camera_id}/delete", data={"typed_name": "front"}, headers=HTML)
        assert wrong.status_code == 422
        assert "Type the name exactly" in wrong.text
        right = signed_in.post(
            f"/cameras/{camera_id}/delete", data={"typed_name": "Front gate"}, headers=HTML
        )
        assert (right.status_code, right.location) == (303, "/cameras")
        assert signed_in.get(f"/cameras/{camera_id}", headers=HTML).status_code == 404

    def test_a_developer_may_edit_but_not_delete(self, app: Flask, owner: object) -> None:
        camera_id = add_camera(app)
        developer = sign_in(app, add_person(app, Role.DEVELOPER))
        page = developer.get(f"/cameras/{camera_id}/edit", headers=HTML)
        assert page.status_code == 200
        assert "Delete this camera" not in page.text
        answer = developer.post(
            f"/cameras/{camera_id}/delete", data={"typed_name": "Front gate"}, headers=HTML
        )
        assert answer.status_code == 403
