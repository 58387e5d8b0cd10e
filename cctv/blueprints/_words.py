"""How times, ages, sizes and speeds are spelled for people: site time, 24 hours, plain units.

Pure spelling; never a query beyond the time zone of the site, never a decision.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Flask, g

from cctv.clock import from_ms, now_ms
from cctv.models import Camera, RecordingMode
from cctv.services.camera.status import CameraStatus
from cctv.services.schedule import schedule_words
from cctv.services.site import settings

_RULES = {
    RecordingMode.CONTINUOUS: "All the time",
    RecordingMode.ACTIVITY: "On activity",
    RecordingMode.MANUAL: "On demand",
    RecordingMode.OFF: "Never",
}
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


def register_words(app: Flask) -> None:
    """Make the spellings known to all templates as filters."""
    for spell in (
        since,
        clock,
        minute,
        hour_and_minute,
        moment,
        day,
        age,
        ago,
        duration,
        counter,
        size,
        speed,
        resolution,
        host,
        recording_rule,
    ):
        app.jinja_env.filters[spell.__name__] = spell
    app.jinja_env.filters["codec"] = codec
    app.jinja_env.globals["zone_name"] = zone_name


def site_zone() -> ZoneInfo:
    """The time zone of the site, read once a request."""
    if "site_zone" not in g:
        g.site_zone = settings.zone()
    zone: ZoneInfo = g.site_zone
    return zone


def zone_name() -> str:
    """Lisbon for Europe/Lisbon: whose time the page shows."""
    return site_zone().key.rpartition("/")[2].replace("_", " ")


def clock(ms: int) -> str:
    """14:51:58 at the site; with the day when it is another one."""
    return _dated(ms, "%H:%M:%S")


def minute(ms: int) -> str:
    """14:51 at the site; with the day when it is another one."""
    return _dated(ms, "%H:%M")


def moment(ms: int) -> str:
    """22 Nov 2026 14:51:58, for tooltips and screen readers."""
    local = from_ms(ms).astimezone(site_zone())
    return f"{local.day} {local:%b %Y %H:%M:%S}"


def day(ms: int) -> str:
    """22 Nov at the site."""
    local = from_ms(ms).astimezone(site_zone())
    return f"{local.day} {local:%b}"


def time_of_day(ms: int) -> str:
    """14:51:58 at the site, for lists that name the day above."""
    return f"{from_ms(ms).astimezone(site_zone()):%H:%M:%S}"


def hour_and_minute(ms: int) -> str:
    """14:51 at the site, for lists that name the day beside it."""
    return f"{from_ms(ms).astimezone(site_zone()):%H:%M}"


def long_day(ms: int) -> str:
    """Sunday 22 November 2026; Today and Yesterday by their names."""
    local = from_ms(ms).astimezone(site_zone()).date()
    days_ago = (from_ms(now_ms()).astimezone(site_zone()).date() - local).days
    name = {0: "Today", 1: "Yesterday"}.get(days_ago)
    return f"{name}, {local.day} {local:%B}" if name else f"{local:%A} {local.day} {local:%B %Y}"


def short_day(ms: int) -> str:
    """Sun 22 Nov; Today and Yesterday by their names; with the year when it is another one."""
    local, today = (from_ms(moment).astimezone(site_zone()).date() for moment in (ms, now_ms()))
    name = {0: "Today", 1: "Yesterday"}.get((today - local).days)
    year = "" if local.year == today.year else f" {local.year}"
    return name or f"{local:%a} {local.day} {local:%b}{year}"


def since(ms: int) -> str:
    """14:51 when it was today, else 22 Nov: short, for lists."""
    is_today = from_ms(ms).astimezone(site_zone()).date() == from_ms(now_ms()).astimezone(site_zone()).date()
    return minute(ms) if is_today else day(ms)


def age(since_ms: int) -> str:
    """How long ago: 7 s, 4 min, 3 h, and from a day on 2 days."""
    return duration(max(0, now_ms() - since_ms))


def ago(since_ms: int) -> str:
    """4 min ago, up to 24 hours; then the day and time."""
    elapsed = max(0, now_ms() - since_ms)
    return f"{duration(elapsed)} ago" if elapsed < _DAY_MS else minute(since_ms)


def duration(ms: int) -> str:
    """45 s, 18 min, 1 h 04 min, 3 days."""
    if ms < _MINUTE_MS:
        return f"{ms // 1000} s"
    if ms < _HOUR_MS:
        return f"{ms // _MINUTE_MS} min"
    if ms < _DAY_MS:
        hours, minutes = ms // _HOUR_MS, ms % _HOUR_MS // _MINUTE_MS
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    days = ms // _DAY_MS
    return f"{days} day{'' if days == 1 else 's'}"


def counter(ms: int) -> str:
    """0:42, 1:04:09: what a running recording counts."""
    seconds = max(0, ms) // 1000
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count_bytes: int | float) -> str:
    """480 MB, 1.8 TB: decimal units, as disks are sold."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count_bytes >= one:
            amount = count_bytes / one
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{count_bytes / 1e3:.0f} kB"


def speed(kilobits_per_second: int | float) -> str:
    """2.1 Mbit/s."""
    if kilobits_per_second < 1000:
        return f"{kilobits_per_second:.0f} kbit/s"
    return f"{kilobits_per_second / 1000:.1f} Mbit/s"


def resolution(stream: object) -> str:
    """1080p, 640×360: the name that people use, when there is one."""
    width, height = getattr(stream, "width", None), getattr(stream, "height", None)
    if not width or not height:
        return ""
    known = {(1280, 720): "720p", (1920, 1080): "1080p", (2560, 1440): "1440p", (3840, 2160): "4K"}
    return known.get((width, height), f"{width}×{height}")


def host(url: str | None) -> str:
    """192.168.1.44 for rtsp://192.168.1.44:554/stream1; with the port when it is another one."""
    place = (url or "").partition("://")[2].partition("/")[0]
    return place.removesuffix(":554")


def codec(name: str | None) -> str:
    """H.264 for avc1.640028: what stands on the box of the camera."""
    known = {"avc1": "H.264", "avc3": "H.264", "hvc1": "H.265", "hev1": "H.265", "mp4a": "AAC"}
    return known.get((name or "")[:4], name or "")


def recording_rule(camera: Camera, shown: CameraStatus) -> str:
    """When it records, for a list: All the time, On activity, Office hours: off until 06:00."""
    if camera.recording_mode == RecordingMode.SCHEDULE:
        now = schedule_words.now_in_words(shown.rule, site_zone(), at_ms=now_ms())
        return f"{shown.schedule}: {now}" if shown.schedule else "No schedule"
    return _RULES.get(RecordingMode(camera.recording_mode), "")


def _dated(ms: int, form: str) -> str:
    local = from_ms(ms).astimezone(site_zone())
    today = from_ms(now_ms()).astimezone(site_zone()).date()
    text = f"{local:{form}}"
    return text if local.date() == today else f"{local.day} {local:%b} {text}"
