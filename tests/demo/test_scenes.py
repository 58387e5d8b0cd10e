"""The labelled scenes: the labels are true, and what they name is found in what is drawn."""

from __future__ import annotations

import numpy as np

from cctv.demo.scenes import HEIGHT, SMALLEST, WIDTH, Kind, Scene
from cctv.media import motion

QUIET = Kind("quiet", noise=1.0, busy_share=0.5)


def test_the_labels_are_true_and_the_search_finds_what_they_name() -> None:
    scene, empty = Scene(QUIET, 5, 100.0), None
    watcher, found = motion.Watcher(), motion.Episodes(pause_ms=8000, longest_ms=3_600_000)
    for at_s, luma in scene.frames():
        small = luma.reshape(motion.HEIGHT, 6, motion.WIDTH, 6).mean(axis=(1, 3)).astype(np.uint8)
        change = watcher.look(small, int(at_s * 1000))
        if change is not None:
            found.add(watcher, change)
        if at_s % 4:
            continue
        assert luma.shape == (HEIGHT, WIDTH)
        here = [one for one in scene.passages if one.start_s <= at_s < one.end_s]
        if empty is None:
            empty = luma.astype(np.int16)
        differs = np.abs(luma.astype(np.int16) - empty) > 12
        for one in here:
            x, y = one.middle(at_s)
            if one.width / 2 < x < WIDTH - one.width / 2:
                rows = slice(max(0, int(y - one.height / 4)), int(y + one.height / 4))
                columns = slice(int(x - one.width / 4), int(x + one.width / 4))
                assert differs[rows, columns].mean() > 0.5
        if not here:
            assert differs.mean() < 0.001
    for one in scene.passages:
        assert any(e.started_ms < one.end_s * 1000 and one.start_s * 1000 < e.ended_ms for e in found.found)
    assert len(found.found) == len(scene.passages) > 0


def test_no_object_is_smaller_than_what_is_promised_to_be_seen() -> None:
    scene = Scene(Kind("busy", busy_share=0.6), 7, 1200.0)
    assert len(scene.passages) > 10
    assert all((one.width, one.height) >= SMALLEST for one in scene.passages)
    assert all(one.end_s - one.start_s > 4 for one in scene.passages)
    assert all(a.end_s <= b.start_s for a, b in zip(scene.passages, scene.passages[1:], strict=False))
