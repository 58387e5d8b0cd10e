"""Accounts through the API: who may touch whom, versions, and fields that nobody may set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models import Role, User
from cctv.services.sign_in import sessions
from tests.api.apps import LOGIN, PROFILE, REFRESH, USERS, Phone, answer, phone_of, problem
from tests.blueprints.camera_rows import QueryCount
from tests.fixtures.application import OWNER_PASSWORD

GINA = {"name": "Gina Guard", "email": "gina@example.org", "role": "visitor", "password": OWNER_PASSWORD}


def test_an_account_is_made_used_changed_and_deleted(app: Flask, phone: Phone) -> None:
    made = phone.post(USERS, GINA)
    person = answer(made, 201)
    assert (person["username"], person["role"], person["is_enabled"]) == ("gina", "visitor", True)
    gina = Phone(app, "gina")
    path = f"{USERS}{person['id']}/"
    read = phone.get(path)
    problem(phone.patch(path, {"name": "G"}), 428)
    tag = read.headers["ETag"].strip('"')
    changed = phone.patch(path, {"name": "Gina G."}, version=tag)
    assert answer(changed)["name"] == "Gina G."
    problem(phone.patch(path, {"name": "late"}, version=tag), 412)
    answer(phone.patch(path, {"is_enabled": False}, version="*"))
    problem(gina.get(PROFILE), 401)
    answer(phone.patch(path, {"is_enabled": True}, version="*"))
    assert phone.delete(path).status_code == 204
    problem(phone.get(path), 404)
    problem(app.test_client().post(LOGIN, json={"login": "gina", "password": OWNER_PASSWORD}), 401)


def test_lists_are_searched_filtered_and_sorted(app: Flask, phone: Phone) -> None:
    for number in range(5):
        body = GINA | {"name": f"Guard {number}", "email": f"guard{number}@example.org"}
        answer(phone.post(USERS, body), 201)

    def names(**query: Any) -> list[str]:
        return [one["name"] for one in answer(phone.get(USERS, query_string=query))["items"]]

    assert names(role="super_admin") == ["Olive Owner"]
    assert names(search="guard3@") == ["Guard 3"]
    assert names(role="visitor", sort="-name", page_size=2) == ["Guard 4", "Guard 3"]
    problem(phone.get(f"{USERS}?sort=password_hash"), 422)
    problem(phone.get(f"{USERS}?role=root"), 422)


def test_an_admin_manages_visitors_and_gives_no_other_role(app: Flask, phone: Phone) -> None:
    admin = phone_of(app, Role.ADMIN)
    visitor = answer(phone.post(USERS, GINA), 201)["id"]
    assert [one["id"] for one in answer(admin.get(USERS))["items"]] == [visitor]
    owner_path = f"{USERS}{phone.tokens['user']['id']}/"
    problem(admin.get(owner_path), 404)
    problem(admin.patch(owner_path, {"role": "visitor"}, version="*"), 404)
    problem(admin.delete(owner_path), 404)
    problem(admin.patch(f"{USERS}{visitor}/", {"role": "admin"}, version="*"), 403)
    problem(admin.post(USERS, GINA | {"email": "x@example.org", "role": "super_admin"}), 403)
    for role in (Role.DEVELOPER, Role.VISITOR):
        other = phone_of(app, role)
        problem(other.get(USERS), 403)
        problem(other.post(USERS, GINA), 403)


def test_accounts_are_changed_only_by_who_typed_the_password_lately(app: Flask, phone: Phone) -> None:
    person = answer(phone.post(USERS, GINA), 201)
    path = f"{USERS}{person['id']}/"
    with time_machine.travel(utcnow() + timedelta(seconds=sessions.SUDO_SECONDS + 1)):
        phone.tokens = answer(
            phone.client.post(REFRESH, json={"refresh_token": phone.tokens["refresh_token"]})
        )
        phone.headers = {"Authorization": f"Bearer {phone.tokens['access_token']}"}
        answer(phone.get(USERS))
        for refused in (
            phone.post(USERS, GINA | {"email": "x@example.org"}),
            phone.patch(path, {"role": "super_admin"}, version="*"),
            phone.delete(path),
        ):
            assert "password again" in problem(refused, 401)["detail"]
            step_up = 'Bearer error="insufficient_user_authentication", max_age=600'
            assert refused.headers["WWW-Authenticate"] == step_up
        problem(phone_of(app, Role.VISITOR).delete(path), 403)
        assert Phone(app).delete(path).status_code == 204, "signed in anew"


def test_somebody_stays_in_charge(app: Flask, phone: Phone) -> None:
    path = f"{USERS}{phone.tokens['user']['id']}/"
    for body in ({"role": "admin"}, {"is_enabled": False}):
        assert "last Super Admin" in problem(phone.patch(path, body, version="*"), 409)["detail"] or body
    problem(phone.delete(path), 409)
    assert answer(phone.get(PROFILE))["role"] == "super_admin"


def test_another_role_signs_the_person_out(app: Flask, phone: Phone) -> None:
    admin = phone_of(app, Role.ADMIN)
    path = f"{USERS}{admin.tokens['user']['id']}/"
    answer(phone.patch(path, {"role": "visitor"}, version="*"))
    problem(admin.get(PROFILE), 401)


@pytest.mark.parametrize(
    "field", ["id", "password_hash", "is_super", "session_version", "totp_secret_encrypted", "created_at"]
)
def test_no_other_field_is_taken(phone: Phone, field: str) -> None:
    assert set(problem(phone.post(USERS, GINA | {field: 1}), 422)["errors"]) == {field}
    path = f"{USERS}{phone.tokens['user']['id']}/"
    assert set(problem(phone.patch(path, {field: 1}, version="*"), 422)["errors"]) == {field}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "owner@example.org"}, "email"),
        ({"password": "short"}, "password"),
        ({"role": "root"}, "role"),
        ({"name": ""}, "name"),
        ({"username": "ö ä"}, "username"),
    ],
)
def test_what_cannot_be_accepted_is_named(phone: Phone, change: dict[str, Any], field: str) -> None:
    assert field in problem(phone.post(USERS, GINA | change), 422)["errors"]


def test_no_answer_holds_a_hash(app: Flask, phone: Phone) -> None:
    person = answer(phone.post(USERS, GINA), 201)
    with app.app_context():
        stored = db.session.get_one(User, person["id"]).password_hash
    for path in (USERS, f"{USERS}{person['id']}/", PROFILE):
        text = phone.get(path).text
        assert stored not in text
        assert "password" not in text


@pytest.mark.parametrize("count", [1, 64])
def test_a_page_costs_the_same_number_of_queries(app: Flask, phone: Phone, count: int) -> None:
    with app.app_context():
        for number in range(count):
            name = f"guard{number}"
            person = User(name=name, email=f"{name}@example.org", username=name, role="visitor")
            person.password_hash = ""
            db.session.add(person)
        db.session.commit()
    answer(phone.get(USERS))
    with QueryCount(app) as queries:
        assert len(answer(phone.get(f"{USERS}?page_size=200"))["items"]) == count + 1
    assert len(queries) <= 8, queries.statements
