"""Refused sign-ins in the audit log: the first from an address, then the tenth, the hundredth and so on.

Whoever knocks five thousand times must not fill the log; what was typed is never kept, it may be a password.
"""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from cctv.extensions import begin_writing, db
from cctv.models import User
from cctv.services.auditing import audit
from cctv.services.site import counts

_WINDOW_SECONDS = 3600
_MOST_ALONE = 100  # first refusals of an hour that get an entry each; then only what repeats itself does

_log = logging.getLogger(__name__)


def note(user: User | None, *, address: str, typed: str = "", how: str = "password") -> None:
    """Count a refused sign-in with the name of `user`, or with a name that nobody has. Never raises.

    `how`: what was wrong: password, code, or confirm (the password again, inside). `typed`: the name, known
    or not: counted alike, and as long.
    """
    name = f"?{typed.strip().lower()}" if typed else str(user.id if user else "")
    count, of_all = _count(f"{address} {how} {name}"), _count("all")
    is_step = _is_power_of_ten(count) and of_all <= _MOST_ALONE * count
    if not is_step and not (_is_power_of_ten(of_all) and of_all > _MOST_ALONE):
        return
    told = {"times": count} if is_step else {"times_by_all": of_all}
    try:
        begin_writing()
        audit.add(
            "sign_in.refused",
            target=user.name if user else "",
            target_id=user.id if user else None,
            how=how,
            **told,  # type: ignore[arg-type]
        )
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        _log.warning("a refused sign-in could not be noted: %s", type(error).__name__)


def _is_power_of_ten(number: int) -> bool:
    return str(number).strip("0") == "1"


def _count(what: str) -> int:
    return counts.count(f"refused {what}", seconds=_WINDOW_SECONDS)
