"""The settings of mail: what the environment says, who gets what, and the test with its steps.

Shape only; sending and what a failure means are services.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField
from wtforms.validators import Length

from cctv import config
from cctv.blueprints import _doors, _forms, _htmx, _trials
from cctv.blueprints._sudo import is_answer
from cctv.errors import Invalid, LimitReached
from cctv.models import NoticeKind, Role
from cctv.services.mailing import mail, mail_trials, mail_words, mailings, notices
from cctv.services.mailing.mail_trials import Trial
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import settings

blueprint = Blueprint("mail_settings", __name__, url_prefix="/settings/mail")

# Visitors get what concerns their own account, and nothing else.
ROLES = (Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER)
KINDS = {
    NoticeKind.CAMERA: ("Cameras", "A camera is offline for a minute, or is back."),
    NoticeKind.DISK: ("Storage", "A disk takes no footage, or stored footage is lost."),
    NoticeKind.CLOUD: ("Cloud", "The bucket refuses footage, or does not answer for an hour."),
    NoticeKind.REPORT: (
        "Daily report",
        "At 7:00: what of the day before is recorded, and what is missing.",
    ),
}
STEPS = {
    "name": "Find the server",
    "connection": "Connect",
    "tls": "Encrypt",
    "login": "Sign in",
    "accepted": "Hand the mail over",
}


class MailSettingsForm(FlaskForm):
    """What can be changed here; the server itself is said by the environment."""

    mail_from = StringField("From", [Length(max=254)])
    site_address = StringField("Address of these pages", [Length(max=200)])


for _kind in KINDS:
    for _role in ROLES:
        setattr(MailSettingsForm, f"{_kind}_{_role}", BooleanField(_role.label))


class TestForm(FlaskForm):
    """Where the test goes."""

    test_address = StringField("Send it to", [Length(max=254)])


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The page."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    return _htmx.render("settings/mail.html", **_page(), form=_filled())


@blueprint.post("")
def save() -> ResponseReturnValue:
    """Store who gets what, where mails come from and where their links lead."""
    access.authorise(current_user, None, Action.SETTINGS)
    if is_answer():
        _doors.require_sudo()
    # With FRONTEND_URL the field is not there.
    address = request.form.get("site_address", settings.get("site_address")).strip().rstrip("/")
    if address != settings.get("site_address"):
        # Links with a secret begin with it: whoever chooses it gets the new passwords of everybody above.
        access.authorise(current_user, None, Action.SETTINGS_SECRET)
        if not address or _is_site_address(address):  # else it is told at its field
            _doors.require_sudo()
    form = MailSettingsForm()
    is_valid = form.validate_on_submit()
    sender = (form.mail_from.data or "").strip()
    if is_valid and address and not _is_site_address(address):
        form.site_address.errors = ["Type the address as browsers show it, like https://cctv.example.org."]
    if is_valid and sender:
        try:
            sender = mail.checked_address(sender)
        except Invalid as error:
            form.mail_from.errors = [error.errors["email"]]
    if form.errors:
        return _forms.problems("settings/mail.html", form, **_page())
    roles = {str(kind): _chosen(form, kind) for kind in KINDS}
    settings.save(mail_from=sender, site_address=address, notice_roles=roles)
    return _htmx.toast(_htmx.redirect(url_for("mail_settings.show")), "ok", "Saved.")


@blueprint.post("/test")
def test() -> ResponseReturnValue:
    """Send a test mail; its steps appear one by one."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    form = TestForm()
    typed = (form.test_address.data or "").strip()
    try:
        message = mail_trials.start(current_user, typed)
    except Invalid as error:
        return _refused(error.errors["email"], typed, status=422)
    except LimitReached as error:
        return _refused(error.message, typed, status=429 if not _htmx.is_htmx() else 422)
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("mail_settings.show_test", trial_id=message.id))
    return _fragment(mail_trials.read(message))


@blueprint.get("/test/<int:trial_id>")
def show_test(trial_id: int) -> ResponseReturnValue:
    """The steps so far; the fragment asks again by itself until the test is over."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    trial = mail_trials.get_trial(trial_id)
    if not _htmx.is_htmx():
        return _htmx.render("settings/mail_test.html", trial=trial, rows=_trials.rows(trial, STEPS))
    return _fragment(trial)


def _fragment(trial: Trial) -> ResponseReturnValue:
    text = render_template("settings/_mail_trial.html", trial=trial, rows=_trials.rows(trial, STEPS))
    return _htmx.vary(make_response(text))


def _refused(sentence: str, typed: str, *, status: int) -> ResponseReturnValue:
    """The page with the sentence; what was typed is still there."""
    if _htmx.is_htmx():
        text = render_template("settings/_mail_trial.html", trial=None, problem=sentence)
        return _htmx.vary(make_response(text, status))
    page = {**_page(), "problem": sentence, "test_address": typed}
    return _htmx.render("settings/mail.html", status=status, form=_filled(), **page)


def _page() -> dict[str, Any]:
    told = config.current()
    trial = mail_trials.last()
    return {
        "told": told,
        "is_implicit_tls": told.email_use_tls and told.email_port == 465,
        "folder": told.data_dir / "mail",
        "sender": mail_words.sender_address(),
        "link_base": mail.link(""),
        "kinds": KINDS,
        "roles": ROLES,
        "has": {kind: len(notices.recipients(kind)) for kind in KINDS},
        "counts": mailings.counts(),
        "failed_lately": mailings.failed_lately(),
        "trial": trial,
        "rows": _trials.rows(trial, STEPS) if trial else [],
        "problem": "",
        "test_address": current_user.email,
        "may_save": access.may(current_user, Action.SETTINGS),
        "may_address": access.may(current_user, Action.SETTINGS_SECRET),
        "may_list": access.may(current_user, Action.MAIL_SEND),
    }


def _filled() -> MailSettingsForm:
    chosen = settings.get("notice_roles")
    boxes = {f"{kind}_{role}": role in chosen.get(kind, []) for kind in KINDS for role in ROLES}
    return MailSettingsForm(
        formdata=None,
        mail_from=settings.get("mail_from"),
        site_address=settings.get("site_address"),
        **boxes,
    )


def _chosen(form: MailSettingsForm, kind: NoticeKind) -> list[str]:
    return [str(role) for role in ROLES if form[f"{kind}_{role}"].data]


def _is_site_address(typed: str) -> bool:
    try:
        parts = urlsplit(typed)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
