"""Pages for somebody who cannot sign in: a forgotten password, and the proof of an e-mail address.

Every answer is the same for a name that nobody has. Links only show a form: mail programs follow them.
"""

from __future__ import annotations

from flask import Blueprint, Response, flash, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import Length

from cctv.blueprints import _forms, _guesses, _htmx
from cctv.errors import Invalid
from cctv.services.person import addresses_of_people, users
from cctv.services.sign_in import recovery

blueprint = Blueprint("recovery", __name__)

_NAME = "recovery_name"  # of the session: what was typed on the page before
_SENT = "If there is such an account, a mail is on its way. It can take a minute."
_CHANGED = "Your password was changed, and you are signed out everywhere. Sign in with the new one."
_PROVEN = "Thank you: this address is yours."


class NameForm(FlaskForm):
    """Whose password was forgotten."""

    name = StringField("E-mail or user name", [Length(max=254)])


class ResetForm(FlaskForm):
    """A code and a new password; with a link the password alone."""

    name = StringField("E-mail or user name", [Length(max=254)])
    code = StringField("Code from the mail", [Length(max=40)])
    password = PasswordField("New password", [Length(max=users.LONGEST_PASSWORD)])


class CodeForm(FlaskForm):
    """A code that proves an address."""

    name = StringField("E-mail or user name", [Length(max=254)])
    code = StringField("Code from the mail", [Length(max=40)])


@blueprint.get("/password/forgot")
def forgot() -> ResponseReturnValue:
    """Ask for the name."""
    return _htmx.render("auth/forgot.html", form=NameForm(formdata=None))


@blueprint.post("/password/forgot")
def send_reset() -> ResponseReturnValue:
    """Send a code, and go on to where it is typed - for every name."""
    form = NameForm()
    name = (form.name.data or "").strip()
    if not form.validate_on_submit() or not name:
        form.name.errors = ["Enter your e-mail address or user name."]
        return _htmx.render("auth/forgot.html", status=422, form=form)
    guess = _guesses.of_letters()
    if guess.wait_seconds:
        page = _htmx.render("auth/forgot.html", form=form, problem=guess.sentence)
        return guess.slow_down(page)
    recovery.request_reset(name)
    session[_NAME] = name
    flash({"text": _SENT, "actions": []}, "info")  # type: ignore[arg-type]
    return _htmx.redirect("/password/reset")


@blueprint.get("/password/reset")
def show_reset() -> ResponseReturnValue:
    """Ask for code and new password; with `?token=` for the new password alone."""
    token = request.args.get("token", "")
    if token and not recovery.find_reset(token):
        return _dead_link("/password/forgot")
    return _reset_page(ResetForm(formdata=None, name=session.get(_NAME, "")), token)


@blueprint.post("/password/reset")
def reset() -> ResponseReturnValue:
    """Put the new password in place. Nobody is signed in by it."""
    token = request.args.get("token", "")
    form = ResetForm()
    guess = _guesses.of_mailed_code()
    if guess.wait_seconds:
        form.form_errors.append(guess.sentence)
        return guess.slow_down(_reset_page(form, token, status=429))
    try:
        if not form.validate_on_submit():
            return _reset_page(form, token, status=422)
        if token:
            recovery.reset_by_link(token, form.password.data or "")
        else:
            recovery.reset(form.name.data or "", form.code.data or "", form.password.data or "")
    except Invalid as error:
        if "token" in error.errors:
            return _dead_link("/password/forgot")
        _forms.add_errors(form, error.errors)
        return _reset_page(form, token, status=422)
    guess.was_right()
    session.pop(_NAME, None)
    flash({"text": _CHANGED, "actions": []}, "ok")  # type: ignore[arg-type]
    return _htmx.redirect("/login")


@blueprint.get("/account/verify")
def show_verify() -> ResponseReturnValue:
    """Ask for the code; with `?token=` for one press."""
    token = request.args.get("token", "")
    email = addresses_of_people.find_verification(token) if token else None
    if token and not email:
        return _dead_link("/account/verify")
    return _verify_page(CodeForm(formdata=None, name=_known_name()), token, email)


@blueprint.post("/account/verify")
def verify() -> ResponseReturnValue:
    """The address is proven."""
    token = request.args.get("token", "")
    form = CodeForm()
    guess = _guesses.of_mailed_code()
    if guess.wait_seconds:
        form.form_errors.append(guess.sentence)
        return guess.slow_down(_verify_page(form, token, None, status=429))
    try:
        if token:
            recovery.verify_by_link(token)
        else:
            recovery.verify(_known_name() or form.name.data or "", form.code.data or "")
    except Invalid as error:
        if "token" in error.errors:
            return _dead_link("/account/verify")
        _forms.add_errors(form, error.errors)
        return _verify_page(form, token, None, status=422)
    guess.was_right()
    flash({"text": _PROVEN, "actions": []}, "ok")  # type: ignore[arg-type]
    return _htmx.redirect("/account" if current_user.is_authenticated else "/login")


@blueprint.post("/account/verify/send")
def send_verification() -> ResponseReturnValue:
    """Send another code."""
    guess = _guesses.of_letters()
    if guess.wait_seconds:
        form = CodeForm(name=_known_name())
        form.form_errors.append(guess.sentence)
        return guess.slow_down(_verify_page(form, "", None, status=429))
    if current_user.is_authenticated:
        waiting = addresses_of_people.waiting_email(current_user)
        recovery.request_verification(current_user, email=waiting)
    else:
        recovery.ask_for_verification(request.form.get("name", ""))
    flash({"text": _SENT, "actions": []}, "info")  # type: ignore[arg-type]
    return _htmx.redirect("/account/verify")


def _known_name() -> str:
    return current_user.username if current_user.is_authenticated else ""


def _reset_page(form: ResetForm, token: str, *, status: int = 200) -> Response:
    here = request.full_path if token else "/password/reset"
    return _htmx.render("auth/reset.html", status=status, form=form, has_link=bool(token), here=here)


def _verify_page(form: CodeForm, token: str, email: str | None, *, status: int = 200) -> Response:
    here = request.full_path if token else "/account/verify"
    return _htmx.render(
        "auth/verify.html",
        status=status,
        form=form,
        has_link=bool(token),
        email=email,
        waiting=addresses_of_people.waiting_email(current_user) if current_user.is_authenticated else None,
        here=here,
    )


def _dead_link(again: str) -> Response:
    return _htmx.render("auth/dead_link.html", status=404, again=again)
