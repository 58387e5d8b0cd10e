"""One page of a long list: the rows, and how many there are in all.

Used by every list of the pages and of the API, so that none is read whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

from sqlalchemy import Select, func, select

from cctv.errors import Invalid
from cctv.extensions import db

Row = TypeVar("Row")

LARGEST = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows `(number - 1) * size` and following, of `total`."""

    items: list[Row]
    number: int
    size: int
    total: int

    @property
    def count(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, ceil(self.total / self.size))

    @property
    def next(self) -> int | None:
        """The number of the next page."""
        return self.number + 1 if self.number < self.count else None


def check_page(number: int, size: int) -> None:
    """Refuse a page that cannot be.

    Raises:
        Invalid: keys page, page_size.
    """
    if number < 1:
        raise Invalid({"page": "Pages are counted from 1."})
    if not 1 <= size <= LARGEST:
        raise Invalid({"page_size": f"Choose 1 to {LARGEST} rows a page."})


def paginate(query: Select[tuple[Row]], *, number: int = 1, size: int = 50) -> Page[Row]:
    """One page of a query of one entity, in two statements.

    Raises:
        Invalid: keys page, page_size.
    """
    check_page(number, size)
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = db.session.scalars(query.limit(size).offset((number - 1) * size)).unique()
    return Page(list(rows), number, size, total)
