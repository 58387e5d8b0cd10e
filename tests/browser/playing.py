"""The playback page as a test drives it: what it shows, read from the bar code, and when that was.

The page keeps its player in `window.playback`; nothing here changes it except by what a person could do.
"""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

from cctv.demo import barcode
from cctv.demo.profiles import PROFILES
from tests.waiting import wait_until

_READ = (
    """([index, left, top, columns, blocks, contrast]) => {
  const player = window.playback?.players?.[index]; // before the script ran it is the element of that id
  if (!player) return null;
  const { video } = player;
  if (!player.isThere || video.readyState < 2 || video.seeking) return null;
  const canvas = document.createElement("canvas");
  canvas.width = 80; canvas.height = 12;
  const context = canvas.getContext("2d");
  const block = video.videoHeight / blocks;
  context.drawImage(video, 0, 0, 20 * block, 3 * block, 0, 0, 80, 12);
  const pixels = context.getImageData(0, 0, 80, 12).data;
  let value = 0;
  for (let column = 0; column < columns; column += 1) {
    const x = Math.floor((left + column + 0.5) * 4);
    const shade = (row) => pixels[(Math.floor((top + row) * 4) * 80 + x) * 4];
    if (Math.abs(shade(0.5) - shade(1.5)) < contrast) return null;
    value = value * 2 + (shade(0.5) > shade(1.5) ? 1 : 0);
  }
  if (value >> (columns - 1) !== 1 || value & 1) return null;
  const ms = player.now();
  return ms === null ? null : [(value >> 1) & 65535, ms];
}""",
    [
        0,
        barcode.LEFT_BLOCKS,
        barcode.TOP_BLOCKS,
        barcode.COLUMNS,
        barcode.BLOCKS_PER_HEIGHT,
        barcode.MIN_CONTRAST,
    ],
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture: the number in it, and the moment that the page says it is of (epoch milliseconds)."""

    number: int
    ms: float


def shown(page: Page, player: int = 0) -> Shown | None:
    """What a player shows now; None while there is nothing to read."""
    script, facts = _READ
    found = page.evaluate(script, [player, *facts[1:]])
    return Shown(*found) if found else None


def wait_shown(page: Page, *, near_ms: float, within_ms: float = 700, timeout: float = 5) -> Shown:
    """Wait until the main picture is of about that moment."""

    def is_there() -> Shown | None:
        found = shown(page)
        return found if found and abs(found.ms - near_ms) <= within_ms else None

    try:
        return wait_until(is_there, timeout, f"the picture of {near_ms:.0f}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {state(page)}") from None


def error_seconds(picture: Shown, profile: str, number: int) -> float:
    """How far the page's time is from the one at which the camera sent the picture; positive: later."""
    facts = PROFILES[profile]
    age = facts.age_seconds(picture.number, camera=number, now=picture.ms / 1000)
    return age if age < facts.seconds / 2 else age - facts.seconds


def state(page: Page) -> str:
    """For the message of a failing test."""
    script = """[window.playback?.at, window.playback?.isPlaying,
      document.querySelector("#pb-said")?.textContent,
      window.playback?.players?.map((p) => [p.isThere, p.isBusy, p.now(), p.video.readyState])]"""
    return str(page.evaluate(script))
