"""The person's own account.

What else belongs to it (password, address, second factor) asks for the password again and lives on the pages.
"""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api import _people, _versions
from cctv.blueprints.api._face import ApiBlueprint
from cctv.blueprints.api._shapes import Body, choice, said, text
from cctv.blueprints.api._versions import versioned
from cctv.errors import NotAllowed
from cctv.models import User
from cctv.services.person import accounts, users

blueprint = ApiBlueprint(
    "api-profile", __name__, url_prefix="/v0/api/users/profile", description="The person's own account."
)

_THEMES = ("dark", "light", "auto")


class Profile(_people.Person):
    """Your own account."""

    theme = said("dark, light or auto.")


class ProfileChange(Body):
    """What is to be changed; the rest stays."""

    name = text(120, "As people call you.", least=1, example="Gina Guard")
    theme = choice(_THEMES, "Of the pages and of apps that follow it.")


@blueprint.route("/")
@blueprint.response(200, Profile, headers=_versions.HEADER)
def show() -> ResponseReturnValue:
    """Your own account."""
    return _answer(current_user)


@blueprint.route("/", methods=["PATCH"])
@versioned(is_required=False)
@blueprint.arguments(ProfileChange, example={"name": "Gina Guard"})
@blueprint.response(200, Profile, headers=_versions.HEADER)
@blueprint.alt_response(403, "FORBIDDEN")
def change(body: dict[str, Any]) -> ResponseReturnValue:
    """Change your own account. Password, address and second factor are changed on the account page.

    403 for an API token: it is made for other things.
    """
    user: User = current_user
    if user.token_actions is not None:
        raise NotAllowed("An API token does not change its person's account. Sign in.")
    _versions.if_given(user.version)
    if "name" in body:
        accounts.rename(user, body["name"])
    if "theme" in body:
        users.set_theme(user, body["theme"])
    return _answer(user)


def _answer(user: User) -> ResponseReturnValue:
    return {**_people.as_dict(user), "theme": user.theme}, 200, _versions.tag(user.version)
