"""The test of the bucket: an object of a few bytes is written, read and deleted; steps told as they happen.

With the settings as they are saved; one test at a time, over within 20 seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cctv import queue
from cctv.clock import now_ms
from cctv.errors import LimitReached, NotFound, Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import Setting, User
from cctv.services.auditing import audit
from cctv.services.bucket import cloud
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import settings
from cctv.storage.bucket import Bucket
from cctv.storage.bucket_faults import BucketFault, FaultKind

LONGEST_MS = 20_000
STEPS = ("reach", "key", "bucket", "write", "read", "delete")
_MOST_SKEW_S = 120  # Google takes a few minutes; beyond this something is wrong with NTP
_CONTENT = b"A test of the camera system. It may be deleted.\n"
_NO_WORKER = "No job worker took it up within 20 seconds. Is ./scripts/run, or worker.py jobs high, running?"


@dataclass(frozen=True, slots=True)
class Trial:
    """A test as a page shows it."""

    id: int
    began_ms: int
    steps: list[dict[str, str]]  # step, state (ok | warn | bad), text
    is_over: bool
    sentence: str  # what came of it; "" while it runs

    @property
    def is_good(self) -> bool:
        """Whether everything that transfers need works."""
        return self.is_over and not any(step["state"] == "bad" for step in self.steps) and bool(self.steps)


def start(actor: User) -> Trial:
    """Begin a test.

    Raises:
        NotAllowed: the actor may not test.
        Unavailable: no bucket is set up.
        LimitReached: a test is under way.
    """
    access.authorise(actor, None, Action.SETTINGS_TEST)
    if cloud.access() is None:
        raise Unavailable("No bucket is set up yet. Switch it on, type its name and save first.")
    begin_writing()
    before = last()
    if before is not None and not before.is_over:
        db.session.rollback()
        raise LimitReached("A test is under way. It takes at most 20 seconds.")
    trial_id = (before.id if before else 0) + 1
    _write(trial_id, now_ms(), [], is_over=False, sentence="")
    audit.add("settings.test", target="the bucket in the cloud")
    db.session.commit()
    if not queue.enqueue(queue.HIGH, "cctv.jobs.transfers.try_bucket", trial_id, at_front=True):
        sentence = "The queue (Redis) does not answer, so no job can test it."
        _store(trial_id, now_ms(), [], is_over=True, sentence=sentence)
    return get_trial(trial_id)


def get_trial(trial_id: int) -> Trial:
    """The test of this number; only the last one is kept.

    Raises:
        NotFound: it is another one by now.
    """
    found = last()
    if found is None or found.id != trial_id:
        raise NotFound("This test does not exist (any more).")
    return found


def last() -> Trial | None:
    """The last test, if there was one."""
    told: dict[str, Any] = settings.get("cloud_trial")
    if not told:
        return None
    trial = Trial(**told)
    if not trial.is_over and now_ms() - trial.began_ms > LONGEST_MS:
        sentence = "The test did not end in time." if trial.steps else _NO_WORKER
        return Trial(trial.id, trial.began_ms, trial.steps, True, sentence)
    return trial


def run(trial_id: int) -> None:
    """The job."""
    trial = get_trial(trial_id)
    steps: list[dict[str, str]] = []
    try:
        bucket = cloud.open_bucket()
        db.session.commit()
        work = _Steps(bucket)
        for name in STEPS:
            state, text = work.do(name)
            steps.append({"step": name, "state": state, "text": text})
            _store(trial_id, trial.began_ms, steps, is_over=False, sentence="")
            if state == "bad":
                break
    except Unavailable as error:
        steps.append({"step": "key", "state": "bad", "text": error.message})
    is_good = steps[-1]["state"] != "bad"
    sentence = "Everything that copying and playing back need works." if is_good else steps[-1]["text"]
    _store(trial_id, trial.began_ms, steps, is_over=True, sentence=sentence)
    if is_good:
        cloud.resume()


class _Steps:
    """What is tried, one thing after the other."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        prefix = f"{bucket.access.prefix}/" if bucket.access.prefix else ""
        self._name = f"{prefix}test-{secrets.token_hex(16)}.txt"

    def do(self, name: str) -> tuple[str, str]:
        """(state, sentence) of one step."""
        tried: dict[str, Callable[[], tuple[str, str]]] = {
            "reach": self._reach,
            "key": self._sign_in,
            "bucket": self._describe,
            "write": self._put,
            "read": self._read,
            "delete": self._delete,
        }
        try:
            return tried[name]()
        except BucketFault as fault:
            return "bad", fault.sentence

    def _reach(self) -> tuple[str, str]:
        skew_s = self._bucket.skew_s()
        if abs(skew_s) <= _MOST_SKEW_S:
            return "ok", "Google Cloud Storage answers, and its clock agrees with ours."
        how = "ahead of" if skew_s > 0 else "behind"
        minutes = round(abs(skew_s) / 60)
        return "bad", f"The clock of this machine is {minutes} min {how} Google's. Set it (NTP)."

    def _sign_in(self) -> tuple[str, str]:
        return "ok", f"The key is right: {self._bucket.sign_in()}."

    def _describe(self) -> tuple[str, str]:
        try:
            found = self._bucket.describe()
        except BucketFault as fault:
            if fault.kind == FaultKind.REFUSED and "may not look at" in fault.sentence:
                return "ok", "The key may not look at the bucket itself, which is enough for copying."
            raise
        where = ", ".join(
            word for word in (found["location"].lower(), found["storage_class"].lower()) if word
        )
        said = f"The bucket {self._bucket.name} is there{f' ({where})' if where else ''}."
        if not found["is_public_prevented"]:
            return (
                "warn",
                f"{said} Public access is not prevented: switch that on in the Google Cloud console.",
            )
        return "ok", said

    def _put(self) -> tuple[str, str]:
        self._bucket.put_small(self._name, _CONTENT, content_type="text/plain")
        return "ok", "An object was written."

    def _read(self) -> tuple[str, str]:
        if self._bucket.read(self._name, 0, len(_CONTENT)) != _CONTENT:
            return "bad", "Other bytes came back than were written."
        address = self._bucket.signed_address(self._name, seconds=60)
        if address is None:
            return (
                "ok",
                "It was read again. This key cannot sign addresses, so video passes through this server.",
            )
        self._bucket.fetch_address(address)
        return "ok", "It was read again, also by a signed address."

    def _delete(self) -> tuple[str, str]:
        self._bucket.delete(self._name)
        return "ok", "It was deleted again."


def _store(
    trial_id: int, began_ms: int, steps: list[dict[str, str]], *, is_over: bool, sentence: str
) -> None:
    begin_writing()
    _write(trial_id, began_ms, steps, is_over=is_over, sentence=sentence)
    db.session.commit()


def _write(
    trial_id: int, began_ms: int, steps: list[dict[str, str]], *, is_over: bool, sentence: str
) -> None:
    told = {"id": trial_id, "began_ms": began_ms, "steps": steps, "is_over": is_over, "sentence": sentence}
    # Not by settings.save: nobody chose this, so it is nothing for the audit log.
    db.session.merge(Setting(key="cloud_trial", value=told))
