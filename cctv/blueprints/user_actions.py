"""What is pressed about a person: on and off, delete, sign out, a new invitation.

Each asks for the password again when it was not typed lately; no rule lives here.
"""

from __future__ import annotations

from flask import Blueprint, Response, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _doors, _htmx
from cctv.blueprints._people import get_person, sees_tokens, session_id_of
from cctv.errors import Conflict, NotAllowed
from cctv.models import User
from cctv.services.person import access, people
from cctv.services.person.access import Action
from cctv.services.sign_in import second_factor, sessions, tokens

blueprint = Blueprint("user_actions", __name__, url_prefix="/users/<int:user_id>")


@blueprint.post("/disable")
def disable(user_id: int) -> ResponseReturnValue:
    """Switch the account off."""
    person = _person(user_id)
    try:
        people.disable_person(current_user, person)
    except Conflict as error:
        return _htmx.toast(_to(person), "bad", error.message)
    undo = {"label": "Undo", "post": url_for("user_actions.enable", user_id=person.id)}
    text = f"{person.name} is switched off and signed out everywhere."
    return _htmx.toast(_to(person), "ok", text, actions=[undo])


@blueprint.post("/enable")
def enable(user_id: int) -> ResponseReturnValue:
    """Switch the account on."""
    person = _person(user_id)
    people.enable_person(current_user, person)
    return _htmx.toast(_to(person), "ok", f"{person.name} is switched on again.")


@blueprint.get("/delete")
def ask_delete(user_id: int) -> ResponseReturnValue:
    """The second step of deleting: what goes and what stays."""
    access.authorise(current_user, None, Action.USERS)
    return _htmx.render("users/delete.html", person=get_person(user_id))


@blueprint.post("/delete")
def delete(user_id: int) -> ResponseReturnValue:
    """Delete the account."""
    person = _person(user_id)
    name = person.name
    try:
        people.delete_person(current_user, person)
    except Conflict as error:
        return _htmx.toast(_to(person), "bad", error.message)
    return _htmx.toast(_htmx.redirect(url_for("users.index")), "ok", f"{name} is deleted.")


@blueprint.post("/second-factor/reset")
def reset_second_factor(user_id: int) -> ResponseReturnValue:
    """Turn the second factor off for somebody who lost phone and recovery codes."""
    person = _person(user_id)
    if people.is_self(current_user, person):
        return _htmx.redirect(url_for("account.show"))
    second_factor.reset(current_user, person)
    text = f"{person.name} signs in with the password alone, until they turn the second factor on again."
    return _htmx.toast(_to(person), "ok", text)


@blueprint.post("/sessions/<key>/end")
def end_session(user_id: int, key: str) -> ResponseReturnValue:
    """Sign out one browser or app of theirs."""
    person = _person(user_id)
    sessions.end_of(person, session_id_of(person, key))
    return _htmx.toast(_to(person), "ok", f"{person.name} is signed out there.")


@blueprint.post("/sessions/end")
def end_sessions(user_id: int) -> ResponseReturnValue:
    """Sign the person out everywhere; but for this browser, when it is one's own account."""
    person = _person(user_id)
    own = current_user.session_id if people.is_self(current_user, person) else ""
    sessions.end_all(person, except_id=own)
    return _htmx.toast(_to(person), "ok", f"{person.name} is signed out everywhere{' else' if own else ''}.")


@blueprint.post("/tokens/<int:token_id>/revoke")
def revoke_token(user_id: int, token_id: int) -> ResponseReturnValue:
    """End a token that the person made for a program."""
    person = _person(user_id)
    if not sees_tokens():
        raise NotAllowed("You may not revoke the tokens of others. Only a Super Admin can. Ask the owner.")
    token = tokens.revoke(person, token_id, by=current_user)
    return _htmx.toast(_to(person), "ok", f"The token {token.name} opens nothing any more.")


def _person(user_id: int) -> User:
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    _doors.require_sudo()
    return person


def _to(person: User) -> Response:
    return _htmx.redirect(url_for("users.show", user_id=person.id))
