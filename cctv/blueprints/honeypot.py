"""The honeypot's log: who knocked, what they typed - as text, never as a link - and what to do about it.

Whom it may shut out is decided by services/sign_in/blocked_addresses.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _csv, _htmx, _words
from cctv.clock import from_ms, now_ms, site_day
from cctv.extensions import begin_writing, db
from cctv.models import TrappedAddress, User
from cctv.services.auditing import audit
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import honeypot, trap_rows

blueprint = Blueprint("honeypot", __name__, url_prefix="/developer/honeypot")

_OF_ADDRESS = ("address", "first", "last", "hits", "tries", "blocked until", "ours")
_OF_ATTEMPT = ("at", "method", "path", "name", "password", "device")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Addresses, the newest first; `ours=1` with our own scanners, `p` the page."""
    access.authorise(current_user, None, Action.HONEYPOT)
    page = trap_rows.find_addresses(with_ours=_with_ours(), number=max(1, request.args.get("p", 1, type=int)))
    return _htmx.render(
        "honeypot/index.html",
        "rows" if page.number == 1 else "more",
        page=page,
        with_ours=_with_ours(),
        now_ms=now_ms(),
        for_good_ms=honeypot.FOR_GOOD_MS,
        newest_ms=max([row.last_ms for row in page.items], default=0) if page.number == 1 else 0,
        knocks=trap_rows.by_day() if page.number == 1 else [],
        blocked=trap_rows.count_blocked(),
    )


@blueprint.get("/news")
def news() -> ResponseReturnValue:
    """How many addresses came since `after`."""
    access.authorise(current_user, None, Action.HONEYPOT)
    after = request.args.get("after", 0, type=int)
    count = trap_rows.count_news(since_ms=after, with_ours=_with_ours())
    if count == request.args.get("shown", 0, type=int):
        return _htmx.no_content()
    return _htmx.render("honeypot/_news.html", count=count, after=after, with_ours=_with_ours())


@blueprint.get("/<int:row_id>")
def show(row_id: int) -> ResponseReturnValue:
    """What one address tried."""
    access.authorise(current_user, None, Action.HONEYPOT)
    row = honeypot.get_address(row_id)
    return _htmx.render("honeypot/show.html", "attempts", row=row, attempts=trap_rows.attempts_of(row.id))


@blueprint.post("/<int:row_id>/block")
def block(row_id: int) -> ResponseReturnValue:
    """Shut the address out until somebody lets it in again."""
    return _done(row_id, honeypot.block_for_good, "{} is blocked for good.", undo="unblock")


@blueprint.post("/<int:row_id>/unblock")
def unblock(row_id: int) -> ResponseReturnValue:
    """Let it in again."""
    return _done(row_id, honeypot.unblock, "{} may come in again.")


@blueprint.post("/<int:row_id>/ours")
def ours(row_id: int) -> ResponseReturnValue:
    """It is a scanner of our own."""
    return _done(row_id, _mark_ours, "{} is marked as ours. It is never blocked.", undo="not-ours")


@blueprint.post("/<int:row_id>/not-ours")
def not_ours(row_id: int) -> ResponseReturnValue:
    """It is a stranger after all."""
    return _done(row_id, _mark_foreign, "{} is not marked as ours any more.", undo="ours")


@blueprint.post("/export")
def export() -> Response:
    """Everything that is kept, one line for each attempt."""
    access.authorise(current_user, None, Action.HONEYPOT)
    begin_writing()
    audit.add("honeypot.export")
    db.session.commit()
    name = f"honeypot_{site_day(now_ms(), _words.site_zone()).isoformat()}"
    return _csv.download(name, (*_OF_ADDRESS, *_OF_ATTEMPT), _lines())


def _with_ours() -> bool:
    return request.args.get("ours") == "1"


def _mark_ours(actor: User, row: TrappedAddress) -> None:
    honeypot.mark(actor, row, is_ours=True)


def _mark_foreign(actor: User, row: TrappedAddress) -> None:
    honeypot.mark(actor, row, is_ours=False)


def _done(
    row_id: int, act: Callable[[User, TrappedAddress], None], text: str, *, undo: str = ""
) -> ResponseReturnValue:
    access.authorise(current_user, None, Action.HONEYPOT)
    row = honeypot.get_address(row_id)
    act(current_user, row)
    back = {"label": "Undo", "post": f"{url_for('honeypot.index')}/{row_id}/{undo}"}
    response = _htmx.redirect(url_for("honeypot.index"))
    return _htmx.toast(response, "ok", text.format(row.address), actions=[back] if undo else [])


def _lines() -> Iterator[tuple[Any, ...]]:
    zone, number = _words.site_zone(), 1

    def spelled(ms: int | None) -> str:
        return from_ms(ms).astimezone(zone).isoformat(sep=" ", timespec="seconds") if ms else ""

    while True:
        page = trap_rows.find_addresses(with_ours=True, number=number, size=100)
        for row in page.items:
            blocked = (
                "for good" if row.blocked_until_ms == honeypot.FOR_GOOD_MS else spelled(row.blocked_until_ms)
            )
            facts = (
                row.address,
                spelled(row.first_ms),
                spelled(row.last_ms),
                row.hits,
                row.tries,
                blocked,
                row.is_ours,
            )
            for one in trap_rows.attempts_of(row.id):
                yield (*facts, spelled(one.at_ms), one.method, one.path, one.name, one.password, one.device)
        if page.next is None:
            return
        number = page.next
