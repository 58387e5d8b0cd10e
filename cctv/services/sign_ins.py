"""What the audit log says of signing in and out; the sessions themselves are in sessions.py.

A refused try writes the same for every name and takes as long.
"""

from __future__ import annotations

from cctv.extensions import begin_writing, db
from cctv.models import User
from cctv.services import audit


def refused(user: User | None, how: str) -> None:
    """A wrong password or code; `how`: password, code or confirm.

    The account is what was tried, not who tried. An unknown name is not written down: people type their
    password there.
    """
    begin_writing()
    audit.add(
        "sign_in.refused",
        target=user.name if user else "unknown name",
        target_id=user.id if user else None,
        how=how,
    )
    db.session.commit()
