"""Schedules: the list, the page of one with its painter, and what is pressed there.

Shape only; what a plan means, and who may change it, is said by services.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx, schedule_forms
from cctv.blueprints._rights import rights
from cctv.blueprints._words import site_zone
from cctv.blueprints.schedule_forms import DateRow, Row, Typed
from cctv.clock import from_ms, now_ms
from cctv.errors import Conflict, Invalid
from cctv.models import Camera, Schedule
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording.planned import now_in_plan
from cctv.services.schedule import schedule_cameras, schedule_sizes, schedule_words, schedules
from cctv.services.schedule.schedule_plans import TEMPLATES, Plan

blueprint = Blueprint("schedules", __name__, url_prefix="/schedules")


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as the pages tell it."""

    plan: Plan
    week: str
    exceptions: str
    size: schedule_sizes.Size
    continuous: str  # 65 h a week; empty when none
    activity: str
    warnings: schedule_sizes.Warnings
    now: str  # on activity until 22:00
    mode: str | None  # of now
    then: str  # what comes after that


@dataclass(frozen=True, slots=True)
class Line:
    """One schedule of the list."""

    schedule: Schedule
    cameras: list[Camera]
    shown: Shown


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All schedules."""
    access.authorise(current_user, None, Action.SCHEDULE_READ)
    found = schedules.list_schedules()
    followers = schedule_cameras.by_schedule()
    lines = [Line(one, followers.get(one.id, []), _shown(one, followers.get(one.id, []))) for one in found]
    return _htmx.render("schedules/index.html", lines=lines, rights=rights(), templates=TEMPLATES)


@blueprint.get("/new")
def new() -> ResponseReturnValue:
    """The editor with a ready-made week, or an empty one."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    template = next((one for one in TEMPLATES if one.key == request.args.get("template")), None)
    plan = Plan(template.weekly if template else [], [])
    typed = Typed("" if template is None else template.name, schedule_forms.rows_of(plan), [], set(), None)
    return _editor(None, typed, plan)


@blueprint.post("/new")
def create() -> ResponseReturnValue:
    """Make it."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    typed, plan = schedule_forms.read(request.form)
    if plan is None:
        return _refused(None, typed)
    try:
        schedule = schedules.create_schedule(current_user, typed.name, plan, camera_ids=typed.cameras)
    except Invalid as error:
        typed.problems |= error.errors
        return _refused(None, typed)
    return _saved(f"The schedule {schedule.name} is made.", schedule)


@blueprint.get("/<int:schedule_id>")
def show(schedule_id: int) -> ResponseReturnValue:
    """One schedule: the editor for who may change it, else the week as it is."""
    access.authorise(current_user, None, Action.SCHEDULE_READ)
    schedule = schedules.get_schedule(schedule_id)
    plan, cameras = schedules.plan_of(schedule), schedule_cameras.cameras_of(schedule_id)
    if not rights().may(Action.SCHEDULE_EDIT):
        return _htmx.render(
            "schedules/read.html", schedule=schedule, cameras=cameras, shown=_shown(schedule, cameras)
        )
    typed = Typed(
        schedule.name,
        schedule_forms.rows_of(plan),
        schedule_forms.dates_of(plan),
        {camera.id for camera in cameras},
        schedule.version,
    )
    return _editor(schedule, typed, plan)


@blueprint.post("/<int:schedule_id>")
def update(schedule_id: int) -> ResponseReturnValue:
    """Save it."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    schedule = schedules.get_schedule(schedule_id)
    typed, plan = schedule_forms.read(request.form)
    if plan is None:
        return _refused(schedule, typed)
    try:
        schedules.change_schedule(
            current_user,
            schedule,
            name=typed.name,
            plan=plan,
            camera_ids=typed.cameras,
            version=typed.version,
        )
    except Invalid as error:
        typed.problems |= error.errors
        return _refused(schedule, typed)
    except Conflict as error:
        typed.problems["version"] = error.message
        return _refused(schedules.get_schedule(schedule_id), typed)
    return _saved(f"{schedule.name} is saved. It holds from now on.", schedule)


@blueprint.post("/preview")
def preview() -> ResponseReturnValue:
    """The typed plan in words, its size, and what holds now; nothing is saved."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    typed, plan = schedule_forms.read(request.form)
    is_active = request.form.get("is_active") != "no"
    known = access.known_cameras(current_user)
    ticked = [camera for camera in known if camera.id in typed.cameras]
    shown = None if plan is None else _told(plan, ticked, is_active=is_active, others=known)
    return _htmx.render("schedules/_words.html", shown=shown, typed=typed)


@blueprint.post("/<int:schedule_id>/activate")
def activate(schedule_id: int) -> ResponseReturnValue:
    """Put it into force."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    schedule = schedules.set_active(current_user, schedules.get_schedule(schedule_id), True)
    return _saved(f"{schedule.name} is active.", schedule)


