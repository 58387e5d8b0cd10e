"""Tables as CSV files: every cell quoted, none a formula for a spreadsheet.

RFC 4180; what stands in the cells is decided by who asks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from flask import Flask, Response, current_app

_ROWS = 500  # of a chunk
# A cell that begins so is a formula for a spreadsheet (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def download(name: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Response:
    """The table as a file that is sent while it is read. `rows` may ask the database when they are taken."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    response = Response(_lines(app, columns, rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.headers["X-Accel-Buffering"] = "no"
    return response


def harmless(cell: Any) -> str:
    """The text of a cell, with a quote in front of what a spreadsheet would calculate."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _lines(app: Flask, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """A chunk at a time, each in a context of its own: a reader who is slow, or never comes back, holds no
    connection to the database."""
    yield "\ufeff" + _line(columns)  # the mark in front tells spreadsheets that it is UTF-8
    following = iter(rows)
    while True:
        with app.app_context():
            chunk = list(islice(following, _ROWS))
        if not chunk:
            return
        yield "".join(_line(row) for row in chunk)


def _line(cells: tuple[Any, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([harmless(cell) for cell in cells])
    return text.getvalue()
