"""Signing in, staying signed in and signing out, for apps.

Answers to wrong names and wrong passwords are the same in text, status and time.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import ValidationError, validates_schema

from cctv.blueprints import _guesses, _origin, _password, errors
from cctv.blueprints.api import _people
from cctv.blueprints.api._face import ApiBlueprint, open_to_all
from cctv.blueprints.api._shapes import Answer, Body, count, one, said, secret, text
from cctv.errors import Conflict, Invalid, NotAllowed, NotSignedIn
from cctv.models import User
from cctv.services.person import users
from cctv.services.sign_in import app_sessions, devices, pairing, refused_sign_ins, second_factor, sessions
from cctv.services.sign_in.app_sessions import Pair

blueprint = ApiBlueprint(
    "api-auth",
    __name__,
    url_prefix="/v0/api/users/auth",
    description="Signing in, staying signed in and signing out.",
)

_REFUSED = "Name or password is not right."
_SWITCHED_OFF = "This account is switched off. Ask an Admin."


class LoginBody(Body):
    """Who signs in."""

    login = text(254, "E-mail address or user name.", least=1, example="owner@example.org")
    password = secret(users.LONGEST_PASSWORD, "The password.")
    pairing_code = secret(
        64, "Instead of login and password: what stands behind #pair= in the picture of the account page."
    )
    otp = text(40, "A code of the authenticator app or a recovery code, when the second factor is on.")
    device = text(80, "What the person calls this device in their list of sessions.", example="Olive's phone")

    @validates_schema
    def check_way(self, body: dict[str, Any], **_: Any) -> None:
        """One way of signing in, and all of it."""
        if "pairing_code" in body:
            if {"login", "password", "otp"} & body.keys():
                raise ValidationError("Send it alone, or login and password.", "pairing_code")
            return
        if missing := [name for name in ("login", "password") if name not in body]:
            raise ValidationError({name: ["Missing data for required field."] for name in missing})


class RefreshBody(Body):
    """The token that is used up."""

    refresh_token = secret(2048, "The newest refresh token.", required=True)


class Tokens(Answer):
    """A pair of tokens."""

    access_token = said("For `Authorization: Bearer`.")
    refresh_token = said("For refresh/, once. One that comes back a second time ends the sign-in.")
    token_type = said("Always Bearer.")
    expires_in = count("Seconds that the access token lives.")
    refresh_expires_in = count("Seconds until the person has to sign in again.")
    user = one(_people.Person, "Who signed in.")


@blueprint.route("/login/", methods=["POST"])
@open_to_all
@blueprint.arguments(LoginBody, example={"login": "owner@example.org", "password": "a long enough password"})
@blueprint.response(200, Tokens, description="Signed in.")
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.alt_response(403, "FORBIDDEN")
def login(body: dict[str, Any]) -> ResponseReturnValue:
    """Sign in.

    With login and password, or with the code of a picture that the person shows on the account page.
    401 when name, password or code is not right: the same for every name. With the second factor on, 401 with
    `errors.otp` asks for the code: send all of it again with `otp`. 403 when the account is switched off.
    """
    if "pairing_code" in body:
        return _pair(body)
    user, guess = _password.check(body["login"], body["password"], is_browser=False)
    if guess.wait_seconds:
        return guess.slow_down(errors.answer(429, guess.sentence))
    if user is None:
        raise NotSignedIn(_REFUSED)
    if second_factor.is_on(user) and (question := _second_step(user, body)):
        return question
    if not user.is_enabled:
        raise NotAllowed(_SWITCHED_OFF)
    return _begin(user, body)


@blueprint.route("/refresh/", methods=["POST"])
@open_to_all
@blueprint.arguments(RefreshBody)
@blueprint.response(200, Tokens, description="A new pair; the old refresh token is used up.")
@blueprint.alt_response(401, "UNAUTHORIZED")
def refresh(body: dict[str, Any]) -> ResponseReturnValue:
    """A new pair of tokens.

    A refresh token is used once. One that comes back was copied: the whole sign-in ends, with 401.
    """
    return _tokens(app_sessions.refresh(body["refresh_token"]))


@blueprint.route("/logout/", methods=["POST"])
@blueprint.response(204, description="Signed out; both tokens and all video addresses are dead.")
@blueprint.alt_response(409, "CONFLICT")
def logout() -> ResponseReturnValue:
    """Sign out on this device.

    Video that plays ends within five seconds. An API token cannot sign out: revoke it on its page.
    """
    user: User = current_user
    if user.token_actions is not None:
        raise Conflict("An API token does not sign out. Revoke it under Developer, API tokens.")
    sessions.end(user.session_id)
    return Response(status=204)


def _pair(body: dict[str, Any]) -> ResponseReturnValue:
    """No second factor: whoever showed the picture had it."""
    guess = _guesses.of_mailed_code()
    if guess.wait_seconds:
        return guess.slow_down(errors.answer(429, guess.sentence))
    try:
        user = pairing.use(body["pairing_code"])
    except Invalid as error:
        raise NotSignedIn(error.message) from None
    guess.was_right()
    return _begin(user, body)


def _begin(user: User, body: dict[str, Any]) -> ResponseReturnValue:
    device = body.get("device") or devices.describe(request.user_agent.string)
    pair = app_sessions.begin(user, device=device, address=_origin.address())
    users.note_sign_in(user)
    return _tokens(pair)


def _second_step(user: User, body: dict[str, Any]) -> Response | None:
    """None when the code is right; else 401 that names the field: the app sends it all again with `otp`."""
    if "otp" not in body:
        sentence = "Enter the code of your authenticator app."
        return errors.answer(401, sentence, fields={"otp": sentence})
    guess = _guesses.of_second_step(user)
    if guess.wait_seconds:
        return guess.slow_down(errors.answer(429, guess.sentence))
    if not second_factor.accept(user, body["otp"]):
        refused_sign_ins.note(user, address=_origin.address(), how="code")
        return errors.answer(401, second_factor.WRONG, fields={"otp": second_factor.WRONG})
    guess.was_right()
    return None


def _tokens(pair: Pair) -> ResponseReturnValue:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "token_type": "Bearer",
        "expires_in": pair.access_seconds,
        "refresh_expires_in": pair.refresh_seconds,
        "user": _people.as_dict(pair.user),
    }
