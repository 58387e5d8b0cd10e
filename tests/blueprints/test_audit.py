"""What pages leave in the audit log, and the page that shows it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from cctv.blueprints import _audit_words
from cctv.extensions import begin_writing, db
from cctv.models import AuditEntry, Camera, Role, User
from cctv.services.auditing import audit, audit_check
from cctv.services.person import access
from cctv.services.person.access import Action
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person
from tests.fixtures.application import OWNER_PASSWORD, sign_in

CANARY = "canary-Geheim-4711"


def told(app: Flask) -> list[AuditEntry]:
    with app.app_context():
        rows = list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
        db.session.expunge_all()
        return rows


def actions(app: Flask) -> list[str]:
    return [entry.action for entry in told(app)]


def test_signing_in_and_out_is_told_with_address_and_device(
    app: Flask, owner: User, client: FlaskClient
) -> None:
    headers = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/130.0"}
    client.post("/login", data={"name": owner.email, "password": CANARY}, headers=headers)
    client.post("/login", data={"name": CANARY, "password": CANARY}, headers=headers)
    client.post("/login", data={"name": owner.email, "password": OWNER_PASSWORD}, headers=headers)
    client.post("/logout", headers=headers)
    entries = told(app)
    assert [(e.action, e.user_name, e.target) for e in entries] == [
        ("sign_in.refused", "", "Olive Owner"),
        ("sign_in.refused", "", ""),
        ("sign_in", "Olive Owner", ""),
        ("sign_out", "Olive Owner", ""),
    ]
    assert {(e.address, e.device) for e in entries} == {("127.0.0.1", "Firefox on Windows")}
    assert CANARY not in str([vars(e) for e in entries])


def test_what_is_done_to_a_camera_is_told_without_its_password(app: Flask, signed_in: FlaskClient) -> None:
    form = {
        "name": "Gate",
        "url": "rtsp://127.0.0.9/a",
        "username": "admin",
        "password": CANARY,
        "number": "4",
        "recording_mode": "manual",
        "pre_roll_seconds": "10",
        "save": "1",
    }
    assert signed_in.post("/cameras/add", data=form, headers=HTML).status_code == 303
    with app.app_context():
        camera_id = db.session.scalars(select(Camera.id)).one()
    start = len(told(app))
    changed = {
        **form,
        "version": "1",
        "keep_anyway": "y",
        "name": "North gate",
        "password": CANARY + "2",
        "recording_mode": "continuous",
    }
    for path, data in (
        (f"/cameras/{camera_id}/edit", changed),
        (f"/cameras/{camera_id}/name", {"name": "Gate 2"}),
        (f"/cameras/{camera_id}/disable", {}),
        (f"/cameras/{camera_id}/enable", {}),
        (f"/cameras/{camera_id}/record/start", {}),
        (f"/cameras/{camera_id}/record/start", {}),
        (f"/cameras/{camera_id}/record/stop", {}),
        (f"/cameras/{camera_id}/record/stop", {}),
        (f"/cameras/{camera_id}/delete", {"typed_name": "Gate 2"}),
    ):
        answer = signed_in.post(path, data=data, headers=HTML)
        assert answer.status_code == 303, answer.text
    entries = told(app)[start:]
    names = ["edit", "mode", "edit", "off", "on"]
    expected = [f"camera.{name}" for name in names]
    expected += [f"recording.{name}" for name in ("start", "extend", "stop")] + ["camera.delete"]
    assert [e.action for e in entries] == expected
    assert {e.camera_id for e in entries} == {camera_id}
    assert {e.user_name for e in entries} == {"Olive Owner"}
    edit = entries[0].details
    assert (edit["before"]["name"], edit["after"]["name"]) == ("Gate", "North gate")
    assert edit["has_new_password"] is True
    assert entries[1].details["after"] == {"recording_mode": "continuous"}
    assert CANARY not in str([vars(e) for e in told(app)])
    with app.app_context():
        assert audit_check.verify().is_whole


def test_watching_is_told_once_whatever_the_number_of_requests(
    app: Flask, signed_in: FlaskClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_RECHECK_SECONDS", 0.0)
    gate, hall = add_camera(app, "Gate"), add_camera(app, "Hall")
    with app.app_context(), app.test_request_context():
        from cctv.services.sign_in import sessions

        person = db.session.get_one(User, owner.id)
        sessions.begin(person)
        tokens = {
            (camera_id, action): access.media_token(person, camera_id, action)
            for camera_id in (gate, hall)
            for action in (Action.LIVE, Action.PLAYBACK)
        }
    start = len(told(app))
    for _ in range(3):
        for (camera_id, action), token in tokens.items():
            path = (
                "main/init-1-1700000000-abcd.mp4"
                if action == Action.LIVE
                else "play/playlist.m3u8?from=1&to=2"
            )
            signed_in.get(f"/stream/{token}/{camera_id}/{path}")
        signed_in.get(f"/cameras/{gate}/still.jpg?t=1")
    found = {(e.action, e.camera_id, e.target, e.user_name) for e in told(app)[start:]}
    assert len(told(app)) - start == 4
    assert found == {
        (action, camera_id, name, "Olive Owner")
        for action in ("live", "playback")
        for camera_id, name in ((gate, "Gate"), (hall, "Hall"))
    }


def test_a_changed_setting_is_told_with_before_and_after(app: Flask) -> None:
    from cctv.services.site import settings

    with app.app_context():
        settings.save(organisation_name="Mill")
        settings.save(organisation_name="Mill")
        settings.save(organisation_name="Old mill", setup_code_hash=CANARY)
    first, second = told(app)
    assert first.details == {"before": {"organisation_name": ""}, "after": {"organisation_name": "Mill"}}
    assert second.details["after"]["organisation_name"] == "Old mill"
    assert CANARY not in str(second.details)


def fill(app: Flask, people: dict[str, User], *, rows: int = 0) -> None:
    """A day of a small site."""
    with app.app_context():
        begin_writing()
        for name, action, more in (
            ("visitor", "live", {"target": "Gate", "camera_id": 1}),
            ("admin", "camera.edit", {"target": "Hall", "camera_id": 2}),
            ("developer", "sign_in", {"target_id": people["developer"].id}),
            ("admin", "user.disable", {"target": "Visitor"}),
            ("admin", "export", {"target": "=1+1", "camera_id": 1, "note": "parcel"}),
        ):
            audit.set_origin(audit.Origin(people[name].id, people[name].name, "10.0.0.7", "Edge on Windows"))
            edited = {"before": {"name": "Old"}, "after": {"name": "<b>Hall</b>"}}
            audit.add(action, **more, **(edited if action == "camera.edit" else {}))
        audit.set_origin(audit.Origin(None, "", "203.0.113.9", "curl"))
        audit.add("sign_in.refused", target="Visitor", target_id=people["visitor"].id, times=10)
        for number in range(rows):
            audit.add("recording.start", target=f"number {number}", camera_id=3)
        db.session.commit()


@pytest.fixture
def people(app: Flask, owner: User) -> dict[str, User]:
    return {role.value: add_person(app, role) for role in Role if role != Role.SUPER_ADMIN}


def words(client: FlaskClient, path: str = "/audit", headers: dict[str, str] = HTML) -> list[str]:
    """The sentences of a page."""
    page = client.get(path, headers=headers)
    assert page.status_code == 200
    found = re.findall(r'log-words"><strong>(.*?)</strong> (.*?)</span>', page.text)
    return [" ".join(sentence) for sentence in found]


EVERYTHING = [
    "Somebody not signed in was refused to sign in as Visitor, 10 times within an hour",
    "Admin exported =1+1 (note: parcel)",
    "Admin switched the account of Visitor off",
    "Developer signed in",
    "Admin changed the camera Hall",
    "Visitor watched Gate",
]


class TestPage:
    def test_an_admin_reads_everything_in_sentences(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people)
        client = sign_in(app, people["admin"])
        assert words(client) == ["Admin signed in", *EVERYTHING]
        page = client.get("/audit", headers=HTML).text
        assert "Chain intact until" in page
        assert "<del>Old</del>" in page and "&lt;b&gt;Hall&lt;/b&gt;" in page
        assert "From 10.0.0.7 with Edge on Windows" in page

    @pytest.mark.each_database
    def test_a_developer_sees_the_technics_and_a_visitor_their_own(
        self, app: Flask, people: dict[str, User]
    ) -> None:
        fill(app, people)
        seen = words(sign_in(app, people["developer"]))
        assert seen == ["Developer signed in", "Developer signed in", "Admin changed the camera Hall"]
        seen = words(sign_in(app, people["visitor"]))
        assert seen == ["Visitor signed in", EVERYTHING[0], "Visitor watched Gate"]
        hidden = words(sign_in(app, people["visitor"]), "/audit?who=Admin&what=cameras")
        assert hidden == []

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("who=vis", [EVERYTHING[5]]),
            ("who=203.0.113.9", [EVERYTHING[0]]),
            ("what=cameras", [EVERYTHING[4]]),
            ("what=refused", [EVERYTHING[0]]),
            ("what=user.disable", [EVERYTHING[2]]),
            ("cam=1", [EVERYTHING[1], EVERYTHING[5]]),
            ("cam=1&what=watched&who=Visitor", [EVERYTHING[5]]),
            ("from=2001-01-01&to=2001-01-02", []),
            ("from=yesterday&to=2026-13-01&cam=²&what='", []),
        ],
    )
    def test_filters_are_in_the_address(
        self, app: Flask, people: dict[str, User], asked: str, expected: list[str]
    ) -> None:
        fill(app, people)
        assert words(sign_in(app, people["admin"]), f"/audit?{asked}") == expected

    def test_the_list_goes_on_below_where_it_ended(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people, rows=120)
        client = sign_in(app, people["admin"])
        seen, path = [], "/audit?what=recordings"
        while path:
            page = client.get(path, headers=HTMX).text
            assert "<html" not in page
            seen += re.findall(r"number (\d+)", re.sub(r"<details>.*?log-words", "", page, flags=re.S))
            more = re.search(r'hx-get="(/audit\?before=[^"]+)"', page)
            path = more[1].replace("&amp;", "&") if more else ""
            assert not path or "Load more" in page
        assert [int(number) for number in seen] == list(reversed(range(120)))

    def test_new_entries_are_offered_not_pushed(self, app: Flask, people: dict[str, User]) -> None:
        client = sign_in(app, people["admin"])
        page = client.get("/audit", headers=HTML).text
        (ask,) = re.findall(r'hx-get="(/audit/news[^"]+)"', page)
        ask = ask.replace("&amp;", "&")
        assert client.get(ask, headers=HTMX).status_code == 204
        fill(app, people)
        offered = client.get(ask, headers=HTMX).text
        assert "6 new" in offered
        assert client.get(ask.replace("shown=0", "shown=6"), headers=HTMX).status_code == 204

    def test_a_broken_chain_is_said(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people)
        with app.app_context():
            db.session.execute(text("DROP TRIGGER audit_entry_no_delete"))
            db.session.execute(text("DELETE FROM audit_entry WHERE id = 2"))
            db.session.commit()
        page = sign_in(app, people["admin"]).get("/audit", headers=HTML).text
        assert "Entry 2 is missing" in page and "Chain intact" not in page

    def test_the_number_of_queries_is_constant(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people)
        client = sign_in(app, people["admin"])
        client.get("/audit", headers=HTML)
        with QueryCount(app) as few:
            client.get("/audit", headers=HTML)
        fill(app, people, rows=200)
        with QueryCount(app) as many:
            client.get("/audit", headers=HTML)
        assert len(few) == len(many) <= 8

    def test_a_stranger_is_sent_to_sign_in(self, client: FlaskClient, owner: User) -> None:
        assert client.get("/audit", headers=HTML).status_code == 303
        assert client.post("/audit/export").status_code in {302, 303, 401}


class TestExport:
    def rows(self, client: FlaskClient, asked: str = "") -> list[list[str]]:
        answer = client.post(f"/audit/export{asked}")
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit_')
        return list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))

    @pytest.mark.each_database
    def test_it_holds_what_is_seen_and_is_told_itself(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people, rows=1200)
        rows = self.rows(sign_in(app, people["admin"]))
        assert rows[0][:6] == ["number", "time", "who", "user id", "what", "action"]
        assert [int(row[0]) for row in rows[1:]] == list(reversed(range(1, 1209)))
        assert rows[1][2:5] == ["Admin", str(people["admin"].id), "exported the audit log"]
        assert "Name: Old → <b>Hall</b>" in {row[9] for row in rows}
        visitors = self.rows(sign_in(app, people["visitor"]))
        assert {row[2] for row in visitors[1:]} == {"Visitor", "Somebody not signed in"}

    def test_a_reader_who_leaves_holds_nothing(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people, rows=1200)
        answer = sign_in(app, people["admin"]).post("/audit/export")
        lines = iter(answer.response)
        next(lines), next(lines)
        with app.app_context():
            pool = db.engine.pool
            assert pool.checkedout() == 0  # type: ignore[attr-defined]
        del lines, answer

    def test_filters_apply(self, app: Flask, people: dict[str, User]) -> None:
        fill(app, people)
        rows = self.rows(sign_in(app, people["admin"]), "?what=cameras")
        assert [row[4] for row in rows[1:]] == ["changed the camera Hall"]
        assert told(app)[-1].details == {"filters": {"what": "cameras"}}

    @pytest.mark.parametrize(
        "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", '="a","b"']
    )
    def test_no_cell_is_a_formula(self, app: Flask, people: dict[str, User], name: str) -> None:
        with app.app_context():
            begin_writing()
            audit.set_origin(audit.Origin(7, name, name, name))
            audit.add("live", target=name, note=name)
            db.session.commit()
        rows = self.rows(sign_in(app, people["admin"]), "?what=watched")
        assert len(rows) == 2
        for cell in rows[1]:
            assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
        assert rows[1][2].startswith("'")


def test_every_action_that_is_told_has_its_words() -> None:
    told = re.compile(r'audit\.(?:add|note)\(\s*"([a-z_.]+)"|_tell\(\s*"([a-z_]+\.[a-z_]+)"')
    texts = [path.read_text() for path in Path("cctv").rglob("*.py")]
    found = {first or second for text in texts for first, second in told.findall(text)}
    assert len(found) > 30
    assert found - _audit_words.SENTENCES.keys() - {"sign_in.refused"} == set()


@pytest.mark.parametrize(
    ("action", "details", "sentence"),
    [
        ("password.reset", {"step": "asked for"}, "asked for a new password for Vera"),
        ("password.reset", {}, "reset the password of Vera"),
        ("camera.shrink", {}, "camera shrink Vera"),
        ("export", {"note": "parcel"}, "exported Vera (note: parcel)"),
        (
            "sign_in.refused",
            {"times_by_all": 1000},
            "was refused: 1000 wrong sign-ins within an hour, from all",
        ),
    ],
)
def test_sentences(action: str, details: dict[str, object], sentence: str) -> None:
    entry = AuditEntry(
        action=action, target="Vera", target_id=3, user_id=4, user_name="Adam", details=details
    )
    assert _audit_words.sentence(entry).startswith(sentence)


def test_what_people_do_to_themselves_is_said_so() -> None:
    entry = AuditEntry(action="password.change", target="Vera", target_id=3, user_id=3, details={})
    assert _audit_words.sentence(entry) == "changed their password"
    entry.action = "session.end"
    assert _audit_words.sentence(entry) == "signed out another device of theirs"
