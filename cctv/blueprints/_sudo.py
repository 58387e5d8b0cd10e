"""Asks for the password again before a risky change, then goes on with what was asked.

Typed values wait sealed in the page that asks (without JavaScript) or in the form that is still there (with
it); none of them is shown.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response, abort, request
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.datastructures import ImmutableMultiDict
from wtforms import PasswordField, StringField
from wtforms.validators import Length

from cctv import keys
from cctv.blueprints import _guesses, _htmx, _origin
from cctv.errors import Unavailable
from cctv.services.person import users
from cctv.services.sign_in import refused_sign_ins, second_factor, sessions

_SEALED = "sudo_typed"
HEADER = "X-Sudo"  # sudo.js opens the dialog when it sees this


class SudoForm(FlaskForm):
    """The password, and a code where the second factor is on."""

    sudo_password = PasswordField("Password", [Length(max=users.LONGEST_PASSWORD)])
    sudo_code = StringField("Code", [Length(max=40)])


def require_sudo() -> None:
    """Go on only when the password was typed again within ten minutes; call it before reading the form.

    Otherwise the request ends here with 403: HTMX opens a dialog and sends its request again afterwards, a
    browser without JavaScript gets a page whose form goes to the same address with the values typed before.
    """
    if is_answer() and not sessions.has_sudo(current_user):
        form = SudoForm()
        if problem := check(form):
            abort(_page(form, request.form[_SEALED], problem))
    if is_answer():
        _restore(request.form[_SEALED])
    elif not sessions.has_sudo(current_user):
        abort(_dialog() if _htmx.is_htmx() else _page(SudoForm(formdata=None), _seal(), None))


def is_answer() -> bool:
    """Whether this is the page's answer, with what was typed before still sealed in it."""
    return request.method == "POST" and _SEALED in request.form


def check(form: SudoForm) -> str | None:
    """What is wrong with the answer, in a sentence; None when it is right, and then it counts."""
    guess = _guesses.of_sudo(current_user)
    if guess.wait_seconds:
        return guess.sentence
    has_second = second_factor.is_on(current_user)
    is_right = users.check_password(current_user, form.sudo_password.data or "")
    if is_right and has_second:
        is_right = second_factor.accept(current_user, form.sudo_code.data or "")
    if not is_right:
        refused_sign_ins.note(current_user, address=_origin.address(), how="confirm")
        return "Password or code is not right." if has_second else "The password is not right."
    guess.was_right()
    sessions.begin_sudo(current_user)
    return None


def question(form: SudoForm, problem: str | None, **context: Any) -> Response:
    """The page or, for HTMX, the inside of the dialog."""
    status = 422 if problem else 200
    has_second = second_factor.is_on(current_user)
    context = {"form": form, "problem": problem, "has_second": has_second, **context}
    return _htmx.render("auth/sudo.html", "dialog", status=status, **context)


def _page(form: SudoForm, sealed: str, problem: str | None) -> Response:
    if request.method == "GET":
        context = {"action": "/account/sudo", "next": request.full_path.rstrip("?")}
    else:
        context = {"action": request.full_path.rstrip("?"), "sealed": sealed}
    response = question(form, problem, **context)
    response.status_code = 422 if problem else 403
    return response


def _dialog() -> Response:
    response = _htmx.vary(Response(status=403))
    response.headers[HEADER] = "required"
    return response


def _seal() -> str:
    """For this session and this address only."""
    typed = [request.full_path, current_user.session_id, list(request.form.items(multi=True))]
    return keys.encrypt(json.dumps(typed))


def _restore(sealed: str) -> None:
    try:
        path, session_id, typed = json.loads(keys.decrypt(sealed))
    except Unavailable:
        abort(400)
    if (path, session_id) != (request.full_path, current_user.session_id):
        abort(400)
    request.form = ImmutableMultiDict([(str(name), str(value)) for name, value in typed])
