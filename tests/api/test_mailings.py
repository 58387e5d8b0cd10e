"""Mail through the API: to one and to many, with a state for each recipient that can be read."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from cctv.models import Role, User
from tests.api.apps import Phone, answer, phone_of, problem

ONE, MANY = "/v0/api/mail/auth/send-email", "/v0/api/mail/auth/send-bulk-email"
LETTER = {"subject": "The gate", "body": "It is closed on Monday."}


def test_a_mail_is_queued_and_its_progress_can_be_read(app: Flask, phone: Phone) -> None:
    phone_of(app, Role.VISITOR), phone_of(app, Role.ADMIN)
    sent = answer(
        phone.post(MANY, LETTER | {"roles": ["visitor", "admin"], "emails": ["x@example.org"]}), 202
    )
    assert (sent["total"], sent["waiting"], sent["is_over"]) == (3, 3, False)
    path = f"/v0/api/mail/auth/mailings/{sent['id']}/"
    assert answer(phone.get(path)) == sent
    people = answer(phone.get(f"{path}messages/"))
    assert {one["email"] for one in people["items"]} == {
        "visitor@example.org",
        "admin@example.org",
        "x@example.org",
    }
    assert {one["state"] for one in people["items"]} == {"queued"}


def test_the_same_key_sends_one(app: Flask, phone: Phone, owner: User) -> None:
    key = {"Idempotency-Key": "one"}
    body = LETTER | {"user_id": owner.id}
    ids = {answer(phone.ask("POST", ONE, json=body, headers=key), 202)["id"] for _ in range(2)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        (ONE, {}, "email"),
        (ONE, {"email": "x@example.org", "user_id": 1}, "email"),
        (ONE, {"email": "no address"}, "email"),
        (ONE, {"user_id": 987_654}, "user_id"),
        (ONE, {"email": "x@example.org", "subject": ""}, "subject"),
        (ONE, {"email": "x@example.org", "from": "boss@example.org"}, "from"),
        (MANY, {}, "emails"),
        (MANY, {"roles": ["root"]}, "roles.0"),
        (MANY, {"emails": ["x"]}, "emails.0"),
        (MANY, {"emails": ["x@example.org\r\nBcc: y@example.org"]}, "emails"),
    ],
)
def test_what_cannot_be_sent_is_named(phone: Phone, path: str, change: dict[str, Any], field: str) -> None:
    assert field in problem(phone.post(path, LETTER | change), 422)["errors"]


def test_only_administrators_send(app: Flask, owner: User) -> None:
    for role in (Role.DEVELOPER, Role.VISITOR):
        problem(phone_of(app, role).post(ONE, LETTER | {"email": "x@example.org"}), 403)
