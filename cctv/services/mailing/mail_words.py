"""What a mail says: subject, text and HTML of each template, out of values that strangers may have chosen.

Nothing here sends or stores; no value becomes a header line, markup or an escape sequence of a terminal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from jinja2 import Environment, StrictUndefined

from cctv import config, keys
from cctv.services.site import settings


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of mail: templates/mail/<name>.txt, whose first line is the subject, and <name>.html."""

    needs: frozenset[str]  # names of values; `name` and `link` may be given to every template
    # Its values open something: they are wiped as soon as the mail is over, however that went.
    is_secret: bool = False
    is_urgent: bool = False  # somebody waits for it in front of a screen


def _template(needs: str, *, is_secret: bool = False, is_urgent: bool = False) -> Template:
    return Template(frozenset(needs.split()), is_secret=is_secret, is_urgent=is_urgent)


TEMPLATES: dict[str, Template] = {
    "otp": _template(
        "code purpose", is_secret=True, is_urgent=True
    ),  # purpose: "sign in", "confirm a change"
    "reset": _template("code", is_secret=True, is_urgent=True),
    "verify": _template("code", is_secret=True, is_urgent=True),
    "invitation": _template("inviter role", is_secret=True, is_urgent=True),  # code or link, or both
    "new_sign_in": _template("at device address"),
    "password_changed": _template("at device address"),
    "camera_offline": _template("cameras"),  # [{name, since, cause, breaks}]
    "camera_online": _template("cameras"),  # [{name, since, length}]
    "disk": _template("machine sentence remedy"),
    "transfer_failed": _template("what cause"),
    "daily_report": _template("day percent complete idle cameras"),  # cameras: [{name, percent, causes}]
    "generic": _template("subject body"),  # body: plain text, blank lines between paragraphs
    "test": _template("asked_by"),
}

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST_SUBJECT = 180
_LONGEST_ORGANISATION = 60


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it is written; the subject is one line."""

    subject: str
    text: str
    html: str


def write(template: str, values: Mapping[str, Any], *, expires_at: datetime | None = None) -> Letter:
    """The mail of a template.

    Raises:
        KeyError: there is no such template, or it needs a value that was not given.
    """
    missing = TEMPLATES[template].needs - values.keys()
    if missing:
        raise KeyError(f"the mail {template} needs {', '.join(sorted(missing))}")
    words = {
        "name": "",
        "link": "",
        "code": "",
        "sent_by": "",
        **clean(values),
        "organisation": organisation(),
        "valid_until": _until(expires_at),
        "site": link("/"),
    }
    jinja = _environment()
    head, _, text = jinja.get_template(f"mail/{template}.txt").render(words).partition("\n")
    html = jinja.get_template(f"mail/{template}.html").render(words)
    subject = one_line(head.removeprefix("Subject:"))[:_LONGEST_SUBJECT]
    return Letter(subject=subject, text=text.strip() + "\n", html=html)


def clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without control characters and marks that turn the direction of text; only `body` has lines."""
    return {
        str(key): _cleaned(value, _several_lines if key == "body" else one_line)
        for key, value in values.items()
    }


def _cleaned(value: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return spell(value)
    if isinstance(value, Mapping):
        return {str(key): _cleaned(one, spell) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(one, spell) for one in value]
    return value


def _several_lines(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Fit for a header: no line ends, no controls, single blanks."""
    return " ".join(_CONTROLS.sub(" ", text).split())


def organisation() -> str:
    """Who the mail comes from, in a header and in its text."""
    return one_line(str(settings.get("organisation_name")))[:_LONGEST_ORGANISATION] or "Cameras"


def link(path: str) -> str:
    """The address of one of our pages for a mail, or "" when nobody has said where the pages are.

    Never from a request: whoever sends one chooses its Host header.
    """
    base = config.current().frontend_url or str(settings.get("site_address")).rstrip("/")
    return f"{base}{path}" if base else ""


def sender_address() -> str:
    """Whom mails come from: the setting, else the account at the mail server, else one of the site's."""
    configured = str(settings.get("mail_from"))
    account = config.current().email_host_user
    return configured or (account if "@" in account else f"cctv@{_domain()}")


def _domain() -> str:
    host = urlsplit(link("/")).hostname or config.current().node_name
    return host if host.isascii() and host.replace("-", "").replace(".", "").isalnum() else "localhost"


def message_id(number: int) -> str:
    """The same for every try of a mail: a reader that got it twice would show it once (RFC 5322 3.6.4)."""
    digest = hashlib.blake2b(str(number).encode(), key=keys.derive("mail-id"), digest_size=12).hexdigest()
    return f"<{number}.{digest}@{sender_address().rpartition('@')[2]}>"


def _until(expires_at: datetime | None) -> str:
    if expires_at is None:
        return ""
    zone = settings.zone()
    local = expires_at.astimezone(zone)
    place = zone.key.rpartition("/")[2].replace("_", " ")
    return f"{local.day} {local:%b %H:%M} ({place} time)"


def _environment() -> Environment:
    """Made once: a new one would compile its templates for every mail."""
    known: Environment | None = current_app.extensions.get("cctv.mail_templates")
    if known is None:
        # Shares the application's loader and its autoescape, which is on for .html and off for .txt.
        known = current_app.jinja_env.overlay(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
        current_app.extensions["cctv.mail_templates"] = known
    return known
