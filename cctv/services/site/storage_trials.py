"""The test of a machine's disk: is it the right one, does it answer, how fast is it; told step by step.

Runs as a job on the machine that has the disk; one test of it at a time, over within 30 seconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from cctv import config, queue
from cctv.clock import now_ms
from cctv.errors import LimitReached
from cctv.extensions import begin_writing, db
from cctv.models import Node, User
from cctv.services.auditing import audit
from cctv.services.lifetime import forecast
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import nodes, settings
from cctv.storage import disk

LONGEST_MS = 30_000
STEPS = ("disk", "small", "speed")
USUAL_BYTES_PER_SECOND = 250_000.0  # a camera of 2 Mbit/s, the usual 1080p
_SHARE = 4  # of the speed of a large file stays for many small ones
_SLOW_MS = 1_000
_NO_WORKER = "No job worker of this machine took it up. Is ./scripts/run, or worker.py jobs media, running?"


@dataclass(frozen=True, slots=True)
class Trial:
    """A test as a page shows it."""

    node_id: int
    began_ms: int
    steps: list[dict[str, str]]  # step, state (ok | warn | bad), text
    is_over: bool
    sentence: str  # what came of it; "" while it runs

    @property
    def is_good(self) -> bool:
        """Whether the disk is fit for recording."""
        return self.is_over and len(self.steps) == len(STEPS) and self.steps[-1]["state"] != "bad"


def start(actor: User, node: Node) -> Trial:
    """Begin a test of a machine's disk.

    Raises:
        NotAllowed: the actor may not test.
        LimitReached: a test of it is under way.
    """
    access.authorise(actor, None, Action.SETTINGS_TEST)
    before = last(node.id)
    if before is not None and not before.is_over:
        raise LimitReached("A test of this disk is under way. It takes at most 30 seconds.")
    trial = Trial(node.id, now_ms(), [], False, "")
    begin_writing()
    audit.add("settings.test", target=f"the disk of {node.name}")
    _put(trial)
    db.session.commit()
    jobs = queue.media(node.key)
    if not queue.enqueue(jobs, "cctv.jobs.storage.test_disk", node.id, at_front=True):
        sentence = "The queue (Redis) does not answer, so no job can test it."
        trial = replace(trial, is_over=True, sentence=sentence)
        _store(trial)
    return trial


def last(node_id: int) -> Trial | None:
    """The last test of that machine's disk, if there was one."""
    told: dict[str, Any] | None = settings.get("storage_tests").get(str(node_id))
    if told is None:
        return None
    trial = Trial(**told)
    if not trial.is_over and now_ms() - trial.began_ms > LONGEST_MS:
        sentence = "The test did not end in time: the disk is very slow." if trial.steps else _NO_WORKER
        return replace(trial, is_over=True, sentence=sentence)
    return trial


def run(node_id: int) -> None:
    """The job."""
    trial = last(node_id)
    if trial is None or trial.is_over or node_id != nodes.this_node().id:
        return
    for step, attempt in zip(STEPS, (_find, _write_little, _measure), strict=True):
        try:
            state, text = attempt(node_id)
        except OSError as error:
            state, text = "bad", f"{config.current().media_dir}: {error.strerror or error}."
        trial = replace(trial, steps=[*trial.steps, {"step": step, "state": state, "text": text}])
        if state == "bad":
            break
        _store(trial)
    _store(replace(trial, is_over=True, sentence=trial.steps[-1]["text"]))


def _find(_node_id: int) -> tuple[str, str]:
    folder = config.current().media_dir
    id_file = config.current().data_dir / "volume_id"
    if id_file.exists() and not disk.is_volume(folder, id_file.read_text().strip()):
        return "bad", f"{folder} is not the disk that holds the footage: is it mounted?"
    room = disk.usage(folder)
    return "ok", f"{folder}: {room.free_bytes / 1e9:.1f} GB free of {room.total_bytes / 1e9:.1f} GB."


def _write_little(_node_id: int) -> tuple[str, str]:
    found = disk.check_write(config.current().media_dir, timeout_s=10.0)
    if found.state != "ok":
        return "bad", f"A small write failed: {found.detail or found.state}."
    state = "warn" if found.elapsed_ms > _SLOW_MS else "ok"
    return state, f"A small write that waits for the disk took {found.elapsed_ms} ms."


def _measure(node_id: int) -> tuple[str, str]:
    speed = disk.measure_speed(config.current().media_dir)
    rates = [flow.bytes_per_day / 86_400 for flow in forecast.flows_of(node_id) if flow.bytes_per_day]
    db.session.commit()
    one = sum(rates) / len(rates) if rates else USUAL_BYTES_PER_SECOND
    cameras = int(speed.write_bytes_per_second / _SHARE // one)
    whose = "like yours" if rates else "of 2 Mbit/s"
    text = (
        f"Wrote, read and deleted 64 MB at {speed.write_bytes_per_second / 1e6:.0f} MB/s: "
        f"enough for about {cameras} cameras {whose}."
    )
    return "ok" if cameras >= max(1, len(rates)) else "warn", text


def _store(trial: Trial) -> None:
    begin_writing()
    _put(trial)
    db.session.commit()


def _put(trial: Trial) -> None:
    settings.note("storage_tests", {**settings.get("storage_tests"), str(trial.node_id): asdict(trial)})
