"""A camera that sends far more than any camera needs is stopped before it costs the others their footage."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cctv import causes
from cctv.capture.content import Content
from cctv.capture.patience import Patience
from cctv.capture.retries import Retries
from cctv.media.boxes import TICKS_PER_SECOND, Fragment
from cctv.storage.growing import LocatedFragment
from cctv.storage.runfile import RunFile

EPOCH_S = 1_800_000_000


class River:
    """A run that grows by one fragment a second."""

    def __init__(self, bits_per_second: int) -> None:
        self.init = SimpleNamespace(size=100, video=SimpleNamespace(parameter_sets=b""))
        self.second, self.bits, self.written_ms = 0, bits_per_second, EPOCH_S * 1000

    def refresh(self) -> list[LocatedFragment]:
        start = (EPOCH_S + self.second) * TICKS_PER_SECOND
        self.second += 1
        self.written_ms += 1000
        fragment = Fragment(
            offset=0,
            size=self.bits // 8,
            start_ticks=start,
            duration_ticks=TICKS_PER_SECOND,
            is_key=self.second == 1,
            has_video=True,
            min_start_ticks=start,
            sps=b"",
            pictures=25,
        )
        return [LocatedFragment(0, fragment)]


def troubles(bits_per_second: int, seconds: int) -> list[tuple[int, str]]:
    run = RunFile(
        run="1-1800000000-abcd",
        camera_id=1,
        stream_id=1,
        kind="main",
        node="n",
        ordinal=1,
        fence=1,
        revision=1,
        epoch_ms=EPOCH_S * 1000,
    )
    river: Any = River(bits_per_second)
    content = Content(river, run, Patience())
    found = ((second, content.look(float(second)).trouble) for second in range(seconds))
    return [(second, trouble) for second, trouble in found if trouble]


@pytest.mark.parametrize("megabits", [2, 60, 99])
def test_whatever_a_camera_sends_is_recorded(megabits: int) -> None:
    assert troubles(megabits * 1_000_000, 60) == []


def test_a_flood_is_stopped_within_seconds_and_not_invited_again_soon(tmp_path: Path) -> None:
    assert troubles(101_000_000, 60)[0] == (10, "flood")
    patience = Patience()
    assert Retries(patience).pause_after("flood", was_good=True) == patience.refused_first
    assert causes.get("flood").state == "refused", "a notice is sent as for any camera that is away"
