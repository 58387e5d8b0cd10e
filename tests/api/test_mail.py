"""Codes by mail through the API: the same for every name, and a new password that ends every sign-in."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, User
from cctv.services.sign_in import codes
from tests.api.apps import LOGIN, PROFILE, Phone, answer, problem

RESET = "/v0/api/mail/reset-password"
NEW = "another long enough password"


def code_for(app: Flask, user: User, purpose: CodePurpose) -> str:
    """As the mail has it."""
    with app.app_context():
        begin_writing()
        made = codes.make(db.session.get_one(User, user.id), purpose)
        db.session.commit()
        return made.code


@pytest.mark.parametrize("path", ["request-password-reset", "resend-otp"])
def test_every_name_gets_the_same_answer(client: FlaskClient, owner: User, path: str) -> None:
    names = ("owner", "owner@example.org", "nobody", "nobody@example.org")
    answers = [client.post(f"/v0/api/mail/{path}", json={"login": name}) for name in names]
    assert {response.status_code for response in answers} == {202}
    assert len({response.data for response in answers}) == 1


def test_a_code_puts_a_new_password_in_place_and_ends_all_else(app: Flask, phone: Phone, owner: User) -> None:
    code = code_for(app, owner, CodePurpose.RESET)
    client = app.test_client()
    body = {"login": "owner", "otp": code, "new_password": "short"}
    assert set(problem(client.post(RESET, json=body), 422)["errors"]) == {"new_password"}
    answer(client.post(RESET, json=body | {"new_password": NEW}))
    problem(phone.get(PROFILE), 401)
    again = problem(client.post(RESET, json=body | {"new_password": NEW}), 422)
    assert set(again["errors"]) == {"otp"}
    answer(client.post(LOGIN, json={"login": "owner", "password": NEW}))


def test_wrong_codes_are_told_alike_for_every_name(app: Flask, client: FlaskClient, owner: User) -> None:
    code_for(app, owner, CodePurpose.RESET)
    bodies = [{"login": name, "otp": "00000000", "new_password": NEW} for name in ("owner", "nobody")]
    answers = [client.post(RESET, json=body) for body in bodies]
    assert answers[0].data == answers[1].data
    problem(answers[0], 422)


def test_an_address_is_proven_by_its_code(app: Flask, phone: Phone, owner: User) -> None:
    assert not answer(phone.get(PROFILE))["is_email_verified"]
    code = code_for(app, owner, CodePurpose.VERIFY)
    body = {"login": "owner", "otp": code}
    answer(app.test_client().post("/v0/api/mail/verify-email", json=body))
    assert answer(phone.get(PROFILE))["is_email_verified"]
    problem(app.test_client().post("/v0/api/mail/verify-email", json=body), 422)


def test_asking_again_and_again_is_slowed_down(client: FlaskClient) -> None:
    path = "/v0/api/mail/request-password-reset"
    answers = [client.post(path, json={"login": f"nobody{n}"}) for n in range(12)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
