"""The settings of the cloud: what is typed is kept, a key never comes out, the test tells its steps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import AuditEntry, Node, Role, Setting
from cctv.services.bucket import cloud, cloud_trials
from cctv.services.sign_in import sessions
from cctv.services.site import settings
from cctv.storage.bucket_faults import BucketFault
from tests.blueprints.camera_rows import HTMX, add_person
from tests.bucket_server import BUCKET, Front
from tests.fixtures.application import sign_in
from tests.fixtures.bucket import in_cloud
from tests.services.stored import this_node


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    """The bucket's place is typed; only that it is an emulator is told from outside."""
    cloud._buckets.clear()
    return replace(config, gcs_endpoint=front.url)


@pytest.fixture
def boss(app: Flask, signed_in: FlaskClient, owner: object) -> FlaskClient:
    """The owner, who has just typed the password again."""
    with app.app_context():
        sessions.begin_sudo(owner)  # type: ignore[arg-type]
    return signed_in


def form(**typed: object) -> dict[str, object]:
    return {"is_on": "y", "bucket": BUCKET, "what": "nothing", "limit_mbit": "0", **typed}


def run_test(app: Flask, client: FlaskClient) -> str:
    """What the page shows of a test that has run."""
    response = client.post("/settings/cloud/test")
    assert response.status_code == 303, response.text
    trial_id = int(response.location.rpartition("/")[2])
    with app.app_context():
        cloud_trials.run(trial_id)
    return client.get(f"/settings/cloud/test/{trial_id}", headers=HTMX).text


@pytest.mark.parametrize(
    "leads",
    [
        {"token_uri": "http://169.254.169.254/computeMetadata/v1/"},
        {"token_uri": "https://oauth2.googleapis.com.evil.example/token"},
        {"token_uri": "https://oauth2.googleapis.com/token/../../x"},
        {"token_uri": "file:///etc/passwd"},
        {"universe_domain": "evil.example"},
    ],
)
def test_a_key_that_leads_elsewhere_is_refused(
    app: Flask, boss: FlaskClient, front: Front, leads: dict[str, str]
) -> None:
    key = json.dumps(json.loads(front.key()) | leads)
    refused = boss.post("/settings/cloud", data=form(key=key))
    assert refused.status_code == 422
    assert "another place than Google" in refused.text
    with app.app_context():
        assert settings.get("cloud_credential_sealed") == ""
    assert front.asked == []


def test_a_key_goes_in_sealed_and_never_comes_out(app: Flask, boss: FlaskClient, front: Front) -> None:
    key = front.key()
    response = boss.post("/settings/cloud", data=form(key=key, prefix="site-1/", project="tests"))
    assert response.status_code == 303, response.text
    secret = json.loads(key)["private_key"].splitlines()[1]
    page = boss.get("/settings/cloud").text
    assert "cctv@tests.iam.gserviceaccount.com" in page
    assert secret not in page
    with app.app_context():
        sealed = db.session.get_one(Setting, "cloud_credential_sealed").value
        assert secret not in sealed
        assert (found := cloud.access()) is not None
        assert (found.key, found.prefix) == (key, "site-1")
        assert secret not in repr(found)
        entry = db.session.query(AuditEntry).filter_by(action="settings.change").one()
        assert secret not in str(entry.details)
        assert sealed not in str(entry.details)
    assert boss.post("/settings/cloud", data=form()).status_code == 303  # an empty field keeps it
    with app.app_context():
        assert (found := cloud.access()) is not None
        assert found.key == key
    boss.post("/settings/cloud", data=form(forgets_key="y"))
    with app.app_context():
        assert settings.get("cloud_credential_sealed") == ""


def test_a_key_that_cannot_be_read_breaks_no_page(app: Flask, boss: FlaskClient, front: Front) -> None:
    boss.post("/settings/cloud", data=form(key=front.key()))
    app.config["SECRET_KEY"] = "another secret of the tests, longer than the shortest"
    with app.app_context():
        told = cloud.read()
        assert "paste it again" in told.account
        with pytest.raises(BucketFault, match="no key of a service account"):
            cloud.open_bucket().sign_in()


def test_what_is_wrong_is_said_at_its_field(boss: FlaskClient) -> None:
    wrong = form(bucket="Not A Bucket", prefix="../x", key="{}", hours_from="22:00", limit_mbit="99999999")
    page = boss.post("/settings/cloud", data=wrong | {"limit_mbit": "5"})
    assert page.status_code == 422
    for sentence in ("Names of buckets", "Use letters, digits", "no key of a service account", "both times"):
        assert sentence in page.text
    assert boss.post("/settings/cloud", data=wrong).status_code == 422
    assert "Type the name" in boss.post("/settings/cloud", data=form(bucket="")).text


