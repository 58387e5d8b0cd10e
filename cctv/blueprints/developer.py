"""API tokens and how to use the API: for who writes programs.

What a token may do is said by services/sign_in/tokens.py; its secret is in one answer and nowhere else.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import RadioField, SelectChoice, SelectField, SelectMultipleField, StringField
from wtforms.validators import Length

from cctv.blueprints import _forms, _htmx
from cctv.blueprints._sudo import require_sudo
from cctv.clock import to_ms
from cctv.errors import Invalid
from cctv.models import ApiToken, Role
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import token_scopes, tokens

blueprint = Blueprint("developer", __name__, url_prefix="/developer")

_DAYS = {7: "A week", 30: "30 days", 90: "90 days", 365: "A year"}
_FOR_EVER = "0"


class TokenForm(FlaskForm):
    """A new token."""

    name = StringField("What is it for?", [Length(max=200)])
    scopes = SelectMultipleField("It may", validate_choice=False)
    which = RadioField(
        "Cameras",
        choices=[SelectChoice("all", "All of mine"), SelectChoice("some", "Only these")],
        default="all",
        validate_choice=False,
    )
    camera_ids = SelectMultipleField("Cameras", coerce=str, validate_choice=False)
    days = SelectField(
        "It works for",
        choices=[
            *(SelectChoice(str(days), words) for days, words in _DAYS.items()),
            SelectChoice(_FOR_EVER, "Until I revoke it"),
        ],
        default="90",
        validate_choice=False,
    )


@blueprint.get("/tokens")
def index() -> ResponseReturnValue:
    """The person's tokens, and the form for another one."""
    access.authorise(current_user, None, Action.API_TOKENS)
    return _page(TokenForm(formdata=None))


@blueprint.post("/tokens")
def create() -> ResponseReturnValue:
    """Make a token and show it, this once."""
    access.authorise(current_user, None, Action.API_TOKENS)
    require_sudo()
    form = TokenForm()
    try:
        if not form.validate_on_submit():
            return _page(form, status=422)
        made = tokens.create(
            current_user,
            name=form.name.data or "",
            scopes=form.scopes.data or [],
            camera_ids=_chosen(form),
            days=_days(form),
        )
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _page(form, status=422)
    return _htmx.render(
        "developer/token.html",
        made=made,
        host=request.host_url.rstrip("/"),
        expires_ms=to_ms(made.token.expires_at) if made.token.expires_at else None,
    )


@blueprint.post("/tokens/<int:token_id>/revoke")
def revoke(token_id: int) -> ResponseReturnValue:
    """End a token; programs that have it are refused from now on."""
    access.authorise(current_user, None, Action.API_TOKENS)
    token = tokens.revoke(current_user, token_id)
    return _htmx.toast(_htmx.redirect("/developer/tokens"), "ok", f"The token “{token.name}” is revoked.")


@blueprint.get("/api")
def api() -> ResponseReturnValue:
    """How to use the API, with this server's own address."""
    access.authorise(current_user, None, Action.API_DOCS)
    return _htmx.render("developer/api.html", host=request.host_url.rstrip("/"))


def _page(form: TokenForm, *, status: int = 200) -> ResponseReturnValue:
    return _htmx.render(
        "developer/tokens.html",
        status=status,
        form=form,
        scopes=token_scopes.offered(Role(current_user.role)),
        cameras=access.known_cameras(current_user),
        rows=[_row(token) for token in tokens.list_of(current_user)],
    )


def _row(token: ApiToken) -> dict[str, Any]:
    names = [scope.label for key in token.scopes if (scope := token_scopes.find_scope(key))]
    count = None if token.camera_ids is None else len(token.camera_ids)
    cameras = "all of your cameras" if count is None else "1 camera" if count == 1 else f"{count} cameras"
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "may": f"{', '.join(names)} on {cameras}",
        "is_expired": tokens.is_expired(token),
        "created_ms": to_ms(token.created_at),
        "expires_ms": to_ms(token.expires_at) if token.expires_at else None,
        "used_ms": to_ms(token.last_used_at) if token.last_used_at else None,
        "address": token.last_address,
    }


def _chosen(form: TokenForm) -> list[int] | None:
    if form.which.data != "some":
        return None
    return [int(text) for text in form.camera_ids.data or [] if text.isdecimal() and len(text) < 10]


def _days(form: TokenForm) -> int | None:
    typed = form.days.data or ""
    if typed == _FOR_EVER:
        return None
    return int(typed) if typed.isdecimal() and len(typed) < 6 else -1
