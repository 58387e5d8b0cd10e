"""New people: the form, the link that is shown once, and its renewal and withdrawal.

A link's secret is in the one answer that was asked for, never in an address of ours or a toast.
"""

from __future__ import annotations

from typing import Any

import segno
from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from cctv import config
from cctv.blueprints import _doors, _forms, _htmx
from cctv.blueprints._people import get_person
from cctv.blueprints.person_forms import WAYS, InviteForm, role_cards
from cctv.errors import CctvError, Conflict, Invalid, LimitReached
from cctv.models import Role, User
from cctv.services.mailing import mail
from cctv.services.person import access, invitations, people
from cctv.services.person.access import Action
from cctv.services.person.invitations import Invitation

blueprint = Blueprint("user_invitations", __name__, url_prefix="/users")


@blueprint.get("/invite")
def show() -> ResponseReturnValue:
    """The form."""
    access.authorise(current_user, None, Action.USERS)
    role = request.args.get("role", Role.VISITOR.value)
    way = "mail" if _has_address() and config.current().email_host else "link"
    return _htmx.render("users/invite.html", form=InviteForm(formdata=None, role=role, way=way), **_around())


@blueprint.post("/invite")
def create() -> ResponseReturnValue:
    """Make the account, and the invitation if there is one."""
    access.authorise(current_user, None, Action.USERS)
    _doors.require_sudo()
    form = InviteForm()
    if not form.validate():
        return _refused(form)
    if form.way.data not in WAYS:
        return _refused(form, {"way": "Choose how they get in."})
    try:
        if form.way.data == "password":
            password = form.password.data or ""
            return _made(people.create_person(current_user, **form.changes(), password=password))
        return _shown(
            invitations.invite_person(current_user, **form.changes(), by_mail=form.way.data == "mail")
        )
    except Invalid as error:
        return _refused(form, error.errors)


@blueprint.post("/<int:user_id>/invitation")
def renew(user_id: int) -> ResponseReturnValue:
    """A new link; the one before is dead."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    _doors.require_sudo()
    try:
        is_by_mail = request.form.get("way") == "mail"
        return _shown(invitations.renew_invitation(current_user, person, by_mail=is_by_mail))
    except (Invalid, Conflict, LimitReached) as error:
        return _back(person, "bad", _said(error))


@blueprint.post("/<int:user_id>/invitation/revoke")
def revoke(user_id: int) -> ResponseReturnValue:
    """The link dies; the account stays."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    _doors.require_sudo()
    invitations.revoke_invitation(current_user, person)
    return _back(person, "ok", f"The invitation of {person.name} is withdrawn: its link opens nothing.")


def _shown(made: Invitation) -> Response:
    if made.is_mailed:
        text = f"The invitation goes to {made.person.email}. It is valid for 3 days."
        return _back(made.person, "ok", text)
    link = _link(f"{invitations.PATH}{made.token}")
    response = _htmx.render(
        "users/link.html", "main", person=made.person, link=link, code=_code(link), expires_at=made.expires_at
    )
    if _htmx.is_htmx():
        # Loading the address again leads to the person: the link is shown this once.
        response = _htmx.push_url(response, url_for("users.show", user_id=made.person.id))
        return _htmx.retarget(response, "#main", "innerHTML")
    return response


def _made(person: User) -> Response:
    return _back(person, "ok", f"{person.name} is added. Now share cameras with them.")


def _back(person: User, level: str, text: str) -> Response:
    return _htmx.toast(_htmx.redirect(url_for("users.show", user_id=person.id)), level, text)


def _link(path: str) -> str:
    """Where the page is: as mails say it, else as the asking browser reached us.

    Only this browser sees the answer, and its Host header was checked (hosts.py).
    """
    return mail.link(path) or f"{request.host_url.rstrip('/')}{path}"


def _code(link: str) -> Markup:
    """The link as a picture for the phone's camera; dark on white in both themes, as cameras want it."""
    picture = segno.make(link, error="m", micro=False)
    svg = picture.svg_inline(
        border=2, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    return Markup(svg)  # numbers only: the text is in the modules


def _has_address() -> bool:
    return bool(mail.link("/"))


def _around() -> dict[str, Any]:
    return {
        "cards": role_cards(people.roles_of(current_user)),
        "ways": WAYS,
        "has_address": _has_address(),
        "has_mail": bool(config.current().email_host),
    }


def _refused(form: InviteForm, errors: dict[str, str] | None = None) -> Response:
    _forms.add_errors(form, errors or {})
    return _forms.problems("users/invite.html", form, **_around())


def _said(error: CctvError) -> str:
    return error.message
