"""Writes what the keepers report: in order, in few transactions, and without anything that nobody can store.

Belongs to the steward's thread; what cannot be written now waits in the node's list.
"""

from __future__ import annotations

import logging

from sqlalchemy.exc import DataError, IntegrityError

from cctv.capture.node import CaptureNode
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.services.camera import captures

_log = logging.getLogger(__name__)

_AT_ONCE = 200


class Reporter:
    """That of one node."""

    def __init__(self, node: CaptureNode) -> None:
        self._node = node
        self._was_stuck = False

    def write(self) -> None:
        """Everything that waits. SQLAlchemyError when the database does not answer; the rest waits on."""
        reports = self._node.reports
        self._node.has_reports.clear()
        while reports:
            batch = [reports[index] for index in range(min(len(reports), _AT_ONCE))]
            self._record(batch)
            for _ in batch:
                reports.popleft()

    def _record(self, batch: list[captures.Report]) -> None:
        """Write reports; one that the database can never take is left out, or nothing would follow it."""
        try:
            captures.record(batch)
        except (DataError, IntegrityError, ValueError) as error:
            db.session.rollback()
            if len(batch) == 1:
                _log.error("stream %d: a report is dropped: %s", batch[0].stream_id, type(error).__name__)
                return
            for report in batch:
                self._record([report])

    def tell_stuck_disk(self) -> None:
        """A hung disk holds the rounds; somebody must say so, and what is true again afterwards."""
        is_stuck = self._node.rounds.stuck_s() > self._node.patience.hung
        if is_stuck and not self._was_stuck:
            self._node.volume.state = "hung"
            for keeper in self._node.held().values():
                self._node.tell(keeper, "storage", "disk_hung", "", now_ms())
        if self._was_stuck and not is_stuck:
            for keeper in self._node.held().values():
                self._node.rounds.order(keeper.voice.repeat)
        self._was_stuck = is_stuck
