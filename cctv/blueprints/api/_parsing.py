"""What a request of the API brings: JSON and query, checked against a shape; nothing unknown passes.

Turns what is wrong into sentences by field; decides nothing about rights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request, request
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from cctv import texts
from cctv.errors import Invalid, Malformed

BODY_BYTES = 64 * 1024
_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS", "DELETE"}


def check_body() -> None:
    """Refuse a body where none belongs, one that is no JSON, and one that is larger than any of ours."""
    request.max_content_length = BODY_BYTES
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if not has_body:
        return
    if request.method in _WITHOUT_BODY:
        raise Malformed(f"A {request.method} request has no body.")
    if not request.is_json:
        raise UnsupportedMediaType


@contextmanager
def renamed(**names: str) -> Iterator[None]:
    """What services call otherwise, by the names of the API: service's name = the API's name."""
    try:
        yield
    except Invalid as error:
        raise Invalid({names.get(name, name): said for name, said in error.errors.items()}) from None


class Parser(FlaskParser):
    """Reads arguments for flask-smorest."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE, "headers": ma.EXCLUDE}

    def _raw_load_json(self, req: Request) -> Any:
        text = req.get_data(cache=True)
        if not text.strip():
            return core.missing
        try:
            found = json.loads(text.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise Malformed("The body is not JSON (RFC 8259).") from None
        _check_texts(found)
        return found

    def handle_error(self, error: ma.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Every field that is wrong, by name."""
        messages = error.messages if isinstance(error.messages, dict) else {"body": error.messages}
        raise Invalid({name or "body": said for at in messages.values() for name, said in _flat(at)})


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _flat(messages: Any, path: str = "") -> list[tuple[str, str]]:
    """(field, sentence) of marshmallow's nested messages."""
    if isinstance(messages, Mapping):
        inner = [
            _flat(said, path if name == "_schema" else f"{path}.{name}".strip("."))
            for name, said in messages.items()
        ]
        return [pair for pairs in inner for pair in pairs]
    said = messages if isinstance(messages, list) else [messages]
    return [(path, " ".join(str(one) for one in said))]


def _check_texts(found: Any) -> None:
    waiting = [("body", found)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str) and texts.is_unfit(value):
            raise Invalid({name: texts.UNFIT})
        if isinstance(value, list):
            waiting += [(name, one) for one in value]
        elif isinstance(value, dict):
            if any(texts.is_unfit(key) for key in value):
                raise Invalid({name: "A name of a field holds a character that cannot be stored."})
            waiting += [(key, one) for key, one in value.items()]
