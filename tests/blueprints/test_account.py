"""One's own account: every role may, risky changes ask for the password, and nothing secret comes back."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pyotp
import pytest
import segno
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import AuditEntry, OneTimeCode, Role, Session, SessionKind, User
from cctv.services.person import users
from cctv.services.sign_in import second_factor, sessions
from cctv.services.site import settings
from tests.access.people import grant
from tests.blueprints.camera_rows import add_camera, add_person
from tests.blueprints.test_sign_in import HTML, HTMX, typed
from tests.fixtures.application import OWNER_PASSWORD, sign_in
from tests.services.test_recovery import NEW, mailed

RISKY = {
    "/account/password": {"password": NEW},
    "/account/email": {"email": "new@example.org"},
    "/account/second-factor/begin": {},
    "/account/second-factor": {"code": "000000"},
    "/account/second-factor/codes": {},
    "/account/second-factor/off": {},
}


@pytest.fixture
def sure(signed_in: FlaskClient, app: Flask) -> FlaskClient:
    """The owner's browser, where the password was just typed again."""
    with app.app_context():
        settings.save(site_address="https://cams.example.org", organisation_name="Site")
        db.session.execute(update(Session).values(sudo_until_ms=now_ms() + 600_000))
        db.session.commit()
    return signed_in


@pytest.fixture
def person(app: Flask, owner: User) -> Callable[[], User]:
    """The owner as the database has them now."""

    def read() -> User:
        with app.app_context():
            user = db.session.get_one(User, owner.id)
            db.session.refresh(user)
            db.session.expunge(user)
            return user

    return read


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_one(app: Flask, owner: User, role: Role) -> None:
    with app.app_context():
        user = users.create_user("Vic", "vic@example.org", password="long enough 1", role=role)
        db.session.refresh(user)
        db.session.expunge(user)
    page = sign_in(app, user).get("/account", headers=HTML)
    assert page.status_code == 200
    assert "vic@example.org" in page.text and role.label in page.text
    assert ("Overview</option>" in page.text) == (role != Role.VISITOR)


def test_a_stranger_is_sent_to_the_sign_in(client: FlaskClient, owner: User) -> None:
    for path in ("/account", "/account/password", "/account/email", "/account/second-factor"):
        assert client.get(path, headers=HTML).location.startswith("/login")


@pytest.mark.parametrize("path", list(RISKY))
def test_a_risky_change_asks_for_the_password(
    signed_in: FlaskClient, path: str, person: Callable[[], User]
) -> None:
    before = person()
    assert signed_in.post(path, data=RISKY[path], headers=HTML).status_code == 403
    refused = signed_in.post(path, data=RISKY[path], headers=HTMX)
    assert (refused.status_code, refused.headers["X-Sudo"]) == (403, "required")
    after = person()
    assert (before.password_hash, before.email) == (after.password_hash, after.email)
    assert after.totp_secret_encrypted is None


def test_the_name_is_changed(signed_in: FlaskClient, person: Callable[[], User]) -> None:
    assert signed_in.post("/account/profile", data={"name": " Ola  O. "}, headers=HTML).status_code == 303
    assert person().name == "Ola O."
    refused = signed_in.post("/account/profile", data={"name": " "}, headers=HTML)
    assert refused.status_code == 422 and "Enter a name" in refused.text


def test_the_app_signs_in_by_a_picture_after_the_password(app: Flask, signed_in: FlaskClient) -> None:
    def codes() -> list[OneTimeCode]:
        with app.app_context():
            return list(db.session.scalars(db.select(OneTimeCode)))

    assert signed_in.post("/account/phone", headers=HTML).status_code == 403
    assert codes() == []
    assert signed_in.post("/account/sudo", data={"sudo_password": OWNER_PASSWORD}).status_code == 303
    page = signed_in.post("/account/phone", headers=HTML)
    assert page.status_code == 200
    assert "data:image/svg" in page.text and "Whoever scans it is signed in as you" in page.text
    assert [code.purpose for code in codes()] == ["pair"]
    for _ in range(2):
        signed_in.post("/account/phone", headers=HTML)
    late = signed_in.post("/account/phone", headers=HTML)
    assert (late.status_code, late.location) == (303, "/account#phone")
    assert len(codes()) == 3


def test_a_phone_is_led_here_by_a_picture_without_a_secret(app: Flask, signed_in: FlaskClient) -> None:
    def shown() -> tuple[str, str]:
        card = signed_in.get("/account", headers=HTML).text.split('id="phone"')[1].split("</section>")[0]
        picture = re.search(r'src="(data:image/svg[^"]+)"', card)
        assert picture
        return card, html.unescape(picture[1])

    assert "http://localhost/" in shown()[0]
    with app.app_context():
        settings.save(site_address="https://cams.example.org")
        same = segno.make("https://cams.example.org/", error="m", micro=False)
    card, picture = shown()
    assert "https://cams.example.org/" in card
    assert picture == same.svg_data_uri(scale=5, border=4, light="#fff", dark="#000")


