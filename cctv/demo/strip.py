"""The dark strip along the top of every demo picture: bar code at the left, seconds of the loop at the right.
It is drawn here as rows of grey bytes, because a fresh machine may have no font for ffmpeg to write with."""

from __future__ import annotations

from collections.abc import Iterator

from cctv.demo import barcode

STRIP_BLOCKS = 3
PAPER, INK, GHOST = 28, 215, 40

# Segments of a digit: top, upper left, upper right, middle, lower left, lower right, bottom.
_SEGMENTS = {
    "0": "1110111", "1": "0010010", "2": "1011101", "3": "1011011", "4": "0111010",
    "5": "1101011", "6": "1101111", "7": "1010010", "8": "1111111", "9": "1111011",
}  # fmt: skip


def strip_height(height: int) -> int:
    """Lines of the strip in a picture of `height` lines; even, as 4:2:0 video requires."""
    return round(STRIP_BLOCKS * height / barcode.BLOCKS_PER_HEIGHT / 2) * 2


def draw_strips(width: int, height: int, *, fps: int, frames: int) -> Iterator[bytes]:
    """The strip of every frame of a loop, 8-bit grey, `width * strip_height(height)` bytes each."""
    block = height / barcode.BLOCKS_PER_HEIGHT
    lines = strip_height(height)
    top, middle, bottom = (round((barcode.TOP_BLOCKS + cell) * block) for cell in (0, 1, 2))
    digits: list[bytes] = []
    for number in range(frames):
        if number % max(1, fps // 10) == 0 or not digits:
            digits = _draw_digits(f"{number // fps:02d}{number * 10 // fps % 10}", block, bottom - top)
        upper, lower = barcode.draw_rows(number, height, paper=PAPER)
        gap = bytes([PAPER]) * (width - len(upper) - len(digits[0]))
        empty = bytes([PAPER]) * width
        code_rows = [upper] * (middle - top) + [lower] * (bottom - middle)
        rows = [code + gap + digit for code, digit in zip(code_rows, digits, strict=True)]
        yield empty * top + b"".join(rows) + empty * (lines - bottom)


def _draw_digits(text: str, block: float, lines: int) -> list[bytes]:
    """Pixel rows of tens, ones, a point and tenths, with a margin of one block at the right."""
    stroke = max(1, round(block / 5))
    columns = [_draw_digit(character, block, lines) for character in text]
    space = bytes([PAPER]) * round(block / 3)
    dot = [bytes([INK if row >= lines - stroke else PAPER]) * stroke for row in range(lines)]
    margin = bytes([PAPER]) * round(block)
    return [
        columns[0][row] + space + columns[1][row] + space + dot[row] + space + columns[2][row] + margin
        for row in range(lines)
    ]


def _draw_digit(character: str, block: float, lines: int) -> list[bytes]:
    """Pixel rows of one seven-segment digit; segments that are off show faintly, as on a real display."""
    width, stroke = round(block * 1.2), max(1, round(block / 5))
    shades = [INK if bit == "1" else GHOST for bit in _SEGMENTS[character]]
    half = lines // 2
    rows = []
    for row in range(lines):
        if row < stroke:
            rows.append(_bar(shades[0], width, stroke))
        elif row >= lines - stroke:
            rows.append(_bar(shades[6], width, stroke))
        elif half - stroke // 2 <= row < half - stroke // 2 + stroke:
            rows.append(_bar(shades[3], width, stroke))
        else:
            left, right = shades[1:3] if row < half else shades[4:6]
            inside = bytes([PAPER]) * (width - 2 * stroke)
            rows.append(bytes([left]) * stroke + inside + bytes([right]) * stroke)
    return rows


def _bar(shade: int, width: int, stroke: int) -> bytes:
    """A horizontal segment, leaving the corners free."""
    corner = bytes([PAPER]) * (stroke // 2)
    return corner + bytes([shade]) * (width - 2 * len(corner)) + corner
