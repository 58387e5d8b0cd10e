"""How an account stands in answers; never its password, its codes or its second factor's secret.

Shapes only; who may see whom is said by services/person/people.py.
"""

from __future__ import annotations

from typing import Any

from cctv.blueprints.api._shapes import Answer, count, flag, moment, said
from cctv.models import User


class Person(Answer):
    """An account."""

    id = count("The number of the account.")
    name = said("As people call them.")
    email = said("The e-mail address.")
    username = said("The name for signing in, beside the address.")
    role = said("super_admin, admin, developer or visitor.")
    is_enabled = flag("False: switched off, and signed out everywhere.")
    is_email_verified = flag("Whether the address was proved by a code.")
    has_second_factor = flag("Whether signing in needs a code of an app as well.")
    last_sign_in_at = moment("The last time they signed in.", allow_none=True)
    created_at = moment("When the account was made.")
    version = count("Raised by each change; the same as in the ETag.")


def as_dict(user: User) -> dict[str, Any]:
    """For the shape Person."""
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "username": user.username,
        "role": user.role,
        "is_enabled": user.is_enabled,
        "is_email_verified": user.email_verified_at is not None,
        "has_second_factor": user.totp_confirmed_at is not None,
        "last_sign_in_at": user.last_sign_in_at,
        "created_at": user.created_at,
        "version": user.version,
    }
