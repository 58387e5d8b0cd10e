"""The settings of evidence: the key's name, the page that checks, and where the heads go."""

from __future__ import annotations

import hashlib

from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import AuditEntry
from cctv.services.proof import evidence_key, evidence_page
from cctv.services.site import settings


def test_it_shows_the_name_of_the_key_and_gives_the_page(app: Flask, signed_in: FlaskClient) -> None:
    text = signed_in.get("/settings/evidence").text
    with app.app_context():
        public = evidence_key.public_key()
    assert public in text
    assert evidence_key.spell(evidence_key.key_id(public)) in text
    assert "PRIVATE" not in text
    answer = signed_in.get("/settings/evidence/check.html")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.data == evidence_page.page()
    assert hashlib.sha256(answer.data).hexdigest() in text


def test_where_the_heads_go_is_saved_and_a_wrong_address_is_kept_as_typed(
    app: Flask, signed_in: FlaskClient
) -> None:
    wrong = signed_in.post("/settings/evidence", data={"evidence_mail": "archive at example"})
    assert wrong.status_code == 422
    assert "archive at example" in wrong.text
    assert "does not look like an e-mail address" in wrong.text
    assert signed_in.post("/settings/evidence", data={"evidence_mail": "a@example.org"}).status_code == 303
    with app.app_context():
        assert settings.get("evidence_mail") == "a@example.org"
        entry = db.session.query(AuditEntry).filter_by(action="settings.change").one()
        assert "a@example.org" in str(entry.details)
    assert signed_in.post("/settings/evidence", data={"evidence_mail": ""}).status_code == 303
