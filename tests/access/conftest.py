"""The site that the tests of access ask: everybody, two cameras, and one of each other thing.

When an address has a part that is new, say <int:group_id>, its value is made in `asker`.
"""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import (
    Camera,
    Event,
    Export,
    MailState,
    ModeChange,
    Probe,
    Recording,
    RecordingMode,
    Stream,
    StreamState,
    TrappedAddress,
)
from cctv.services.camera import groups, probes
from cctv.services.mailing import mail, mail_trials, mailings
from cctv.services.person import users
from cctv.services.person.people import COMMAND_LINE
from cctv.services.sign_in import honeypot
from cctv.services.site import nodes, settings
from tests.access.asking import Asker
from tests.access.people import add_everybody
from tests.blueprints.camera_rows import add_camera
from tests.servers import RedisServer

# Of the camera that nobody was granted: found nowhere by chance.
FOREIGN_NAME, FOREIGN_ID = "Zebra vault", 918_273


@pytest.fixture
def asker(app: Flask, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Asker:
    """Everybody, a camera that is granted to some of them, another one, and one of each other thing."""
    monkeypatch.setattr(users, "_ROUNDS", 4)
    cameras = add_camera(app, "Gate", sub=True), _add_foreign(app)
    people = add_everybody(app, cameras[0])
    with app.app_context():
        settings.save(setup_finished=True)
        for camera_id in cameras:
            db.session.get_one(Camera, camera_id).recording_mode = RecordingMode.MANUAL
        probe = Probe(user_id=people["super_admin"].id, url="rtsp://127.0.0.9/x", username="", state="done")
        probe.steps, probe.result = [], {}
        db.session.add(probe)
        db.session.commit()
        for kind in (".jpg", ".mp4"):
            probes.picture_path(probe.id).with_suffix(kind).write_bytes(b"x")
        probe_id = probe.id
        recordings = [
            Recording(camera_id=camera_id, kind="manual", started_ms=1000, ended_ms=61_000, note=note)
            for camera_id, note in zip(cameras, ("parcel", f"{FOREIGN_NAME} open"), strict=True)
        ]
        db.session.add_all(recordings)
        db.session.commit()
        recording_ids = [recording.id for recording in recordings]
        asked_for = [
            Export(user_id=people[name].id, camera_ids=[camera_id], started_ms=1000, ended_ms=9000)
            for camera_id, name in zip(cameras, ("visitor_export", "super_admin"), strict=True)
        ]
        for export in asked_for:
            export.state = "failed"
        db.session.add_all(asked_for)
        db.session.commit()
        export_ids = [export.id for export in asked_for]
        sender = people["super_admin"]
        batch = mailings.send(sender, subject="Hello", body="A line.", addresses=["a@example.org"])
        trial = mail_trials.start(sender, "a@example.org")
        begin_writing()
        mail.end(trial, MailState.SENT)  # or the next one of this person would be too early
        db.session.commit()
        honeypot.note(honeypot.Attempt("9.9.9.9", "GET", "/admin/"))
        row_id = db.session.scalars(db.select(TrappedAddress.id)).one()
        mail_ids = {"batch_id": batch.id, "message_id": batch.messages[0].id, "trial_id": trial.id}
        group_id = groups.create_group(COMMAND_LINE, "Floor", [cameras[0]]).id
        mail_ids["node_id"] = nodes.this_node().id
        mail_ids["mailing_id"] = batch.id
    asker = Asker(app, people, cameras, redis_server)
    asker.parts |= {"probe_id": probe_id, **mail_ids}
    asker.of_camera("recording_id", *recording_ids)
    asker.of_camera("export_id", *export_ids)
    asker.parts |= {"group_id": group_id, "cell": f"c{cameras[0]}.live"}
    asker.parts |= {"invitation": "forged", "key": "of no session", "token_id": 987_654}
    asker.parts |= {"schedule_id": 1}  # the one that is built in
    asker.parts |= {"rest": "login.php", "row_id": row_id}
    asker.parts |= {
        "instance_number": 0,
        "queue_name": "default",
        "registry_name": "queued",
        "job_id": "none",
    }
    asker.parts |= {"token": "forged", "name": "clip.mp4"}
    asker.parts |= {"per_page": 8, "order": "asc", "page": 1}
    return asker


def _add_foreign(app: Flask) -> int:
    with app.app_context():
        camera = Camera(id=FOREIGN_ID, number=77, name=FOREIGN_NAME)
        stream = Stream(
            kind="main", url="rtsp://127.0.0.77/zebra", state=StreamState.OFFLINE, cause="noroute"
        )
        stream.state_since_ms, stream.renewed_ms = now_ms() - 60_000, now_ms() + 3_600_000
        camera.streams = [stream]
        event = Event(
            at_ms=now_ms(), kind="lost", severity="bad", camera_id=FOREIGN_ID, text=f"{FOREIGN_NAME} lost"
        )
        mode = ModeChange(camera_id=FOREIGN_ID, mode="continuous", started_ms=now_ms() - 60_000)
        db.session.add_all([camera, event])
        db.session.flush()
        db.session.add(mode)
        db.session.commit()
    return FOREIGN_ID
