"""Exports: the list, one of them, the form that asks for one, and how far those are that are being made.

Shape only; what may be taken home and by whom is said by services/export/exports.py.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from cctv.blueprints import _exports, _forms, _htmx
from cctv.blueprints._exports import ExportForm, Line
from cctv.blueprints._rights import rights
from cctv.clock import now_ms
from cctv.errors import Invalid, LimitReached, NotFound
from cctv.models import Camera, Export
from cctv.services.export import export_list, exports
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("exports", __name__, url_prefix="/exports")

_PAGE = 25
_USUAL_MS = 10 * 60_000
_LATELY_MS = 15_000  # footage of the last seconds may not be there yet


@blueprint.get("")
@login_required
def index() -> ResponseReturnValue:
    """What is being made on top, below what is there; as a fragment one of the two."""
    access.authorise(current_user, None, Action.EXPORT)
    number = max(1, request.args.get("p", 1, type=int))
    found = export_list.find_exports(current_user, is_under_way=False, page=number, page_size=_PAGE)
    return _htmx.render(
        "exports/index.html",
        "done",
        running=_exports.lines(_under_way()),
        found=found,
        lines=_exports.lines(found.items),
        **_shared(),
    )


@blueprint.get("/running")
@login_required
def running() -> ResponseReturnValue:
    """What is being made; tells when one of `ids`, which were, is over."""
    access.authorise(current_user, None, Action.EXPORT)
    found = _under_way()
    response = _htmx.render("exports/_running.html", "running", running=_exports.lines(found), **_shared())
    over = [export for export in _named() if export.state not in export_list.UNDER_WAY]
    if over:
        _htmx.trigger(response, "exports-changed")
    return _announce(response, over)


@blueprint.get("/watch")
@login_required
def watch() -> ResponseReturnValue:
    """How far the exports `ids` are, for a page that goes on beside them."""
    access.authorise(current_user, None, Action.EXPORT)
    named = _exports.lines(_named())
    response = _htmx.render("exports/_watch.html", "watch", lines=named)
    return _announce(response, [line.export for line in named if not line.is_under_way])


@blueprint.get("/new")
@login_required
def new() -> ResponseReturnValue:
    """The form: a page, or the inside of a dialog. `cams`, `from` and `to` (milliseconds) fill it."""
    access.authorise(current_user, None, Action.EXPORT)
    cameras = access.visible_cameras(current_user, Action.EXPORT)
    template = "exports/_dialog.html" if _htmx.is_htmx() else "exports/new.html"
    return _htmx.render(template, form=_filled(cameras), **_form_page(cameras))


@blueprint.get("/estimate")
@login_required
def estimate() -> ResponseReturnValue:
    """How large what the form asks for would be, and whether there is room for it."""
    access.authorise(current_user, None, Action.EXPORT)
    form = ExportForm(request.args, meta={"csrf": False})
    found, problem = None, ""
    try:
        found = exports.estimate(current_user, _exports.wish(form))
        problem = "" if found.fits else exports.too_large(found)
    except Invalid as error:
        problem = error.message
    return _htmx.render("exports/_estimate.html", "estimate", found=found, problem=problem)


@blueprint.post("")
@login_required
def create() -> ResponseReturnValue:
    """Start one."""
    access.authorise(current_user, None, Action.EXPORT)
    form = ExportForm()
    cameras = access.visible_cameras(current_user, Action.EXPORT)
    if not form.validate_on_submit():
        return _forms.problems("exports/new.html", form, **_form_page(cameras))
    try:
        export = exports.create_export(current_user, _exports.wish(form))
    except Invalid as error:
        _forms.add_errors(form, _exports.field_errors(error.errors))
        return _forms.problems("exports/new.html", form, **_form_page(cameras))
    except LimitReached as error:
        form.form_errors = [*form.form_errors, error.message]
        return _forms.problems("exports/new.html", form, **_form_page(cameras))
    if form.stays.data != "1" or not _htmx.is_htmx():
        return _htmx.redirect(url_for("exports.show", export_id=export.id))
    (line,) = _exports.lines([export])
    response = _htmx.render("exports/_watch.html", "watch", lines=[line])
    return _htmx.close_dialog(_htmx.retarget(response, "#export-watch"))


@blueprint.get("/<int:export_id>")
@login_required
def show(export_id: int) -> ResponseReturnValue:
    """One export: how far, or what it holds."""
    export = export_list.get_export(current_user, export_id)
    (line,) = _exports.lines([export])
    plays = [camera_id for camera_id in export.camera_ids if rights().may_see_past(camera_id)]
    response = _htmx.render("exports/show.html", "export", plays=plays, **_exports.page_of(line), **_shared())
    return _announce(response, [export] if _htmx.is_htmx() and not line.is_under_way else [])


def _under_way() -> list[Export]:
    return export_list.find_exports(current_user, is_under_way=True, sort="created_at", page_size=_PAGE).items


def _named() -> list[Export]:
    """The exports of `ids` that the person may see."""
    ids = [int(part) for part in request.args.get("ids", "").split(",") if part.isdecimal()][:_PAGE]
    found = []
    for export_id in ids:
        try:
            found.append(export_list.get_export(current_user, export_id))
        except (NotFound, OverflowError):
            continue
    return found


def _announce(response: Response, over: list[Export]) -> Response:
    """Say that they are over, wherever in the page the person is."""
    for line in _exports.lines(over):
        if line.word == "Ready":
            actions = [{"label": "Open", "href": url_for("exports.show", export_id=line.export.id)}]
            _htmx.toast(response, "ok", f"Export {line.title} is ready.", actions=actions)
        elif line.word == "Failed":
            _htmx.toast(response, "bad", f"Export {line.title} failed. {line.hint}")
    return response


def _filled(cameras: list[Camera]) -> ExportForm:
    """The form with what the address names, else with the last minutes of the first camera."""
    form = ExportForm()
    end_ms = request.args.get("to", type=int) or now_ms() - _LATELY_MS
    start_ms = request.args.get("from", type=int) or end_ms - _USUAL_MS
    asked = [int(part) for part in request.args.get("cams", "").split(",") if part.isdecimal()]
    known = {camera.id for camera in cameras}
    form.cameras.data = [one for one in asked if one in known] or [camera.id for camera in cameras[:1]]
    form.started_ms.data, form.ended_ms.data = str(start_ms), str(end_ms)
    form.started.data, form.ended.data = _exports.local(start_ms), _exports.local(end_ms)
    form.stays.data = "1" if request.args.get("stay") == "1" else ""
    return form


def _form_page(cameras: list[Camera]) -> dict[str, Any]:
    return {"cameras": cameras, "longest_note": exports.LONGEST_NOTE, "keep_days": exports.KEEP_DAYS}


def _shared() -> dict[str, Any]:
    return {"thumb": _thumb, "keep_days": exports.KEEP_DAYS, "sees_all": _sees_all()}


def _thumb(line: Line) -> str | None:
    """A picture of its beginning, for who may see the past of its first camera."""
    files = line.export.result.get("files") or [None]
    if files[0] is None or not rights().may_see_past(files[0]["camera_id"]):
        return None
    return url_for("stills.still", camera_id=files[0]["camera_id"], t=files[0]["started_ms"] + 500)


def _sees_all() -> bool:
    return access.Rights(current_user).extent(Action.EXPORT) == access.Scope.ALL
