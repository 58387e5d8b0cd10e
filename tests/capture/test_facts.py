"""Rates of a stream from its finished files: exact, steady, and told only when they change."""

from __future__ import annotations

import time

from cctv.capture.facts import Facts
from cctv.storage.measure import MeasuredSegment


def file(*, kbps: int = 2000, fps: int = 15, gop_s: int = 2, seconds: int = 60) -> MeasuredSegment:
    return MeasuredSegment(
        number=0,
        started_ms=0,
        ended_ms=seconds * 1000,
        start_ticks=0,
        duration_ticks=seconds * 90_000,
        size_bytes=1000 + kbps * 125 * seconds,
        init_size=1000,
        gops=tuple((offset, offset * 90_000) for offset in range(0, seconds, gop_s)),
        is_damaged=False,
        pictures=fps * seconds,
    )


def test_the_first_file_says_it_all() -> None:
    assert Facts().learn([file()]) == {"fps": 15.0, "bitrate_kbps": 2000, "gop_ms": 2000}


def test_a_file_of_a_moment_says_nothing() -> None:
    assert Facts().learn([file(seconds=1)]) == {}


def test_one_key_frame_is_no_distance() -> None:
    assert "gop_ms" not in Facts().learn([file(gop_s=60)])


def test_what_was_told_is_not_told_again() -> None:
    facts = Facts()
    facts.learn([file()])
    assert [facts.learn([file(kbps=kbps)]) for kbps in (2100, 1900, 2300, 1800)] == [{}] * 4


def test_a_lasting_change_is_told_in_steps() -> None:
    facts = Facts()
    facts.learn([file()])
    told = [found for _ in range(20) if (found := facts.learn([file(kbps=4000, fps=25)]))]
    assert 3 <= len(told) <= 9
    assert told[0].keys() == {"bitrate_kbps", "fps"}
    assert next(news["bitrate_kbps"] for news in reversed(told) if "bitrate_kbps" in news) >= 3600


def test_it_costs_next_to_nothing() -> None:
    facts, minute = Facts(), [file(gop_s=1)]
    began = time.process_time()
    for _ in range(1000):
        facts.learn(minute)
    assert (time.process_time() - began) / 1000 / 60 < 0.00002, "CPU seconds per camera-second"
