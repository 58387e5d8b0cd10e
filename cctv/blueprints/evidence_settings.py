"""The settings of evidence: the key that signs, where daily heads go, and how reading footage again gets on.

Shape only; what is signed and checked are services.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import Blueprint, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import Length

from cctv.blueprints import _forms, _htmx
from cctv.errors import Invalid, Unavailable
from cctv.services.footage import damaged
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.proof import chain_heads, evidence_key, evidence_page, scrub
from cctv.services.site import settings

blueprint = Blueprint("evidence_settings", __name__, url_prefix="/settings/evidence")


class EvidenceForm(FlaskForm):
    """What can be changed here."""

    evidence_mail = StringField("Mail the daily heads to", [Length(max=254)])


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The page."""
    access.authorise(current_user, None, Action.SETTINGS)
    form = EvidenceForm(formdata=None, evidence_mail=settings.get("evidence_mail"))
    return _htmx.render("settings/evidence.html", **_page(), form=form)


@blueprint.post("")
def save() -> ResponseReturnValue:
    """Store where the heads go."""
    access.authorise(current_user, None, Action.SETTINGS)
    form = EvidenceForm()
    if form.validate_on_submit():
        try:
            chain_heads.set_address(form.evidence_mail.data or "")
        except Invalid as error:
            _forms.add_errors(form, error.errors)
    if form.errors:
        return _forms.problems("settings/evidence.html", form, **_page())
    return _htmx.toast(_htmx.redirect(url_for("evidence_settings.show")), "ok", "Saved.")


@blueprint.get("/check.html")
def page() -> ResponseReturnValue:
    """The page that checks packages, for who wants it from here and not from a package."""
    access.authorise(current_user, None, Action.SETTINGS)
    return send_file(
        BytesIO(evidence_page.page()), "text/html", as_attachment=True, download_name="check.html"
    )


def _page() -> dict[str, Any]:
    try:
        public, problem = evidence_key.public_key(), ""
    except Unavailable as error:
        public, problem = "", error.message
    return {
        "public_key": public,
        "key_name": evidence_key.spell(evidence_key.key_id(public)) if public else "",
        "key_path": evidence_key.path(),
        "key_problem": problem,
        "page_sha256": evidence_page.fingerprint(),
        "heads": chain_heads.summary(),
        "round": scrub.read_round(),
        "damaged": damaged.newest(),
    }
