"""Seats of files on their way to players that read slowly: each holds a thread, so one person has only some.

Whether the person may have the file was asked before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from flask import Response

from cctv.errors import CctvError
from cctv.live.watch import Seats

file_seats = Seats(100, of_person=40)


def seated(response: Response, person_id: int) -> Response:
    """The response, which takes one of the person's seats until it is sent or given up.

    Raises:
        Unavailable, LimitReached: there is no seat.
    """
    body = response.response
    try:
        with ExitStack() as seat:
            seat.enter_context(file_seats.one(person_id))
            response.response = _Seated(body, seat.pop_all())
    except CctvError:
        response.close()
        raise
    return response


class _Seated:
    """What is sent, and its seat. Not in call_on_close: a body that is passed through is closed by itself."""

    def __init__(self, body: Any, seat: ExitStack) -> None:
        self._body = body
        self._seat = seat

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Called by the server, whether all of it was sent or not."""
        with self._seat:
            if hasattr(self._body, "close"):
                self._body.close()