def test_how_pages_behave_is_kept_and_told_to_them(
    signed_in: FlaskClient, person: Callable[[], User], app: Flask
) -> None:
    page = signed_in.get("/account", headers=HTML).text
    assert 'data-shortcuts="off"' not in page and "data-paused" not in page
    wanted = {"theme": "light", "start_page": "/cameras", "pauses_updates": "y"}
    saved = signed_in.post("/account/preferences", data=wanted, headers=HTML)
    assert saved.status_code == 303 and "theme=light" in saved.headers["Set-Cookie"]
    page = signed_in.get("/account", headers=HTML).text
    assert 'data-shortcuts="off"' in page and 'data-paused="yes"' in page and 'data-bs-theme="light"' in page
    assert app.test_client().post("/login", data=typed(), headers=HTML).location == "/cameras"
    assert person().start_page == "/cameras"
    with app.app_context():
        told = db.session.scalar(select(AuditEntry.details).where(AuditEntry.action == "user.change"))
        assert told and told["after"]["start_page"] == "/cameras"


def test_opening_the_site_leads_to_the_chosen_page_and_the_overview_stays_open(
    signed_in: FlaskClient, app: Flask
) -> None:
    opening, by_a_link = ({**HTML, "Sec-Fetch-Site": site} for site in ("none", "same-origin"))
    assert signed_in.get("/", headers=opening).status_code == 200
    chosen = {"theme": "light", "start_page": "/cameras"}
    signed_in.post("/account/preferences", data=chosen, headers=HTML)
    assert signed_in.get("/", headers=opening).location == "/cameras"
    assert signed_in.get("/login", headers=HTML).location == "/cameras"
    assert signed_in.get("/", headers=by_a_link).status_code == 200
    person = add_person(app, Role.VISITOR)
    grant(app, person, add_camera(app), ["live", "playback"])
    visitor = sign_in(app, person)
    assert visitor.get("/", headers=by_a_link).location == "/wall"
    visitor.post("/account/preferences", data={**chosen, "start_page": "/playback"}, headers=HTML)
    assert visitor.get("/", headers=by_a_link).location == "/playback"


@pytest.mark.parametrize("wanted", [{"theme": "x"}, {"start_page": "/audit"}, {"start_page": "//evil"}])
def test_what_is_not_offered_is_refused(signed_in: FlaskClient, wanted: dict[str, str]) -> None:
    sent = {"theme": "dark", "start_page": "", **wanted}
    assert signed_in.post("/account/preferences", data=sent, headers=HTML).status_code == 422


class TestThePassword:
    def test_a_new_one_ends_the_other_sessions_and_tells_by_mail(
        self, sure: FlaskClient, app: Flask, owner: User
    ) -> None:
        other = sign_in(app, owner)
        changed = sure.post("/account/password", data={"password": NEW}, headers=HTML)
        assert changed.location == "/account"
        assert sure.get("/account", headers=HTML).status_code == 200
        assert other.get("/account", headers=HTML).status_code == 303
        with app.app_context():
            assert mailed("password_changed")["to"] == "owner@example.org"
        new = app.test_client()
        assert new.post("/login", data=typed(), headers=HTML).status_code == 422
        assert new.post("/login", data=typed(password=NEW), headers=HTML).status_code == 303

    def test_a_bad_one_is_refused_in_place_and_never_comes_back(self, sure: FlaskClient) -> None:
        for headers in (HTML, HTMX):
            answer = sure.post("/account/password", data={"password": "too short"}, headers=headers)
            assert answer.status_code == 422
            assert "at least 12" in answer.text and "too short" not in answer.text

    def test_typing_shows_how_good_it_is(self, signed_in: FlaskClient) -> None:
        answer = signed_in.post("/account/password/strength", data={"password": NEW}, headers=HTMX)
        assert "<progress" in answer.text and NEW not in answer.text

    def test_it_goes_on_after_the_question_without_javascript(
        self, signed_in: FlaskClient, app: Flask
    ) -> None:
        asked = signed_in.post("/account/password", data={"password": NEW}, headers=HTML).text
        assert NEW not in asked
        sealed = re.search(r'name="sudo_typed" value="([^"]+)"', asked)
        assert sealed
        answer = {"sudo_password": OWNER_PASSWORD, "sudo_typed": sealed[1]}
        assert signed_in.post("/account/password", data=answer, headers=HTML).location == "/account"
        new = app.test_client().post("/login", data=typed(password=NEW), headers=HTML)
        assert new.status_code == 303


def test_a_new_address_counts_after_its_code(
    sure: FlaskClient, app: Flask, person: Callable[[], User]
) -> None:
    asked = sure.post("/account/email", data={"email": "new@example.org"}, headers=HTML)
    assert asked.location == "/account/verify"
    assert person().email == "owner@example.org"
    assert "new@example.org" in sure.get("/account", headers=HTML).text
    with app.app_context():
        code = mailed("verify")["code"]
    assert sure.post("/account/verify", data={"code": code}, headers=HTML).location == "/account"
    assert person().email == "new@example.org"


