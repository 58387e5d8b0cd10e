"""Mails about cameras and disks: after a minute, together, once an episode, to whom the settings say."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Event, MailMessage, Role, User
from cctv.services.camera import cameras
from cctv.services.mailing import mail, notices
from cctv.services.site import nodes, settings
from tests.blueprints.camera_rows import add_camera, add_person, change, tell_node_figures

MINUTE = 60_000


@pytest.fixture
def now(app: Flask) -> int:
    tell_node_figures(app)
    return now_ms()


def _mails() -> list[dict[str, Any]]:
    rows = db.session.scalars(select(MailMessage).order_by(MailMessage.id))
    return [{"template": m.template, "to": m.address, **mail.open_values(m)} for m in rows]


def _names(values: dict[str, Any]) -> list[str]:
    return [camera["name"] for camera in values["cameras"]]


def _go(app: Flask, camera_id: int, state: str, at_ms: int, cause: str | None = None) -> None:
    change(app, camera_id, state=state, cause=cause, state_since_ms=at_ms)


def test_a_camera_that_stays_away_for_a_minute_is_told_once(context: Flask, owner: User, now: int) -> None:
    camera = add_camera(context)
    _go(context, camera, "offline", now, "refused")
    for seconds in (5, 30, 59):
        notices.tick(now + seconds * 1000)
    assert _mails() == []
    for seconds in (61, 70, 3600):
        notices.tick(now + seconds * 1000)
    [told] = _mails()
    assert (told["template"], told["to"], _names(told)) == ("camera_offline", owner.email, ["Front gate"])
    assert told["cameras"][0]["cause"]


def test_a_short_break_is_nobodys_business_but_counts(context: Flask, owner: User, now: int) -> None:
    camera = add_camera(context)
    for start in (0, 100_000, 200_000):
        _go(context, camera, "offline", now + start)
        notices.tick(now + start + 30_000)
        _go(context, camera, "live", now + start + 40_000)
        notices.tick(now + start + 50_000)
    assert _mails() == []
    _go(context, camera, "offline", now + 300_000)
    notices.tick(now + 310_000)
    notices.tick(now + 370_000)
    [told] = _mails()
    assert told["cameras"][0]["breaks"] == 4


@pytest.mark.each_database
def test_a_return_is_told_after_a_minute_and_flapping_is_not(context: Flask, owner: User, now: int) -> None:
    camera = add_camera(context)
    _go(context, camera, "offline", now)
    notices.tick(now + 1000)
    notices.tick(now + 61_000)
    for start in (70_000, 90_000, 110_000):  # comes for ten seconds, goes again
        _go(context, camera, "live", now + start)
        notices.tick(now + start + 9_000)
        _go(context, camera, "offline", now + start + 10_000)
        notices.tick(now + start + 19_000)
    assert len(_mails()) == 1
    _go(context, camera, "live", now + 200_000)
    notices.tick(now + 230_000)
    assert len(_mails()) == 1
    notices.tick(now + 261_000)
    notices.tick(now + 300_000)
    assert [told["template"] for told in _mails()] == ["camera_offline", "camera_online"]
    assert _mails()[1]["cameras"][0]["length"] == "3 min"


def test_soon_after_a_return_only_a_long_absence_is_told(context: Flask, owner: User, now: int) -> None:
    camera = add_camera(context)
    _go(context, camera, "offline", now)
    notices.tick(now + 1000)
    notices.tick(now + 61_000)
    _go(context, camera, "live", now + 100_000)
    notices.tick(now + 161_000)
    _go(context, camera, "offline", now + 200_000)
    notices.tick(now + 201_000)
    notices.tick(now + 500_000)
    assert len(_mails()) == 2
    notices.tick(now + 200_000 + notices.CALM_MS + 1000)
    assert len(_mails()) == 3


def test_sixty_four_cameras_that_fail_together_make_one_mail(context: Flask, owner: User, now: int) -> None:
    for number in range(64):
        camera = add_camera(context, f"Camera {number}")
        _go(context, camera, "offline", now + number * 300)  # within twenty seconds
    for seconds in range(10, 121, 10):
        notices.tick(now + seconds * 1000)
    [told] = _mails()
    assert len(told["cameras"]) == 64
    for camera in cameras.list_cameras():
        _go(context, camera.id, "live", now + 200_000 + camera.number * 300)
    for seconds in range(200, 400, 10):
        notices.tick(now + seconds * 1000)
    assert [one["template"] for one in _mails()] == ["camera_offline", "camera_online"]
    assert len(_mails()[1]["cameras"]) == 64


def test_a_camera_that_was_turned_off_or_deleted_is_not_told(context: Flask, owner: User, now: int) -> None:
    off, deleted, fresh = (add_camera(context, name) for name in ("Off", "Deleted", "Fresh"))
    for camera in (off, deleted, fresh):
        _go(context, camera, "offline", now)
    change(context, fresh, video_codec=None)  # never sent a picture
    notices.tick(now + 1000)
    begin_writing()
    db.session.get_one(Camera, off).is_enabled = False
    db.session.delete(db.session.get_one(Camera, deleted))
    db.session.commit()
    notices.tick(now + 61_000)
    notices.tick(now + 200_000)
    assert _mails() == []


def test_notices_go_to_the_roles_of_the_settings(context: Flask, owner: User, now: int) -> None:
    people = {role: add_person(context, role) for role in (Role.ADMIN, Role.DEVELOPER, Role.VISITOR)}
    camera = add_camera(context)
    _go(context, camera, "offline", now)
    notices.tick(now + 1000)
    notices.tick(now + 61_000)
    assert [told["to"] for told in _mails()] == [owner.email, people[Role.ADMIN].email]
    settings.save(notice_roles=notices.set_roles(notices.NoticeKind.CAMERA, [Role.DEVELOPER]))
    _go(context, camera, "live", now + 70_000)
    notices.tick(now + 140_000)
    assert _mails()[-1]["to"] == people[Role.DEVELOPER].email
    settings.save(notice_roles={"camera": [], "disk": []})
    _go(context, camera, "offline", now + 10_000_000)
    notices.tick(now + 10_001_000)
    notices.tick(now + 10_100_000)
    assert len(_mails()) == 3


def test_a_disk_is_told_once_with_what_to_do(context: Flask, owner: User, now: int) -> None:
    node = nodes.this_node()
    node.storage_state, node.storage_detail = "full", "The disk is full: 0.2 GB free."
    db.session.commit()
    for seconds in (0, 30, 61, 90, 600):
        notices.tick(now + seconds * 1000)
    [told] = _mails()
    assert told["template"] == "disk" and "The disk is full: 0.2 GB free." in told["sentence"]
    assert told["remedy"].startswith("Make room")
    node.storage_state, node.storage_detail = "ok", ""
    db.session.commit()
    notices.tick(now + 700_000)
    notices.tick(now + 710_000)
    notices.tick(now + 900_000)
    assert [one["template"] for one in _mails()] == ["disk", "generic"]


def test_lost_footage_is_told_in_one_mail(context: Flask, owner: User, now: int) -> None:
    for number in range(30):
        event = Event(at_ms=now, kind="storage", severity="bad", text=f"{number} stored files are gone.")
        db.session.add(event)
    db.session.commit()
    for seconds in (10, 61, 71, 1000):
        notices.tick(now + seconds * 1000)
    [told] = _mails()
    assert told["subject"] == "Stored footage: 30 things need a look" and "And 10 more" in told["body"]
