"""LL-HLS of the present: parts of 200 ms, answers held back until a part is there (RFC 8216bis, 6.2.5).

For one enlarged picture: it costs ten requests a second and viewer. Text only; bytes are served elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import median

from cctv.errors import Invalid, NotFound, Unavailable
from cctv.live.recent import Cell, LiveRun, Part, Recent
from cctv.live.tail import tails
from cctv.live.window import TARGET_SECONDS, complete_cells, entry, gaps, is_stale, listed
from cctv.media import playlists
from cctv.media.boxes import TICKS_PER_SECOND

LISTED_CELLS = 8
_CELLS_WITH_PARTS = 4  # parts may go once they are three target durations old
_SHORTEST_PART_SECONDS = 0.2  # frag_duration of the capture
_TOO_FAR_AHEAD = 2  # segments; asking for more is a mistake of the player (6.2.5.2)
HOLD_BACK_PARTS = 2.5  # three cost 0.1 s more and saved no stall
HOLD_SECONDS = 4.0  # a request is not held back for longer


def low_latency_playlist(recent: Recent) -> str:
    """The media playlist with parts, as it is now.

    Raises:
        Unavailable: there is no complete second yet (hls.js needs one), or nothing was written lately.
    """
    complete = complete_cells(recent, window=LISTED_CELLS)
    newest = recent.newest()
    if newest is None or not complete or is_stale(recent):
        raise Unavailable("There is no live picture now. Trying again.")
    growing = newest.cells[-1]
    target = part_target([*complete, growing])
    with_parts = {f"{c.run.key}/{c.number}.m4s": c for c in complete[-_CELLS_WITH_PARTS:]}
    cells = [
        replace(one, parts=_parts(with_parts[one.uri], target)) if one.uri in with_parts else one
        for one in [*listed(complete), *gaps(complete[-1], growing.number)]
    ]
    return playlists.low_latency(
        cells,
        sequence=complete[0].number,
        part_target_s=target,
        open_parts=_parts(growing, target),
        open_cell=entry(growing, TARGET_SECONDS),
        hint_uri=f"{growing.run.key}/{growing.run.next_name}.m4s",
        target_s=TARGET_SECONDS,
        hold_back_parts=HOLD_BACK_PARTS,
    )


def part_target(cells: list[Cell]) -> float:
    """The longest usual part in seconds; a single long one (lost frames) must not move the hold-back."""
    seconds = [p.fragment.duration_ticks / TICKS_PER_SECOND for cell in cells for p in cell.parts]
    usual = 1.5 * median(seconds)
    longest = max((value for value in seconds if value <= usual), default=_SHORTEST_PART_SECONDS)
    return math.ceil(max(longest, _SHORTEST_PART_SECONDS) * 100 - 0.01) / 100


def wait_until_reached(recent: Recent, msn: int, part: int | None) -> None:
    """Hold a blocking reload back; it is answered after HOLD_SECONDS come what may. Raises as is_reached."""
    tails.wait(recent, lambda: is_reached(recent, msn, part), timeout_seconds=HOLD_SECONDS)


def wait_for_part(recent: Recent, run_key: str, name: str) -> tuple[LiveRun, Part]:
    """A part by name; the announced one as soon as it is written.

    Raises:
        NotFound: it never will be, or no longer is.
    """
    found = recent.find_part(run_key, name)
    if found is None:
        recent.refresh()
        run = recent.newest()
        if run is not None and run.key == run_key and run.next_name == name:
            tails.wait(recent, lambda: _is_decided(recent, run, name), timeout_seconds=HOLD_SECONDS)
        found = recent.find_part(run_key, name)
    if found is None:
        raise NotFound("This part is not there (any more).")
    return found


def _is_decided(recent: Recent, run: LiveRun, name: str) -> bool:
    return run.next_name != name or recent.newest() is not run


def is_reached(recent: Recent, msn: int, part: int | None) -> bool:
    """Whether the playlist holds the segment `msn`, or its part of that index.

    Raises:
        Invalid: it lies further ahead than any player of ours would ask.
    """
    newest = recent.newest()
    if newest is None:
        return False
    last = newest.cells[-1]
    if msn > last.number + _TOO_FAR_AHEAD:
        raise Invalid({"_HLS_msn": "This segment lies too far ahead."})
    if last.number != msn:
        return last.number > msn
    return part is not None and len(last.parts) > part


def _parts(cell: Cell, target_seconds: float) -> tuple[playlists.Part, ...]:
    return tuple(
        playlists.Part(
            uri=f"{cell.run.key}/{part.name}.m4s",
            # One long part (lost frames) is listed as the longest allowed: the target must not move.
            duration_s=min(part.fragment.duration_ticks / TICKS_PER_SECOND, target_seconds),
            is_independent=part.is_key,
        )
        for part in cell.parts
    )
