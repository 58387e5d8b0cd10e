"""The pages about people: list, person, matrix, invitations, groups; who sees and presses what."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import AuditEntry, Role, User
from cctv.services.person import access, people
from cctv.services.person.people import COMMAND_LINE
from cctv.services.sign_in import second_factor, sessions, tokens
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person
from tests.fixtures.application import sign_in
from tests.services.test_second_factor import phone


def with_sudo(app: Flask, user: User) -> FlaskClient:
    """A browser whose person has just typed the password."""
    client = sign_in(app, user)
    with app.app_context():
        sessions.begin_sudo(user)
    return client


@pytest.fixture
def boss(app: Flask, owner: User) -> FlaskClient:
    return with_sudo(app, owner)


@pytest.fixture
def visitor(app: Flask, owner: User) -> User:
    return add_person(app, Role.VISITOR)


def stored(app: Flask, user: User) -> User:
    with app.app_context():
        row = db.session.get_one(User, user.id)
        db.session.refresh(row)
        db.session.expunge(row)
        return row


def typed(user: User, **changes: str) -> dict[str, str]:
    values = {"name": user.name, "email": user.email, "username": user.username, "role": user.role}
    return values | changes


class TestTheList:
    def test_it_shows_who_with_which_cameras(self, app: Flask, signed_in: FlaskClient, visitor: User) -> None:
        camera_id = add_camera(app)
        add_camera(app, "Yard")
        with app.app_context():
            people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, camera_id=camera_id)
        body = signed_in.get("/users", headers=HTML).text
        assert "Front gate" in body and "All 2" in body and "2 people" in body
        assert 'href="/users"' in body  # in the navigation

    def test_a_search_answers_with_the_rows_alone_and_keeps_what_was_asked(
        self, signed_in: FlaskClient, visitor: User
    ) -> None:
        answer = signed_in.get("/users?q=visitor@&role=visitor&state=active&sort=-role", headers=HTMX).text
        assert "<html" not in answer and "1 person" in answer
        assert "q=visitor@&amp;role=visitor&amp;state=invited&amp;sort=-role" in answer
        assert "Olive" not in answer
        typed = signed_in.get("/users?q=vis&role=&state=&sort=name", headers=HTMX)
        assert typed.headers["HX-Replace-Url"] == "/users?q=vis"

    def test_what_is_asked_wrongly_is_not_asked(self, signed_in: FlaskClient, visitor: User) -> None:
        answer = signed_in.get("/users?role=root&state=x&sort=password_hash&p=-3", headers=HTML)
        assert (answer.status_code, "2 people" in answer.text) == (200, True)

    def test_alone_one_is_told_whom_to_invite(self, signed_in: FlaskClient) -> None:
        assert "Only you so far" in signed_in.get("/users", headers=HTML).text

    def test_nobody_found_offers_to_show_all(self, signed_in: FlaskClient) -> None:
        body = signed_in.get("/users?q=<nobody>", headers=HTML).text
        assert "Show all" in body and "<nobody>" not in body

    def test_it_costs_the_same_for_many_people_and_loads_more(
        self, app: Flask, signed_in: FlaskClient, visitor: User
    ) -> None:
        add_camera(app)
        with QueryCount(app) as few:
            signed_in.get("/users", headers=HTML)
        with app.app_context():
            for number in range(60):
                name = f"Zoe {number}"
                db.session.add(
                    User(
                        email=f"g{number}@b.org",
                        username=f"g{number}",
                        name=name,
                        password_hash="x",
                        role="visitor",
                    )
                )
            db.session.commit()
        with QueryCount(app) as many:
            body = signed_in.get("/users", headers=HTML).text
        # Which addresses are blocked is remembered for seconds, whatever page is asked for.
        counts = [sum("trapped_address" not in one for one in each.statements) for each in (few, many)]
        assert counts[0] == counts[1] <= 8, many.statements
        assert "Load 12 more" in body and len(body) < 60_000
        more = signed_in.get("/users?p=2", headers=HTMX).text
        assert more.count("person-row") == 12 and "<table" not in more

    def test_an_admin_sees_visitors_only(self, app: Flask, owner: User, visitor: User) -> None:
        admin = sign_in(app, add_person(app, Role.ADMIN))
        body = admin.get("/users", headers=HTML).text
        assert visitor.email in body and owner.email not in body
        assert 'id="role"' not in body  # there is nothing to choose
        assert admin.get(f"/users/{owner.id}", headers=HTML).status_code == 404
        assert 'value="admin"' not in admin.get("/users/invite", headers=HTML).text

    @pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VISITOR])
    def test_others_are_refused_in_words(self, app: Flask, owner: User, role: Role) -> None:
        client = sign_in(app, add_person(app, role))
        for path in ("/users", f"/users/{owner.id}", "/users/invite", "/groups"):
            answer = client.get(path, headers=HTML)
            assert answer.status_code == 403
            assert "Only a Super Admin or Admin can" in answer.text


class TestOnePerson:
    def test_it_shows_roles_with_what_would_be_lost(
        self, app: Flask, signed_in: FlaskClient, visitor: User
    ) -> None:
        camera_id = add_camera(app)
        with app.app_context():
            people.set_grant(COMMAND_LINE, visitor, access.Action.EXPORT, True, camera_id=camera_id)
        body = signed_in.get(f"/users/{visitor.id}", headers=HTML).text
        assert "Loses: export of 1 camera" in body
        assert body.count('name="role"') == 4

    def test_saving_asks_for_the_password_first(self, signed_in: FlaskClient, visitor: User) -> None:
        answer = signed_in.post(f"/users/{visitor.id}", data=typed(visitor), headers=HTMX)
        assert (answer.status_code, answer.headers["X-Sudo"]) == (403, "required")

    def test_it_is_saved(self, app: Flask, boss: FlaskClient, visitor: User) -> None:
        data = typed(visitor, name="Vera", role="developer", new_cameras="y", version="1")
        answer = boss.post(f"/users/{visitor.id}", data=data, headers=HTML)
        assert (answer.status_code, answer.location) == (303, f"/users/{visitor.id}")
        row = stored(app, visitor)
        assert (row.name, row.role, row.new_cameras) == ("Vera", "developer", "give")

    def test_what_cannot_be_is_told_beside_its_field_and_kept(
        self, app: Flask, boss: FlaskClient, visitor: User, owner: User
    ) -> None:
        data = typed(visitor, email=owner.email, name="Typed", version="1")
        answer = boss.post(f"/users/{visitor.id}", data=data, headers=HTML)
        assert answer.status_code == 422
        assert "Another account has this e-mail address." in answer.text and 'value="Typed"' in answer.text

    def test_who_was_slower_is_told_and_loses_nothing(
        self, app: Flask, boss: FlaskClient, visitor: User
    ) -> None:
        with app.app_context():
            people.change_person(COMMAND_LINE, visitor, {"name": "Faster"})
        answer = boss.post(
            f"/users/{visitor.id}", data=typed(visitor, name="Slower", version="1"), headers=HTML
        )
        assert answer.status_code == 422
        assert "in the meantime" in answer.text and 'value="Slower"' in answer.text

    def test_the_last_super_admin_stays_and_the_page_says_why(self, boss: FlaskClient, owner: User) -> None:
        answer = boss.post(f"/users/{owner.id}", data=typed(owner, role="admin"), headers=HTML)
        assert "This is the last Super Admin" in answer.text

    def test_fields_that_are_not_on_the_form_change_nothing(
        self, app: Flask, boss: FlaskClient, visitor: User
    ) -> None:
        data = typed(visitor, is_enabled="", password_hash="x", session_version="9", id="77")
        boss.post(f"/users/{visitor.id}", data=data, headers=HTML)
        row = stored(app, visitor)
        assert (row.is_enabled, row.password_hash) == (True, visitor.password_hash)

    def test_off_and_on_with_undo(self, app: Flask, boss: FlaskClient, visitor: User) -> None:
        boss.post(f"/users/{visitor.id}/disable", headers=HTML)
        body = boss.get(f"/users/{visitor.id}", headers=HTML).text
        assert "Switched off" in body and f'action="/users/{visitor.id}/enable"' in body
        boss.post(f"/users/{visitor.id}/enable", headers=HTML)
        assert stored(app, visitor).is_enabled

    def test_deleting_takes_two_steps(self, app: Flask, boss: FlaskClient, visitor: User) -> None:
        first = boss.get(f"/users/{visitor.id}/delete", headers=HTML).text
        assert "There is no way back" in first
        answer = boss.post(f"/users/{visitor.id}/delete", headers=HTML)
        assert answer.location == "/users"
        assert boss.get(f"/users/{visitor.id}", headers=HTML).status_code == 404

    def test_somebody_elses_browser_is_signed_out_without_telling_its_id(
        self, app: Flask, boss: FlaskClient, visitor: User
    ) -> None:
        theirs = sign_in(app, visitor)
        body = boss.get(f"/users/{visitor.id}", headers=HTML).text
        assert visitor.session_id not in body
        key = re.search(rf"/users/{visitor.id}/sessions/(\w+)/end", body)
        assert key
        boss.post(f"/users/{visitor.id}/sessions/{key[1]}/end", headers=HTML)
        assert theirs.get("/wall", headers=HTML).status_code == 303
        assert boss.post(f"/users/{visitor.id}/sessions/{key[1]}/end", headers=HTML).status_code == 404

    def test_tokens_of_others_are_seen_and_revoked_by_a_super_admin_alone(
        self, app: Flask, boss: FlaskClient, visitor: User
    ) -> None:
        with app.app_context():
            made = tokens.create(visitor, name="Door bell", scopes=["live"], camera_ids=None, days=7)
            token_id = made.token.id
        admin = with_sudo(app, add_person(app, Role.ADMIN))
        address = f"/users/{visitor.id}/tokens/{token_id}/revoke"
        assert address not in admin.get(f"/users/{visitor.id}", headers=HTML).text
        assert admin.post(address, headers=HTML).status_code == 403
        body = boss.get(f"/users/{visitor.id}", headers=HTML).text
        assert "Door bell" in body and address in body and made.secret not in body
        assert boss.post(address, headers=HTML).status_code == 303
        assert address not in boss.get(f"/users/{visitor.id}", headers=HTML).text

    def test_the_history_tells_what_they_did_and_what_was_done_to_them(
        self, app: Flask, boss: FlaskClient, visitor: User
    ) -> None:
        boss.post(f"/users/{visitor.id}/disable", headers=HTML)
        history = boss.get(f"/users/{visitor.id}", headers=HTML).text.partition("history-title")[2]
        assert "Olive Owner" in history.partition("What can this person open")[0]

    def test_see_as_shows_and_does_nothing_and_is_kept(
        self, app: Flask, signed_in: FlaskClient, visitor: User
    ) -> None:
        camera_id = add_camera(app)
        add_camera(app, "Yard")
        with app.app_context():
            people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, camera_id=camera_id)
        body = signed_in.get(f"/users/{visitor.id}/see-as", headers=HTML).text
        assert "Front gate" in body and "Yard" not in body.partition("<main")[2]
        assert "/stream/" not in body and "snapshot.jpg" not in body
        with app.app_context():
            entry = db.session.scalars(db.select(AuditEntry).where(AuditEntry.action == "see_as")).one()
            assert entry.target_id == visitor.id


def test_without_a_known_address_a_mail_is_refused_and_a_link_still_works(boss: FlaskClient) -> None:
    gina = {"name": "Gina Guard", "email": "gina@example.org", "role": "visitor"}
    refused = boss.post("/users/invite", data=gina | {"way": "mail"}, headers=HTML)
    assert refused.status_code == 422 and "Set FRONTEND_URL" in refused.text
    shown = boss.post("/users/invite", data=gina | {"way": "link"}, headers=HTML)
    assert "http://localhost/invite/" in shown.text


def test_a_lost_second_factor_is_turned_off_for_somebody(
    app: Flask, boss: FlaskClient, visitor: User
) -> None:
    with app.app_context():
        person = db.session.get_one(User, visitor.id)
        second_factor.enrol(person)
        second_factor.confirm(person, phone(person))
    assert "Turn second factor off" in boss.get(f"/users/{visitor.id}", headers=HTML).text
    answer = boss.post(f"/users/{visitor.id}/second-factor/reset", headers=HTML)
    assert answer.location == f"/users/{visitor.id}"
    assert not second_factor.is_on(stored(app, visitor))
    assert "Turn second factor off" not in boss.get(f"/users/{visitor.id}", headers=HTML).text
