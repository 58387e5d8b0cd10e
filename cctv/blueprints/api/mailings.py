"""Mail that a person sends through the API: to one, or to many; queued, and its progress can be read.

Who may, to how many and how often, is said by services/mailing/mailings.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import fields
from marshmallow.validate import Length

from cctv.blueprints.api._face import ApiBlueprint, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._parsing import renamed
from cctv.blueprints.api._shapes import (
    LARGEST_ID,
    Answer,
    Body,
    Paged,
    PageQuery,
    choice,
    count,
    flag,
    moment,
    paged,
    said,
    some,
    text,
    whole,
)
from cctv.errors import Invalid
from cctv.models import MailBatch, Role
from cctv.services.mailing import mailings
from cctv.services.person.access import Action

blueprint = ApiBlueprint(
    "api-mailings", __name__, url_prefix="/v0/api/mail/auth", description="Mail to one or to many."
)

_TEMPLATES = ("generic",)  # the others are written by the system, with facts that only it has


class Letter(Body):
    """What is written."""

    subject = text(
        mailings.LONGEST_SUBJECT, "The subject.", least=1, required=True, example="Work at the gate"
    )
    body = text(
        mailings.LONGEST_BODY,
        "Plain text; an empty line begins a paragraph.",
        least=1,
        required=True,
        example="The gate camera is off on Monday from 9 to 11.",
    )
    template = choice(_TEMPLATES, "How it is laid out.", load_default="generic")


class EmailBody(Letter):
    """To one: a person with an account, or an address."""

    user_id = whole(1, LARGEST_ID, "The account; or `email`.")
    email = text(254, "The address; or `user_id`.", least=3, example="gina@example.org")


class BulkBody(Letter):
    """To many; each gets it once and sees nobody else's address."""

    user_ids = fields.List(
        whole(1, LARGEST_ID, "An account."),
        validate=Length(max=mailings.MOST_RECIPIENTS, error="Too many."),
        metadata={"description": "These accounts."},
    )
    roles = fields.List(
        choice(Role, "A role."),
        validate=Length(max=len(Role), error="Too many."),
        metadata={"description": "Everybody of these roles."},
    )
    emails = fields.List(
        text(254, "An address.", least=3),
        validate=Length(max=mailings.MOST_ADDRESSES, error="Too many."),
        metadata={"description": "These addresses."},
    )


class Mailing(Answer):
    """How far a mail is."""

    id = count("Of the mail, for its progress.")
    subject = said("The subject.")
    total = count("Recipients.")
    sent = count("The server has taken it.")
    failed = count("For good.")
    cancelled = count("Somebody stopped it.")
    waiting = count("On its way.")
    is_over = flag("Nothing changes any more.")
    created_at = moment("When it was written.")


class Message(Answer):
    """One recipient."""

    email = said("The address.")
    state = said("queued, sending, sent, failed, expired or cancelled.")
    cause = said("Why it is not sent, in words; empty when nothing is wrong.")
    tries = count("How often it was tried.")
    sent_at = moment("When the server took it.", allow_none=True)


class MessagePage(Paged):
    """A page of recipients."""

    items = some(Message, "The recipients.")


class MessageQuery(PageQuery):
    """Which page."""


@blueprint.route("/send-email", methods=["POST"])
@repeatable
@needs(Action.MAIL_SEND)
@blueprint.arguments(EmailBody)
@blueprint.response(202, Mailing, description="Queued.")
def send_email(body: dict[str, Any]) -> ResponseReturnValue:
    """Send a mail to one person."""
    if ("user_id" in body) == ("email" in body):
        raise Invalid({"email": "Send either user_id or email."})
    ids = [body["user_id"]] if "user_id" in body else []
    emails = [body["email"]] if "email" in body else []
    return once(lambda: (_send(body, ids, (), emails, to="email" if emails else "user_id"), 202), Mailing())


@blueprint.route("/send-bulk-email", methods=["POST"])
@repeatable
@needs(Action.MAIL_SEND)
@blueprint.arguments(BulkBody)
@blueprint.response(202, Mailing, description="Queued.")
def send_bulk_email(body: dict[str, Any]) -> ResponseReturnValue:
    """Send a mail to many; one row a recipient, with its own state."""
    chosen = body.get("user_ids", []), body.get("roles", []), body.get("emails", [])
    return once(lambda: (_send(body, *chosen, to="emails"), 202), Mailing())


@blueprint.route("/mailings/<int:mailing_id>/")
@needs(Action.MAIL_SEND)
@blueprint.response(200, Mailing)
def show(mailing_id: int) -> ResponseReturnValue:
    """How far a mail is."""
    return _as_dict(mailings.get_batch(mailing_id))


@blueprint.route("/mailings/<int:mailing_id>/messages/")
@needs(Action.MAIL_SEND)
@blueprint.arguments(MessageQuery, location="query")
@blueprint.response(200, MessagePage)
def show_messages(query: dict[str, Any], mailing_id: int) -> ResponseReturnValue:
    """Its recipients, each with a state."""
    batch = mailings.get_batch(mailing_id)
    page = mailings.find_messages(batch_id=batch.id, **query)
    items: list[Mapping[str, Any]] = [
        {
            "email": one.address,
            "state": one.state,
            "cause": one.cause,
            "tries": one.tries,
            "sent_at": one.sent_at,
        }
        for one in page.items
    ]
    return paged(page, items)


def _send(body: dict[str, Any], ids: list[int], roles: Any, emails: list[str], *, to: str) -> dict[str, Any]:
    with renamed(recipients=to, addresses="email" if to == "email" else "emails"):
        batch = mailings.send(
            current_user,
            subject=body["subject"],
            body=body["body"],
            user_ids=ids,
            roles=roles,
            addresses=emails,
        )
    return _as_dict(batch)


def _as_dict(batch: MailBatch) -> dict[str, Any]:
    progress = mailings.progress(batch)
    return {
        "id": batch.id,
        "subject": batch.subject,
        "total": progress.total,
        "sent": progress.sent,
        "failed": progress.failed,
        "cancelled": progress.cancelled,
        "waiting": progress.waiting,
        "is_over": progress.is_over,
        "created_at": batch.created_at,
    }
