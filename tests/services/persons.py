"""People, cameras and races for tests of accounts: rows only, no page."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask

from cctv.clock import now_ms
from cctv.errors import CctvError
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, Role, Stream, User
from cctv.services.person import people
from cctv.services.person.people import COMMAND_LINE

PASSWORD = "a long enough password"


def person(role: Role, name: str = "", *, password: str | None = PASSWORD) -> User:
    name = name or role.label
    email = f"{name.lower().replace(' ', '.')}@example.org"
    return people.create_person(COMMAND_LINE, name=name, email=email, role=role, password=password)


def add_camera(number: int = 1, name: str = "Gate") -> Camera:
    camera = Camera(number=number, name=name, streams=[Stream(kind="main", state_since_ms=now_ms())])
    db.session.add(camera)
    db.session.commit()
    return camera


def entries(action: str) -> list[AuditEntry]:
    query = db.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
    return list(db.session.scalars(query))


def at_once(app: Flask, *tasks: Callable[[], object]) -> list[str]:
    """Run each in a thread and application context of its own, from one start; what each was refused with."""
    start, refusals = threading.Barrier(len(tasks)), [""] * len(tasks)

    def run(place: int) -> None:
        with app.app_context():
            start.wait(10)
            try:
                tasks[place]()
            except CctvError as error:
                refusals[place] = error.message
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return refusals
