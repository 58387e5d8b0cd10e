"""Accounts and passwords."""

import statistics
import time

import pytest
from flask import Flask

from cctv.errors import Conflict, Invalid
from cctv.models import Role
from cctv.services.person import users


@pytest.fixture(autouse=True)
def cheaper_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's 12 rounds cost 250 ms of CPU a check; what is tested here does not depend on them."""
    assert users._ROUNDS >= 12
    monkeypatch.setattr(users, "_ROUNDS", 8)
    users._nobody_hash.cache_clear()


GOOD = {"password": "correct horse battery", "role": Role.SUPER_ADMIN}


@pytest.mark.each_database
def test_an_account_is_found_by_address_and_user_name_in_any_case(context: Flask) -> None:
    user = users.create_user("Ana Lima", "Ana@Example.org", **GOOD)
    assert users.find_by_login(" ANA@example.org ") == users.find_by_login("Ana") == user
    assert users.find_by_login("nobody") is None
    with pytest.raises(Conflict):
        users.create_user("Other", "ana@example.org", **GOOD)


def test_a_local_domain_is_an_address(context: Flask) -> None:
    assert users.create_user("Ana", "ana@site.local", **GOOD).email == "ana@site.local"


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", {"name": " "}), ("email", {"email": "ana"}), ("password", {"password": "short"})],
)
def test_a_bad_field_is_named(context: Flask, field: str, typed: dict[str, str]) -> None:
    values = {"name": "Ana", "email": "ana@example.org", **GOOD, **typed}
    with pytest.raises(Invalid) as refusal:
        users.create_user(values.pop("name"), values.pop("email"), **values)
    assert list(refusal.value.errors) == [field]


@pytest.mark.parametrize("length", [12, 72, 73, 400])
def test_passwords_of_any_length_work(context: Flask, length: int) -> None:
    password = ("pass word äöü " * 40)[:length]
    user = users.create_user("Ana", "ana@example.org", password=password, role=Role.VISITOR)
    assert users.check_password(user, password)
    assert not users.check_password(user, password[:-1])


def test_no_password_opens_an_account_that_has_none_yet(context: Flask) -> None:
    invited = users.create_user("Ana", "ana@example.org", **GOOD)
    invited.password_hash = ""
    for password in ("", " ", "the password that nobody has", GOOD["password"]):
        assert not users.check_password(invited, str(password))


def test_an_unknown_name_costs_as_much_time_as_a_known_one(context: Flask) -> None:
    user = users.create_user("Ana", "ana@example.org", **GOOD)
    users.check_password(None, "warm up")

    def median(who: users.User | None) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            users.check_password(who, "not the password")
            times.append(time.process_time() - start)
        return statistics.median(times)

    assert 0.7 < median(user) / median(None) < 1.4
