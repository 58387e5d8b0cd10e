"""The mails: a list with state and cause, one mail to many with its progress, trying again and cancelling.

What a mail says is never shown here: it is sealed, and wiped when it is over.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.clock import to_ms, utcnow
from cctv.errors import Conflict
from cctv.models import MailMessage, MailState
from cctv.services.mailing import mail, mailings
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("mail", __name__, url_prefix="/mail")

FILTERS = {"all": "All", "waiting": "Waiting", "sent": "Sent", "failed": "Not sent", "cancelled": "Cancelled"}
KINDS = {
    "otp": "Code",
    "reset": "New password",
    "verify": "Address check",
    "invitation": "Invitation",
    "new_sign_in": "New sign-in",
    "password_changed": "Password changed",
    "camera_offline": "Camera offline",
    "camera_online": "Camera back",
    "disk": "Disk",
    "daily_report": "Daily report",
    "transfer_failed": "Transfer failed",
    "generic": "Message",
    "test": "Test",
}
_WORDS = {
    MailState.QUEUED: ("connecting", "Waiting"),
    MailState.SENDING: ("connecting", "Sending"),
    MailState.SENT: ("ok", "Sent"),
    MailState.FAILED: ("bad", "Not sent"),
    MailState.EXPIRED: ("bad", "Not sent in time"),
    MailState.CANCELLED: ("off", "Cancelled"),
}


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All mails, the newest first; q searches, state filters."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    state = request.args.get("state", "all")
    state = state if state in FILTERS else "all"
    search = request.args.get("q", "")[:254]
    number = max(1, request.args.get("p", 1, type=int))
    found = mailings.find_messages(state=state, search=search, page=number, page_size=50)
    return _htmx.render(
        "mails/index.html",
        "rows",
        found=found,
        lines=[line(message) for message in found.items],
        counts=mailings.counts(),
        filters=FILTERS,
        state=state,
        search=search,
    )


@blueprint.get("/batches/<int:batch_id>")
def show_batch(batch_id: int) -> ResponseReturnValue:
    """One mail to many: how far it is, and how each recipient fared."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    batch = mailings.get_batch(batch_id)
    number = max(1, request.args.get("p", 1, type=int))
    found = mailings.find_messages(batch_id=batch.id, page=number, page_size=100)
    lines = [line(message) for message in found.items]
    return _htmx.render(
        "mails/batch.html",
        "progress",
        is_moving=any(one["icon"] == "connecting" for one in lines),
        batch=batch,
        created_ms=to_ms(batch.created_at),
        progress_of=mailings.progress(batch),
        found=found,
        lines=lines,
    )


@blueprint.post("/batches/<int:batch_id>/cancel")
def cancel_batch(batch_id: int) -> ResponseReturnValue:
    """Do not send what has not been sent."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    batch = mailings.get_batch(batch_id)
    count = mailings.cancel_rest(current_user, batch)
    said = f"{count} {'mail was' if count == 1 else 'mails were'} cancelled."
    response = _htmx.redirect(url_for("mail.show_batch", batch_id=batch.id))
    return _htmx.toast(response, "ok" if count else "info", said if count else "All of it was on its way.")


@blueprint.post("/<int:message_id>/again")
def try_again(message_id: int) -> ResponseReturnValue:
    """Send it now."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    message = mail.get_message(message_id)
    return _after(message, lambda: mail.try_again(message), "It is tried again now.")


@blueprint.post("/<int:message_id>/cancel")
def cancel(message_id: int) -> ResponseReturnValue:
    """Do not send it."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    message = mail.get_message(message_id)
    return _after(message, lambda: mail.cancel(message), "Cancelled.")


def _after(message: MailMessage, change: Any, said: str) -> ResponseReturnValue:
    """Back to the list that the button was on, with what came of it."""
    batch_id = message.batch_id if request.args.get("back") == "batch" else None
    back = url_for("mail.show_batch", batch_id=batch_id) if batch_id else url_for("mail.index")
    try:
        change()
    except Conflict as error:
        return _htmx.toast(_htmx.redirect(back), "warn", error.message)
    return _htmx.toast(_htmx.redirect(back), "ok", said)


def line(message: MailMessage) -> dict[str, Any]:
    """A mail as a row."""
    icon, word = _WORDS[MailState(message.state)]
    is_waiting = message.state == MailState.QUEUED
    if is_waiting and message.cause:
        icon, word = "warn", "Tried, waits"
    if message.state == MailState.SENT and message.answer.startswith("Written to "):
        icon, word = "warn", "Written to a file"
    is_open = message.values_sealed is not None and message.template != mail.TEST
    return {
        "mail": message,
        "icon": icon,
        "word": word,
        "kind": KINDS.get(message.template, message.template),
        "at_ms": to_ms(message.sent_at or message.created_at),
        "next_ms": to_ms(message.next_at) if is_waiting and message.next_at and message.cause else None,
        "may_try": is_open and (message.state == MailState.FAILED or _waits_long(message)),
        "may_cancel": is_waiting and message.template != mail.TEST,
    }


def _waits_long(message: MailMessage) -> bool:
    return message.state == MailState.QUEUED and bool(message.next_at and message.next_at > utcnow())
