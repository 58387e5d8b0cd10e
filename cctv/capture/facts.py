"""What capturing teaches about a stream: its codecs and size, its rates, and which option it needs to start.

Arithmetic only; it reads nothing and tells only what changed noticeably.
"""

from __future__ import annotations

from cctv.media.boxes import Init
from cctv.services.camera.sources import Source
from cctv.storage.measure import TICKS_PER_MS, MeasuredSegment

_SHORTEST_TICKS = 2000 * TICKS_PER_MS  # a shorter file says nothing about rates
_NOTICEABLE = 0.1  # share by which a rate must differ from what was told
_WEIGHT = 0.25  # of the newest file: a picture that changes from minute to minute is not news each minute


def facts_of(init: Init) -> dict[str, object]:
    """The columns of Stream that the beginning of a run tells."""
    return {
        "video_codec": init.video.codec,
        "audio_codec": init.audio.codec if init.audio else None,
        "width": init.video.width,
        "height": init.video.height,
    }


def cure_of(code: str, source: Source) -> dict[str, object] | None:
    """What another attempt has to know after this fault of a first one; None when that was tried."""
    if code == "analysis" and not source.full_analysis:
        return {"full_analysis": True}
    if code == "sound" and source.audio_source != "other":
        return {"audio_source": "other"}
    if code == "changed" and source.video_codec:
        return {"video_codec": None}
    return None


class Facts:
    """The rates of one stream. One thread only."""

    def __init__(self) -> None:
        self._mean: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def learn(self, files: list[MeasuredSegment]) -> dict[str, object]:
        """The columns of Stream (fps, bitrate_kbps, gop_ms) that are new or noticeably other than told."""
        for file in files:
            for name, value in _rates(file).items():
                mean = self._mean.get(name, value)
                self._mean[name] = mean + (value - mean) * _WEIGHT
        news = {name: value for name, value in self._mean.items() if self._is_news(name, value)}
        self._told |= news
        return {name: round(value, 1) if name == "fps" else round(value) for name, value in news.items()}

    def _is_news(self, name: str, value: float) -> bool:
        told = self._told.get(name)
        return told is None or abs(value - told) > told * _NOTICEABLE


def _rates(file: MeasuredSegment) -> dict[str, float]:
    ticks = file.duration_ticks
    if ticks < _SHORTEST_TICKS or not file.pictures:
        return {}
    milliseconds = ticks / TICKS_PER_MS
    found = {
        "fps": file.pictures * 1000 / milliseconds,
        "bitrate_kbps": (file.size_bytes - file.init_size) * 8 / milliseconds,
    }
    if len(file.gops) > 1:
        found["gop_ms"] = (file.gops[-1][1] - file.gops[0][1]) / TICKS_PER_MS / (len(file.gops) - 1)
    return found
