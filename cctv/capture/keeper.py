"""Keeps one stream captured: begins attempts, watches them, ends bad ones, tries again for ever.

All of its methods run in the one thread of the rounds and never wait; it writes to no database.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from cctv.capture.attempt import Attempt, CannotStart, stands_still, why_it_ended
from cctv.capture.beginning import Beginning
from cctv.capture.content import Content, Look
from cctv.capture.facts import Facts, cure_of, facts_of
from cctv.capture.outside import Outside
from cctv.capture.retries import Retries
from cctv.capture.voice import Voice
from cctv.services.camera.sources import Source
from cctv.storage.growing import GrowingRun

_log = logging.getLogger(__name__)

_QUICK = 0.25  # seconds between looks before the first picture
_FIRST_SECOND, _FIRST_LOOKS = 1.0, 0.05  # in which a redirect would lead ffmpeg away
# Seconds between looks at a run that does well, and at any other: half of what a look costs, it costs also
# when it finds little.
_WELL, _OTHER = 2, 1


class Phase(StrEnum):
    """Where a keeper stands."""

    WAITING = "waiting"  # for the next attempt
    STARTING = "starting"  # the attempt is being made in another thread
    RUNNING = "running"
    ENDING = "ending"  # ffmpeg was told to end
    OVER = "over"


class Keeper:
    """One stream, from the claim until it is released, lost or unwanted."""

    def __init__(self, source: Source, outside: Outside, *, fence: int, ordinal: int) -> None:
        self.source = source
        self.fence = fence
        self.ordinal = ordinal
        self.phase = Phase.WAITING
        self.due = 0.0
        self.attempt: Attempt | None = None
        self.content: Content | None = None
        self.is_leaving = False  # no further attempt
        self.requeue = False  # when over: somebody else should go on
        self.voice = Voice(self, outside)
        self.on_over: list[Callable[[], None]] = []
        self._outside = outside
        self._patience = outside.patience
        self._final: tuple[str, str | None] | None = None
        self._retries = Retries(outside.patience)
        self._facts = Facts()
        self._began_at = 0.0
        self._bytes_at = 0.0
        self._kill_at = 0.0
        self._end_cause: str | None = None
        self._is_settled = False
        self._was_live = False  # in this run

    # --- orders from outside -------------------------------------------------------------------------

    def change(self, source: Source, now: float) -> None:
        """The address, the login or what was learnt is new: begin anew."""
        self.source = source
        self._retries.forget()
        self._facts = Facts()
        if self.phase == Phase.RUNNING:
            self.end("starting", now)
        elif self.phase == Phase.WAITING:
            self.due = now

    def leave(
        self, now: float, *, state: str | None, cause: str | None = None, requeue: bool = False
    ) -> None:
        """End the capture for good; `state` None tells nothing (the stream is somebody else's)."""
        if self.is_leaving:
            return
        self.is_leaving, self.requeue = True, requeue
        self._final = (state, cause) if state else None
        if self.phase == Phase.WAITING:
            self._finish()
        elif self.phase == Phase.RUNNING:
            self.end(cause, now)

    def confirm(self, source: Source, *, fence: int, ordinal: int) -> None:
        """The database is back and the stream is ours: what was begun from disk alone goes on."""
        self.source, self.fence = source, fence
        self.ordinal = max(self.ordinal, ordinal)
        if self.phase == Phase.WAITING:
            self.due = 0.0
        if self.attempt is not None:
            self._outside.learn(self, run_key=self.attempt.run.run, run_ordinal=self.attempt.run.ordinal)
        self.voice.repeat()

    def detach(self) -> None:
        """Leave ffmpeg running for the next worker (hand-over)."""
        if self.attempt is not None and self.phase in (Phase.RUNNING, Phase.ENDING):
            self.attempt.detach()
        if self.content is not None:
            self.content.growing.close()
        self.phase, self.attempt, self.content = Phase.OVER, None, None

    def end(self, cause: str | None, now: float) -> None:
        """End the attempt, not the keeping: TERM, and KILL soon after."""
        if self.attempt is None or self.phase != Phase.RUNNING:
            return
        self.phase, self._end_cause = Phase.ENDING, cause
        self.attempt.signal(signal.SIGTERM)
        self._kill_at = self.due = now + self._patience.terminate

    # --- the round -----------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """What is due now."""
        if self.phase == Phase.WAITING:
            self._begin(now)
        elif self.phase == Phase.RUNNING:
            self._watch(now)
        elif self.phase == Phase.ENDING:
            self._insist(now)

    def _begin(self, now: float) -> None:
        if self.source.url is None and not self.source.is_derived:
            self.due = float("inf")  # known from disk only; `confirm` brings the address
            return
        trouble = self._outside.storage_trouble()
        if trouble is not None:
            self.voice.tell_cause(trouble, "")
            self.due = now + self._patience.storage_retry
            return
        if self.voice.state is None:
            self.voice.tell("connecting", "starting")
        self.phase, self.due = Phase.STARTING, now + 3600.0
        self.ordinal += 1
        self._outside.begin(self)

    def began(self, attempt: Attempt, now: float) -> None:
        """The attempt was made: its ffmpeg runs."""
        self._attach(attempt, now)
        self._is_settled = False
        if self.is_leaving:
            self.end(self._final[1] if self._final else None, now)

    def adopt(self, attempt: Attempt, now: float) -> None:
        """Go on with a capture that an earlier worker began."""
        self.ordinal = max(self.ordinal, attempt.run.ordinal)
        self._attach(attempt, now)

    def _attach(self, attempt: Attempt, now: float) -> None:
        self.attempt, self.phase = attempt, Phase.RUNNING
        numbers = None if attempt.is_adopted else 0
        growing = GrowingRun(
            attempt.place.media_dir, attempt.run.camera_id, attempt.run.run, first_number=numbers
        )
        self.content = Content(growing, attempt.run, self._patience)
        self._began_at = self._bytes_at = now
        self._beginning = Beginning(attempt, self._patience, now)
        self._end_cause = None
        self._was_live = False
        self.due = now + _FIRST_LOOKS
        self._outside.follow(self, attempt)
        self._outside.learn(self, run_key=attempt.run.run, run_ordinal=attempt.run.ordinal)

    def could_not(self, problem: CannotStart, now: float) -> None:
        """The attempt was not made."""
        self.phase = Phase.WAITING
        if self.is_leaving:
            self._finish()
            return
        self._fail(problem.cause, problem.detail, now)

    def _watch(self, now: float) -> None:
        assert self.content is not None and self.attempt is not None
        if not self.content.has_picture and self.attempt.is_led_astray():
            self.end("redirected", now)
            self.attempt.signal(signal.SIGKILL)  # before another packet goes there
            return
        try:
            look = self.content.look(now)
        except OSError as error:
            _log.warning("stream %d: its file cannot be read: %s", self.source.stream_id, error)
            self.end("disk_error", now)
            return
        self._take(look, now)
        if look.trouble is None and (log := self.attempt.new_log()) and stands_still(log):
            look.trouble, self.content.is_over = "frozen", True
        if (self.attempt.run.video_codec or "").startswith("hev1"):
            look.trouble = "changed"  # begun without knowing that it is H.265: players want hvc1
        if look.trouble:
            self.end(look.trouble, now)
            return
        if not self.content.has_picture:
            self.due = now + (_FIRST_LOOKS if now - self._began_at < _FIRST_SECOND else _QUICK)
            self._wait_for_picture(now)
            return
        if look.fragments:
            self._flows(now)
        else:
            self._is_silent(now)
        # All cameras of the node at the same moment: together they cost half of what they cost one by one,
        # because code and caches are still warm from the one before.
        pause = _WELL if look.fragments and self._is_settled else _OTHER
        self.due = (now // pause + 1) * pause

    def _take(self, look: Look, now: float) -> None:
        assert self.content is not None and self.attempt is not None
        if self.content.has_picture and self.attempt.run.video_codec is None:
            self._first_picture()
        if look.fragments:
            self._bytes_at = now - min(_WELL, self.content.age_s())
        if look.has_new_mapping:
            self.attempt.save(mapping=self.content.run.mapping)
        if look.closed:
            self._outside.closed(self, self.attempt.run, look.closed)
            if rates := self._facts.learn(look.closed):
                self._outside.learn(self, **rates)

    def _wait_for_picture(self, now: float) -> None:
        assert self.attempt is not None and self.content is not None
        if cause := self._beginning.verdict(now):
            self.end(cause, now)
            return
        if self._beginning.should_ask(now):
            self._outside.ask(self, self.attempt)
        if now - self._began_at > self._patience.silent and self.voice.state == "frozen":
            # It took the call again but sends nothing: no longer a moment's pause, though we go on waiting.
            self.voice.tell_cause("silent", "")

    def answers_others(self, attempt: Attempt, now: float) -> None:
        """The camera answers a connection of today, and not the one of the attempt: call it again."""
        if attempt is not self.attempt or self.phase != Phase.RUNNING or self.content is None:
            return
        if not self.content.has_picture and self._beginning.is_unheard():
            self._retries.answered()
            self.end("silent", now)

    def _flows(self, now: float) -> None:
        assert self.attempt is not None and self.content is not None
        if self.voice.state != "live" or self.voice.cause is not None:
            self.voice.tell("live", None, at_ms=None if self._was_live else self.content.start_ms)
            self._was_live = True
        if not self._is_settled and now - self._began_at > self._patience.settled:
            self._is_settled = True
            self._retries.settled()

    def _first_picture(self) -> None:
        """What the run is, told once: beside its files and in the stream's row."""
        assert self.attempt is not None and self.content is not None
        init = self.content.growing.init
        assert init is not None
        facts = facts_of(init)
        self.attempt.save(
            **facts, init_sha256=init.sha256, init_size=init.size, mapping=self.content.run.mapping
        )
        self.content.run = self.attempt.run
        self._retries.accepted()
        if self.source.has_login and not self.source.credentials_worked:
            facts["credentials_worked"] = True
        self._learn(**facts)

    def _is_silent(self, now: float) -> None:
        assert self.content is not None
        silent = now - self._bytes_at
        usual = self.content.spacing_s
        if silent > max(self._patience.stall, 3 * usual):
            self.end("stall", now)
        elif silent > max(self._patience.frozen, 2 * usual):
            self.voice.tell_cause("stall", "", at_ms=self.content.end_ms)

    def _insist(self, now: float) -> None:
        assert self.attempt is not None
        if self.attempt.has_ended():
            self.ended(now)
            return
        self.attempt.signal(signal.SIGKILL)
        if self._outside.storage_trouble():
            self.voice.tell_cause("stall", "")
        # In uninterruptible sleep (a hung disk) even KILL waits; no second writer is begun meanwhile.
        self.due = now + 1.0

    def ended(self, now: float) -> None:
        """The process is gone: close the books of the run and decide when to try again."""
        attempt, content = self.attempt, self.content
        if attempt is None or content is None or not attempt.has_ended():
            return
        look = _last_look(content, now)
        had_pictures = content.has_picture
        code, detail = why_it_ended(attempt, had_pictures=had_pictures)
        asked = self.phase == Phase.ENDING
        cause = self._end_cause or ("ended" if asked else code)
        if look.trouble and not asked:
            cause = look.trouble
        attempt.save(mapping=content.run.mapping, ended_cause=cause)
        self._take(look, now)
        self._outside.run_ended(self, attempt.run)
        content.growing.close()
        attempt.close()
        if not had_pictures:
            attempt.clear_away()
        end_ms = content.end_ms
        self.attempt, self.content = None, None
        self.phase = Phase.WAITING
        if self.is_leaving:
            self._finish()
        elif cause != "redirected" and (cure := cure_of(code, self.source)):
            self._learn(**cure)
            self.due = now
        else:
            self._fail(cause, detail, now, at_ms=end_ms)

    def _fail(self, cause: str, detail: str, now: float, *, at_ms: int | None = None) -> None:
        cause = "unknown" if cause in ("analysis", "sound") else cause
        if cause == "auth" and self.source.credentials_worked:
            cause = "locked"
        self.voice.tell_cause(cause, detail, at_ms=at_ms)
        self.due = now + self._retries.pause_after(cause, was_good=self._is_settled)
        if self._retries.distrusts_clock and not self.source.wallclock:
            self._learn(wallclock=True)

    def _finish(self) -> None:
        self.phase, self.due = Phase.OVER, float("inf")
        if self._final:
            self.voice.tell(self._final[0], self._final[1])
        self._outside.over(self)
        for call in self.on_over:
            call()

    def _learn(self, **facts: object) -> None:
        known = {name: value for name, value in facts.items() if hasattr(self.source, name)}
        self.source = replace(self.source, **known)  # type: ignore[arg-type]
        self._outside.learn(self, **facts)


def _last_look(content: Content, now: float) -> Look:
    """The end of a run's last file; a disk that cannot read it back must not hold up the next attempt."""
    try:
        return content.finish(now)
    except OSError as error:
        _log.warning("run %s: its last file is left to reconcile: %s", content.run.run, error)
        return Look()
