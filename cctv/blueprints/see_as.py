"""What another person would see: their navigation, their cameras, what they can open. To read, never to act.

Nobody becomes somebody else here: no picture, no session and no page is served as that person.
"""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx, frame
from cctv.blueprints._people import COLUMNS, get_person
from cctv.blueprints._rights import PageRights
from cctv.services.auditing import audit
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("see_as", __name__, url_prefix="/users/<int:user_id>/see-as")


@blueprint.get("")
def show(user_id: int) -> ResponseReturnValue:
    """Navigation and cameras of this person; the audit log keeps who looked."""
    access.authorise(current_user, None, Action.USERS)
    person = get_person(user_id)
    audit.note("see_as", target=person.name, target_id=person.id)
    rights = access.Rights(person)
    return _htmx.render(
        "users/see_as.html",
        person=person,
        entries=frame.entries_of(PageRights(person)),
        cameras=[
            (camera, [words for action, words in COLUMNS.items() if rights.may(action, camera.id)])
            for camera in access.known_cameras(person)
        ],
        opens=access.explain(person),
    )
