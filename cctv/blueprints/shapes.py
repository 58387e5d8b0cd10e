"""Shapes that no request of ours has, refused before any view: ids beyond the database's, odd texts.

PostgreSQL refuses both with errors of its own, in the middle of a query. JSON: api/_parsing.py.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import IntegerConverter, Map

from cctv import texts
from cctv.errors import Invalid

_LARGEST_ID = 2**31 - 1  # of an integer column
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_DECOY = "/admin"  # writes down what strangers send, cleaned, and looks the same whatever they send


class IdConverter(IntegerConverter):
    """`<int:...>` in an address: an id, unless the rule says another `max`."""

    def __init__(self, map: Map, *, max: int = _LARGEST_ID, **options: Any) -> None:
        super().__init__(map, max=max, **options)


def register_shapes(app: Flask) -> None:
    """Before the first rule is added."""
    app.url_map.converters["int"] = IdConverter
    app.before_request(_refuse_unfit_texts)


def _refuse_unfit_texts() -> None:
    if request.path == _DECOY or request.path.startswith(f"{_DECOY}/"):
        return
    if texts.is_unfit(request.path):
        raise NotFound
    fields = [*request.args.lists()]
    if request.mimetype in _FORMS:
        fields += request.form.lists()
    for name, values in fields:
        if texts.is_unfit(name):
            raise Invalid({"form": "A name of a field holds a character that cannot be stored."})
        if any(texts.is_unfit(value) for value in values):
            raise Invalid({name: texts.UNFIT})
