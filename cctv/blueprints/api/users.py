"""Accounts: list, create or invite, read, change and delete.

Who may touch whom is said by services/person/ranks.py.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api import _people, _versions
from cctv.blueprints.api._face import ApiBlueprint, fresh, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._parsing import renamed
from cctv.blueprints.api._people import Person
from cctv.blueprints.api._shapes import Body, Paged, PageQuery, choice, flag, paged, secret, some, text
from cctv.blueprints.api._versions import versioned
from cctv.errors import Conflict
from cctv.models import Role, User
from cctv.services.person import invitations, people, users
from cctv.services.person.access import Action
from cctv.services.person.people import NEW_CAMERAS, SORTS, STATES

blueprint = ApiBlueprint(
    "api-users", __name__, url_prefix="/v0/api/users/users", description="The accounts of the others."
)


class UserQuery(PageQuery):
    """Which accounts, in which order."""

    search = text(80, "A part of name, address or user name.")
    role = choice(Role, "Only this role.")
    state = choice(STATES, "active, invited (no password yet) or off.")
    sort = choice([*SORTS, *(f"-{name}" for name in SORTS)], "A minus turns it round.", load_default="name")


class UserPage(Paged):
    """A page of accounts."""

    items = some(Person, "The accounts.")


class UserChange(Body):
    """What is to be changed; the rest stays."""

    name = text(120, "As people call them.", least=1, example="Gina Guard")
    email = text(254, "The e-mail address.", least=3, example="gina@example.org")
    username = text(64, "The name for signing in.", least=2)
    role = choice(Role, "Nobody gives more than they have.")
    new_cameras = choice(NEW_CAMERAS, "give: they may watch cameras that are added later.")
    is_enabled = flag("false: switched off and signed out everywhere, at once.")


class UserCreate(UserChange):
    """A new account."""

    class Meta(UserChange.Meta):
        """Of marshmallow."""

        exclude = ("is_enabled",)

    name = text(120, "As people call them.", least=1, required=True, example="Gina Guard")
    email = text(254, "The e-mail address.", least=3, required=True, example="gina@example.org")
    role = choice(Role, "Nobody gives more than they have.", required=True)
    password = secret(
        users.LONGEST_PASSWORD,
        "Left out: the person gets an invitation by mail.",
        least=users.SHORTEST_PASSWORD,
    )


@blueprint.route("/")
@needs(Action.USERS)
@blueprint.arguments(UserQuery, location="query")
@blueprint.response(200, UserPage)
def index(query: dict[str, Any]) -> ResponseReturnValue:
    """The accounts that you may manage: an Admin those of Visitors."""
    page = people.find_people(current_user, **query)
    return paged(page, [_people.as_dict(one) for one in page.items])


@blueprint.route("/", methods=["POST"])
@repeatable
@needs(Action.USERS)
@fresh
@blueprint.arguments(
    UserCreate, example={"name": "Gina Guard", "email": "gina@example.org", "role": "visitor"}
)
@blueprint.response(201, Person, description="Made.")
@blueprint.alt_response(409, "CONFLICT")
def create(body: dict[str, Any]) -> ResponseReturnValue:
    """Make an account. Without a password its person is invited by mail, and chooses one."""

    def work() -> tuple[dict[str, Any], int]:
        if "password" in body:
            return _people.as_dict(people.create_person(current_user, **body)), 201
        with renamed(way="password"):
            invited = invitations.invite_person(current_user, by_mail=True, **body)
        return _people.as_dict(invited.person), 201

    return once(work, Person())


@blueprint.route("/<int:user_id>/")
@needs(Action.USERS)
@blueprint.response(200, Person, headers=_versions.HEADER)
def show(user_id: int) -> ResponseReturnValue:
    """One account."""
    return _answer(people.get_person(current_user, user_id))


@blueprint.route("/<int:user_id>/", methods=["PATCH"])
@versioned()
@needs(Action.USERS)
@fresh
@blueprint.arguments(UserChange, example={"name": "Gina Guard"})
@blueprint.response(200, Person, headers=_versions.HEADER)
@blueprint.alt_response(409, "CONFLICT")
def change(body: dict[str, Any], user_id: int) -> ResponseReturnValue:
    """Change an account; what is not sent stays. Another role signs the person out everywhere."""
    person = people.get_person(current_user, user_id)
    version = _versions.expected(person.version)
    changes = dict(body)
    is_enabled = changes.pop("is_enabled", None)
    if changes:
        try:
            person = people.change_person(current_user, person, changes, version=version)
        except Conflict as error:
            now = people.get_person(current_user, user_id).version
            raise (_versions.lost(error) if version not in (None, now) else error) from None
    if is_enabled is True:
        people.enable_person(current_user, person)
    if is_enabled is False:
        people.disable_person(current_user, person)
    return _answer(person)


@blueprint.route("/<int:user_id>/", methods=["DELETE"])
@versioned(is_required=False)
@needs(Action.USERS)
@fresh
@blueprint.response(204, description="Deleted, with its sessions, tokens and grants.")
@blueprint.alt_response(409, "CONFLICT")
def delete(user_id: int) -> ResponseReturnValue:
    """Delete an account. The audit log keeps what it did. 409: your own, or the last Super Admin."""
    person = people.get_person(current_user, user_id)
    _versions.if_given(person.version)
    people.delete_person(current_user, person)
    return Response(status=204)


def _answer(person: User) -> ResponseReturnValue:
    return _people.as_dict(person), 200, _versions.tag(person.version)
