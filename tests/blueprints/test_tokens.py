"""The colours are readable: contrast of every token over every ground, in both themes (WCAG 2.2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parent.parent.parent / "cctv" / "static" / "css" / "tokens.css"
TEXT = ("tx", "tx2", "tx3", "acc", "ok", "warn", "bad", "off", "rec", "act", "lck")
GRAPHICS = ("line-strong", "rng", "focus")
GROUNDS = ("bg", "s1", "s2")


def tokens(selector: str) -> dict[str, str]:
    """The colours of one theme."""
    block = CSS.read_text().split(selector)[1].split("{")[1].split("}")[0]
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))


THEMES = {
    "dark": tokens(':root, [data-bs-theme="dark"], .on-video {'.removesuffix(" {")),
    "light": tokens('[data-bs-theme="light"]'),
    "auto": tokens('[data-bs-theme="auto"]'),
}


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_is_readable_on_every_ground(theme: str, ground: str) -> None:
    colours = THEMES[theme]
    low = {name: round(contrast(colours[name], colours[ground]), 2) for name in TEXT}
    assert min(low.values()) >= 4.5, low


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_borders_and_lanes_are_visible_on_every_ground(theme: str, ground: str) -> None:
    colours = THEMES[theme]
    low = {name: round(contrast(colours[name], colours[ground]), 2) for name in GRAPHICS}
    assert min(low.values()) >= 3, low


@pytest.mark.parametrize("theme", THEMES)
def test_the_word_on_a_primary_button_is_readable(theme: str) -> None:
    assert contrast(THEMES[theme]["on-acc"], THEMES[theme]["acc"]) >= 4.5


def test_automatic_is_the_light_theme_where_the_system_is_light() -> None:
    assert THEMES["auto"] == THEMES["light"]
