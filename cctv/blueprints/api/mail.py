"""Codes by mail: a new password for who forgot theirs, and the proof of an address.

The same answer for every name, known or not: whether an account exists is told by nothing here.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from cctv.blueprints import _guesses, errors
from cctv.blueprints._guesses import Guess
from cctv.blueprints.api._face import ApiBlueprint, open_to_all
from cctv.blueprints.api._parsing import renamed
from cctv.blueprints.api._shapes import Answer, Body, said, secret, text
from cctv.services.person import users
from cctv.services.sign_in import recovery

blueprint = ApiBlueprint("api-mail", __name__, url_prefix="/v0/api/mail", description="Codes and mail.")

_ON_ITS_WAY = "If there is such an account, a mail with a code is on its way."


class NameBody(Body):
    """Whose account."""

    login = text(254, "E-mail address or user name.", least=1, required=True, example="gina@example.org")


class ResetBody(NameBody):
    """The code and what the password shall be."""

    otp = text(40, "The code from the mail.", least=1, required=True)
    new_password = secret(
        users.LONGEST_PASSWORD,
        "A short sentence is best.",
        least=users.SHORTEST_PASSWORD,
        required=True,
    )


class VerifyBody(NameBody):
    """The code."""

    otp = text(40, "The code from the mail.", least=1, required=True)


class Told(Answer):
    """What happened, for a person."""

    detail = said("A sentence.")


@blueprint.route("/request-password-reset", methods=["POST"])
@open_to_all
@blueprint.arguments(NameBody)
@blueprint.response(202, Told, description="The same for every name.")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def request_password_reset(body: dict[str, Any]) -> ResponseReturnValue:
    """Have a code mailed to who forgot the password."""
    if late := _late(_guesses.of_letters()):
        return late
    recovery.request_reset(body["login"])
    return {"detail": _ON_ITS_WAY}


@blueprint.route("/reset-password", methods=["POST"])
@open_to_all
@blueprint.arguments(ResetBody)
@blueprint.response(200, Told, description="The new password counts, and everybody is signed out.")
def reset_password(body: dict[str, Any]) -> ResponseReturnValue:
    """Put a new password in place. It signs nobody in; a second factor is asked for as before."""
    guess = _guesses.of_mailed_code()
    if late := _late(guess):
        return late
    with renamed(code="otp", password="new_password"):
        recovery.reset(body["login"], body["otp"], body["new_password"])
    guess.was_right()
    return {"detail": "The new password counts. Sign in with it."}


@blueprint.route("/verify-email", methods=["POST"])
@open_to_all
@blueprint.arguments(VerifyBody)
@blueprint.response(200, Told, description="The address is proven.")
@blueprint.alt_response(409, "CONFLICT")
def verify_email(body: dict[str, Any]) -> ResponseReturnValue:
    """Prove an e-mail address by the code that was sent to it."""
    guess = _guesses.of_mailed_code()
    if late := _late(guess):
        return late
    with renamed(code="otp"):
        recovery.verify(body["login"], body["otp"])
    guess.was_right()
    return {"detail": "The address is proven."}


@blueprint.route("/resend-otp", methods=["POST"])
@open_to_all
@blueprint.arguments(NameBody)
@blueprint.response(202, Told, description="The same for every name.")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def resend_otp(body: dict[str, Any]) -> ResponseReturnValue:
    """Have another code mailed that proves the address; the one before is dead."""
    if late := _late(_guesses.of_letters()):
        return late
    recovery.ask_for_verification(body["login"])
    return {"detail": _ON_ITS_WAY}


def _late(guess: Guess) -> Response | None:
    if not guess.wait_seconds:
        return None
    return guess.slow_down(errors.answer(429, guess.sentence))
