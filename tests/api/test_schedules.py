"""Schedules through the API: made, read, changed with the ETag, switched, deleted; cameras that follow."""

from __future__ import annotations

from typing import Any

from flask import Flask

from cctv.models import Role, User
from tests.api.apps import CAMERAS, SCHEDULES, Phone, answer, phone_of, problem
from tests.api.test_tokens import make
from tests.blueprints.camera_rows import QueryCount, add_camera

MONDAY = {"day": "monday", "start": "06:15", "end": "24:00", "mode": "continuous"}
CHRISTMAS = {"date": "2098-12-25", "blocks": []}


def made(phone: Phone, **fields: Any) -> dict[str, Any]:
    return answer(
        phone.post(SCHEDULES, {"name": "Office", "weekly": [MONDAY], "exceptions": [CHRISTMAS]} | fields), 201
    )


def test_a_schedule_is_made_changed_switched_and_deleted(app: Flask, phone: Phone) -> None:
    camera_id = add_camera(app)
    schedule = made(phone, camera_ids=[camera_id])
    path = f"{SCHEDULES}{schedule['id']}/"
    assert (schedule["weekly"], schedule["exceptions"]) == ([MONDAY], [CHRISTMAS])
    assert (schedule["words"], schedule["camera_ids"]) == (
        "Mon 06:15–24:00 continuous; else off",
        [camera_id],
    )
    evening = {"day": "sunday", "start": "18:00", "end": "19:00", "mode": "activity"}
    response = phone.patch(path, {"weekly": [evening]}, version=schedule["version"])
    changed = answer(response)
    assert (changed["weekly"], changed["exceptions"]) == ([evening], [CHRISTMAS])
    assert response.headers["ETag"] == f'"{changed["version"]}"'
    problem(phone.patch(path, {"name": "Slow"}, version=schedule["version"]), 412)
    problem(phone.patch(path, {"name": "Blind"}), 428)
    assert answer(phone.post(f"{path}deactivate/"))["is_active"] is False
    assert answer(phone.get(path))["now"] == {"mode": None, "until_ms": None}
    assert answer(phone.post(f"{path}activate/"))["is_active"] is True
    assert "Front gate follows" in problem(phone.delete(path), 409)["detail"]
    answer(phone.patch(path, {"camera_ids": []}, version="*"))
    assert answer(phone.get(f"{CAMERAS}{camera_id}/"))["recording_mode"] == "continuous"
    assert phone.delete(path).status_code == 204
    problem(phone.get(path), 404)


def test_the_list_is_found_by_name_state_and_camera(app: Flask, phone: Phone) -> None:
    camera_id = add_camera(app)
    made(phone, camera_ids=[camera_id])
    made(phone, name="Night", is_active=False)

    def names(query: str) -> list[str]:
        return [one["name"] for one in answer(phone.get(f"{SCHEDULES}?{query}"))["items"]]

    assert names("sort=-name") == ["Office", "Night", "Always"]
    assert (names("search=ff"), names("is_active=false")) == (["Office"], ["Night"])
    assert names(f"camera_id={camera_id}") == ["Office"]
    with QueryCount(app) as few:
        names("page_size=1")
    with QueryCount(app) as many:
        names("")
    assert len(few.statements) == len(many.statements)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "Always"}, "name"),
    ({"weekly": [MONDAY | {"start": "06:10"}]}, "weekly.0.start"),
    ({"weekly": [MONDAY | {"end": "06:00"}]}, "weekly"),
    ({"weekly": [MONDAY, MONDAY | {"mode": "activity"}]}, "weekly"),
    ({"weekly": [MONDAY | {"day": "mon"}]}, "weekly.0.day"),
    ({"exceptions": [CHRISTMAS, CHRISTMAS]}, "exceptions"),
    ({"exceptions": [{"date": "2098-02-30"}]}, "exceptions"),
    ({"camera_ids": [4711]}, "camera_ids"),
    ({"version": 3}, "version"),
]


def test_what_is_wrong_is_told_by_field(phone: Phone) -> None:
    for body, field in REFUSED:
        assert list(problem(phone.post(SCHEDULES, {"name": "Office"} | body), 422)["errors"]) == [field]


def test_a_camera_follows_a_schedule_or_records_on_activity(app: Flask, phone: Phone) -> None:
    path = f"{CAMERAS}{add_camera(app)}/"
    schedule_id = made(phone)["id"]
    problem(phone.patch(path, {"recording_mode": "schedule"}, version="*"), 422)
    following = {"recording_mode": "schedule", "schedule_id": schedule_id}
    assert answer(phone.patch(path, following, version="*"))["schedule_id"] == schedule_id
    moving = {"recording_mode": "activity", "post_roll_seconds": 60}
    camera = answer(phone.patch(path, moving, version="*"))
    assert (camera["recording_mode"], camera["schedule_id"], camera["post_roll_seconds"]) == (
        "activity",
        None,
        60,
    )


def test_a_developer_reads_and_a_visitor_does_not(app: Flask, phone: Phone) -> None:
    developer = phone_of(app, Role.DEVELOPER)
    assert answer(developer.get(SCHEDULES))["total"] == 1
    problem(developer.post(SCHEDULES, {"name": "Mine"}), 403)
    problem(phone_of(app, Role.VISITOR).get(SCHEDULES), 403)


def test_a_token_for_some_cameras_changes_nothing_for_others(app: Flask, owner: User, phone: Phone) -> None:
    mine, other = add_camera(app), add_camera(app, "Yard")
    schedule_id = made(phone, camera_ids=[other])["id"]
    program = make(app, owner, "schedules", cameras=[mine])
    path = f"{SCHEDULES}{schedule_id}/"
    assert answer(program.ask(path))["camera_ids"] == []
    body = {"json": {"weekly": []}, "headers": {"If-Match": "*"}}
    assert program.ask(path, "PATCH", **body).status_code == 403
    assert program.ask(f"{path}deactivate/", "POST").status_code == 403
    new = {"name": "New", "camera_ids": [mine]}
    assert program.ask(SCHEDULES, "POST", json=new).status_code == 201
    assert (
        program.ask(SCHEDULES, "POST", json=new | {"name": "Other", "camera_ids": [other]}).status_code == 403
    )
