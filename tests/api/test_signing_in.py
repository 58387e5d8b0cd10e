"""Signing in through the API: pairs of tokens, their rotation and their end; forged ones of every kind."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from typing import Any

import jwt
import pyotp
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from cctv.clock import now_ms, utcnow
from cctv.errors import LimitReached
from cctv.extensions import db
from cctv.models import AuditEntry, Role, Session, User
from cctv.services.sign_in import codes, new_passwords, pairing, recovery, second_factor, sessions
from tests.api.apps import HEALTH, LOGIN, LOGOUT, PROFILE, REFRESH, Phone, answer, phone_of, problem
from tests.fixtures.application import OWNER_PASSWORD, sign_in


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def forge(app: Flask, phone: Phone, **changes: Any) -> str:
    """An access token with our key, but with other claims; None leaves one out."""
    claims = claims_of(phone.tokens["access_token"]) | changes
    left = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(left, app.extensions["cctv.config"].jwt_secret_key, algorithm="HS256")


def with_token(app: Flask, token: str) -> int:
    client = app.test_client(use_cookies=False)
    return client.get(PROFILE, headers={"Authorization": f"Bearer {token}"}).status_code


class TestTheStory:
    def test_a_person_signs_in_stays_and_signs_out(self, app: Flask, phone: Phone) -> None:
        assert phone.tokens["token_type"] == "Bearer"
        assert phone.tokens["expires_in"] == 900
        assert phone.tokens["user"]["role"] == "super_admin"
        assert answer(phone.get(PROFILE))["email"] == "owner@example.org"
        assert phone.post(LOGOUT).status_code == 204
        problem(phone.get(PROFILE), 401)
        refused = phone.client.post(REFRESH, json={"refresh_token": phone.tokens["refresh_token"]})
        problem(refused, 401)

    def test_the_user_name_does_as_well_and_the_device_is_remembered(self, app: Flask, owner: User) -> None:
        body = {"login": "OWNER", "password": OWNER_PASSWORD, "device": "Olive's phone"}
        answer(app.test_client().post(LOGIN, json=body))
        with app.app_context():
            row = db.session.scalars(db.select(Session)).one()
            assert (row.kind, row.device, row.is_kept) == ("app", "Olive's phone", True)
            actions = [entry.action for entry in db.session.scalars(db.select(AuditEntry))]
            assert actions == ["sign_in"]  # once, though a session and its tokens begin

    def test_no_cookie_is_set_and_none_is_looked_at(
        self, app: Flask, owner: User, signed_in: FlaskClient
    ) -> None:
        response = signed_in.post(LOGIN, json={"login": "owner", "password": OWNER_PASSWORD})
        assert "Set-Cookie" not in response.headers
        missing = problem(signed_in.get(PROFILE), 401)
        assert "Authorization" in missing["detail"]
        assert signed_in.get(PROFILE).headers["WWW-Authenticate"] == "Bearer"

    def test_a_token_in_a_query_or_another_scheme_is_none(self, phone: Phone) -> None:
        token = phone.tokens["access_token"]
        problem(phone.client.get(f"{PROFILE}?access_token={token}"), 401)
        problem(phone.client.get(PROFILE, headers={"Authorization": f"Basic {token}"}), 401)
        problem(phone.client.get(PROFILE, headers={"Authorization": "Bearer"}), 401)
        problem(phone.client.get(PROFILE, headers={"Authorization": "Bearer " + "x" * 9000}), 401)


class TestWrongTries:
    def test_unknown_names_and_wrong_passwords_get_the_same_answer(self, app: Flask, owner: User) -> None:
        client = app.test_client()
        bodies = [
            {"login": "owner", "password": "wrong"},
            {"login": "nobody", "password": "wrong"},
            {"login": "nobody@example.org", "password": "x" * 1024},
        ]
        answers = [client.post(LOGIN, json=body) for body in bodies]
        assert len({response.data for response in answers}) == 1
        assert problem(answers[0], 401)["detail"] == "Name or password is not right."

    def test_guessing_is_slowed_down_with_the_time_to_wait(self, app: Flask, owner: User) -> None:
        client = app.test_client()
        answers = [client.post(LOGIN, json={"login": "owner", "password": "wrong"}) for _ in range(6)]
        assert [response.status_code for response in answers] == [401] * 5 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 15
        problem(answers[-1], 429)

    def test_who_is_switched_off_is_told_after_the_right_password_only(self, app: Flask, owner: User) -> None:
        phone = phone_of(app, Role.ADMIN)
        with app.app_context():
            db.session.get_one(User, phone.tokens["user"]["id"]).is_enabled = False
            db.session.commit()
        problem(phone.get(PROFILE), 401)
        body = {"login": "admin@example.org", "password": OWNER_PASSWORD}
        assert "switched off" in problem(phone.client.post(LOGIN, json=body), 403)["detail"]
        problem(phone.client.post(LOGIN, json=body | {"password": "wrong"}), 401)

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"login", "password"}),
            ({"login": 5, "password": "x"}, {"login"}),
            ({"login": "a", "password": "b", "role": "super_admin"}, {"role"}),
            ({"login": "a\0", "password": "b"}, {"login"}),
            ({"login": "\ud800", "password": "b"}, {"login"}),
            ([], {"body"}),
        ],
    )
    def test_what_cannot_be_accepted_is_named(self, app: Flask, body: Any, fields: set[str]) -> None:
        refused = problem(app.test_client().post(LOGIN, json=body), 422)
        assert set(refused["errors"]) == fields

    @pytest.mark.parametrize(
        "text", ["{", '{"login": NaN}', "[" * 50_000, '{"a":' + "9" * 5000 + "}", "\xff"]
    )
    def test_what_is_no_json_is_said(self, app: Flask, text: str) -> None:
        response = app.test_client().post(LOGIN, data=text.encode("latin-1"), content_type="application/json")
        problem(response, 400)

    def test_forms_and_text_are_not_read(self, app: Flask) -> None:
        client = app.test_client()
        body = json.dumps({"login": "owner", "password": OWNER_PASSWORD})
        problem(client.post(LOGIN, data=body, content_type="text/plain"), 415)
        problem(client.post(LOGIN, data={"login": "owner"}), 415)

    def test_a_large_body_is_refused(self, app: Flask) -> None:
        body = {"login": "a", "password": "b" * 70_000}
        problem(app.test_client().post(LOGIN, json=body), 413)

    def test_a_get_has_no_body(self, phone: Phone) -> None:
        problem(phone.get(PROFILE, json={"a": 1}), 400)


class TestForgedTokens:
    def test_one_of_ours_is_taken(self, app: Flask, phone: Phone) -> None:
        assert with_token(app, forge(app, phone)) == 200

    @pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "typ", "jti", "iat", "nbf", "exp"])
    def test_each_claim_is_needed(self, app: Flask, phone: Phone, name: str) -> None:
        assert with_token(app, forge(app, phone, **{name: None})) == 401

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "another"},
            {"aud": "another"},
            {"aud": ["cctv-api", "another"]},
            {"typ": "refresh"},
            {"typ": "id"},
            {"sub": "999"},
            {"sub": 1},
            {"sid": "x" * 43},
            {"sid": 5},
            {"exp": 1},
            {"exp": "never"},
            {"nbf": 4_000_000_000},
            {"iat": 4_000_000_000},
        ],
    )
    def test_a_claim_that_is_another_is_refused(
        self, app: Flask, phone: Phone, changes: dict[str, Any]
    ) -> None:
        token = forge(app, phone)
        key = app.extensions["cctv.config"].jwt_secret_key
        claims = claims_of(token) | changes
        # Signed by hand: the library refuses to write some of these.
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        algorithm = jwt.get_algorithm_by_name("HS256")
        signature = algorithm.sign(head + b"." + body, algorithm.prepare_key(key))
        signed = b".".join([head, body, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
        assert with_token(app, signed) == 401

    def test_the_token_does_not_choose_how_it_is_checked(self, app: Flask, phone: Phone) -> None:
        claims = claims_of(phone.tokens["access_token"])
        key = app.extensions["cctv.config"].jwt_secret_key
        assert with_token(app, jwt.encode(claims, None, algorithm="none")) == 401
        for algorithm in ("HS384", "HS512"):
            assert with_token(app, jwt.encode(claims, key, algorithm=algorithm)) == 401
        from cryptography.hazmat.primitives.asymmetric import rsa

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        assert with_token(app, jwt.encode(claims, private, algorithm="RS256")) == 401
        other = jwt.encode(claims, "another key, which is long enough for HS256", algorithm="HS256")
        assert with_token(app, other) == 401
        with_key = jwt.encode(claims, "x" * 40, algorithm="HS256", headers={"kid": "../../dev/null"})
        assert with_token(app, with_key) == 401

    def test_a_changed_byte_is_refused(self, app: Flask, phone: Phone) -> None:
        head, body, signature = phone.tokens["access_token"].split(".")
        claims = claims_of(phone.tokens["access_token"]) | {"sub": "2"}
        changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        assert with_token(app, f"{head}.{changed}.{signature}") == 401
        assert with_token(app, f"{head}.{body}.") == 401

    def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing(
        self, app: Flask, phone: Phone
    ) -> None:
        assert with_token(app, phone.tokens["refresh_token"]) == 401
        problem(phone.client.post(REFRESH, json={"refresh_token": phone.tokens["access_token"]}), 401)

    def test_a_session_cookie_is_no_bearer(self, app: Flask, phone: Phone, owner: User) -> None:
        with app.app_context():
            sid = db.session.scalars(db.select(Session.id)).first()
        assert with_token(app, str(sid)) == 401


class TestTheEnd:
    def test_an_access_token_lives_a_quarter_of_an_hour(self, app: Flask, phone: Phone) -> None:
        for minutes, status in ((14, 200), (16, 401)):
            with time_machine.travel(utcnow() + timedelta(minutes=minutes), tick=True):
                assert with_token(app, phone.tokens["access_token"]) == status

    @pytest.mark.each_database
    def test_a_refresh_token_is_used_once_and_then_ends_everything(self, app: Flask, phone: Phone) -> None:
        old = phone.tokens["refresh_token"]
        new = answer(phone.client.post(REFRESH, json={"refresh_token": old}))
        assert with_token(app, new["access_token"]) == 200
        refused = problem(phone.client.post(REFRESH, json={"refresh_token": old}), 401)
        assert "used before" in refused["detail"]
        for token in (new["access_token"], phone.tokens["access_token"]):
            assert with_token(app, token) == 401
        problem(phone.client.post(REFRESH, json={"refresh_token": new["refresh_token"]}), 401)
        with app.app_context():
            assert "session.end" in [row.action for row in db.session.scalars(db.select(AuditEntry))]

    def test_a_refresh_token_ends_with_its_session(self, app: Flask, phone: Phone) -> None:
        with time_machine.travel(utcnow() + timedelta(days=29), tick=True):
            new = answer(phone.client.post(REFRESH, json={"refresh_token": phone.tokens["refresh_token"]}))
        with time_machine.travel(utcnow() + timedelta(days=31), tick=True):
            problem(phone.client.post(REFRESH, json={"refresh_token": new["refresh_token"]}), 401)

    def test_password_and_role_changes_end_it_everywhere(self, app: Flask, phone: Phone, owner: User) -> None:
        with app.app_context():
            sessions.end_all(db.session.get_one(User, owner.id))
        problem(phone.get(PROFILE), 401)
        problem(phone.client.post(REFRESH, json={"refresh_token": phone.tokens["refresh_token"]}), 401)

    def test_the_database_decides_the_role(self, app: Flask, phone: Phone, owner: User) -> None:
        assert answer(phone.get(HEALTH), 503)["figures"] is not None
        with app.app_context():
            db.session.get_one(User, owner.id).role = Role.VISITOR
            db.session.commit()
        assert answer(phone.get(HEALTH), 503)["figures"] is None

    def test_signing_out_of_a_page_leaves_it_alone(self, app: Flask, phone: Phone, owner: User) -> None:
        browser = sign_in(app, owner)
        browser.post("/logout")
        assert phone.get(PROFILE).status_code == 200

    def test_being_seen_is_noted_at_most_every_few_minutes(self, app: Flask, phone: Phone) -> None:
        with time_machine.travel(utcnow() + timedelta(minutes=10), tick=True):
            assert phone.get(PROFILE).status_code == 200
            with app.app_context():
                seen = db.session.scalars(db.select(Session.seen_ms)).one()
                assert now_ms() - seen < 5000


def test_the_limit_is_told_and_then_holds(app: Flask, phone: Phone) -> None:
    app.config["API_PER_ACCOUNT"] = "3 per minute"
    answers = [phone.get(PROFILE) for _ in range(4)]
    assert [response.status_code for response in answers] == [200, 200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "3"
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"
    assert 0 < int(answers[3].headers["Retry-After"]) <= 61
    problem(answers[3], 429)
    assert app.test_client().get("/login").status_code in (200, 303), "pages have limits of their own"


def test_the_limit_holds_without_redis(app: Flask, phone: Phone, redis_server: Any) -> None:
    app.config["API_PER_ACCOUNT"] = "3 per minute"
    redis_server.freeze()
    try:
        began = time.monotonic()
        answers = [phone.get(PROFILE).status_code for _ in range(5)]
        assert answers[-1] == 429
        assert answers[0] == 200
        assert time.monotonic() - began < 5
    finally:
        redis_server.thaw()


def test_the_second_factor_is_asked_for_and_a_code_counts_once(app: Flask, owner: User) -> None:
    with app.app_context():
        user = db.session.get_one(User, owner.id)
        key = pyotp.TOTP(second_factor.enrol(user).key.replace(" ", ""))
        second_factor.confirm(user, key.at(utcnow() - timedelta(seconds=30)))
    client = app.test_client()
    body = {"login": "owner", "password": OWNER_PASSWORD}
    assert "otp" in problem(client.post(LOGIN, json=body), 401)["errors"]
    assert "otp" not in problem(client.post(LOGIN, json=body | {"password": "x"}), 401).get("errors", {})
    problem(client.post(LOGIN, json=body | {"otp": "000000"}), 401)
    code = key.now()
    answer(client.post(LOGIN, json=body | {"otp": code}))
    problem(client.post(LOGIN, json=body | {"otp": code}), 401)


class TestPairing:
    """A picture on the account page signs the app in, once."""

    @pytest.fixture
    def code(self, app: Flask, owner: User) -> str:
        with app.app_context():
            return pairing.show(db.session.get_one(User, owner.id))[0]

    def test_the_code_of_the_picture_signs_in_once(self, app: Flask, code: str) -> None:
        client = app.test_client(use_cookies=False)
        pair = answer(client.post(LOGIN, json={"pairing_code": code, "device": "Olive's phone"}))
        assert pair["user"]["email"] == "owner@example.org"
        assert with_token(app, pair["access_token"]) == 200
        assert "code" in problem(client.post(LOGIN, json={"pairing_code": code}), 401)["detail"]

    def test_it_stands_for_both_factors_and_dies_soon(self, app: Flask, owner: User, code: str) -> None:
        client = app.test_client(use_cookies=False)
        with time_machine.travel(utcnow() + timedelta(minutes=5, seconds=1)):
            problem(client.post(LOGIN, json={"pairing_code": code}), 401)
        with app.app_context():
            person = db.session.get_one(User, owner.id)
            key = second_factor.enrol(person).key.replace(" ", "")
            second_factor.confirm(person, pyotp.TOTP(key).now())
        answer(client.post(LOGIN, json={"pairing_code": code}))

    def test_a_newer_one_and_a_new_password_kill_it(self, app: Flask, owner: User, code: str) -> None:
        client = app.test_client(use_cookies=False)
        with app.app_context():
            newer, _ = pairing.show(db.session.get_one(User, owner.id))
        problem(client.post(LOGIN, json={"pairing_code": code}), 401)
        with app.app_context():
            new_passwords.change(db.session.get_one(User, owner.id), "another long enough one")
        problem(client.post(LOGIN, json={"pairing_code": newer}), 401)

    def test_mails_that_strangers_ask_for_do_not_keep_anybody_from_it(self, app: Flask, owner: User) -> None:
        with app.app_context():
            person = db.session.get_one(User, owner.id)
            for _ in range(codes.MOST_MADE):
                recovery.send_reset(person.email)
            db.session.expire_all()
            assert pairing.show(person)
            for _ in range(codes.MOST_MADE - 1):
                pairing.show(person)
            with pytest.raises(LimitReached):
                pairing.show(person)

    def test_one_way_at_a_time_and_all_of_it(self, app: Flask, code: str) -> None:
        client = app.test_client(use_cookies=False)
        both = {"pairing_code": code, "login": "owner", "password": OWNER_PASSWORD}
        assert list(problem(client.post(LOGIN, json=both), 422)["errors"]) == ["pairing_code"]
        assert set(problem(client.post(LOGIN, json={}), 422)["errors"]) == {"login", "password"}
        assert list(problem(client.post(LOGIN, json={"login": "owner"}), 422)["errors"]) == ["password"]
        answer(client.post(LOGIN, json={"pairing_code": code}))  # none of these used it up

    def test_guessing_is_slowed(self, app: Flask, owner: User) -> None:
        client = app.test_client(use_cookies=False)
        statuses = [client.post(LOGIN, json={"pairing_code": "x" * 43}).status_code for _ in range(35)]
        assert statuses[0] == 401 and statuses[-1] == 429
