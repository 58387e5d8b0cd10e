"""GET /v0/api/system/health/: is this installation ready? For machines, without a login.

Tells strangers component names and nothing else; figures are for who may see them.
"""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import fields

from cctv.blueprints.api._face import ApiBlueprint, open_to_all
from cctv.blueprints.api._shapes import Answer, count, one, said, some
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import health, health_figures

blueprint = ApiBlueprint(
    "api-system",
    __name__,
    url_prefix="/v0/api/system",
    description="Is it ready, and what is going on.",
)


class Disk(Answer):
    """The disk of one machine that captures."""

    node = said("The machine's name.")
    state = said("ok, full, read_only, hung or missing.")
    total_bytes = count("Its size.", allow_none=True)
    free_bytes = count("What is free of it.", allow_none=True)


class Cloud(Answer):
    """How copies in the bucket get on."""

    state = said("ok, away (it is tried again) or refused (somebody has to do something).")
    detail = said("Why, in words; empty when all is well.")
    waiting = count("Files that wait for their copy.")
    waiting_bytes = count("What they take.")
    oldest_waiting_seconds = count("For how long the first of them has been waiting.")
    failed = count("Files that could not be copied.")
    clears_in_seconds = count("When nothing waits any more, at the speed of now.", allow_none=True)


class Figures(Answer):
    """What is going on."""

    cameras = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "State -> how many cameras are in it."},
    )
    recording = count("Cameras whose footage is being kept now.")
    disks = some(Disk, "One for each machine that captures.")
    queues = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Queue -> jobs that wait; empty while Redis is away."},
    )
    cloud = one(Cloud, "Copies in the bucket; null: none is set up.", allow_none=True)


class Health(Answer):
    """Whether everything that is needed answers."""

    status = said("ready or missing.")
    components = fields.Dict(
        keys=fields.String(),
        values=fields.Boolean(),
        metadata={"description": "Component -> whether it answers: web, database, redis, capture."},
    )
    missing = some(fields.String(), "The components that do not answer.")
    figures = one(Figures, "With a token of somebody who may see the health; else null.", allow_none=True)


@blueprint.route("/health/")
@open_to_all
@blueprint.response(200, Health, description="Ready.")
@blueprint.alt_response(503, schema=Health, content_type="application/json", description="Not ready.")
@blueprint.alt_response(401, "UNAUTHORIZED")
def show() -> ResponseReturnValue:
    """Is this installation ready?

    Without a token: names of components only. With one: figures as well; one that is not valid is refused.
    """
    may_see = current_user.is_authenticated and access.may(current_user, Action.HEALTH)
    components = health.components()
    missing = sorted(name for name, is_up in components.items() if not is_up)
    figures = health_figures.collect() if may_see and components["database"] else None
    body = {
        "status": "missing" if missing else "ready",
        "components": components,
        "missing": missing,
        "figures": figures,
    }
    return body, 503 if missing else 200, {"Cache-Control": "no-store"}
