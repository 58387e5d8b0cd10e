"""The list of people and the page of one: who they are, what they may open, where they are signed in.

Shape only: who may see and change whom is said by services/person/ranks.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _audit_words, _doors, _forms, _htmx, _people
from cctv.blueprints._people import get_person, places_of
from cctv.blueprints.person_forms import PersonForm, role_cards
from cctv.errors import Conflict, Invalid
from cctv.models import Role, User
from cctv.services.auditing import audit_rows
from cctv.services.person import access, grants, people, role_changes, roster
from cctv.services.person.access import Action
from cctv.services.sign_in import tokens

blueprint = Blueprint("users", __name__, url_prefix="/users")

STATES = {"": "All", "active": "Active", "invited": "Invited", "off": "Off"}
_ROWS = 50
_LATEST = 12  # entries of the audit log on the page of a person


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Everybody whom the person may manage; q searches, role and state filter, sort orders."""
    access.authorise(current_user, None, Action.USERS)
    asked = _asked()
    page = max(1, request.args.get("p", 1, type=int))
    found = people.find_people(
        current_user,
        search=asked["q"],
        role=asked["role"] or None,
        state=asked["state"] or None,
        sort=asked["sort"],
        page=page,
        page_size=_ROWS,
    )
    response = _htmx.render(
        "users/index.html",
        "rows" if page == 1 else "more",
        lines=roster.lines(found.items),
        found=found,
        more=max(0, found.total - found.number * found.size),
        asked=asked,
        list_url=partial(_url, asked),
        states=STATES,
        roles=people.roles_of(current_user),
        is_filtered=any(asked[name] for name in ("q", "role", "state")),
    )
    # A form sends its empty fields too; the address need not keep them.
    return _htmx.replace_url(response, _url(asked)) if "" in request.args.values() else response


@blueprint.get("/<int:user_id>")
def show(user_id: int) -> ResponseReturnValue:
    """One person."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    return _page(person, PersonForm.of(person))


@blueprint.post("/<int:user_id>")
def update(user_id: int) -> ResponseReturnValue:
    """Save name, addresses, role and what happens with new cameras."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    _doors.require_sudo()
    form = PersonForm()
    if not form.validate():
        return _refused(form, person)
    version = form.version.data or ""
    try:
        people.change_person(
            current_user, person, form.changes(), version=int(version) if version.isdecimal() else None
        )
    except Invalid as error:
        return _refused(form, person, error.errors)
    except Conflict as error:
        form.form_errors.append(error.message)
        return _refused(form, person)
    response = _htmx.redirect(url_for("users.show", user_id=person.id))
    return _htmx.toast(response, "ok", f"{person.name} is saved.")


def _asked() -> dict[str, str]:
    """What the list is asked for; a filter that does not exist is none."""
    asked = {name: request.args.get(name, "") for name in ("q", "role", "state", "sort")}
    if asked["role"] not in set(Role):
        asked["role"] = ""
    if asked["state"] not in STATES:
        asked["state"] = ""
    if asked["sort"].removeprefix("-") not in people.SORTS:
        asked["sort"] = "name"
    return asked


def _url(asked: dict[str, str], **changes: str | int) -> str:
    """The address of this list with something else asked."""
    wanted: dict[str, Any] = {**asked, **changes}
    if wanted["sort"] == "name":
        wanted["sort"] = ""
    return url_for("users.index", **{name: value or None for name, value in wanted.items()})


def _page(person: User, form: PersonForm) -> Response:
    return _htmx.render("users/show.html", form=form, **_around(person))


def _refused(form: PersonForm, person: User, errors: dict[str, str] | None = None) -> Response:
    _forms.add_errors(form, errors or {})
    return _forms.problems("users/show.html", form, **_around(person))


def _around(person: User) -> dict[str, Any]:
    """What the page needs beside the form."""
    return {
        "person": person,
        "line": roster.lines([person])[0],
        "is_self": people.is_self(current_user, person),
        "cards": role_cards(people.roles_of(current_user), role_changes.losses(person)),
        "rows": grants.rows(person),
        "actions": grants.grantable(person.role),
        "places": places_of(person),
        "opens": access.explain(person),
        "tokens": tokens.list_of(person) if _people.sees_tokens() else [],
        "is_expired": tokens.is_expired,
        "history": [
            _audit_words.tell(entry) for entry in audit_rows.of_person(current_user, person.id, limit=_LATEST)
        ],
    }
