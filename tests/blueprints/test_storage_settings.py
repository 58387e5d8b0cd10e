"""The pages of storage and retention: figures, previews before saving, refusals, the test of a disk."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, ModeChange, Node, Role
from cctv.services.lifetime import keeping
from cctv.services.site import nodes, settings, storage_trials
from tests.blueprints.camera_rows import HTML, HTMX, add_camera, add_person, tell_node_figures
from tests.fixtures.application import sign_in
from tests.services.footage import index_spans

DAY = 86_400_000
STORAGE, RETENTION = "/settings/storage", "/settings/retention"


@pytest.fixture
def camera_id(app: Flask) -> int:
    """A camera with a minute of footage of each of the last ten days."""
    tell_node_figures(app)
    found = add_camera(app, "Front gate")
    with app.app_context():
        config.current().media_dir.mkdir()
        camera = db.session.get_one(Camera, found)
        db.session.query(ModeChange).one().started_ms = 0
        starts = [now_ms() - age * DAY + 3_600_000 for age in range(10, 0, -1)]
        spans = [(start, start + 60_000) for start in starts]
        index_spans(camera, spans, epoch_ms=starts[0], node=nodes.this_node())  # type: ignore[arg-type]
    return found


def test_the_disk_is_shown_with_its_outlook_and_what_was_asked_for(
    app: Flask, signed_in: FlaskClient, camera_id: int
) -> None:
    with app.app_context():
        settings.save(keep_days=30)
        node = db.session.query(Node).one()
        node.total_bytes, node.free_bytes = 10_000_000, 4_000_000
        db.session.commit()
    for path in (STORAGE, "/health"):
        page = signed_in.get(path, headers=HTML).text
        assert "60 % full" in page
        assert "it reaches the limit of 90 %" in page
        assert "Asked for 30 days, holds" in page


def test_wrong_figures_are_refused_with_a_sentence_and_kept(signed_in: FlaskClient) -> None:
    typed = {"disk_limit_percent": "ninety", "spared_hours": "9999"}
    refused = signed_in.post(STORAGE, data=typed, headers=HTML)
    assert refused.status_code == 422
    assert "Choose 10 to 95 percent." in refused.text
    assert "Choose 0 to 720 hours" in refused.text
    assert 'value="ninety"' in refused.text
    saved = signed_in.post(STORAGE, data={"disk_limit_percent": "80", "spared_hours": "48"}, headers=HTML)
    assert saved.status_code == 303


def test_the_test_of_the_disk_tells_its_steps(app: Flask, signed_in: FlaskClient, camera_id: int) -> None:
    with app.app_context():
        node_id = nodes.this_node().id
    path = f"{STORAGE}/test/{node_id}"
    begun = signed_in.post(path, headers=HTMX)
    assert begun.status_code == 200
    assert 'hx-get="' in begun.text
    assert signed_in.post(path, headers=HTMX).status_code == 422  # one at a time
    with app.app_context():
        storage_trials.run(node_id)
    over = signed_in.get(path, headers=HTMX).text
    assert "hx-get" not in over
    assert "Wrote, read and deleted 64 MB" in over
    assert "Tested" in over
    assert "Tested" in signed_in.get(path, headers=HTML).text


def test_a_test_that_nobody_takes_up_says_so(
    app: Flask, signed_in: FlaskClient, camera_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        node_id = nodes.this_node().id
    path = f"{STORAGE}/test/{node_id}"
    signed_in.post(path, headers=HTMX)
    monkeypatch.setattr(storage_trials, "LONGEST_MS", -1)
    assert "No job worker of this machine took it up" in signed_in.get(path, headers=HTMX).text


def test_a_developer_may_test_and_not_save(app: Flask, camera_id: int) -> None:
    developer = sign_in(app, add_person(app, Role.DEVELOPER))
    page = developer.get(STORAGE, headers=HTML)
    assert page.status_code == 200
    assert "Test the disk" in page.text
    assert "disk_limit_percent" not in page.text
    assert developer.get(RETENTION, headers=HTML).status_code == 403


def test_the_preview_comes_before_saving_and_saves_nothing(
    app: Flask, signed_in: FlaskClient, camera_id: int
) -> None:
    assert "With these rules nothing goes tonight." in signed_in.get(RETENTION, headers=HTML).text
    typed = {"keep_days": "7", f"days_{camera_id}": "", f"gb_{camera_id}": ""}
    for headers in (HTML, HTMX):
        seen = signed_in.post(f"{RETENTION}/preview", data=typed, headers=headers)
        assert seen.status_code == 200
        assert "of 1 camera go tonight at 03:00." in seen.text
        assert "Front gate" in seen.text
    with app.app_context():
        assert keeping.current().keep_days == 0


def test_saved_rules_wait_for_the_night_and_say_so(
    app: Flask, signed_in: FlaskClient, camera_id: int
) -> None:
    typed = {"keep_days": "7", f"days_{camera_id}": "5", f"gb_{camera_id}": "100", "keeps_manual": "y"}
    assert signed_in.post(RETENTION, data=typed, headers=HTML).status_code == 303
    page = signed_in.get(RETENTION, headers=HTML).text
    assert "Until then nothing goes by rule" in page
    with app.app_context():
        wish = keeping.current()
        assert (wish.keep_days, wish.keeps_manual) == (7, True)
        assert wish.own == {camera_id: (5, 100_000_000_000)}


def test_a_wrong_rule_is_refused_at_its_field_and_everything_typed_is_kept(
    signed_in: FlaskClient, camera_id: int
) -> None:
    typed = {"keep_days": "7", f"days_{camera_id}": "soon", f"gb_{camera_id}": "12"}
    refused = signed_in.post(RETENTION, data=typed, headers=HTML)
    assert refused.status_code == 422
    assert "Type whole days" in refused.text
    assert 'value="soon"' in refused.text
    assert 'value="12"' in refused.text
    fragment = signed_in.post(RETENTION, data=typed, headers=HTMX)
    assert f'id="days_{camera_id}-error"' in fragment.text
    preview = signed_in.post(f"{RETENTION}/preview", data=typed, headers=HTMX)
    assert "Correct the fields" in preview.text
