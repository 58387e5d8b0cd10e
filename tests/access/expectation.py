"""Reads expected.toml: how everybody is answered at every address.

Nothing here asks the application.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.access.people import GRANTED

PATH = Path(__file__).with_name("expected.toml")
CAMERAS = ("granted", "foreign", "absent")
# Parts of an address that belong to a camera: there is one of each.
OF_CAMERAS = ("recording_id", "export_id")
PERSONS = ("a Visitor", "an Admin", "a Super Admin", "nobody")


@dataclass(frozen=True)
class Entry:
    """One address and verb with what everybody gets."""

    table: str
    method: str
    rule: str
    query: str
    ok: int
    who: dict[str, str]
    sends: dict[str, Any] = field(default_factory=dict)  # form or json
    needs_footage: bool = False
    token: str = ""

    @property
    def label(self) -> str:
        """As it stands in the file."""
        return f"{self.method} {self.rule}{'?' if self.query else ''}{self.query}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the address is about: cameras, persons, or one nameless thing."""
        text = f"{self.rule}{self.query}{self.sends}"
        if any(part in text for part in ("camera_id>", "{camera}", *(f"{name}>" for name in OF_CAMERAS))):
            return CAMERAS
        return PERSONS if "user_id>" in text or "{person}" in text else ("",)

    def worth_asking(self, person: str) -> list[tuple[int, str]]:
        """The subjects that this person is asked with; fewer where the table does not tell them apart.

        What somebody was granted matters only for cameras; elsewhere one of those people stands for all.
        """
        subjects = list(enumerate(self.subjects))
        is_alike = person in GRANTED and not any(person in names for names in self.who)
        if not is_alike:
            return subjects
        if self.subjects is CAMERAS:
            return subjects if len(self._said(person).split()) > 1 else subjects[:1]
        return subjects[:1] if person in ("visitor_live", "developer_live") else []

    def status(self, person: str, subject: int) -> int:
        """What this person gets; KeyError when the table does not say."""
        said = self._said(person).split()
        word = said[0] if len(said) == 1 else said[subject]
        return self.ok if word == "ok" else int(word)

    def _said(self, person: str) -> str:
        # The exact name first, then the longest pattern.
        for names in sorted(self.who, key=lambda names: ("*" in names, -len(names))):
            if any(fnmatchcase(person, name.strip()) for name in names.split(",")):
                return self.who[names]
        raise KeyError(f"[{self.table}] says nothing about {person}")


def read() -> list[Entry]:
    """Every line of the file."""
    return [
        entry for name, table in tomllib.loads(PATH.read_text()).items() for entry in _entries(name, table)
    ]


def _entries(name: str, table: dict[str, Any]) -> Iterator[Entry]:
    who = {key: said for key, said in table.items() if key not in ("says", "footage", "token", "routes")}
    for label, answer in table["routes"].items():
        method, _, address = label.partition(" ")
        rule, _, query = address.partition("?")
        sends = dict(answer) if isinstance(answer, dict) else {"ok": answer}
        yield Entry(
            table=name,
            method=method,
            rule=rule,
            query=query,
            ok=sends.pop("ok"),
            who=who,
            sends=sends,
            needs_footage=table.get("footage", False),
            token=table.get("token", ""),
        )
