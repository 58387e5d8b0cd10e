"""Pages of long lists."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import Event
from cctv.services.site.paging import paginate


def test_a_list_comes_in_pages(context: Flask) -> None:
    db.session.add_all([Event(at_ms=number, kind="system", text=str(number)) for number in range(5)])
    db.session.commit()
    query = select(Event).order_by(Event.at_ms)
    first, last = paginate(query, size=2), paginate(query, number=3, size=2)
    assert ([event.at_ms for event in first.items], first.total, first.count, first.next) == ([0, 1], 5, 3, 2)
    assert ([event.at_ms for event in last.items], last.next) == ([4], None)
    assert paginate(query, number=9).items == []


@pytest.mark.parametrize(
    ("number", "size", "field"), [(0, 50, "page"), (1, 0, "page_size"), (1, 201, "page_size")]
)
def test_a_page_that_cannot_be_is_named(context: Flask, number: int, size: int, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        paginate(select(Event), number=number, size=size)
    assert list(refused.value.errors) == [field]
