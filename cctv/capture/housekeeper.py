"""The disk of the node is kept in order from here: room is made every few seconds, a start is reconciled.

Works while database and disk answer and waits while they do not; it decides nothing itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from cctv import queue
from cctv.extensions import db
from cctv.models import Node
from cctv.services.footage import reconcile
from cctv.services.lifetime import retention
from cctv.services.site import nodes

_log = logging.getLogger(__name__)

_MAY_DELETE = (None, "disk_full")  # on a disk in any other trouble nothing is touched


class Housekeeper(threading.Thread):
    """The thread. `trouble` tells the cause for which the disk takes nothing now, or None."""

    def __init__(self, app: Flask, *, trouble: Callable[[], str | None], every_s: float = 5.0) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._app = app
        self._trouble = trouble
        self._every_s = every_s
        self._is_reconciled = False

    def run(self) -> None:
        """For ever."""
        while True:
            time.sleep(self._every_s)  # a starting worker has captures to adopt first
            if self._trouble() in _MAY_DELETE:
                self._safely()
            else:  # once it is well, what was written last before the trouble has no row yet
                self._is_reconciled = False

    def _safely(self) -> None:
        with self._app.app_context():
            try:
                self._keep()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("housekeeping waits: %s", str(error).partition("\n")[0][:200])
            except Exception:  # what it could not do now it may do in five seconds; without it the disk fills
                _log.exception("housekeeping failed")
            finally:
                db.session.remove()

    def _keep(self) -> None:
        node = nodes.this_node()
        retention.housekeep(node.id)
        if not self._is_reconciled:
            self._reconcile(node)
            self._is_reconciled = True

    @staticmethod
    def _reconcile(node: Node) -> None:
        # Reading a month of names takes half a minute of a processor: better not beside the captures.
        jobs = queue.media(node.key)
        if not queue.enqueue(jobs, "cctv.jobs.storage.reconcile", node.id, timeout_seconds=1800):
            _log.info("%s", reconcile.run(node).sentence)
