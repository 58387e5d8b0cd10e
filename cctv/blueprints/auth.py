"""Signing in and out, the theme, and the door in front of every page.

What a signed-in person may do is decided by services/access.py, never here.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, Response, flash, g, make_response, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import Length

from cctv.blueprints import _doors, _guesses, _htmx, _origin, errors
from cctv.blueprints.frame import THEME_COOKIE
from cctv.clock import utcnow
from cctv.extensions import login_manager
from cctv.models import User
from cctv.services import devices, refused_sign_ins, sessions, settings, setup, users

blueprint = Blueprint("auth", __name__)

_YEAR_SECONDS = 365 * 24 * 3600
_REFUSED = "Name or password is not right."
_SWITCHED_OFF = "This account is switched off. Ask an Admin."


class SignInForm(FlaskForm):
    """What is typed to sign in."""

    name = StringField("E-mail or user name", [Length(max=254)])
    password = PasswordField("Password", [Length(max=users.LONGEST_PASSWORD)])
    keep = BooleanField("Keep me signed in on this computer")


def register_auth(app: Flask) -> None:
    """Close every page and teach Flask-Login our accounts."""
    app.register_blueprint(blueprint)
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
        return _htmx.redirect(local_path(request.args.get("next")))
    return _page(SignInForm())


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Check name and password; the answer to a wrong one is the same for every name, and takes as long."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _page(form, problem=_REFUSED)
    user = users.find_by_login(form.name.data or "")
    guess = _guesses.of_password(user, form.name.data or "")
    if guess.wait_seconds:
        refused_sign_ins.note(user, address=_origin.address())
        return guess.slow_down(_page(form, problem=guess.sentence))
    is_right = users.check_password(user, form.password.data or "")
    if user is None or not is_right:
        refused_sign_ins.note(user, address=_origin.address())
        return _page(form, problem=_REFUSED)
    guess.was_right()
    if not user.is_enabled:
        return _page(form, problem=_SWITCHED_OFF)
    begin_session(user, is_kept=bool(form.keep.data))
    if _htmx.is_htmx():
        signed_in = _htmx.trigger(_htmx.no_content(), "signed-in", {"token": generate_csrf()})
        return _guesses.know_browser(signed_in, user)
    if last := _last_sign_in(user):
        flash({"text": last, "actions": []}, "info")  # type: ignore[arg-type]
    start = "/setup/place" if setup.may_continue(user) else request.args.get("next")
    return _guesses.know_browser(_with_theme(_htmx.redirect(local_path(start)), user.theme), user)


@blueprint.post("/logout")
def sign_out() -> ResponseReturnValue:
    """End this browser's session, also for whoever has a copy of its cookie."""
    _end_session()
    return _htmx.redirect("/login")


@blueprint.post("/account/theme")
def choose_theme() -> ResponseReturnValue:
    """Dark, light or automatic for this person, and for the sign-in page of this browser."""
    theme = request.form.get("theme", "")
    users.set_theme(current_user, theme)
    return _with_theme(_htmx.redirect(local_path(request.form.get("next"))), theme)


def begin_session(user: User, *, is_kept: bool = False) -> None:
    """A new session with a new id and token; what the old one held is gone."""
    _end_session()
    g.pop("csrf_token", None)  # made for the session before; Flask-WTF keeps it for the whole request
    device = devices.describe(request.user_agent.string)
    sessions.begin(user, is_kept=is_kept, device=device, address=request.remote_addr or "")
    login_user(user)
    session.permanent = is_kept
    users.note_sign_in(user)


def _end_session() -> None:
    if current_user.is_authenticated:
        sessions.end(current_user.session_id)
        logout_user()
    session.clear()


def local_path(wanted: str | None) -> str:
    """`wanted` when it is an absolute path on this host, else the start page."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    if "\\" in wanted or any(ord(character) < 33 or ord(character) == 127 for character in wanted):
        return "/"
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else wanted


def _require_sign_in() -> ResponseReturnValue | None:
    if _doors.is_open():
        return None
    if not current_user.is_authenticated:
        return _unauthorised()
    sessions.note_seen(current_user, address=request.remote_addr or "")
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


def _page(form: SignInForm, *, problem: str | None = None) -> Response:
    """The form with the typed name, never with the typed password."""
    kept_until = (utcnow() + timedelta(seconds=sessions.LONGEST_KEPT_SECONDS)).astimezone(settings.zone())
    return _htmx.render(
        "auth/again.html" if _htmx.is_htmx() else "auth/login.html",
        status=422 if problem else 200,
        form=form,
        problem=problem,
        kept_until=f"{kept_until:%-d %b %Y}",
        next=request.args.get("next", ""),
    )


def _last_sign_in(user: User) -> str | None:
    if user.previous_sign_in_at is None:
        return None
    at = user.previous_sign_in_at.astimezone(settings.zone())
    return f"Your last sign-in was on {at:%-d %b %Y at %H:%M}."


def _with_theme(response: Response, theme: str) -> Response:
    response = make_response(response)
    response.set_cookie(
        THEME_COOKIE, theme, max_age=_YEAR_SECONDS, samesite="Lax", httponly=True, secure=request.is_secure
    )
    return response
