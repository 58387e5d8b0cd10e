"""Plain HLS of the present, for every player: cells of one second, listed without any state.

Media sequence = epoch second, so every process and node answers alike. Bytes are served elsewhere.
"""

from __future__ import annotations

from cctv.errors import Unavailable
from cctv.live.recent import Cell, LiveRun, Recent, is_complete
from cctv.media import playlists
from cctv.media.boxes import TICKS_PER_SECOND

WINDOW_CELLS = 12
STALE_SECONDS = 10.0  # after this long without a byte the last seconds are the past, not the present
TARGET_SECONDS = 1
_LONGEST_SECONDS = 1.499  # rounded, no segment may be longer than the target duration (RFC 8216, 4.3.3.1)


def plain_playlist(recent: Recent) -> str:
    """The media playlist of the last WINDOW_CELLS complete seconds.

    Raises:
        Unavailable: there is no complete second, or nothing was written for STALE_SECONDS.
    """
    recent.refresh()
    cells = complete_cells(recent)
    if not cells or is_stale(recent):
        raise Unavailable("There is no live picture now. Trying again.")
    return playlists.live(listed(cells), sequence=cells[0].number, target_s=TARGET_SECONDS)


def is_stale(recent: Recent) -> bool:
    """Whether nothing was written lately."""
    newest = recent.newest()
    return newest is None or newest.age_seconds() > STALE_SECONDS


def complete_cells(recent: Recent, *, window: int = WINDOW_CELLS) -> list[Cell]:
    """The seconds to which nothing will be added, ascending, of the last `window` seconds.

    Where nothing was captured there are fewer; the first one always holds a picture.
    """
    newest = recent.newest()
    if newest is None:
        return []
    cells = [cell for cell in recent.cells() if is_complete(cell, newest)]
    return [cell for cell in cells if cell.number > cells[-1].number - window]


def listed(cells: list[Cell]) -> list[playlists.Cell]:
    """The cells as a playlist lists them: seconds without a picture too, because the number is the second."""
    result: list[playlists.Cell] = []
    before: Cell | None = None
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if before is not None:
            result += gaps(before, cell.number)
        result.append(entry(cell, _seconds(cell, following)))
        before = cell
    return result


def entry(cell: Cell, seconds: float) -> playlists.Cell:
    """A cell with the addresses that its bytes have, relative to the playlist's."""
    return playlists.Cell(
        uri=f"{cell.run.key}/{cell.number}.m4s",
        duration_s=seconds,
        started_ms=cell.run.wall_ms(cell.first.min_start_ticks),
        ordinal=cell.run.ordinal,
        map_uri=f"init-{cell.run.key}.mp4",
    )


def gaps(before: Cell, number: int) -> list[playlists.Cell]:
    """The seconds without a picture between a cell and the one of that number."""
    return [_gap(before, second) for second in range(before.number + 1, number)]


def _gap(before: Cell, number: int) -> playlists.Cell:
    run: LiveRun = before.run
    return playlists.Cell(
        uri=f"{run.key}/{number}.m4s",
        duration_s=TARGET_SECONDS,
        started_ms=run.wall_ms(number * TICKS_PER_SECOND),
        ordinal=run.ordinal,
        map_uri=f"init-{run.key}.mp4",
        is_gap=True,
    )


def _seconds(cell: Cell, following: Cell | None) -> float:
    """How long a cell plays: up to the next one of its run where that follows directly."""
    ticks = cell.duration_ticks
    if following is not None and following.run is cell.run and following.number == cell.number + 1:
        ticks = following.first.start_ticks - cell.first.start_ticks
    return min(max(ticks / TICKS_PER_SECOND, 0.001), _LONGEST_SECONDS)