@blueprint.post("/<int:schedule_id>/deactivate")
def deactivate(schedule_id: int) -> ResponseReturnValue:
    """Put it out of force."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    schedule = schedules.set_active(current_user, schedules.get_schedule(schedule_id), False)
    text = f"{schedule.name} is off. Its cameras record only when somebody presses Record."
    undo = {"label": "Undo", "post": url_for("schedules.activate", schedule_id=schedule_id)}
    return _saved(text, schedule, [undo])


@blueprint.post("/<int:schedule_id>/delete")
def delete(schedule_id: int) -> ResponseReturnValue:
    """Delete one that no camera follows; a toast brings it back."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    schedule = schedules.get_schedule(schedule_id)
    name = schedule.name
    try:
        schedules.delete_schedule(current_user, schedule)
    except Conflict as error:
        response = _htmx.redirect(url_for("schedules.show", schedule_id=schedule_id))
        return _htmx.toast(response, "bad", error.message)
    undo = {"label": "Undo", "post": url_for("schedules.restore", schedule_id=schedule_id)}
    response = _htmx.redirect(url_for("schedules.index"))
    return _htmx.toast(response, "ok", f"The schedule {name} is deleted.", actions=[undo])


@blueprint.post("/<int:schedule_id>/restore")
def restore(schedule_id: int) -> ResponseReturnValue:
    """Bring back one that was deleted a moment ago."""
    access.authorise(current_user, None, Action.SCHEDULE_EDIT)
    schedule = schedules.restore_schedule(current_user, schedule_id)
    return _saved(f"The schedule {schedule.name} is back.", schedule)


def _editor(schedule: Schedule | None, typed: Typed, plan: Plan, *, status: int = 200) -> Response:
    is_active = schedule is None or schedule.is_active
    local = from_ms(now_ms()).astimezone(site_zone())
    known = access.known_cameras(current_user)
    ticked = [camera for camera in known if camera.id in typed.cameras]
    shown = None if typed.is_wrong else _told(plan, ticked, is_active=is_active, others=known)
    return _htmx.render(
        "schedules/edit.html",
        status=status,
        schedule=schedule,
        typed=typed,
        rows=[*typed.rows, Row("new")],
        shown=shown,
        cameras=known,
        followed=schedule_cameras.of_cameras(camera.id for camera in known),
        templates=TEMPLATES,
        modes=schedule_forms.modes(),
        days=schedule_words.LONG_DAYS,
        now=(local.weekday(), local.hour * 60 + local.minute),
        today=local.date().isoformat(),
        blank_date=DateRow("new"),
        pattern=Row("__KEY__"),
        date_pattern=DateRow("__KEY__"),
    )


def _refused(schedule: Schedule | None, typed: Typed) -> Response:
    """422: the page again for a browser, only the messages for HTMX, so that nothing painted is lost."""
    if _htmx.is_htmx():
        return _htmx.render("schedules/_problems.html", status=422, typed=typed)
    stored = schedules.plan_of(schedule) if schedule else Plan([], [])
    return _editor(schedule, typed, stored, status=422)


def _saved(text: str, schedule: Schedule, actions: list[dict[str, str]] | None = None) -> Response:
    response = _htmx.redirect(url_for("schedules.show", schedule_id=schedule.id))
    return _htmx.toast(response, "ok", text, actions=actions or [])


def _shown(schedule: Schedule, cameras: list[Camera]) -> Shown:
    return _told(schedules.plan_of(schedule), cameras, is_active=schedule.is_active)


def _told(plan: Plan, cameras: list[Camera], *, is_active: bool, others: list[Camera] | None = None) -> Shown:
    """`others`: whose rate stands for that of its cameras while it has none."""
    at_ms = now_ms()
    in_force = plan if is_active else Plan([], [])
    now = now_in_plan(in_force, site_zone(), at_ms=at_ms)
    then = now_in_plan(in_force, site_zone(), at_ms=now.until_ms or at_ms)
    size = schedule_sizes.of_week(plan, cameras or others or [])
    return Shown(
        plan=plan,
        week=schedule_words.week_in_words(plan.weekly),
        exceptions=schedule_words.exceptions_in_words(plan.exceptions),
        size=size,
        continuous=schedule_words.hours_in_words(size.continuous_hours) if size.continuous_hours else "",
        activity=schedule_words.hours_in_words(size.activity_hours) if size.activity_hours else "",
        warnings=schedule_sizes.warnings(plan, cameras, is_active=is_active),
        now=schedule_words.now_in_words(now, site_zone(), at_ms=at_ms),
        mode=now.mode,
        then=schedule_words.now_in_words(then, site_zone(), at_ms=at_ms) if now.until_ms else "",
    )
