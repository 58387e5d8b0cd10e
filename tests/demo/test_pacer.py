"""The timer of the demo camera: feeds are called when they are due, also after the wall clock was set."""

from __future__ import annotations

import asyncio
import time

from cctv.demo.pacer import Pacer


class Beat:
    """A feed that is due every 20 ms of the wall clock."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.resyncs: list[float] = []

    def send_due(self, now: float) -> float | None:
        self.calls.append(now)
        return now + 0.02 if len(self.calls) < 100 else None

    def resync(self, now: float) -> None:
        self.resyncs.append(now)


def test_feeds_go_on_when_the_clock_is_set_back() -> None:
    ahead = 0.0

    async def run() -> tuple[Beat, Beat]:
        nonlocal ahead
        pacer = Pacer(clock=lambda: time.time() + ahead)
        beats = Beat(), Beat()
        for beat in beats:
            pacer.add(beat, time.time())
        await asyncio.sleep(0.2)
        ahead = -3600.0
        await asyncio.sleep(1.5)  # it looks at the clock at least once a second
        return beats

    for beat in asyncio.run(run()):
        assert len(beat.resyncs) == 1
        assert len([now for now in beat.calls if now > time.time() - 60]) > 5
        assert len([now for now in beat.calls if now < time.time() - 60]) > 5
