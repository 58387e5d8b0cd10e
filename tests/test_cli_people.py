"""`flask user ...`: what it prints, what it refuses, and that it does what the pages do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from cctv.extensions import db
from cctv.models import User
from cctv.services.person import invitations, users
from cctv.services.sign_in import recovery

PASSWORD = "a long enough password"
Run = Callable[..., Result]


@pytest.fixture
def run(context: Flask, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(users, "_ROUNDS", 4)

    def run(*words: str) -> Result:
        return context.test_cli_runner().invoke(args=["user", *words])

    return run


def create(run: Run, name: str, role: str) -> Any:
    email = f"{name.lower()}@example.org"
    words = ("--name", name, "--email", email, "--role", role, "--password", PASSWORD, "--json")
    return json.loads(run("create", *words).output)


def test_accounts_are_made_listed_and_switched(run: Run) -> None:
    owner, guard = create(run, "Olive", "super_admin"), create(run, "Gina", "visitor")
    assert (owner["role"], guard["username"], guard["state"]) == ("super_admin", "gina", "active")
    assert run("disable", "gina").output == "gina@example.org is switched off.\n"
    assert [row["name"] for row in json.loads(run("list", "--state", "off", "--json").output)] == ["Gina"]
    assert run("enable", str(guard["id"])).exit_code == 0
    assert "Olive" in run("list", "--search", "OLI").output
    changed = run("set-role", "gina@example.org", "developer")
    assert changed.output == "gina@example.org is developer now.\n"


def test_the_last_super_admin_stays_and_a_refusal_is_a_sentence(run: Run) -> None:
    create(run, "Olive", "super_admin")
    for words in (("disable", "olive"), ("set-role", "olive", "visitor")):
        refused = run(*words)
        assert refused.exit_code == 1 and "last Super Admin" in refused.stderr
    assert "Nobody here is called x." in run("enable", "x").stderr
    wrong = run("create", "--name", "", "--email", "x", "--password", "short")
    assert wrong.exit_code == 1
    assert [line.partition(":")[0] for line in wrong.stderr.splitlines()] == ["name", "email", "password"]


def test_an_invitation_prints_its_link_and_again_a_new_one(run: Run) -> None:
    words = ("invite", "--name", "Gina", "--email", "gina@example.org", "--json")
    first, second = (json.loads(run(*words).output) for _ in range(2))
    assert first["id"] == second["id"] and first["link"] != second["link"]
    person = invitations.accept(second["link"].removeprefix("/invite/"), PASSWORD)
    assert person.email == "gina@example.org"
    assert "has chosen a password already" in run(*words).stderr
    assert "FRONTEND_URL" in run("invite", "--name", "X", "--email", "x@example.org", "--mail").stderr


def test_a_link_for_a_new_password_works_once(run: Run) -> None:
    create(run, "Gina", "visitor")
    made = json.loads(run("reset-password-link", "gina", "--json").output)
    token = made["link"].partition("token=")[2]
    recovery.reset_by_link(token, "another long password")
    person = db.session.scalars(db.select(User)).one()
    assert users.check_password(person, "another long password")
    assert person.email_verified_at is None  # nobody mailed it
    assert not recovery.find_reset(token)
    run("disable", "gina")
    assert run("reset-password-link", "gina").exit_code == 1
