"""Tells a person by mail of a sign-in from a device and address that the account was not used from before.

What was used before is read from the audit log; nothing is remembered beside it.
"""

from __future__ import annotations

from sqlalchemy import Select, select

from cctv.clock import now_ms, utcnow
from cctv.extensions import db
from cctv.models import AuditEntry, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail
from cctv.services.site import settings

_REMEMBERED_MS = 90 * 86_400_000


def tell(user: User) -> bool:
    """Write the mail in the caller's transaction when this sign-in is from somewhere new; whether it was.

    Call it before the sign-in is added to the audit log. The first sign-in of an account is nobody's news.
    """
    origin = audit.origin()
    if not origin.address or not _is_there(_sign_ins(user)):
        return False
    here = _sign_ins(user).where(AuditEntry.device == origin.device, AuditEntry.address == origin.address)
    if _is_there(here):
        return False
    at = utcnow().astimezone(settings.zone())
    values = {
        "at": f"{at.day} {at:%b %Y %H:%M}",
        "device": origin.device,
        "address": origin.address,
        "link": mail.link("/account"),
    }
    mail.add("new_sign_in", user, values)
    return True


def _sign_ins(user: User) -> Select[tuple[int]]:
    return select(AuditEntry.id).where(
        AuditEntry.user_id == user.id,
        AuditEntry.at_ms > now_ms() - _REMEMBERED_MS,
        AuditEntry.action == "sign_in",
    )


def _is_there(query: Select[tuple[int]]) -> bool:
    return db.session.scalar(query.limit(1)) is not None
