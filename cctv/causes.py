"""The one table of what can go wrong with a camera or its footage, and how a person is told.

Only words and their grouping live here; finding out which cause it is belongs to the rooms that look.
"""

from __future__ import annotations

from dataclasses import dataclass

from cctv.cause_texts import TEXTS

# What stands in for a fact that the teller does not have.
_UNTOLD = {
    "host": "of the camera",
    "address": "Its address",
    "port": "the RTSP port",
    "user": "the user",
    "seconds": "few",
    "since": "for a while",
    "camera": "another camera",
    "fingerprint": "unknown",
    "who": "somebody",
    "pictures": "a few pictures",
    "offset": "wrong",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. `state` is the stream state it leads to; `field` the form field to mark; `retries`
    whether capture goes on trying by itself; `short` stands in the timeline. Texts may hold facts in
    braces, see `told`."""

    code: str
    state: str
    headline_text: str
    body_text: str
    short: str
    field: str | None = None
    retries: bool = True

    @property
    def headline(self) -> str:
        return self.told()[0]

    @property
    def body(self) -> str:
        return self.told()[1]

    @property
    def promise(self) -> str:
        """What a saved camera's page adds to the body: whether capture goes on trying; empty when it does
        not."""
        return _RETRYING if self.retries and self.state in {"offline", "refused", "frozen"} else ""

    def told(self, **facts: str | int | None) -> tuple[str, str]:
        """(headline, body) with what is known: host, address, port, user, seconds, since, camera,
        fingerprint, who, pictures."""
        known = {**_UNTOLD, **{name: str(fact) for name, fact in facts.items() if fact not in (None, "")}}
        if known["port"].isdigit():
            known["port"] = f"port {known['port']}"
        if facts.get("since"):
            known["since"] = f"since {known['since']}"
        if facts.get("user"):
            known["user"] = f"the user {facts['user']}"
        return _sentence(self.headline_text.format_map(known)), _sentence(self.body_text.format_map(known))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_RETRYING = "We go on trying; there is no recording until the picture is back."

CAUSES = {row[0]: Cause(*row) for row in TEXTS}
# Other words for the same cause, so that no caller can invent a second text.
_ALIASES = {"stalled": "stall", "no_route": "noroute", "killed_process": "killed"}


def get(code: str | None) -> Cause:
    """The cause of a code; `unknown` for a code that nobody knows (an older or newer version wrote it)."""
    code = _ALIASES.get(code or "", code or "")
    return CAUSES.get(code, CAUSES["unknown"])
