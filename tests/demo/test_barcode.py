"""The bar code alone: what is drawn is read, and what is no code is not."""

from __future__ import annotations

import random

import pytest

from cctv.demo import barcode
from cctv.demo.profiles import PROFILES
from cctv.demo.strip import draw_strips, strip_height


def picture(number: int, width: int, height: int) -> bytes:
    upper, lower = barcode.draw_rows(number, height)
    block = height / barcode.BLOCKS_PER_HEIGHT
    edges = [round((barcode.TOP_BLOCKS + cell) * block) for cell in (0, 1, 2)]
    row, empty = (lambda code: code + bytes(width - len(code))), bytes(width)
    code = row(upper) * (edges[1] - edges[0]) + row(lower) * (edges[2] - edges[1])
    return empty * edges[0] + code + empty * (height - edges[2])


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (640, 360), (320, 240), (320, 180)])
@pytest.mark.parametrize("number", [0, 1, 399, 0x5555, 0xFFFF])
def test_what_is_drawn_is_read(number: int, width: int, height: int) -> None:
    assert barcode.read(picture(number, width, height), width, height) == number


def test_a_picture_without_a_code_has_no_number() -> None:
    noise = random.Random(1).randbytes(320 * 240)
    for gray in (bytes(320 * 240), b"\xff" * 320 * 240, noise, b"short"):
        assert barcode.read(gray, 320, 240) is None


def test_two_pictures_blended_have_no_number() -> None:
    pair = zip(picture(1, 320, 240), picture(2, 320, 240), strict=True)
    assert barcode.read(bytes((one + other) // 2 for one, other in pair), 320, 240) is None


def test_a_number_has_sixteen_bits() -> None:
    with pytest.raises(ValueError, match="16 bits"):
        barcode.columns_of(1 << 16)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_the_strip_of_every_profile_fits(name: str) -> None:
    profile = PROFILES[name]
    size = profile.width * strip_height(profile.height)
    strips = list(draw_strips(profile.width, profile.height, fps=profile.fps, frames=12))
    assert {len(strip) for strip in strips} == {size}


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_loop_is_whole(name: str) -> None:
    """Whole GOPs, whole AAC frames, at most 20 s, and a number for each picture."""
    profile = PROFILES[name]
    assert profile.seconds <= 20 and profile.seconds % profile.gop_seconds == 0
    assert profile.audio != "aac" or profile.seconds * 16000 % 1024 == 0
    assert profile.frames < 1 << barcode.BITS and 90000 % profile.fps == 0