class TestTheSecondFactor:
    def test_it_is_turned_on_with_a_code_and_shows_recovery_codes_once(
        self, sure: FlaskClient, person: Callable[[], User]
    ) -> None:
        assert sure.post("/account/second-factor/begin", headers=HTML).location == "/account/second-factor"
        page = sure.get("/account/second-factor", headers=HTML).text
        key = re.search(r'id="key">([A-Z2-7 ]+)<', page)
        assert key and "data:image/svg+xml" in page and 'autocomplete="one-time-code"' in page
        wrong = sure.post("/account/second-factor", data={"code": "000000"}, headers=HTML)
        assert wrong.status_code == 422 and second_factor.WRONG in html.unescape(wrong.text)
        code = pyotp.TOTP(key[1].replace(" ", "")).now()
        done = sure.post("/account/second-factor", data={"code": code}, headers=HTML)
        made = re.findall(r"<li>([a-z2-9]{5}-[a-z2-9]{5})</li>", done.text)
        assert len(made) == 10 and "I saved them" in done.text
        assert second_factor.is_on(person())
        account = sure.get("/account", headers=HTML).text
        assert "10 of 10 recovery codes left" in account and made[0] not in account
        assert sure.get("/account/second-factor", headers=HTML).location == "/account"

        renewed = sure.post("/account/second-factor/codes", headers=HTML).text
        assert made[0] not in renewed and renewed.count("<li>") >= 10
        assert sure.post("/account/second-factor/off", headers=HTML).location == "/account"
        assert not second_factor.is_on(person())

    def test_a_page_with_a_key_is_not_kept_by_anybody(self, sure: FlaskClient) -> None:
        sure.post("/account/second-factor/begin", headers=HTML)
        page = sure.get("/account/second-factor", headers=HTML)
        assert page.headers["Cache-Control"] == "private, no-store"


class TestWhereOneIsSignedIn:
    def test_this_one_is_marked_and_another_is_signed_out(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        other = app.test_client()
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        other.post("/login", data=typed(), headers={**HTML, "User-Agent": agent})
        page = signed_in.get("/account", headers=HTML).text
        assert page.count("This one") == 1 and "Firefox on Linux" in page
        ids = re.findall(r'name="id" value="([^"]+)"', page)
        assert len(ids) == 1
        answer = signed_in.post("/account/sessions/end", data={"id": ids[0]}, headers=HTMX)
        assert "Firefox on Linux" not in answer.text and "<html" not in answer.text
        assert other.get("/account", headers=HTML).status_code == 303
        assert signed_in.get("/account", headers=HTML).status_code == 200

    def test_everywhere_else_at_once(self, signed_in: FlaskClient, app: Flask, owner: User) -> None:
        others = [sign_in(app, owner) for _ in range(3)]
        assert signed_in.post("/account/sessions/end", headers=HTML).location == "/account"
        assert [one.get("/account", headers=HTML).status_code for one in others] == [303] * 3
        assert signed_in.get("/account", headers=HTML).status_code == 200

    def test_nobody_sees_or_ends_what_is_somebody_elses(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        with app.app_context():
            vic = users.create_user("Vic", "vic@example.org", password="long enough 1", role=Role.VISITOR)
            sessions.begin(vic, kind=SessionKind.APP, device="Vic's phone")
            theirs = vic.session_id
        assert "Vic&#39;s phone" not in signed_in.get("/account", headers=HTML).text
        answer = signed_in.post("/account/sessions/end", data={"id": theirs}, headers=HTML)
        assert answer.status_code == 404
        with app.app_context():
            assert sessions.find_user(theirs)

    def test_what_a_device_says_of_itself_is_text(self, signed_in: FlaskClient, app: Flask) -> None:
        with app.app_context():
            db.session.execute(update(Session).values(device="<script>alert(1)</script>", address="<b>"))
            db.session.commit()
        page = signed_in.get("/account", headers=HTML).text
        assert "<script>alert" not in page and "<b>" not in page


class TestTheEndOfTheSession:
    def test_the_page_knows_it_and_a_press_puts_it_off(self, signed_in: FlaskClient, app: Flask) -> None:
        page = signed_in.get("/account", headers=HTML).text
        left = re.search(r'data-session-seconds="(\d+)"', page)
        assert left and 4 * 3600 - 5 <= int(left[1]) <= 4 * 3600
        with app.app_context():
            db.session.execute(update(Session).values(ends_ms=now_ms() + 100_000))
            db.session.commit()
        assert 90 <= signed_in.get("/account/session").json["seconds_left"] <= 100
        assert signed_in.post("/account/session/stay").json["seconds_left"] > 3 * 3600
        with app.app_context():
            assert (db.session.scalar(select(Session.ends_ms)) or 0) - now_ms() > 11 * 3_600_000

    def test_staying_needs_the_token(self, signed_in: FlaskClient, app: Flask) -> None:
        app.config["WTF_CSRF_ENABLED"] = True
        assert signed_in.post("/account/session/stay").status_code == 400

    def test_a_stranger_gets_401(self, client: FlaskClient, owner: User) -> None:
        answer = client.get("/account/session", headers={"Accept": "application/json"})
        assert answer.status_code == 401
