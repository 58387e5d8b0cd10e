"""A sign-in from somewhere new is told to the person, and nothing else is."""

from __future__ import annotations

from flask import Flask

from cctv.extensions import db
from cctv.models import MailMessage, User
from cctv.services.auditing import audit
from cctv.services.auditing.audit import Origin
from cctv.services.mailing import mail
from cctv.services.sign_in import sessions


def _sign_in(app: Flask, user_id: int, address: str, device: str = "Firefox on Linux") -> None:
    with app.test_request_context("/"):
        user = db.session.get_one(User, user_id)
        audit.set_origin(Origin(user.id, user.name, address, device))
        sessions.begin(user, device=device, address=address)
        db.session.remove()


def _told(app: Flask) -> list[str]:
    with app.app_context():
        found = db.session.query(MailMessage).filter_by(template="new_sign_in").order_by(MailMessage.id)
        return [mail.open_values(message)["address"] for message in found]


def test_only_a_sign_in_from_somewhere_new_is_told(app: Flask, owner: User) -> None:
    _sign_in(app, owner.id, "100.64.0.5")
    _sign_in(app, owner.id, "100.64.0.5")
    assert _told(app) == []
    _sign_in(app, owner.id, "203.0.113.9")
    _sign_in(app, owner.id, "203.0.113.9")
    _sign_in(app, owner.id, "100.64.0.5")
    assert _told(app) == ["203.0.113.9"]
    _sign_in(app, owner.id, "100.64.0.5", "Safari on iPhone")
    assert _told(app) == ["203.0.113.9", "100.64.0.5"]


def test_sign_ins_of_others_and_the_command_line_tell_nobody(app: Flask, owner: User, context: Flask) -> None:
    _sign_in(app, owner.id, "100.64.0.5")
    sessions.begin(db.session.get_one(User, owner.id))
    assert _told(app) == []
