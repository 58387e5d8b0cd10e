"""The frame number as a bar code in the picture: its geometry, how it is drawn and how it is read back.
Nothing here knows of ffmpeg or RTP; a browser test reads a canvas with the same five constants.

The unit is a block of `height / 22.5` pixels (48 px at 1080 lines), so the code scales with the picture. It
has 18 columns: a white guard, 16 bits with the most significant first, a black guard. Each column has two
cells, the upper one white for 1 and black for 0, the lower one the opposite. A reader therefore needs no
threshold - it compares two cells - and a blended, torn or missing picture is told from a number.

    block  = height / BLOCKS_PER_HEIGHT
    x      = (LEFT_BLOCKS + column + 0.5) * block
    upper  = (TOP_BLOCKS + 0.5) * block
    lower  = (TOP_BLOCKS + 1.5) * block
"""

from __future__ import annotations

BLOCKS_PER_HEIGHT = 22.5
LEFT_BLOCKS = 1.0
TOP_BLOCKS = 0.5
BITS = 16
COLUMNS = BITS + 2
MIN_CONTRAST = (
    48  # of 255, between the two cells of a column; a code that was scaled to 180 lines keeps above 100
)

WHITE, BLACK = 235, 16


def columns_of(number: int) -> list[bool]:
    """The 18 columns of a frame number (0 to 65535), True where the upper cell is white."""
    if not 0 <= number < 1 << BITS:
        raise ValueError(f"a frame number has {BITS} bits: {number}")
    bits = [bool(number >> shift & 1) for shift in range(BITS - 1, -1, -1)]
    return [True, *bits, False]


def draw_rows(number: int, height: int, *, paper: int = BLACK) -> tuple[bytes, bytes]:
    """One pixel row of the upper and one of the lower cells, 8-bit grey, for a picture of `height` lines.

    Both begin at the left edge of the picture; the space before the code has the shade `paper`.
    """
    block = height / BLOCKS_PER_HEIGHT
    edges = [round((LEFT_BLOCKS + column) * block) for column in range(COLUMNS + 1)]
    upper = [bytes([paper]) * edges[0]]
    lower = list(upper)
    for column, is_one in enumerate(columns_of(number)):
        width = edges[column + 1] - edges[column]
        upper.append(bytes([WHITE if is_one else BLACK]) * width)
        lower.append(bytes([BLACK if is_one else WHITE]) * width)
    return b"".join(upper), b"".join(lower)


def read(gray: bytes, width: int, height: int) -> int | None:
    """The frame number in an 8-bit grey picture of `width * height` bytes; None when none can be read."""
    block = height / BLOCKS_PER_HEIGHT
    if len(gray) < width * height or width < (LEFT_BLOCKS + COLUMNS) * block:
        return None
    number = 0
    for column in range(COLUMNS):
        x = (LEFT_BLOCKS + column + 0.5) * block
        upper = _shade(gray, width, x, (TOP_BLOCKS + 0.5) * block, block)
        lower = _shade(gray, width, x, (TOP_BLOCKS + 1.5) * block, block)
        if abs(upper - lower) < MIN_CONTRAST:
            return None
        number = number << 1 | (upper > lower)
    guards_are_right = number >> (BITS + 1) == 1 and not number & 1
    return (number >> 1) & ((1 << BITS) - 1) if guards_are_right else None


def _shade(gray: bytes, width: int, x: float, y: float, block: float) -> float:
    """The mean of the inner third of a cell: its border is blurred by scaling and by the encoder."""
    reach = block / 6
    left, right = int(x - reach), int(x + reach)
    rows = range(int(y - reach), int(y + reach) + 1)
    total = sum(sum(gray[row * width + left : row * width + right + 1]) for row in rows)
    return total / (len(rows) * (right - left + 1))
