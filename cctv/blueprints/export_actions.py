"""What is pressed on an export: cancel, keep, make again, delete.

Shape only; in which state what can be done is said by services/export/exports.py.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from cctv.blueprints import _htmx
from cctv.errors import Conflict, LimitReached
from cctv.services.export import export_list, exports

blueprint = Blueprint("export_actions", __name__, url_prefix="/exports/<int:export_id>")


@blueprint.post("/cancel")
@login_required
def cancel(export_id: int) -> ResponseReturnValue:
    """Stop it."""
    export = export_list.get_export(current_user, export_id)
    return _after(export_id, lambda: exports.cancel_export(current_user, export), "The export is cancelled.")


@blueprint.post("/keep")
@login_required
def keep(export_id: int) -> ResponseReturnValue:
    """Keep its file until somebody deletes it; `keep=0`: by the rule again."""
    export = export_list.get_export(current_user, export_id)
    is_kept = request.args.get("keep", "1") != "0"
    said = "It stays until somebody deletes it." if is_kept else f"It goes in {exports.KEEP_DAYS} days."
    return _after(export_id, lambda: exports.keep_export(current_user, export, is_kept=is_kept), said)


@blueprint.post("/retry")
@login_required
def retry(export_id: int) -> ResponseReturnValue:
    """Make it again."""
    export = export_list.get_export(current_user, export_id)
    return _after(export_id, lambda: exports.retry_export(current_user, export), "It is made again.")


@blueprint.post("/delete")
@login_required
def delete(export_id: int) -> ResponseReturnValue:
    """Remove it with its file."""
    export = export_list.get_export(current_user, export_id)
    return _after(
        None, lambda: exports.delete_export(current_user, export), "The export is deleted.", export_id
    )


def _after(
    show_id: int | None, change: Callable[[], None], said: str, stay_id: int | None = None
) -> ResponseReturnValue:
    """To the export, or to the list when it is gone or the button was there."""
    is_list = show_id is None or request.args.get("back") == "list"
    back = url_for("exports.index") if is_list else url_for("exports.show", export_id=show_id)
    try:
        change()
    except (Conflict, LimitReached) as error:
        there = url_for("exports.show", export_id=stay_id) if stay_id else back
        return _htmx.toast(_htmx.redirect(there), "warn", error.message)
    return _htmx.toast(_htmx.redirect(back), "ok", said)
