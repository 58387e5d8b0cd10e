"""One's own password, e-mail address, second factor and phone. Each change asks for the password first.

Recovery codes and keys are shown once, in the answer that makes them; never in an address or a message.
"""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import Length

from cctv.blueprints import _doors, _forms, _htmx
from cctv.blueprints._pictures import picture_of, site_address
from cctv.clock import to_ms
from cctv.errors import Invalid, LimitReached
from cctv.services.person import addresses_of_people, users
from cctv.services.sign_in import new_passwords, pairing, passwords, second_factor

blueprint = Blueprint("account_security", __name__, url_prefix="/account")


class PasswordForm(FlaskForm):
    """A new password; the old one is asked for by the question before."""

    password = PasswordField("New password", [Length(max=users.LONGEST_PASSWORD)])


class EmailForm(FlaskForm):
    """A new address."""

    email = StringField("New e-mail address", [Length(max=254)])


class CodeForm(FlaskForm):
    """The first code of the authenticator app."""

    code = StringField("Code", [Length(max=40)])


@blueprint.get("/password")
def show_password() -> ResponseReturnValue:
    """Ask for a new password."""
    return _password_page(PasswordForm(formdata=None))


@blueprint.post("/password")
def change_password() -> ResponseReturnValue:
    """Change it; every other session ends."""
    _doors.require_sudo()
    form = PasswordForm()
    try:
        if not form.validate_on_submit():
            return _password_page(form, status=422)
        new_passwords.change(current_user, form.password.data or "")
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _password_page(form, status=422)
    said = "Your password was changed, and you are signed out everywhere else."
    return _htmx.toast(_htmx.redirect("/account"), "ok", said)


@blueprint.post("/password/strength")
def show_strength() -> ResponseReturnValue:
    """How good the typed password is; it is neither kept nor logged."""
    typed = PasswordForm().password.data or ""
    strength = passwords.strength(typed, name=current_user.name, email=current_user.email)
    return _htmx.render("setup/_strength.html", strength=strength, is_typing=True)


@blueprint.get("/email")
def show_email() -> ResponseReturnValue:
    """Ask for a new address."""
    return _email_page(EmailForm(formdata=None))


@blueprint.post("/email")
def change_email() -> ResponseReturnValue:
    """Send a code to the new address, which counts once it was typed."""
    _doors.require_sudo()
    form = EmailForm()
    try:
        if not form.validate_on_submit():
            return _email_page(form, status=422)
        email = addresses_of_people.change_email(current_user, form.email.data or "")
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _email_page(form, status=422)
    except LimitReached as error:
        form.email.errors = [*form.email.errors, error.message]
        return _email_page(form, status=422)
    said = f"A code was sent to {email}. Type it here: until then your old address counts."
    return _htmx.toast(_htmx.redirect("/account/verify"), "info", said)


@blueprint.post("/second-factor/begin")
def begin_second() -> ResponseReturnValue:
    """Make a key for the person's app and show it."""
    _doors.require_sudo()
    second_factor.enrol(current_user)
    return _htmx.redirect("/account/second-factor")


@blueprint.get("/second-factor")
def show_second() -> ResponseReturnValue:
    """The key as a picture and to type, and the field for a first code."""
    _doors.require_sudo()
    return _second_page(CodeForm(formdata=None))


@blueprint.post("/second-factor")
def confirm_second() -> ResponseReturnValue:
    """Turn it on with a first code, and show the recovery codes once."""
    _doors.require_sudo()
    form = CodeForm()
    try:
        if not form.validate_on_submit():
            return _second_page(form, status=422)
        made = second_factor.confirm(current_user, form.code.data or "")
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _second_page(form, status=422)
    return _htmx.render("account/recovery_codes.html", codes=made, is_new=True)


@blueprint.post("/second-factor/codes")
def renew_codes() -> ResponseReturnValue:
    """Ten new recovery codes, shown once."""
    _doors.require_sudo()
    made = second_factor.renew_recovery_codes(current_user)
    return _htmx.render("account/recovery_codes.html", codes=made, is_new=False)


@blueprint.post("/second-factor/off")
def turn_off_second() -> ResponseReturnValue:
    """Ask for the password alone from now on."""
    _doors.require_sudo()
    second_factor.turn_off(current_user)
    return _htmx.toast(_htmx.redirect("/account"), "ok", "The second factor is off.")


@blueprint.post("/phone")
def show_phone() -> ResponseReturnValue:
    """A picture that signs the app in, shown once; whoever scans it is this person from then on."""
    _doors.require_sudo()
    try:
        code, ends_at = pairing.show(current_user)
    except LimitReached as error:
        return _htmx.toast(_htmx.redirect("/account#phone"), "bad", error.message)
    picture = picture_of(f"{site_address()}{pairing.FRAGMENT}{code}")
    return _htmx.render("account/phone.html", picture=picture, ends_ms=to_ms(ends_at))


def _password_page(form: PasswordForm, *, status: int = 200) -> Response:
    context = {"strength": passwords.strength("")}
    if status == 422:
        return _forms.problems("account/password.html", form, **context)
    return _htmx.render("account/password.html", form=form, strength=context["strength"])


def _email_page(form: EmailForm, *, status: int = 200) -> Response:
    if status == 422:
        return _forms.problems("account/email.html", form)
    return _htmx.render("account/email.html", form=form)


def _second_page(form: CodeForm, *, status: int = 200) -> Response:
    if second_factor.is_on(current_user):
        return _htmx.redirect("/account")
    enrolment = second_factor.enrol(current_user)
    return _htmx.render("account/second_factor.html", status=status, form=form, enrolment=enrolment)
