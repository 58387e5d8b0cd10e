"""The words of which the shapes of requests and answers are made, and the shapes that every operation shares.

A field of a request accepts exactly what the schema says: no "5" for 5, no 1 for true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from cctv.services.site.paging import LARGEST, Page

LARGEST_ID = 2**31 - 1
LARGEST_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Body(ma.Schema):
    """What a request may bring; anything else is refused by name."""

    class Meta:
        """Of marshmallow."""

        unknown = ma.RAISE

    error_messages = {"unknown": "There is no such field.", "type": "Send an object of JSON."}


class Query(Body):
    """The same for what stands behind the question mark."""


class Answer(ma.Schema):
    """What an answer holds: each field always, null where there is nothing to say."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field) -> None:
        """Say in the documentation that it is always there."""
        field_obj.required = True


class Whole(fields.Integer):
    """A whole number; in JSON a number, in a query its digits."""

    default_error_messages = {"invalid": "Send a whole number."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        is_digits = isinstance(value, str) and isinstance(self.parent, Query) and _WHOLE.fullmatch(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        if not (is_digits or is_number):
            raise self.make_error("invalid")
        return int(value)


class Number(fields.Float):
    """A number of JSON."""

    default_error_messages = {"invalid": "Send a number."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        return float(value)


class Flag(fields.Boolean):
    """true or false, and nothing that looks like it."""

    default_error_messages = {"invalid": "Send true or false."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(self.parent, Query) and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


def text(
    most: int, says: str, *, least: int = 0, example: str | None = None, **options: Any
) -> fields.String:
    """A text of a request; lengths in characters."""
    said = f"Use at most {most} characters." if not least else f"Use {least} to {most} characters."
    metadata = {"description": says} | ({"example": example} if example is not None else {})
    return fields.String(validate=Length(least, most, error=said), metadata=metadata, **options)


def secret(most: int, says: str, *, least: int = 1, **options: Any) -> fields.String:
    """A text that never comes back."""
    metadata = {"description": says, "format": "password"}
    return fields.String(
        validate=Length(least, most, error=f"Use {least} to {most} characters."),
        metadata=metadata,
        load_only=True,
        **options,
    )


def whole(least: int, most: int, says: str, *, example: int | None = None, **options: Any) -> Whole:
    """A whole number of a request, both ends included."""
    metadata = {"description": says} | ({"example": example} if example is not None else {})
    return Whole(
        validate=Range(least, most, error=f"Choose {least} to {most}."), metadata=metadata, **options
    )


def number(least: float, most: float, says: str, **options: Any) -> Number:
    """A number of a request, both ends included."""
    return Number(
        validate=Range(least, most, error=f"Choose {least:g} to {most:g}."),
        metadata={"description": says},
        **options,
    )


def flag(says: str, **options: Any) -> Flag:
    """true or false."""
    return Flag(metadata={"description": says}, **options)


def choice(values: Iterable[str], says: str, **options: Any) -> fields.String:
    """One of these words."""
    words = [str(value) for value in values]
    return fields.String(
        validate=OneOf(words, error=f"Choose one of: {', '.join(words)}."),
        metadata={"description": says},
        **options,
    )


def matching(pattern: str, error: str, says: str, **options: Any) -> fields.String:
    """A text of this form."""
    return fields.String(validate=Regexp(pattern, error=error), metadata={"description": says}, **options)


def said(says: str, **options: Any) -> fields.String:
    """A text of an answer."""
    return fields.String(metadata={"description": says}, **options)


def count(says: str, **options: Any) -> fields.Integer:
    """A whole number of an answer."""
    return fields.Integer(metadata={"description": says}, **options)


def share(says: str, **options: Any) -> fields.Float:
    """A part of one in an answer, 0 to 1."""
    return fields.Float(metadata={"description": says, "minimum": 0, "maximum": 1}, **options)


def moment(says: str, **options: Any) -> fields.AwareDateTime:
    """A time of an answer in RFC 3339, UTC."""
    return fields.AwareDateTime(format="iso", default_timezone=UTC, metadata={"description": says}, **options)


def some(shape: type[ma.Schema] | fields.Field, says: str, **options: Any) -> fields.List:
    """A list of an answer."""
    inner = fields.Nested(shape) if isinstance(shape, type) else shape
    return fields.List(inner, metadata={"description": says}, **options)


def one(shape: type[ma.Schema], says: str, **options: Any) -> fields.Nested:
    """An object inside an answer."""
    return fields.Nested(shape, metadata={"description": says}, **options)


class PageQuery(Query):
    """Which page of a list."""

    page = whole(1, 1_000_000, "Pages are counted from 1.", load_default=1)
    page_size = whole(1, LARGEST, "Rows a page.", load_default=50)


class Paged(Answer):
    """One page of a list; each list adds its `items`."""

    page = count("The page that this is, from 1.")
    page_size = count("Rows a page.")
    total = count("Rows on all pages.")


class Problem(Answer):
    """What went wrong (RFC 9457)."""

    type = said("Always about:blank: `status` and `errors` say what programs need.")
    title = said("In a few words.")
    status = count("The HTTP status.")
    detail = said("A sentence for a person; it may be shown as it is.")
    instance = said("Of a failure on our side: the incident number in our log.")
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Of a refused request: field -> sentence."},
    )

    def on_bind_field(self, field_name: str, field_obj: fields.Field) -> None:
        """The last two are not always there."""
        field_obj.required = field_name not in {"instance", "errors"}


def paged(page: Page[Any], items: list[Mapping[str, Any]]) -> dict[str, Any]:
    """A page of a list for a shape of `Paged`."""
    return {"items": items, "page": page.number, "page_size": page.size, "total": page.total}
