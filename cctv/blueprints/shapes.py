"""Shapes that no request of ours has, refused before any view: ids beyond the database's, zero bytes in text.

PostgreSQL refuses both with errors of its own, in the middle of a query.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from werkzeug.exceptions import BadRequest
from werkzeug.routing import IntegerConverter, Map

_LARGEST_ID = 2**31 - 1  # of an integer column


class IdConverter(IntegerConverter):
    """`<int:...>` in an address: an id, unless the rule says another `max`."""

    def __init__(self, map: Map, *, max: int = _LARGEST_ID, **options: Any) -> None:
        super().__init__(map, max=max, **options)


def register_shapes(app: Flask) -> None:
    """Before the first rule is added."""
    app.url_map.converters["int"] = IdConverter
    app.before_request(_refuse_zero_bytes)


def _refuse_zero_bytes() -> None:
    fields = [request.args]
    if request.mimetype == "application/x-www-form-urlencoded":
        fields.append(request.form)
    for each in fields:
        if any("\0" in text for name, texts in each.lists() for text in (name, *texts)):
            raise BadRequest
