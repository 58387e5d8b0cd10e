"""The page of somebody who was invited: choose a password, and be signed in.

Following the link uses nothing up, because mail programs follow links by themselves.
"""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import Length

from cctv.blueprints import _forms, _htmx, auth
from cctv.errors import Invalid
from cctv.services.person import accounts, invitations, users

blueprint = Blueprint("invite", __name__, url_prefix="/invite")


class PasswordForm(FlaskForm):
    """The first password."""

    password = PasswordField("Choose a password", [Length(max=users.LONGEST_PASSWORD)])


@blueprint.get("/<invitation>")
def show(invitation: str) -> ResponseReturnValue:
    """Who is invited, and the form; 404 for a link that is not valid (any more)."""
    return _page(PasswordForm(formdata=None), invitation)


@blueprint.post("/<invitation>")
def accept(invitation: str) -> ResponseReturnValue:
    """The password counts from now on, and this browser is signed in."""
    form = PasswordForm()
    if not form.validate():
        return _page(form, invitation)
    try:
        person = invitations.accept(invitation, form.password.data or "")
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _page(form, invitation)
    auth.begin_session(person)
    return _htmx.toast(_htmx.redirect(accounts.start_page(person)), "ok", f"Welcome, {person.name}.")


def _page(form: PasswordForm, invitation: str) -> Response:
    person = invitations.find_invited(invitation)
    if form.errors:
        return _forms.problems("invite/show.html", form, person=person, invitation=invitation)
    return _htmx.render("invite/show.html", form=form, person=person, invitation=invitation)
