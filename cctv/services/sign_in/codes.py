"""Codes to type and links to follow that are sent by mail: made, tried, used once.

Only their keyed hashes are stored; what they open is done by the services that ask for them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, func, select, update

from cctv import keys
from cctv.clock import utcnow
from cctv.errors import Invalid, LimitReached
from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, OneTimeCode, Setting, User

DIGITS = 8
CODE_SECONDS = 600
PAIR_SECONDS = 300  # on a screen that others may see
INVITATION_SECONDS = 3 * 24 * 3600  # of its link; the code in it lives as long as every code
MOST_TRIES = 5  # of one code; the link goes on, nobody guesses 256 bits
MOST_TRIES_HOURLY = 15  # of one account, whatever is sent meanwhile
MOST_MADE, MADE_WITHIN_SECONDS = 3, 900  # for one account: nobody's letter box is flooded
_LIVES = {CodePurpose.INVITE: INVITATION_SECONDS, CodePurpose.PAIR: PAIR_SECONDS}
_KEPT_SECONDS = 7 * 24 * 3600  # after the end, for the counts above

WRONG = (
    "This code is not right or no longer valid. It works once, for 10 minutes and 5 tries. Ask for a new one."
)
DEAD_LINK = "This link is not valid (any more). It works once and for a short time; ask for a new one."


@dataclass(frozen=True, slots=True)
class Made:
    """What goes into the mail, and nowhere else: neither is shown when this is printed."""

    code: str = field(repr=False)
    link_token: str = field(repr=False)
    expires_at: datetime


def make(user: User, purpose: CodePurpose, *, email: str | None = None) -> Made:
    """A new code and link, in the caller's transaction; older ones for the same purpose die.

    `email`: the address that it is sent to and speaks for, when it is not the account's own.

    Raises:
        LimitReached: too many were made for this account within a quarter of an hour.
    """
    db.session.execute(
        select(User.id).where(User.id == user.id).with_for_update()
    )  # two at once: one after one
    now = utcnow()
    since = now - timedelta(seconds=MADE_WITHIN_SECONDS)
    # Anybody can ask for a mail to somebody: that must not keep the person from showing a picture.
    is_pairing = OneTimeCode.purpose == CodePurpose.PAIR
    lately = select(func.count(OneTimeCode.id)).where(
        OneTimeCode.user_id == user.id,
        OneTimeCode.created_at > since,
        is_pairing if purpose == CodePurpose.PAIR else ~is_pairing,
    )
    if (db.session.scalar(lately) or 0) >= MOST_MADE:
        raise LimitReached("Several codes were sent lately. Use the newest, or wait a quarter of an hour.")
    forget(user, purpose)
    seconds = _LIVES.get(purpose, CODE_SECONDS)
    made = Made(
        code=f"{secrets.randbelow(10**DIGITS):0{DIGITS}}",
        link_token=secrets.token_urlsafe(32),
        expires_at=now + timedelta(seconds=seconds),
    )
    db.session.add(
        OneTimeCode(
            user_id=user.id,
            purpose=purpose,
            email=email or user.email,
            code_hash=_code_hash(user.id, purpose, made.code),
            link_hash=_hash("link", purpose, made.link_token),
            created_at=now,
            expires_at=made.expires_at,
        )
    )
    return made


def use_code(user: User | None, purpose: CodePurpose, code: str) -> OneTimeCode:
    """Use what was typed, in the caller's transaction: call it before changing anything else.

    A wrong try is committed at once; spaces and dashes in it do not matter. `user` None: a name that nobody
    has, which takes as long and gets the same answer.

    Raises:
        Invalid: wrong, used, too old, tried too often - the same sentence for all of them.
    """
    digits = "".join(character for character in code if character.isdigit())
    now, user_id = utcnow(), user.id if user else 0
    row = db.session.scalar(
        select(OneTimeCode)
        .where(
            OneTimeCode.user_id == user_id,
            OneTimeCode.purpose == purpose,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.created_at > now - timedelta(seconds=CODE_SECONDS),
            OneTimeCode.expires_at > now,
            OneTimeCode.tries < MOST_TRIES,
        )
        .order_by(OneTimeCode.id.desc())
        .limit(1)
        .with_for_update()  # of two at once the second one sees what the first one did
        .execution_options(populate_existing=True)
    )
    is_tried_out = _tries_lately(user_id) >= MOST_TRIES_HOURLY
    right = row.code_hash if row else ""
    is_right = hmac.compare_digest(right, _code_hash(user_id, purpose, digits))
    if row is None or is_tried_out:
        _write_as_much()
        raise Invalid({"code": WRONG})
    if not is_right:
        row.tries += 1
        db.session.commit()
        raise Invalid({"code": WRONG})
    row.used_at = now
    return row


def find_link(purpose: CodePurpose, token: str) -> OneTimeCode | None:
    """What the link would open. Uses nothing: mail programs follow links by themselves."""
    return db.session.scalar(_by_link(purpose, token))


def use_link(purpose: CodePurpose, token: str) -> User:
    """Use a link, in the caller's transaction; whose it is.

    Raises:
        Invalid: forged, used, too old.
    """
    return take_link(purpose, token).user


def take_link(purpose: CodePurpose, token: str) -> OneTimeCode:
    """As use_link, with the address that it was sent to."""
    row = db.session.scalar(
        _by_link(purpose, token).with_for_update().execution_options(populate_existing=True)
    )
    if row is None:
        db.session.rollback()
        raise Invalid({"token": DEAD_LINK})
    row.used_at = utcnow()
    return row


def forget(user: User, *purposes: CodePurpose) -> None:
    """Let what is still open die, in the caller's transaction; of every purpose when none is named."""
    query = update(OneTimeCode).where(OneTimeCode.user_id == user.id, OneTimeCode.used_at.is_(None))
    if purposes:
        query = query.where(OneTimeCode.purpose.in_(purposes))
    db.session.execute(query.values(used_at=utcnow()))


def forget_old() -> None:
    """Remove what ended a week ago."""
    begin_writing()
    horizon = utcnow() - timedelta(seconds=_KEPT_SECONDS)
    db.session.execute(delete(OneTimeCode).where(OneTimeCode.expires_at < horizon))
    db.session.commit()


def _by_link(purpose: CodePurpose, token: str) -> Select[tuple[OneTimeCode]]:
    return select(OneTimeCode).where(
        OneTimeCode.link_hash == _hash("link", purpose, token),
        OneTimeCode.used_at.is_(None),
        OneTimeCode.expires_at > utcnow(),
    )


def _write_as_much() -> None:
    """One row, unchanged: a commit costs milliseconds, by which one could tell whether there was a code."""
    db.session.execute(
        update(Setting).where(Setting.key == "organisation_name").values(key="organisation_name")
    )
    db.session.commit()


def _tries_lately(user_id: int) -> int:
    since = utcnow() - timedelta(hours=1)
    query = select(func.sum(OneTimeCode.tries)).where(
        OneTimeCode.user_id == user_id, OneTimeCode.created_at > since
    )
    return int(db.session.scalar(query) or 0)


def _code_hash(user_id: int, purpose: CodePurpose, code: str) -> str:
    return _hash("code", purpose, f"{user_id}:{code}")


def _hash(what: str, purpose: CodePurpose, secret: str) -> str:
    """Keyed: who reads the database cannot try all codes against it."""
    text = f"{what}:{purpose}:{secret}".encode()
    return hmac.new(keys.derive("one-time-codes"), text, hashlib.sha256).hexdigest()
