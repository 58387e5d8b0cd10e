"""The pages of exports: page, fragment and refusal; the form, what is pressed, and the file by ranges."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import Export, ExportState, Role
from cctv.services.export import export_making
from cctv.services.footage import segments
from cctv.services.site import nodes, settings
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_person
from tests.fixtures.application import sign_in
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

E0 = EPOCH_S * 1000


@pytest.fixture
def camera_id(app: Flask) -> int:
    """A camera with 12 s of footage, at a site in Lisbon."""
    with app.app_context():
        settings.save(time_zone="Europe/Lisbon")
        camera = make_camera(since_ms=0)
        segments.index(closed_files(put_real_run(camera, node=nodes.this_node(), sound=True)))
        return camera.id


def form(camera_id: int, **more: object) -> dict[str, object]:
    typed = {"started": "2026-11-22T13:30:18", "ended": "2026-11-22T13:30:28"}
    return {"cameras": camera_id, **typed, **more}


def ready(app: Flask, client: FlaskClient, camera_id: int) -> int:
    """An export that is finished."""
    client.post("/exports", data=form(camera_id))
    with app.app_context():
        export_making.work(nodes.this_node().id)
        export = db.session.scalars(db.select(Export).order_by(Export.id.desc())).first()
        assert export is not None and export.state == ExportState.READY
        return export.id


def test_the_form_takes_the_moments_of_the_timeline_and_site_time(
    app: Flask, signed_in: FlaskClient, camera_id: int
) -> None:
    page = signed_in.get(f"/exports/new?cams={camera_id}&from={E0 + 250}&to={E0 + 9750}", headers=HTML)
    assert 'value="2026-11-22T13:30:18"' in page.text
    data = form(camera_id, started_ms=E0 + 250, ended_ms=E0 + 9750, ended="2026-11-22T13:30:20")
    answer = signed_in.post("/exports", data=data, headers=HTML)
    assert answer.status_code == 303
    with app.app_context():
        export = db.session.scalars(db.select(Export)).one()
        # The one is as it was marked, the other as it was typed over it.
        assert (export.started_ms, export.ended_ms) == (E0 + 250, E0 + 2000)


def test_a_refused_form_says_why_at_its_field(signed_in: FlaskClient, camera_id: int) -> None:
    for typed, field in (
        ({"ended": "2026-11-22T13:30:00"}, "ended"),
        ({"started": "soon"}, "started"),
        ({"cameras": []}, "cameras"),
    ):
        answer = signed_in.post("/exports", data=form(camera_id) | typed, headers=HTMX)
        assert answer.status_code == 422
        said = re.search(rf'id="{field}-error"[^>]*>(.+?)</p>', answer.text)
        assert said is not None and "<span>" in said[1]


def test_a_page_underneath_goes_on_and_follows_it(app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
    answer = signed_in.post("/exports", data=form(camera_id, stays="1"), headers=HTMX)
    assert answer.headers["HX-Retarget"] == "#export-watch"
    assert "close-dialog" in answer.headers["HX-Trigger"]
    (address,) = re.findall(r'hx-get="(/exports/watch[^"]+)"', answer.text)
    assert "Waiting" in signed_in.get(address, headers=HTMX).text
    with app.app_context():
        export_making.work(nodes.this_node().id)
    last = signed_in.get(address, headers=HTMX)
    assert "hx-get" not in last.text
    assert "Export Camera 1 is ready." in last.headers["HX-Trigger"]


def test_how_large_it_will_be_is_told_before(signed_in: FlaskClient, camera_id: int) -> None:
    said = signed_in.get("/exports/estimate", query_string=form(camera_id), headers=HTMX).text
    assert re.search(r"About \d\.\d MB, 10 s recorded", said)
    nothing = form(camera_id, ended="2026-11-22T13:30:18")
    assert "end comes before" in signed_in.get("/exports/estimate", query_string=nothing, headers=HTMX).text


def test_the_list_has_both_halves_and_a_page_for_a_browser(
    app: Flask, signed_in: FlaskClient, camera_id: int
) -> None:
    empty = signed_in.get("/exports", headers=HTML).text
    assert "No exports yet." in empty
    export_id = ready(app, signed_in, camera_id)
    signed_in.post("/exports", data=form(camera_id))
    whole = signed_in.get("/exports", headers=HTML).text
    assert "Being made" in whole and f"/exports/{export_id}/download" in whole
    fragment = signed_in.get("/exports", headers=HTMX).text
    assert "<html" not in fragment and 'id="done"' in fragment
    running = signed_in.get(f"/exports/running?ids={export_id}", headers=HTMX)
    assert "exports-changed" in running.headers["HX-Trigger"]
    with QueryCount(app) as few:
        signed_in.get("/exports", headers=HTML)
    with app.app_context():
        db.session.add_all(
            Export(camera_ids=[camera_id], started_ms=E0, ended_ms=E0 + 9, state="failed") for _ in range(20)
        )
        db.session.commit()
    with QueryCount(app) as many:
        signed_in.get("/exports", headers=HTML)
    assert len(many) <= len(few) + 1, many.statements


def test_the_file_comes_by_ranges_under_its_name(app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
    export_id = ready(app, signed_in, camera_id)
    whole = signed_in.get(f"/exports/{export_id}/download")
    name = "Camera-1_2026-11-22_13-30-18_13-30-28.mp4"
    assert whole.headers["Content-Disposition"] == f"attachment; filename={name}"
    headers = {"Range": f"bytes={len(whole.data) - 10}-", "If-Range": whole.headers["ETag"]}
    rest = signed_in.get(f"/exports/{export_id}/download", headers=headers)
    assert (rest.status_code, rest.data) == (206, whole.data[-10:])
    shown = signed_in.get(f"/exports/{export_id}/video.mp4", headers={"Range": "bytes=0-99"})
    assert (shown.status_code, len(shown.data)) == (206, 100)
    assert shown.headers["Cache-Control"] == "private, no-store"


def test_what_is_pressed_is_done_and_said(app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
    export_id = ready(app, signed_in, camera_id)
    signed_in.post(f"/exports/{export_id}/keep", headers=HTML)
    assert "Kept until somebody deletes it." in signed_in.get(f"/exports/{export_id}", headers=HTML).text
    signed_in.post(f"/exports/{export_id}/keep?keep=0", headers=HTML)
    assert "then its file is removed" in signed_in.get(f"/exports/{export_id}", headers=HTML).text
    again = signed_in.post(f"/exports/{export_id}/retry", headers=HTMX)
    assert again.headers["HX-Redirect"] == f"/exports/{export_id}"
    assert "under way or finished" in signed_in.get(f"/exports/{export_id}", headers=HTML).text
    signed_in.post(f"/exports/{export_id}/delete", headers=HTML)
    assert signed_in.get(f"/exports/{export_id}", headers=HTML).status_code == 404


def test_who_may_not_gets_a_sentence_and_no_link(app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
    export_id = ready(app, signed_in, camera_id)
    developer = sign_in(app, add_person(app, Role.DEVELOPER))
    refused = developer.get("/exports", headers=HTML)
    assert refused.status_code == 403
    assert "Only" in refused.text
    assert "/exports" not in developer.get("/", headers=HTML).text
    visitor = sign_in(app, add_person(app, Role.VISITOR))
    assert visitor.get(f"/exports/{export_id}/download", headers=HTML).status_code == 404
