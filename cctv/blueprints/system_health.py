"""The health page: parts of the system, disks, and how much of each day was recorded, camera by camera.

Shape only; what is healthy is said by services. The JSON readiness for machines is blueprints/api/health.py.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx, _live, _storage_words, _words
from cctv.blueprints._rights import rights
from cctv.blueprints.cameras import Span
from cctv.clock import now_ms, site_day
from cctv.intervals import union
from cctv.models import Node
from cctv.services.bucket import cloud, transfer_figures
from cctv.services.camera import status
from cctv.services.footage import daily_report
from cctv.services.footage.daily_report import CameraDay, Report
from cctv.services.footage.timeline import sentence_of
from cctv.services.lifetime import forecast
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import health, health_figures, nodes, overview, settings

blueprint = Blueprint("system_health", __name__, url_prefix="/health")

COMPONENTS = {"web": "Pages", "database": "Database", "redis": "Queues", "capture": "Capture"}
_DRAWN_MS = 60_000  # what is closer is drawn as one
_STRIP = 1000


@blueprint.get("")
def show() -> ResponseReturnValue:
    """Everything at a glance, and the report of `day`, yesterday by default."""
    access.authorise(current_user, None, Action.HEALTH)
    parts = {} if _htmx.is_htmx() else _parts()
    return _htmx.render("health/show.html", "report", **(parts | _report()))


@blueprint.get("/parts")
def show_parts() -> ResponseReturnValue:
    """The cards, which refresh themselves."""
    access.authorise(current_user, None, Action.HEALTH)
    return _htmx.render("health/_parts.html", **_parts(), is_refresh=True)


def _parts() -> dict[str, Any]:
    cameras = access.visible_cameras(current_user, Action.HEALTH)
    statuses = status.of_cameras(cameras)
    watched = overview.watch(cameras, statuses)
    figures = health_figures.collect()
    disks, machines = overview.storage(watched), nodes.list_nodes()
    # This page itself shows that the first two answer.
    components = {"redis": health.is_redis_up(), "capture": nodes.is_capturing()}
    return {
        "components": [(label, components.get(name, True)) for name, label in COMPONENTS.items()],
        "is_sound": all(components.values()) and not (disks and disks.troubles),
        "summary": _live.summary(statuses.values()),
        "recording": sum(one.is_recording for one in statuses.values()),
        "disks": disks,
        "machines": machines,
        "outlooks": {node.id: said for node in machines if (said := _outlook(node))},
        "queues": figures["queues"],
        "uploads": transfer_figures.collect() if cloud.access() is not None else None,
        "rights": rights(),
    }


def _outlook(node: Node) -> tuple[str, str] | None:
    """(how it goes on, what was asked for and is not held); None while nothing can be said."""
    found = forecast.of_node(node)
    if found is None or not found.bytes_per_day:
        return None
    limit = settings.get("disk_limit_percent")
    return _storage_words.outlook(found, limit), _storage_words.shortfall(found)


def _report() -> dict[str, Any]:
    zone = _words.site_zone()
    today = site_day(now_ms(), zone)
    day = min(_asked_day() or today - timedelta(days=1), today)
    report = daily_report.of_day(day, access.visible_cameras(current_user, Action.HEALTH))
    return {
        "report": report,
        "day": day,
        "day_words": f"{day:%A} {day.day} {day:%B %Y}",
        "is_today": day == today,
        "day_before": day - timedelta(days=1),
        "day_after": day + timedelta(days=1),
        "today": today,
        "strips": {row.camera.id: _strip(row, report) for row in report.rows},
        "rights": rights(),
    }


def _asked_day() -> date | None:
    try:
        day = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def _strip(row: CameraDay, report: Report) -> list[Span]:
    """The day as a strip: what is there, and what is missing over it."""
    scale = _STRIP / (report.to_ms - report.from_ms)
    parts = [(start, end, "recorded", "Recorded") for start, end in union(row.recorded, join_ms=_DRAWN_MS)]
    parts += [
        (gap.started_ms, gap.ended_ms, "gap", sentence_of(gap.cause, gap.detail))
        for gap in row.gaps
        if gap.ended_ms - gap.started_ms >= 1000
    ][:200]
    return [
        Span(
            round((start - report.from_ms) * scale, 1),
            round(max(2.0, (end - start) * scale), 1),
            kind,
            words
            if kind == "recorded"
            else f"{_words.clock(start)}, {_words.duration(end - start)}: {words}",
        )
        for start, end, kind, words in parts
    ]
