"""How a sign-in ends: the session begins, and the browser goes on to the page that was wanted.

Passwords and codes are checked before, by the pages of the first and the second step.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Response, flash, g, make_response, request, session
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import Length

from cctv.blueprints import _guesses, _htmx, _origin
from cctv.blueprints.frame import THEME_COOKIE
from cctv.clock import utcnow
from cctv.models import User
from cctv.services.person import accounts, users
from cctv.services.sign_in import sessions
from cctv.services.site import settings, setup

_YEAR_SECONDS = 365 * 24 * 3600
_SWITCHED_OFF = "This account is switched off. Ask an Admin."


class SignInForm(FlaskForm):
    """What is typed to sign in."""

    name = StringField("E-mail or user name", [Length(max=254)])
    password = PasswordField("Password", [Length(max=users.LONGEST_PASSWORD)])
    keep = BooleanField("Keep me signed in on this computer")


def finish(user: User, *, is_kept: bool) -> Response:
    """Everything that is asked was right: sign in, and go on to the page that was wanted."""
    if not user.is_enabled:
        return start_again(_SWITCHED_OFF)
    begin_session(user, is_kept=is_kept)
    if _htmx.is_htmx():
        signed_in = _htmx.trigger(_htmx.no_content(), "signed-in", {"token": generate_csrf()})
        return _guesses.know_browser(signed_in, user)
    if last := _last_sign_in(user):
        flash({"text": last, "actions": []}, "info")  # type: ignore[arg-type]
    goal = "/setup/place" if setup.may_continue(user) else goal_of(user)
    return _guesses.know_browser(with_theme(_htmx.redirect(goal), user.theme), user)


def start_again(problem: str) -> Response:
    """The sign-in form with a sentence."""
    return page(SignInForm(), problem=problem)


def begin_session(user: User, *, is_kept: bool = False) -> None:
    """A new session with a new id and token; what the old one held is gone."""
    end_session()
    g.pop("csrf_token", None)  # made for the session before; Flask-WTF keeps it for the whole request
    sessions.begin(user, is_kept=is_kept, device=_origin.device(), address=_origin.address())
    login_user(user)
    session.permanent = is_kept
    users.note_sign_in(user)


def end_session() -> None:
    """Nobody is signed in here any more."""
    if current_user.is_authenticated:
        sessions.end(current_user.session_id)
        logout_user()
    session.clear()


def goal_of(user: User) -> str:
    """The page that was wanted, or the one that the person starts with."""
    wanted = local_path(request.args.get("next"))
    return accounts.start_page(user) if wanted == "/" else wanted


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


def page(form: SignInForm, *, problem: str | None = None) -> Response:
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


def with_theme(response: Response, theme: str) -> Response:
    """Remember the theme in this browser, for the pages before the sign-in."""
    response = make_response(response)
    response.set_cookie(
        THEME_COOKIE, theme, max_age=_YEAR_SECONDS, samesite="Lax", httponly=True, secure=request.is_secure
    )
    return response