def test_rules_hours_and_limit_are_kept(app: Flask, boss: FlaskClient) -> None:
    typed = form(what="some", schedule="y", locked="y", hours_from="22:00", hours_to="06:00", limit_mbit="20")
    assert boss.post("/settings/cloud", data=typed).status_code == 303
    with app.app_context():
        told = cloud.read()
        assert (told.rules, told.hours, told.limit_mbit) == (("schedule", "locked"), ("22:00", "06:00"), 20)
        assert settings.get("cloud_rules_since_ms") > 0
    boss.post("/settings/cloud", data=form(what="all", with_older="y"))
    with app.app_context():
        assert (cloud.read().rules, settings.get("cloud_rules_since_ms")) == (("all",), 0)


def test_the_steps_of_a_test_appear_and_stay(app: Flask, boss: FlaskClient, front: Front) -> None:
    assert boss.post("/settings/cloud/test").status_code == 422  # there is nothing to test yet
    boss.post("/settings/cloud", data=form(key=front.key()))
    waiting = boss.post("/settings/cloud/test", headers=HTMX).text
    assert "Find the bucket" in waiting and 'hx-trigger="load delay:400ms"' in waiting
    assert "under way" in boss.post("/settings/cloud/test", headers=HTMX).text
    with app.app_context():
        trial = cloud_trials.last()
        assert trial is not None
        cloud_trials.run(trial.id)
    assert 'hx-trigger="tick' in boss.get("/settings/cloud/progress", headers=HTMX).text
    page = boss.get("/settings/cloud").text
    for sentence in ("The key is right", "is there", "was written", "by a signed address", "deleted again"):
        assert sentence in page
    assert "Everything that copying" in page
    assert 'hx-trigger="load' not in page
    assert front.emulator.objects() == {}


def test_what_is_wrong_with_key_bucket_or_clock_is_said_in_words(
    app: Flask, boss: FlaskClient, front: Front
) -> None:
    boss.post("/settings/cloud", data=form(key=front.key(), bucket="another-bucket"))
    assert "There is no bucket another-bucket" in run_test(app, boss)
    boss.post("/settings/cloud", data=form())
    front.answer(r"POST .*upload/storage", 403, times=-1)
    assert "may not write into bucket" in run_test(app, boss)
    front.faults.clear()
    front.token_error("Invalid JWT: Token must be a short-lived token in a reasonable timeframe")
    cloud._buckets.clear()
    assert "clock of this machine is wrong" in run_test(app, boss)


def test_the_page_says_why_nothing_goes_up_and_tries_again_when_told(app: Flask, boss: FlaskClient) -> None:
    boss.post("/settings/cloud", data=form())
    with app.app_context():
        node = this_node()
        begin_writing()
        node.cloud_state, node.cloud_detail = "refused", "The key is right but may not write."
        node.cloud_since_ms = node.cloud_next_ms = 2_000_000_000_000
        db.session.commit()
    page = boss.get("/settings/cloud").text
    assert "may not write" in page and "Try again now" in page
    assert boss.post("/settings/cloud/retry").status_code == 303
    with app.app_context():
        assert db.session.query(Node).one().cloud_next_ms is None


def test_the_environment_wins_and_other_roles_see_less(
    app: Flask, front: Front, config: Config, owner: object
) -> None:
    app.extensions["cctv.config"] = in_cloud(config, front)
    page = sign_in(app, owner).get("/settings/cloud").text  # type: ignore[arg-type]
    assert BUCKET in page and "GCP_STORAGE_BUCKET_NAME" in page and 'name="bucket"' not in page
    developer = sign_in(app, add_person(app, Role.DEVELOPER))
    page = developer.get("/settings/cloud").text
    assert "Test the bucket" in page and 'name="what"' not in page
    assert developer.post("/settings/cloud", data=form()).status_code == 403
    assert developer.post("/settings/cloud/retry").status_code == 403
    assert sign_in(app, add_person(app, Role.VISITOR)).get("/settings/cloud").status_code == 403


def test_saving_asks_for_the_password_again(signed_in: FlaskClient) -> None:
    assert signed_in.post("/settings/cloud", data=form()).status_code == 403
