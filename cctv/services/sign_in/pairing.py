"""Signing the app on a phone in without typing: a code that works once, shown as a picture to its own person.

The picture is as good as the password while it lives; whoever shows it has just typed theirs.
"""

from __future__ import annotations

from datetime import datetime

from cctv.errors import Invalid, NotAllowed
from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, User
from cctv.services.auditing import audit
from cctv.services.sign_in import codes

FRAGMENT = "#pair="  # behind the address: browsers that open it keep it to themselves


def show(user: User) -> tuple[str, datetime]:
    """A new code and when it ends; older ones die.

    Raises:
        LimitReached: too many codes were made for this account within a quarter of an hour.
    """
    begin_writing()
    made = codes.make(user, CodePurpose.PAIR)
    audit.add("app.pair", target=user.name, target_id=user.id)
    db.session.commit()
    return made.link_token, made.expires_at


def use(code: str) -> User:
    """Whose code it is; it is used up by this.

    Raises:
        Invalid: forged, used, too old.
        NotAllowed: the account is switched off.
    """
    begin_writing()
    try:
        user = codes.use_link(CodePurpose.PAIR, code)
    except Invalid:
        raise Invalid({"pairing_code": "This code is not valid (any more). Show a new one."}) from None
    db.session.commit()
    if not user.is_enabled:
        raise NotAllowed("This account is switched off. Ask an Admin.")
    return user
