"""Exports: ask for one, see how far it is, get its file.

What may be taken home is said by services/export/exports.py.
"""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api._export_shapes import (
    ExportBody,
    ExportDetails,
    ExportPage,
    ExportQuery,
    export_details,
    export_dict,
)
from cctv.blueprints.api._face import ApiBlueprint, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._shapes import paged
from cctv.errors import Invalid
from cctv.services.export import export_list, exports
from cctv.services.export.exports import Wish
from cctv.services.person.access import Action

blueprint = ApiBlueprint(
    "api-exports",
    __name__,
    url_prefix="/v0/api/cctv/exports",
    description="Footage as files to take home.",
)

_NAMES = {"started_ms": "from_ms", "ended_ms": "to_ms"}


@blueprint.route("/")
@needs(Action.EXPORT)
@blueprint.arguments(ExportQuery, location="query")
@blueprint.response(200, ExportPage)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """Your exports, the newest first; who may export from all cameras sees everybody's."""
    page = export_list.find_exports(current_user, **query)
    return paged(page, [export_dict(one) for one in page.items])


@blueprint.route("/", methods=["POST"])
@needs(Action.EXPORT)
@repeatable
@blueprint.arguments(ExportBody)
@blueprint.response(201, ExportDetails, description="Queued; ask for it again to see how far it is.")
def create(body: dict[str, Any]) -> ResponseReturnValue:
    """Make a file of what was recorded: MP4, or a zip of several with a list and a SHA-256 of each.

    422 when nothing was recorded then, or when it does not fit on the disk; `errors` has both numbers. 429
    when enough of your exports are under way.
    """
    wish = Wish(
        camera_ids=tuple(body["camera_ids"]),
        started_ms=body["from_ms"],
        ended_ms=body["to_ms"],
        has_time_track=body["has_time_track"],
        is_evidence=body["is_evidence"],
        note=body["note"],
    )

    def work() -> tuple[dict[str, Any], int]:
        try:
            export = exports.create_export(current_user, wish)
        except Invalid as error:
            raise Invalid({_NAMES.get(name, name): said for name, said in error.errors.items()}) from None
        return export_details(current_user, export), 201

    return once(work, ExportDetails())


@blueprint.route("/<int:export_id>/")
@needs(Action.EXPORT)
@blueprint.response(200, ExportDetails)
def show(export_id: int) -> dict[str, Any]:
    """One export: how far it is, and in the end a signed address of its file."""
    return export_details(current_user, export_list.get_export(current_user, export_id))
