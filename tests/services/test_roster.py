"""The list of people: search, filters, order, and what it says of each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from cctv.clock import utcnow
from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import (
    Role,
)
from cctv.services.camera import groups
from cctv.services.person import access, people
from cctv.services.person.roster import lines
from cctv.services.sign_in import sessions
from tests.blueprints.camera_rows import QueryCount
from tests.services.persons import add_camera, person

pytestmark = pytest.mark.usefixtures("quick_hashes")


class TestTheList:
    def test_it_finds_by_name_address_and_user_name_in_any_case(self, context: Flask) -> None:
        owner = person(Role.SUPER_ADMIN, "Olive Owner")
        person(Role.VISITOR, "Victor")
        for text in ("VICT", "victor@EXAMPLE", "victor"):
            assert [one.name for one in people.find_people(owner, search=text).items] == ["Victor"]
        assert people.find_people(owner, search="100%").items == []

    @pytest.mark.each_database
    def test_it_filters_and_sorts(self, context: Flask) -> None:
        owner = person(Role.SUPER_ADMIN, "Olive")
        person(Role.VISITOR, "anna")
        off = person(Role.ADMIN, "Bert")
        person(Role.DEVELOPER, "Cleo", password=None)
        people.disable_person(owner, off)

        def names(**asked: object) -> list[str]:
            return [one.name for one in people.find_people(owner, **asked).items]  # type: ignore[arg-type]

        assert names() == ["anna", "Bert", "Cleo", "Olive"]
        assert names(sort="-name") == ["Olive", "Cleo", "Bert", "anna"]
        assert names(sort="role") == ["Olive", "Bert", "Cleo", "anna"]
        assert (names(state="off"), names(state="invited")) == (["Bert"], ["Cleo"])
        assert names(state="active", role="visitor") == ["anna"]
        for wrong in ({"sort": "password_hash"}, {"state": "gone"}, {"role": "root"}):
            with pytest.raises(Invalid):
                names(**wrong)

    @pytest.mark.each_database
    def test_who_was_seen_last_comes_first_and_who_never_was_last(self, context: Flask) -> None:
        owner, watcher, sleeper = (person(Role.SUPER_ADMIN, name) for name in ("Olive", "Watcher", "Sleeper"))
        person(Role.VISITOR, "Never")
        sleeper.last_sign_in_at = utcnow() - timedelta(days=40)  # the session of then is forgotten
        db.session.commit()
        sessions.begin(watcher)
        found = people.find_people(owner, sort="-seen").items
        assert [one.name for one in found][:2] == ["Watcher", "Sleeper"]
        assert [bool(line.seen_ms) for line in lines(found)] == [True, True, False, False]

    @pytest.mark.each_database
    def test_it_says_what_each_may_watch_in_few_statements(self, context: Flask, app: Flask) -> None:
        owner, visitor, nobody = (
            person(Role.SUPER_ADMIN),
            person(Role.VISITOR, "Some"),
            person(Role.VISITOR, "None"),
        )
        gate, yard, _ = (add_camera(n, name) for n, name in enumerate(("Gate", "Yard", "Dock"), 1))
        group = groups.create_group(owner, "Floor", [yard.id])
        people.set_grant(owner, visitor, access.Action.LIVE, True, camera_id=gate.id)
        people.set_grant(owner, visitor, access.Action.LIVE, True, group_id=group.id)
        db.session.refresh(owner), db.session.refresh(visitor), db.session.refresh(nobody)
        with QueryCount(app) as statements:
            said = lines([owner, visitor, nobody])
        assert [line.cameras for line in said] == ["All 3", "Gate, Yard", "None"]
        assert len(statements) == 3
