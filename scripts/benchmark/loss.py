"""Measures whether any picture of a minute is missing: three cameras are recorded, each picture is read."""

from __future__ import annotations

import time

from cctv.demo.profiles import PROFILES
from scripts.benchmark.figure import Figure
from scripts.benchmark.node import node

CAMERAS = ("a4", "b2", "c2")  # with AAC, with G.711, without sound; GOP 2, 4 and 1 s


def measure(*, seconds: float = 300) -> list[Figure]:
    """60 s; 20 when quick."""
    length = 60.0 if seconds >= 60 else 20.0
    with node(*CAMERAS) as site:
        worker = site.run_worker()
        cams = {name: site.add(name, number) for number, name in enumerate(CAMERAS, 1)}
        site.wait_live(*cams.values(), timeout=60)
        time.sleep(length)
        worker.stop()  # closes the last files
        seen = {name: site.missing_pictures(cam, name) for name, cam in cams.items() if site.wait_closed(cam)}
    how = ", ".join(f"{name} {count} pictures" for name, (_, count) in seen.items())
    short = [name for name, (_, count) in seen.items() if count < length * PROFILES[name].fps]
    assert not short, f"less than {length:g} s were recorded: {how}"
    lost = sum(missing for missing, _ in seen.values())
    return [Figure(f"pictures lost in {length:g} s on 3 cameras", lost, "", f"by bar code: {how}", 0)]
