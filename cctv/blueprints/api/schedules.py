"""Schedules: list, make, read, change, delete, and switch them.

What a plan means, and who may change one, is said by services.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api import _versions
from cctv.blueprints.api._face import ApiBlueprint, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._parsing import renamed
from cctv.blueprints.api._schedule_shapes import (
    ScheduleAnswer,
    ScheduleChange,
    ScheduleCreate,
    SchedulePage,
    ScheduleQuery,
    as_dict,
    plan_from,
)
from cctv.blueprints.api._shapes import paged
from cctv.blueprints.api._versions import versioned
from cctv.errors import Conflict
from cctv.models import Schedule
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.schedule import schedule_cameras, schedules
from cctv.services.schedule.schedule_plans import Plan, checked
from cctv.services.site import settings

blueprint = ApiBlueprint(
    "api-schedules",
    __name__,
    url_prefix="/v0/api/cctv/schedules",
    description="When cameras record by themselves.",
)
_EXAMPLE = {
    "name": "Office hours",
    "weekly": [{"day": "monday", "start": "06:00", "end": "19:00", "mode": "continuous"}],
    "exceptions": [{"date": "2026-12-25", "blocks": []}],
    "camera_ids": [],
}


@blueprint.route("/")
@needs(Action.SCHEDULE_READ)
@blueprint.arguments(ScheduleQuery, location="query")
@blueprint.response(200, SchedulePage)
def index(query: dict[str, Any]) -> ResponseReturnValue:
    """The schedules."""
    page = schedules.find_schedules(**query)
    return paged(page, _dicts(page.items))


@blueprint.route("/", methods=["POST"])
@repeatable
@needs(Action.SCHEDULE_EDIT)
@blueprint.arguments(ScheduleCreate, example=_EXAMPLE)
@blueprint.response(201, ScheduleAnswer, description="Made; it holds from now on.")
@blueprint.alt_response(409, "CONFLICT")
def create(body: dict[str, Any]) -> ResponseReturnValue:
    """Make a schedule. Its cameras leave what they followed before."""

    def work() -> tuple[Mapping[str, Any], int]:
        plan = checked(*plan_from(body, Plan([], [])))
        with renamed(cameras="camera_ids"):
            schedule = schedules.create_schedule(
                current_user,
                body["name"],
                plan,
                is_active=body["is_active"],
                camera_ids=body.get("camera_ids", ()),
            )
        return _dicts([schedule])[0], 201

    return once(work, ScheduleAnswer())


@blueprint.route("/<int:schedule_id>/")
@needs(Action.SCHEDULE_READ)
@blueprint.response(200, ScheduleAnswer, headers=_versions.HEADER)
def show(schedule_id: int) -> ResponseReturnValue:
    """One schedule."""
    return _answer(schedules.get_schedule(schedule_id))


@blueprint.route("/<int:schedule_id>/", methods=["PATCH"])
@versioned()
@needs(Action.SCHEDULE_EDIT)
@blueprint.arguments(ScheduleChange, example=_EXAMPLE)
@blueprint.response(200, ScheduleAnswer, headers=_versions.HEADER)
def change(body: dict[str, Any], schedule_id: int) -> ResponseReturnValue:
    """Change a schedule from now on; what is not sent stays. What was recorded before stays explained."""
    schedule = schedules.get_schedule(schedule_id)
    version = _versions.expected(schedule.version)
    has_plan = bool({"weekly", "exceptions"} & body.keys())
    plan = checked(*plan_from(body, schedules.plan_of(schedule))) if has_plan else None
    try:
        with renamed(cameras="camera_ids"):
            schedule = schedules.change_schedule(
                current_user,
                schedule,
                name=body.get("name"),
                plan=plan,
                camera_ids=body.get("camera_ids"),
                version=version,
            )
    except Conflict as error:
        raise _versions.lost(error) from None
    return _answer(schedule)


@blueprint.route("/<int:schedule_id>/", methods=["DELETE"])
@versioned(is_required=False)
@needs(Action.SCHEDULE_EDIT)
@blueprint.response(204, description="Deleted; it goes on explaining what was recorded by it.")
@blueprint.alt_response(409, "CONFLICT")
def delete(schedule_id: int) -> ResponseReturnValue:
    """Delete a schedule. 409 while cameras follow it."""
    schedule = schedules.get_schedule(schedule_id)
    _versions.if_given(schedule.version)
    schedules.delete_schedule(current_user, schedule)
    return Response(status=204)


@blueprint.route("/<int:schedule_id>/activate/", methods=["POST"])
@versioned(is_required=False)
@needs(Action.SCHEDULE_EDIT)
@blueprint.response(200, ScheduleAnswer, headers=_versions.HEADER)
def activate(schedule_id: int) -> ResponseReturnValue:
    """Put it into force from now on."""
    return _switch(schedule_id, is_active=True)


@blueprint.route("/<int:schedule_id>/deactivate/", methods=["POST"])
@versioned(is_required=False)
@needs(Action.SCHEDULE_EDIT)
@blueprint.response(200, ScheduleAnswer, headers=_versions.HEADER)
def deactivate(schedule_id: int) -> ResponseReturnValue:
    """Put it out of force from now on: its cameras record only what people start."""
    return _switch(schedule_id, is_active=False)


def _switch(schedule_id: int, *, is_active: bool) -> ResponseReturnValue:
    schedule = schedules.get_schedule(schedule_id)
    version = _versions.if_given(schedule.version)
    try:
        return _answer(schedules.set_active(current_user, schedule, is_active, version=version))
    except Conflict as error:
        raise _versions.lost(error) from None


def _answer(schedule: Schedule) -> ResponseReturnValue:
    return _dicts([schedule])[0], 200, _versions.tag(schedule.version)


def _dicts(found: list[Schedule]) -> list[Mapping[str, Any]]:
    """For the shape ScheduleAnswer; a fixed number of queries, however many there are."""
    followers, rights, zone = schedule_cameras.by_schedule(), access.Rights(current_user), settings.zone()
    answers: list[Mapping[str, Any]] = []
    for schedule in found:
        ids = [camera.id for camera in followers.get(schedule.id, []) if rights.knows(camera.id)]
        answers.append(as_dict(schedule, ids, schedules.now_of(schedule, zone)))
    return answers
