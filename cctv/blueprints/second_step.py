"""The second step of signing in: a code of the authenticator app, or a recovery code.

Until then nobody is signed in: that the password was right stands only in this browser's signed cookie, for
five minutes.

Chosen: the second step shows that the password was right, as it must, and nothing else does. Asking everybody
for a code would show who has a second factor; asking for both at once would make people without one stumble.
Whether an account is switched off is told after the code only.
"""

from __future__ import annotations

from flask import Blueprint, Response, flash, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import Length

from cctv.blueprints import _entry, _guesses, _htmx, _origin
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import User
from cctv.services.sign_in import refused_sign_ins, second_factor

blueprint = Blueprint("second_step", __name__)

PENDING_SECONDS = 300
_PENDING = "second_step"  # of the session
_TOO_LATE = "That took too long. Sign in again."
_WRONG_RECOVERY = "That recovery code is not right, or was used before."


class CodeForm(FlaskForm):
    """What is typed in the second step."""

    code = StringField("Code", [Length(max=40)])


def begin(user: User, *, is_kept: bool) -> Response:
    """The password was right: remember it for a moment, and ask for the code."""
    session[_PENDING] = [user.id, user.session_version, is_kept, now_ms() + PENDING_SECONDS * 1000]
    if _htmx.is_htmx():
        return _page(CodeForm(formdata=None))
    return _htmx.redirect(_address())


@blueprint.get("/login/code")
def show() -> ResponseReturnValue:
    """Ask for the code, or with `?recovery=1` for a recovery code."""
    return _late() if _pending() is None else _page(CodeForm(formdata=None))


@blueprint.post("/login/code")
def check() -> ResponseReturnValue:
    """Sign in with a right code."""
    pending = _pending()
    if pending is None:
        return _late()
    user, is_kept = pending
    form = CodeForm()
    guess = _guesses.of_second_step(user)
    if guess.wait_seconds:
        return guess.slow_down(_page(form, problem=guess.sentence))
    if not form.validate_on_submit() or not second_factor.accept(user, form.code.data or ""):
        refused_sign_ins.note(user, address=_origin.address(), how="code")
        return _page(form, problem=_WRONG_RECOVERY if _is_recovery() else second_factor.WRONG)
    guess.was_right()
    session.pop(_PENDING, None)
    return _entry.finish(user, is_kept=is_kept)


def _pending() -> tuple[User, bool] | None:
    """Who typed the right password in this browser lately, if the account was not changed since."""
    try:
        user_id, version, is_kept, until_ms = session[_PENDING]
    except (KeyError, ValueError, TypeError):
        return None
    user = db.session.get(User, user_id) if until_ms > now_ms() else None
    if user is None or user.session_version != version or not second_factor.is_on(user):
        session.pop(_PENDING, None)
        return None
    return user, is_kept


def _late() -> Response:
    """To the first step, in the dialog or on its page."""
    if _htmx.is_htmx():
        return _entry.start_again(_TOO_LATE)
    flash({"text": _TOO_LATE, "actions": []}, "warn")  # type: ignore[arg-type]
    return _htmx.redirect("/login")


def _is_recovery() -> bool:
    return request.args.get("recovery") == "1"


def _address(*, recovery: str | None = None) -> str:
    return url_for("second_step.show", next=request.args.get("next"), recovery=recovery)


def _page(form: CodeForm, *, problem: str | None = None) -> Response:
    return _htmx.render(
        "auth/code.html",
        "dialog",
        status=422 if problem else 200,
        form=form,
        problem=problem,
        is_recovery=_is_recovery(),
        here=_address(recovery="1") if _is_recovery() else _address(),
        other=_address() if _is_recovery() else _address(recovery="1"),
    )
