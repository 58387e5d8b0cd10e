"""The person's own account.

What else belongs to it (password, address, second factor) asks for the password again and lives on the pages.
"""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api import _people, _versions
from cctv.blueprints.api._face import ApiBlueprint

blueprint = ApiBlueprint(
    "api-profile", __name__, url_prefix="/v0/api/users/profile", description="The person's own account."
)


@blueprint.route("/")
@blueprint.response(200, _people.Person, headers=_versions.HEADER)
def show() -> ResponseReturnValue:
    """Your own account."""
    return _people.as_dict(current_user), 200, _versions.tag(current_user.version)
