"""Slows guessing of passwords and of the set-up code, by account, by address and by browser.

A browser that has signed in before is counted for itself, so that strangers cannot keep its person out.
"""

from __future__ import annotations

import ipaddress
import math
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, request

from cctv import keys
from cctv.blueprints import _htmx
from cctv.blueprints.headers import is_https
from cctv.clock import utcnow
from cctv.models import User
from cctv.services.sign_in import tries
from cctv.services.sign_in.tries import Limit
from cctv.services.site import settings

_FREE = 5  # of an account or a browser
_FREE_OF_ADDRESS = 30  # an office behind one address signs in through it
_FREE_CODES = 10
_KNOWN_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Guess:
    """One try that was counted, or must wait."""

    own: Limit
    address: Limit | None
    wait_seconds: float

    @property
    def sentence(self) -> str:
        """When to try again; the same for every name."""
        at = (utcnow() + timedelta(seconds=math.ceil(self.wait_seconds))).astimezone(settings.zone())
        return f"Too many tries. Try again at {at:%H:%M:%S}."

    def was_right(self) -> None:
        """Forget the wrong ones before."""
        tries.forgive(self.own)
        if self.address:
            tries.give_back(self.address)

    def slow_down(self, response: Response) -> Response:
        """429 with the time to wait; HTMX swaps 422 only."""
        response.status_code = 422 if _htmx.is_htmx() else 429
        response.headers["Retry-After"] = str(math.ceil(self.wait_seconds))
        return response


def of_password(user: User | None, typed_name: str, *, is_browser: bool = True) -> Guess:
    """Count a try to sign in; an unknown name is counted as a known one is. An app brings no cookies.

    By what was typed: were address and user name of an account counted as one, then whoever has used up the
    tries of the one would see by the other whether they belong together, and so whether they exist.
    """
    if user is not None and is_browser and (browser := _known_browser(user)):
        own = Limit("browser", browser, _FREE)
        return Guess(own, None, tries.take(own))
    own = Limit("account", typed_name.strip().lower(), _FREE)
    address = Limit("address", client_address(), _FREE_OF_ADDRESS)
    return Guess(own, address, tries.take(address, own))


def of_second_step(user: User) -> Guess:
    """Count a try of the second factor: only somebody who knows the password gets here.

    Of a million codes three are right at any time: with a try in a quarter of an hour that is 0.03 % a day.
    """
    browser = _known_browser(user)
    own = Limit("second", browser or str(user.id), _FREE, longest_seconds=900, forgotten_seconds=24 * 3600)
    return Guess(own, None, tries.take(own))


def of_code() -> Guess:
    """Count a try of the set-up code."""
    own = Limit("code", client_address(), _FREE_CODES)
    return Guess(own, None, tries.take(own))


def of_letters() -> Guess:
    """Count a wish for a mail with a code; how many an account gets is limited in codes.py."""
    own = Limit("letters", client_address(), _FREE_CODES)
    return Guess(own, None, tries.take(own))


def of_mailed_code() -> Guess:
    """Count a try of a mailed code; how often each code may be tried is limited in codes.py."""
    own = Limit("mailed", client_address(), _FREE_OF_ADDRESS)
    return Guess(own, None, tries.take(own))


def of_sudo(user: User) -> Guess:
    """Count a try to confirm with the password: by session, so that a stolen one slows nobody else."""
    own = Limit("sudo", user.session_id, _FREE)
    return Guess(own, None, tries.take(own))


def know_browser(response: Response, user: User) -> Response:
    """Remember that this person has signed in here."""
    if not _known_browser(user):
        response.set_cookie(
            _cookie_name(),
            keys.sign("browser", [user.id, secrets.token_urlsafe(12)]),
            max_age=_KNOWN_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=is_https(),
        )
    return response


def _known_browser(user: User) -> str | None:
    cookie = request.cookies.get(_cookie_name(), "")
    known = keys.unsign("browser", cookie, max_age_seconds=_KNOWN_SECONDS)
    return str(known) if known and known[0] == user.id else None


def _cookie_name() -> str:
    return "__Host-browser" if is_https() else "browser"


def client_address() -> str:
    """An IPv4 address, or the /64 that one IPv6 customer has."""
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and not address.ipv4_mapped:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
