"""Which host names this installation answers to (ALLOWED_HOSTS); others are refused before anything else.

A name that somebody else points at this machine must not reach it with a person's cookies (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.sansio.utils import host_is_trusted

from cctv import config
from cctv.blueprints import errors


def register_hosts(app: Flask) -> None:
    """Refuse requests that were made to a foreign name."""
    with app.app_context():
        names = _known_names()
    is_open = "*" in names

    def refuse_foreign_host() -> Response | None:
        if is_open or _is_address(request.host) or host_is_trusted(request.host, names):
            return None
        name = request.host.partition(":")[0][:100]
        return errors.answer(400, f"This system does not go by the name {name}. Add it to ALLOWED_HOSTS.")

    app.before_request(refuse_foreign_host)


def _known_names() -> list[str]:
    """ALLOWED_HOSTS, or the machine's own names; FRONTEND_URL is always known."""
    settings = config.current()
    own = socket.gethostname()
    names = list(settings.allowed_hosts) or ["localhost", own, f"{own}.local", socket.getfqdn()]
    frontend = urlsplit(settings.frontend_url).hostname
    return [*names, frontend] if frontend else names


def _is_address(host: str) -> bool:
    """Whether an IP address was typed: nobody else can own it, and behind NAT we do not know ours."""
    try:
        ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True
