"""How much of what was to be recorded on a day is there, camera by camera, and why the rest is not.

Reads what gaps.py says; tells it on a page and, to whom it is set, by mail the morning after.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from cctv.clock import day_bounds_ms, from_ms, now_ms, site_day
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, intersect, total_ms
from cctv.models import Camera, NoticeKind, Setting
from cctv.services.camera import cameras
from cctv.services.footage import gaps
from cctv.services.footage.gap_causes import ExplainedGap
from cctv.services.footage.timeline import sentence_of
from cctv.services.mailing import mail, notices
from cctv.services.site import settings

MAILED_FROM_HOUR = 7  # at the site
_COUNTED_FROM_MS = 1000  # shorter gaps count, and are not told one by one
_MOST_CAUSES = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """Why footage is missing, with how often and how long."""

    sentence: str
    count: int
    total_ms: int
    longest_ms: int
    longest_from_ms: int


@dataclass(frozen=True, slots=True)
class CameraDay:
    """One camera on one day. Intervals in epoch milliseconds."""

    camera: Camera
    wanted_ms: int
    missing_ms: int
    causes: list[Cause] = field(default_factory=list)  # what is missing longest first
    recorded: list[Interval] = field(default_factory=list)
    gaps: list[ExplainedGap] = field(default_factory=list)

    @property
    def percent(self) -> float | None:
        """How much is there, to a tenth, never rounded up to all of it; None: nothing was to be recorded."""
        if not self.wanted_ms:
            return None
        return int(1000 * (self.wanted_ms - self.missing_ms) / self.wanted_ms) / 10


@dataclass(frozen=True, slots=True)
class Report:
    """One day of all the cameras, the worst first. Of today only what has passed."""

    day: date
    from_ms: int
    to_ms: int
    rows: list[CameraDay]

    @property
    def percent(self) -> float | None:
        """Of all cameras together."""
        wanted = sum(row.wanted_ms for row in self.rows)
        missing = sum(row.missing_ms for row in self.rows)
        return int(1000 * (wanted - missing) / wanted) / 10 if wanted else None

    @property
    def complete(self) -> list[CameraDay]:
        """The cameras of which nothing is missing."""
        return [row for row in self.rows if row.wanted_ms and not row.missing_ms]


def of_day(day: date, found: Iterable[Camera], *, at_ms: int | None = None) -> Report:
    """The report of a site-local day; a fixed number of queries whatever the number of cameras."""
    at_ms = now_ms() if at_ms is None else at_ms
    start_ms, end_ms = day_bounds_ms(day, settings.zone())
    until_ms = max(start_ms, min(end_ms, at_ms))
    by_id = {camera.id: camera for camera in found}
    holes = gaps.find_holes(by_id, start_ms, until_ms)
    missing = {camera_id: one.missing for camera_id, one in holes.items()}
    explained = gaps.explain(missing, start_ms, until_ms, at_ms=at_ms)
    rows = [
        CameraDay(
            camera=camera,
            wanted_ms=total_ms(holes[camera_id].wanted),
            missing_ms=total_ms((gap.started_ms, gap.ended_ms) for gap in explained[camera_id]),
            causes=_causes(explained[camera_id]),
            recorded=intersect(holes[camera_id].wanted, holes[camera_id].covered),
            gaps=explained[camera_id],
        )
        for camera_id, camera in by_id.items()
    ]
    return Report(day, start_ms, end_ms, sorted(rows, key=_badness))


def send_due(*, at_ms: int | None = None) -> int:
    """Mail the report of yesterday to whom it is set, once, from seven o'clock on; how many mails.

    A system that was down then sends it when it is up again.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    local = from_ms(at_ms).astimezone(settings.zone())
    yesterday = site_day(at_ms, settings.zone()) - timedelta(days=1)
    people = notices.recipients(NoticeKind.REPORT)
    if local.hour < MAILED_FROM_HOUR or not people or settings.get("report_mailed_day") == str(yesterday):
        db.session.commit()
        return 0
    report = of_day(yesterday, cameras.list_cameras(), at_ms=at_ms)
    values = letter_of(report)
    db.session.commit()
    begin_writing()
    if settings.get("report_mailed_day") == str(yesterday):  # another job was faster
        db.session.rollback()
        return 0
    # With the mails, and not in the audit log: nobody chose this.
    db.session.merge(Setting(key="report_mailed_day", value=str(yesterday)))
    for person in people:
        mail.add("daily_report", person, values)
    db.session.commit()
    mail.dispatch()
    return len(people)


def letter_of(report: Report) -> dict[str, Any]:
    """The values of the mail: cameras of which something is missing, with why; the rest as a number."""
    return {
        "day": f"{report.day:%A} {report.day.day} {report.day:%B}",
        "percent": _percent_words(report.percent),
        "complete": len(report.complete),
        "idle": sum(not row.wanted_ms for row in report.rows),
        "cameras": [
            {
                "name": row.camera.name,
                "percent": _percent_words(row.percent),
                "causes": [_cause_words(cause) for cause in row.causes[:_MOST_CAUSES]],
            }
            for row in report.rows
            if row.missing_ms
        ],
        "link": mail.link(f"/health?day={report.day}"),
    }


def _causes(found: list[ExplainedGap]) -> list[Cause]:
    groups: dict[str, list[ExplainedGap]] = {}
    for gap in found:
        groups.setdefault(sentence_of(gap.cause, gap.detail), []).append(gap)
    causes = []
    for sentence, group in groups.items():
        longest = max(group, key=lambda gap: gap.ended_ms - gap.started_ms)
        told = [gap for gap in group if gap.ended_ms - gap.started_ms >= _COUNTED_FROM_MS]
        causes.append(
            Cause(
                sentence=sentence,
                count=max(1, len(told)),
                total_ms=sum(gap.ended_ms - gap.started_ms for gap in group),
                longest_ms=longest.ended_ms - longest.started_ms,
                longest_from_ms=longest.started_ms,
            )
        )
    return sorted(causes, key=lambda cause: -cause.total_ms)


def _badness(row: CameraDay) -> tuple[float, int]:
    percent = 101.0 if row.percent is None else row.percent
    return percent, row.camera.number or 0


def _percent_words(percent: float | None) -> str:
    return "–" if percent is None else f"{percent:g} %"


def _cause_words(cause: Cause) -> str:
    at = from_ms(cause.longest_from_ms).astimezone(settings.zone())
    total, longest = _length(cause.total_ms), _length(cause.longest_ms)
    if cause.count == 1:
        return f"{total} at {at:%H:%M}: {cause.sentence}"
    return f"{total} in {cause.count} gaps, the longest {longest} at {at:%H:%M}: {cause.sentence}"


def _length(ms: int) -> str:
    if ms < 60_000:
        return f"{max(1, ms // 1000)} s"
    minutes = ms // 60_000
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
