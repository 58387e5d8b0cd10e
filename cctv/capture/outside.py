"""What a keeper needs of the node it belongs to: spelled once, so that keepers know neither threads nor rows.

Only signatures; node.py does them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cctv.capture.patience import Patience
from cctv.storage.measure import MeasuredSegment
from cctv.storage.runfile import RunFile

if TYPE_CHECKING:
    from cctv.capture.attempt import Attempt
    from cctv.capture.keeper import Keeper


class Outside(Protocol):
    """What a keeper needs of the node it belongs to."""

    patience: Patience

    def begin(self, keeper: Keeper) -> None:
        """Make an attempt in another thread; answers with `keeper.began` or `keeper.could_not`."""

    def ask(self, keeper: Keeper, attempt: Attempt) -> None:
        """Ask the camera in another thread for a sign of life; if it gives one, `keeper.answers_others`."""

    def tell(self, keeper: Keeper, state: str | None, cause: str | None, detail: str, at_ms: int) -> None:
        """Report a state (None: unchanged) of the stream."""

    def learn(self, keeper: Keeper, **facts: object) -> None:
        """Report what was learnt about the stream."""

    def closed(self, keeper: Keeper, run: RunFile, files: list[MeasuredSegment]) -> None:
        """Hand over files that ffmpeg has finished."""

    def run_ended(self, keeper: Keeper, run: RunFile) -> None:
        """Report the end of a run and its cause."""

    def storage_trouble(self) -> str | None:
        """Cause for which nothing may be written now."""

    def follow(self, keeper: Keeper, attempt: Attempt) -> None:
        """Call `keeper.ended` as soon as the process has ended."""

    def over(self, keeper: Keeper) -> None:
        """The keeper is done."""

    def wall_ms(self) -> int:
        """Epoch milliseconds now."""
