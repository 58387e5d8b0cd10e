"""Two people change the same thing: the second one is told, by ETag and If-Match (RFC 9110, 13.1.1).

The tag is the version of the row; services compare it again under their lock.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import request

from cctv.blueprints.api._face import View
from cctv.errors import Changed, Conflict, Invalid, VersionMissing

_TAG = re.compile(r'"[!#-~]{0,198}"')
HEADER = {"ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}}
_PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string", "maxLength": 200, "pattern": r'^(\*|"[!#-~]*")$'},
    "description": "The ETag of what was read; `*` for whatever is there now.",
}


def tag(version: int) -> dict[str, str]:
    """The header of an answer."""
    return {"ETag": f'"{version}"'}


def expected(current: int) -> int | None:
    """The version that the asker wants to change; None for any.

    Raises:
        VersionMissing: no If-Match.
        Changed: it is not the current one.
    """
    if "If-Match" not in request.headers:
        raise VersionMissing("Send the ETag of what you have read as If-Match.")
    return if_given(current)


def if_given(current: int) -> int | None:
    """As `expected`, where If-Match may be left out."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    if not _TAG.fullmatch(request.headers["If-Match"]):
        raise Invalid({"if_match": "Send the ETag as it was given, with its quotes."})
    if not request.if_match.contains(str(current)):
        raise Changed("Somebody changed this in the meantime. Read it again, then change it.")
    return current


def lost(error: Conflict) -> Changed:
    """A change by somebody else between our look and the lock."""
    return Changed(error.message)


def versioned(*, is_required: bool = True) -> Callable[[View], View]:
    """Document If-Match and its two problems."""

    def decorate(view: View) -> View:
        found = getattr(view, "_apidoc", {})
        manual = found.setdefault("manual_doc", {})
        parameter = {**_PARAMETER, "required": is_required}
        manual["parameters"] = [*manual.get("parameters", []), parameter]
        responses = manual.setdefault("responses", {})
        responses["412"] = "PRECONDITION_FAILED"
        if is_required:
            responses["428"] = "PRECONDITION_REQUIRED"
        view._apidoc = found  # type: ignore[attr-defined]
        return view

    return decorate
