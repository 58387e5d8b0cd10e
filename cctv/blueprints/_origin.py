"""Who asks and from where, for the audit log: the person, the address and the device in words.

The address is the one that the connection has, or that a trusted proxy tells (proxies.py).
"""

from __future__ import annotations

from flask import Flask, request
from flask_login import current_user

from cctv.services.auditing import audit
from cctv.services.auditing.audit import Origin
from cctv.services.sign_in import devices


def register_origin(app: Flask) -> None:
    """Tell the audit log of each request who makes it."""

    def remember() -> None:
        audit.set_origin(_of_request)

    app.before_request(remember)


def address() -> str:
    """The client's address."""
    return (request.remote_addr or "")[:64]


def device() -> str:
    """Browser and system, or the program, in a few words: "Firefox on Linux"."""
    agent = request.user_agent.string
    return devices.describe(agent) if agent else ""


def _of_request() -> Origin:
    """Asked when an entry is added: most requests add none, and then nobody looks for the person."""
    user = current_user
    if not user.is_authenticated:
        return Origin(None, "", address(), device())
    return Origin(user.id, user.name, address(), device())
