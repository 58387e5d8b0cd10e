"""A check of a camera as a fragment: its steps, the first thing that is wrong in words, and the picture.

Used beside the camera form and on the diagnose page; starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response

from cctv import causes
from cctv.blueprints import _htmx
from cctv.blueprints._rights import rights
from cctv.models import Camera, Probe
from cctv.services.camera import cameras, probes

# State of a step -> the mark in front of it.
_MARKS = {"ok": "ok", "warn": "warn", "bad": "bad", "skipped": "off"}
# What a step looks at, for the ones that were not reached.
_STEPS = {
    "address": "Address",
    "tcp": "Connection",
    "rtsp": "RTSP",
    "login": "Login",
    "path": "Stream path",
    "format": "Video format",
    "keyframes": "Full pictures",
    "sound": "Sound",
}
_UNDER_WAY = {"queued", "running"}
_NO_PATH = (
    "None of the usual stream paths exists",
    "The login is right. Look into the camera's manual or its web page for the RTSP link, and paste it.",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first thing that is wrong, in words, and the field that it is about."""

    code: str
    headline: str
    body: str
    field: str | None


def answer(probe: Probe) -> Response:
    """The check so far: a page for a browser, the part that asks again by itself for HTMX."""
    picture = probes.picture_path(probe.id)
    twin = cameras.find_duplicate(probe.url, except_id=probe.camera_id)
    return _htmx.render(
        "probes/show.html",
        "check",
        probe=probe,
        warnings=[causes.get(code).told(**probes.facts(probe)) for code in probe.result.get("warnings", ())],
        camera=probe.camera,
        verdict=_verdict(probe),
        rows=[_row(step) for step in probe.steps],
        is_over=probe.state not in _UNDER_WAY,
        twin=twin,
        is_bad=probe.state in {"failed", "expired"},
        may_try_paths=probe.state == "failed" and probes.may_try_paths(probe.cause, probe.result),
        is_tries="tried" in probe.result,
        has_picture=picture.exists(),
        has_clip=picture.with_suffix(".mp4").exists() and _may_watch(probe.camera),
        rights=rights(),
    )


def _may_watch(camera: Camera | None) -> bool:
    """A Developer gets a test picture; moving ones only of the cameras that were granted."""
    return camera is None or rights().of(camera).watch


def refusal(sentence: str, camera: Camera | None, *, field: str = "url") -> Response:
    """What cannot be checked at all, because it is no address that we may use, or not with this login."""
    verdict = Verdict("badurl", "This address cannot be checked", sentence, field)
    return _htmx.render(
        "probes/show.html",
        "check",
        probe=None,
        camera=camera,
        verdict=verdict,
        warnings=[],
        rows=[],
        is_over=True,
        is_bad=True,
    )


def _row(step: dict[str, Any]) -> tuple[str, str]:
    """(mark, words) of a step: "Login – not checked", "Port 554 is open"."""
    state, text = step.get("state", ""), step.get("text", "")
    if state == "skipped" and text == "not checked":
        text = f"{_STEPS.get(step.get('code', ''), 'Step')} – {text}"
    return _MARKS.get(state, "off"), text[:1].upper() + text[1:]


def _verdict(probe: Probe) -> Verdict | None:
    if not probe.cause:
        return None
    cause = causes.get(probe.cause)
    if probe.cause == "path" and "tried" in probe.result:
        return Verdict(probe.cause, *_NO_PATH, cause.field)
    headline, body = cause.told(**probes.facts(probe))
    return Verdict(probe.cause, headline, body, cause.field)
