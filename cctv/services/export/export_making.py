"""Makes exports on the machine that holds the footage, one at a time; cleans up what an interruption left.

Safe to run twice and to be killed anywhere: a file has its name only when it is whole, and a lost export
begins again.
"""

from __future__ import annotations

import errno
import logging
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, update

from cctv.clock import now_ms, utcnow
from cctv.errors import CctvError
from cctv.extensions import begin_writing, db
from cctv.models import Export, ExportState
from cctv.processes import identity, is_alive
from cctv.services.export import export_files, export_writing, exports
from cctv.services.export.export_progress import Cancelled, NoRoom, Progress
from cctv.services.export.export_writing import Made, Nothing
from cctv.storage import disk

_MOST_TRIES = 3
_REMEMBERED_DAYS = 90  # exports without a file, as lines of the list
_ABANDONED_S = 3600  # a file that belongs to no export is left alone so long
_BROKEN = "Something broke on our side. The log of the server says what."
_FULL = "The disk was too full to finish it. Delete exports, or take less, and try again."

_log = logging.getLogger(__name__)


def work(node_id: int) -> None:
    """Make the next export of this machine, if none is being made; called by its worker."""
    export_id = _claim(node_id)
    if export_id is None:
        return
    try:
        make(export_id)
    finally:
        db.session.rollback()
        if _has_waiting(node_id):
            exports.enqueue_work(node_id)


def tend(node_id: int) -> None:
    """What an interruption left: exports begin again, half files and files of nobody go."""
    _remove_leftovers(_free_interrupted(node_id))
    if _has_waiting(node_id) and not _is_making(node_id):
        exports.enqueue_work(node_id)


def expire(node_id: int) -> int:
    """Remove the files that are not kept any longer; how many. Old lines of the list go as well."""
    _remove_leftovers(_free_interrupted(node_id))
    query = select(Export.id).where(
        Export.state == ExportState.READY, Export.keep_until < utcnow(), Export.node_id == node_id
    )
    ids = list(db.session.scalars(query))
    db.session.commit()
    for export_id in ids:
        export_files.remove(export_id)
        begin_writing()
        _set(export_id, ExportState.READY, state=ExportState.EXPIRED)
        db.session.commit()
    begin_writing()
    db.session.execute(
        delete(Export).where(
            Export.state.not_in([*exports.UNDER_WAY, ExportState.READY]),
            Export.created_at < utcnow() - timedelta(days=_REMEMBERED_DAYS),
            Export.node_id == node_id,
        )
    )
    db.session.commit()
    return len(ids)


def make(export_id: int) -> None:
    """Make one export that was claimed; its end is in its row, whatever happens."""
    task = export_writing.read_task(export_id)
    try:
        made = export_writing.write(task, Progress(export_id, task.estimated_bytes))
    except Cancelled:
        _end(export_id, ExportState.CANCELLED)
    except Nothing:
        _end(export_id, ExportState.FAILED, cause="The footage of this time is not there any more.")
    except NoRoom:
        _end(export_id, ExportState.FAILED, cause=_FULL)
    except EOFError:
        _end(export_id, ExportState.FAILED, cause="A file of this footage is damaged: it ends too early.")
    except CctvError as error:
        _end(export_id, ExportState.FAILED, cause=error.message)
    except OSError as error:
        _log.warning("export %d: %s", export_id, error)
        cause = (
            _FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"The disk refused: {error.strerror}."
        )
        _end(export_id, ExportState.FAILED, cause=cause)
    except Exception:
        _end(
            export_id,
            ExportState.FAILED,
            cause=_BROKEN,
        )
        raise
    else:
        _finish(export_id, made)
    finally:
        disk.unlink(export_files.unfinished_path(export_id))


def _claim(node_id: int) -> int | None:
    """The oldest waiting export, now this process's; None: there is none, or one is being made."""
    begin_writing()
    if _is_making(node_id):
        db.session.rollback()
        return None
    query = select(Export).where(Export.node_id == node_id, Export.state == ExportState.QUEUED)
    export = db.session.scalars(query.order_by(Export.id).limit(1).with_for_update(skip_locked=True)).first()
    if export is None:
        db.session.rollback()
        return None
    export.state, export.worker, export.phase, export.permille = ExportState.RUNNING, identity(), "reading", 0
    export.result = {**export.result, "began_ms": now_ms()}
    export_id = export.id
    db.session.commit()
    return export_id


def _is_making(node_id: int) -> bool:
    query = select(Export.worker).where(Export.node_id == node_id, Export.state == ExportState.RUNNING)
    return any(worker and is_alive(worker) for worker in db.session.scalars(query))


def _has_waiting(node_id: int) -> bool:
    query = select(func.count(Export.id)).where(Export.node_id == node_id, Export.state == ExportState.QUEUED)
    found = bool(db.session.scalar(query))
    db.session.commit()
    return found


def _free_interrupted(node_id: int) -> set[int]:
    """Let exports of dead workers begin again; the numbers of those that have or make a file."""
    query = select(Export).where(
        Export.node_id == node_id, Export.state.in_([ExportState.RUNNING, ExportState.READY])
    )
    begin_writing()
    found: set[int] = set()
    for export in db.session.scalars(query):
        if export.state == ExportState.READY or is_alive(export.worker or ""):
            found.add(export.id)
            continue
        disk.unlink(export_files.unfinished_path(export.id))
        _begin_again(export)
    db.session.commit()
    return found


def _remove_leftovers(with_file: set[int]) -> None:
    for export_id, path in export_files.list_files():
        if export_id not in with_file and _is_abandoned(path):
            disk.unlink(path)


def _begin_again(export: Export) -> None:
    tries = int(export.result.get("tries", 0)) + 1
    export.worker = None
    if export.wants_cancel:
        export.state, export.finished_at = ExportState.CANCELLED, utcnow()
    elif tries >= _MOST_TRIES:
        export.state, export.finished_at = ExportState.FAILED, utcnow()
        export.cause = f"Its worker was ended {tries} times while it made it."
    else:
        export.state, export.permille, export.phase = ExportState.QUEUED, 0, ""
        export.result = {"tries": tries}


def _is_abandoned(path: Path) -> bool:
    try:
        return path.stat().st_mtime < now_ms() / 1000 - _ABANDONED_S
    except OSError:
        return False


def _finish(export_id: int, made: Made) -> None:
    """The file gets its name, then the row says so; a crash between the two leaves a file of nobody."""
    export_files.unfinished_path(export_id).replace(made.path)
    disk.fsync_directory(made.path.parent)
    files = [
        {name: value for name, value in asdict(file).items() if name != "sources"} for file in made.files
    ]
    begin_writing()
    _set(
        export_id,
        ExportState.RUNNING,
        state=ExportState.READY,
        phase="",
        permille=1000,
        file_name=made.name,
        size_bytes=made.path.stat().st_size,
        sha256=made.sha256,
        result={"files": files, "empty": made.empty, "left_out": made.left_out},
        worker=None,
        finished_at=utcnow(),
        keep_until=utcnow() + timedelta(days=exports.KEEP_DAYS),
    )
    db.session.commit()


def _end(export_id: int, state: ExportState, *, cause: str = "") -> None:
    db.session.rollback()
    begin_writing()
    _set(
        export_id, ExportState.RUNNING, state=state, phase="", cause=cause, worker=None, finished_at=utcnow()
    )
    db.session.commit()


def _set(export_id: int, before: ExportState, **values: Any) -> None:
    db.session.execute(
        update(Export)
        .where(Export.id == export_id, Export.state == before)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
