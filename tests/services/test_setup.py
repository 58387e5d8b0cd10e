"""The first run: the code, its end, and what each step refuses."""

import threading

import pytest
from flask import Flask
from sqlalchemy import func, select

from cctv import config
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import db
from cctv.models import User
from cctv.services.person import users
from cctv.services.site import settings, setup

OWNER = {"name": "Ana Lima", "email": "ana@example.org", "password": "correct horse battery"}


def test_the_code_is_private_and_dies_with_the_owner(context: Flask) -> None:
    code = setup.code()
    path = config.current().data_dir / "setup_code"
    assert code and setup.code() == code
    assert path.stat().st_mode & 0o777 == 0o600
    assert not setup.is_right_code("wrong") and setup.is_right_code(f" {code} ")
    owner = setup.create_owner(**OWNER, setup_code=code)
    assert (setup.code(), path.exists(), setup.is_right_code(code)) == (None, False, False)
    assert setup.may_continue(owner)
    setup.finish(owner)
    assert not setup.may_continue(owner)


def test_without_the_code_nobody_becomes_the_owner(context: Flask) -> None:
    with pytest.raises(NotFound):
        setup.create_owner(**OWNER, setup_code="guess")
    assert not users.has_owner()


@pytest.mark.each_database
def test_of_several_people_with_the_code_one_becomes_the_owner(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "_ROUNDS", 4)
    with app.app_context():
        code = setup.code() or ""
    together, outcomes = threading.Barrier(4), []
    # All of them pass the look at the code before the first account is there.
    monkeypatch.setattr(users, "hash_password", lambda password: str(together.wait(10)) + password[:5])

    def become_owner(number: int) -> None:
        with app.app_context():
            try:
                setup.create_owner(**{**OWNER, "email": f"ana{number}@example.org"}, setup_code=code)
                outcomes.append("owner")
            except Conflict:
                outcomes.append("too late")
            finally:
                db.session.remove()

    people = [threading.Thread(target=become_owner, args=(number,)) for number in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join(20)
    assert sorted(outcomes) == ["owner", "too late", "too late", "too late"]
    with app.app_context():
        assert db.session.scalar(select(func.count(User.id))) == 1
        assert settings.get("setup_owner_id") == db.session.scalar(select(User.id))


def test_a_place_that_does_not_exist_is_refused(context: Flask) -> None:
    with pytest.raises(Invalid) as refusal:
        setup.save_place(organisation_name=" ", time_zone="Lisbon/Europe")
    assert set(refusal.value.errors) == {"organisation_name", "time_zone"}
    setup.save_place(organisation_name="Harbour", time_zone="Europe/Lisbon")
    assert settings.zone().key == "Europe/Lisbon"


def test_the_disk_is_really_written(context: Flask) -> None:
    report = setup.storage_report()
    assert report.is_writable and report.free_bytes > 0
    result = setup.test_storage()
    assert result.is_good and "MB/s" in result.sentence
    assert not any(path.is_file() and path.stat().st_size > 1e6 for path in report.folder.iterdir())
