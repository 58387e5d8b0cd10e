"""Signing in and out, the theme, and the door in front of every page.

What a signed-in person may do is decided by services/person/access.py, never here.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _doors, _htmx, _origin, _password, errors, second_step
from cctv.blueprints._entry import (
    SignInForm,
    begin_session,
    end_session,
    finish,
    goal_of,
    local_path,
    page,
    with_theme,
)
from cctv.extensions import login_manager
from cctv.services.person import users
from cctv.services.sign_in import second_factor, sessions

__all__ = ["begin_session", "local_path", "register_auth"]

blueprint = Blueprint("auth", __name__)

_REFUSED = "Name or password is not right."


def register_auth(app: Flask) -> None:
    """Close every page and teach Flask-Login our accounts."""
    app.register_blueprint(blueprint)
    app.register_blueprint(second_step.blueprint)
    app.permanent_session_lifetime = timedelta(seconds=sessions.LONGEST_KEPT_SECONDS)
    app.before_request(_require_sign_in)
    login_manager.user_loader(sessions.find_user)
    login_manager.unauthorized_handler(_unauthorised)


@blueprint.get("/login")
def show() -> ResponseReturnValue:
    """The sign-in page; as a fragment it is the form inside the dialog of a page whose session ended."""
    if not users.has_owner():
        return _htmx.redirect("/setup")
    if current_user.is_authenticated and not _htmx.is_htmx():
        return _htmx.redirect(goal_of(current_user))
    return page(SignInForm())


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Check name and password; the answer to a wrong one is the same for every name, and takes as long."""
    form = SignInForm()
    if not form.validate_on_submit():
        return page(form, problem=_REFUSED)
    user, guess = _password.check(form.name.data or "", form.password.data or "")
    if guess.wait_seconds:
        return guess.slow_down(page(form, problem=guess.sentence))
    if user is None:
        return page(form, problem=_REFUSED)
    if second_factor.is_on(user):
        return second_step.begin(user, is_kept=bool(form.keep.data))
    return finish(user, is_kept=bool(form.keep.data))


@blueprint.post("/logout")
def sign_out() -> ResponseReturnValue:
    """End this browser's session, also for whoever has a copy of its cookie."""
    end_session()
    return _htmx.redirect("/login")


@blueprint.post("/account/theme")
def choose_theme() -> ResponseReturnValue:
    """Dark, light or automatic for this person, and for the sign-in page of this browser."""
    theme = request.form.get("theme", "")
    users.set_theme(current_user, theme)
    return with_theme(_htmx.redirect(local_path(request.form.get("next"))), theme)


def _require_sign_in() -> ResponseReturnValue | None:
    if _doors.is_open():
        return None
    if not current_user.is_authenticated:
        return _unauthorised()
    sessions.note_seen(current_user, address=_origin.address())
    return None


def _unauthorised() -> ResponseReturnValue:
    """To the sign-in page; 401 for a fragment, whose page then asks for the password in place."""
    if _doors.is_open() or not request.accept_mimetypes.accept_html:
        return errors.answer(401)
    if _htmx.is_htmx():
        return _htmx.trigger(errors.answer(401), "signed-out")
    if not users.has_owner():
        return _htmx.redirect("/setup")
    if request.method != "GET" or request.path == "/":
        return _htmx.redirect("/login")
    return _htmx.redirect("/login?" + urlencode({"next": request.full_path.rstrip("?")}))
