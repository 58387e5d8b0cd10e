"""Cameras as the capture would leave them, for tests of pages: no process, only rows."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import event

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Role, User
from cctv.services.camera import cameras
from cctv.services.person import users
from cctv.services.site import nodes
from tests.fixtures.application import OWNER_PASSWORD

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}


def add_camera(
    app: Flask, name: str = "Front gate", *, state: str = "live", cause: str | None = None, sub: bool = False
) -> int:
    """A camera in that state as of a minute ago; its id."""
    with app.app_context():
        host = f"127.0.0.{10 + len(cameras.list_cameras())}"
        form = cameras.CameraForm(
            name=name,
            url=f"rtsp://{host}/stream1",
            sub_url=f"rtsp://{host}/stream2" if sub else "",
            username="admin",
            password="geheim-77",
        )
        camera = cameras.create_camera(form, None)
        camera.is_enabled = state != "off"
        stream = camera.main
        stream.state = "live" if state == "off" else state
        stream.cause, stream.state_since_ms = cause, now_ms() - 60_000
        stream.renewed_ms = now_ms() + 3_600_000
        stream.width, stream.height, stream.fps, stream.bitrate_kbps = 1920, 1080, 15.0, 2100
        stream.video_codec, stream.audio_codec = "avc1.640028", "mp4a.40.2"
        db.session.commit()
        return camera.id


def change(app: Flask, camera_id: int, **columns: object) -> None:
    """Set columns of a camera's main stream, as capture does."""
    with app.app_context():
        stream = db.session.get_one(Camera, camera_id).main
        for name, value in columns.items():
            setattr(stream, name, value)
        db.session.commit()


def tell_node_figures(app: Flask, *, free: int = 700_000_000_000, total: int = 1_800_000_000_000) -> None:
    """This machine's disk, as its capture worker reports it."""
    with app.app_context():
        node = nodes.this_node()
        node.seen_ms, node.free_bytes, node.total_bytes = now_ms() + 3_600_000, free, total
        db.session.commit()


def add_person(app: Flask, role: Role) -> User:
    """Somebody of that role, detached."""
    with app.app_context():
        name = role.value.replace("_", "-")
        user = users.create_user(role.label, f"{name}@example.org", password=OWNER_PASSWORD, role=role)
        db.session.refresh(user)
        db.session.expunge(user)
        return user


class QueryCount:
    """How many statements the database got inside the `with`."""

    def __init__(self, app: Flask) -> None:
        self.statements: list[str] = []
        with app.app_context():
            self._engine = db.engine

    def __enter__(self) -> QueryCount:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(statement)

    def __len__(self) -> int:
        return len(self.statements)
