"""The health page: parts, disks, and the report of a day."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from cctv.services.footage import gaps
from tests.blueprints.camera_rows import HTML, HTMX
from tests.services.test_daily_report import DAY, HOUR, START, film


def test_the_page_tells_the_same_in_words(app: Flask, signed_in: FlaskClient) -> None:
    with app.app_context():
        camera_id = film(but=(6, 9)).id
        gaps.settle(camera_id, START + 20 * HOUR, since_ms=START)
    page = signed_in.get(f"/health?day={DAY}", headers=HTML).text
    for words in ("Friday 20 November 2026", "87.5 %", "3 h</span> missing", "Pages", "Database", "Disks"):
        assert words in page, words
    assert f"/playback?cams={camera_id}&amp;t={START + 6 * HOUR}" in page
    part = signed_in.get("/health?day=2026-11-19", headers=HTMX).text
    assert "<html" not in part and "Nothing was to be recorded" in part
    assert signed_in.get("/health/parts", headers=HTMX).status_code == 200
    assert signed_in.get("/health?day=9999-99-99", headers=HTML).status_code == 200
