"""Causes of very many holes: in one pass over the history, with the same answers as one look for each."""

from __future__ import annotations

import random
import time
from types import SimpleNamespace

import pytest
from flask import Flask

from cctv.extensions import db
from cctv.intervals import Interval
from cctv.models import Run, StateChange, StreamState
from cctv.services.footage import gap_causes
from cctv.services.footage.gap_causes import (
    ExplainedGap,
    _Context,
    _divide,
    _Endings,
    _finish,
    _State,
    _with_states,
)
from tests.services.footage import T0, make_camera, make_node

HOLES = 10_000
CONTEXT = _Context(1, 1, "Olive", is_enabled=True, renewed_ms=T0, is_here=True, owner_seen_ms=T0)
CAUSES = (None, "noroute", "auth", "starting", "worker_down", "stall")


def slowly(
    holes: list[Interval], states: list[_State], runs: list[tuple[int, str | None]]
) -> list[ExplainedGap]:
    """The definition: each hole is held against the whole history."""
    found = []
    for hole in holes:
        ended = [cause for epoch_ms, cause in runs if epoch_ms < hole[0]]
        endings = SimpleNamespace(before=lambda _ms, ended=ended: _last(ended))
        found += _finish(_divide(hole, states, CONTEXT, T0 * 2, 0), endings)  # type: ignore[arg-type]
    return found


def _last(ended: list[str | None]) -> str:
    return (ended[-1] or "unknown") if ended else "starting"


def quickly(
    holes: list[Interval], states: list[_State], runs: list[tuple[int, str | None]]
) -> list[ExplainedGap]:
    found, endings = [], _Endings(runs)
    for hole, near in _with_states(holes, states):
        found += _finish(_divide(hole, near, CONTEXT, T0 * 2, 0), endings)
    return found


def a_history(chance: random.Random) -> tuple[list[Interval], list[_State], list[tuple[int, str | None]]]:
    """Holes as they come from `subtract`; states that may overlap, be empty or never end; runs whose clock
    may have been set back."""
    marks = sorted(chance.sample(range(400), 2 * chance.randint(1, 20)))
    holes = [(T0 + start * 100, T0 + end * 100) for start, end in zip(marks[::2], marks[1::2], strict=True)]
    states = []
    for _ in range(chance.randint(0, 30)):
        start = T0 + chance.randint(-50, 400) * 100
        end = None if chance.random() < 0.1 else start + chance.choice([0, 1, 5, 40, 300]) * 100
        state = chance.choice(list(StreamState))
        states.append(_State(start, end, state, chance.choice(CAUSES), chance.choice([None, "x"])))
    runs = [(T0 + chance.randint(-50, 400) * 100, chance.choice(CAUSES)) for _ in range(chance.randint(0, 9))]
    return holes, sorted(states, key=lambda state: state.started_ms), runs


def test_one_pass_answers_as_a_look_for_each_hole_does() -> None:
    chance = random.Random(5)
    for _ in range(1_500):
        history = a_history(chance)
        assert quickly(*history) == slowly(*history), history


def test_the_newest_run_that_began_before_a_hole_explains_it_also_when_the_clock_went_back() -> None:
    endings = _Endings([(100, "ended"), (300, "stall"), (200, None), (500, "reset")])
    moments = (100, 101, 201, 301, 501)
    assert [endings.before(ms) for ms in moments] == ["starting", "ended", "unknown", "unknown", "reset"]


@pytest.mark.each_database
def test_ten_thousand_holes_are_explained_in_a_moment(context: Flask) -> None:
    camera, node = make_camera(), make_node()
    stream_id = camera.main.id
    step = 10_000
    db.session.execute(
        StateChange.__table__.insert(),
        [
            {
                "stream_id": stream_id,
                "state": state,
                "cause": cause,
                "started_ms": T0 + number * step + at,
                "ended_ms": T0 + number * step + until,
            }
            for number in range(HOLES)
            for state, cause, at, until in (("live", None, 0, 4_000), ("offline", "noroute", 6_000, step))
        ],
    )
    db.session.execute(
        Run.__table__.insert(),
        [
            {
                "key": f"{stream_id}-{T0 // 1000 + number * 10}-{number % 65536:04x}",
                "stream_id": stream_id,
                "node_id": node.id,
                "ordinal": number,
                "fence": 1,
                "epoch_ms": T0 + number * step,
                "video_codec": "",
                "width": 0,
                "height": 0,
                "init_sha256": "",
                "init_size": 0,
                "ended_cause": "reset",
            }
            for number in range(HOLES)
        ],
    )
    db.session.commit()
    # Every second hole lies where nothing was told, so that its cause is what ended the run before it.
    holes = [
        (T0 + number * step + at, T0 + number * step + at + 1_000)
        for number in range(HOLES // 2)
        for at in (4_500, 7_000)
    ]
    began = time.process_time()
    found = gap_causes.causes_of({camera.id: holes}, at_ms=T0 + 365 * 86_400_000)[camera.id]
    spent = time.process_time() - began
    assert [gap.cause for gap in found] == ["reset", "noroute"] * (HOLES // 2)
    assert spent < 6.0, "a minute when each hole was held against the whole history"
