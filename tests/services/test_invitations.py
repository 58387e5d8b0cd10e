"""Invitations: a link that makes a password, once."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import db
from cctv.models import (
    AuditEntry,
    Role,
    User,
)
from cctv.services.person import invitations, people, users
from cctv.services.person.people import COMMAND_LINE
from tests.services.persons import PASSWORD, at_once, person

pytestmark = pytest.mark.usefixtures("quick_hashes")


class TestInvitations:
    def test_a_link_makes_a_password_once(self, context: Flask) -> None:
        made = invitations.invite_person(
            COMMAND_LINE, name="Guard", email="guard@example.org", role="visitor", by_mail=False
        )
        assert people.state_of(made.person) == "invited"
        assert not users.check_password(made.person, "")
        with pytest.raises(Invalid, match="at least 12"):
            invitations.accept(made.token, "short")
        guard = invitations.accept(made.token, PASSWORD)
        assert users.check_password(guard, PASSWORD)
        assert guard.email_verified_at is None  # nobody mailed anything
        with pytest.raises(NotFound):
            invitations.accept(made.token, PASSWORD)
        assert made.token not in str([entry.details for entry in db.session.scalars(db.select(AuditEntry))])

    def test_a_newer_link_a_withdrawal_or_switching_off_kills_it(self, context: Flask) -> None:
        made = invitations.invite_person(
            COMMAND_LINE, name="Guard", email="guard@example.org", role="visitor", by_mail=False
        )
        newer = invitations.renew_invitation(COMMAND_LINE, made.person, by_mail=False)
        with pytest.raises(NotFound):
            invitations.find_invited(made.token)
        people.disable_person(COMMAND_LINE, made.person)
        with pytest.raises(NotFound):
            invitations.find_invited(newer.token)
        people.enable_person(COMMAND_LINE, made.person)
        assert invitations.find_invited(newer.token) == made.person
        invitations.revoke_invitation(COMMAND_LINE, made.person)
        with pytest.raises(NotFound):
            invitations.accept(newer.token, PASSWORD)

    def test_who_made_a_link_for_a_visitor_does_not_hold_one_for_an_administrator(
        self, context: Flask
    ) -> None:
        made = invitations.invite_person(
            person(Role.ADMIN), name="Guard", email="guard@example.org", role="visitor", by_mail=False
        )
        people.change_person(person(Role.SUPER_ADMIN), made.person, {"role": "super_admin"})
        with pytest.raises(NotFound):
            invitations.accept(made.token, PASSWORD)
        renewed = invitations.renew_invitation(COMMAND_LINE, made.person, by_mail=False)
        assert invitations.accept(renewed.token, PASSWORD).role == Role.SUPER_ADMIN

    def test_whoever_has_a_password_is_not_invited_again(self, context: Flask) -> None:
        with pytest.raises(Conflict):
            invitations.renew_invitation(COMMAND_LINE, person(Role.VISITOR), by_mail=False)

    def test_a_mail_needs_to_know_where_the_pages_are(self, context: Flask) -> None:
        with pytest.raises(Invalid, match="FRONTEND_URL"):
            invitations.invite_person(
                COMMAND_LINE, name="Guard", email="guard@example.org", role="visitor", by_mail=True
            )
        assert db.session.scalars(db.select(User)).all() == []

    @pytest.mark.each_database
    def test_of_two_who_follow_the_same_link_one_is_too_late(self, app: Flask) -> None:
        with app.app_context():
            token = invitations.invite_person(
                COMMAND_LINE, name="Guard", email="guard@example.org", role="visitor", by_mail=False
            ).token
        refusals = at_once(app, *[lambda: invitations.accept(token, PASSWORD)] * 2)
        assert sorted(bool(refusal) for refusal in refusals) == [False, True]
