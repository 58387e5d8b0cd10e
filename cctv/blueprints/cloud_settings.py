"""The settings of the cloud: which bucket, what is copied and when, how it gets on, the test.

Shape only; what is stored and what a failure means are services. A key goes in and never comes out.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, StringField, TextAreaField
from wtforms.validators import AnyOf, InputRequired, Length, NumberRange, Optional

from cctv import config, queue
from cctv.blueprints import _doors, _forms, _htmx, _trials
from cctv.errors import Invalid, LimitReached, Unavailable
from cctv.services.bucket import cloud, cloud_trials, transfer_figures, transfer_rows, transfers
from cctv.services.bucket.cloud_trials import Trial
from cctv.services.bucket.transfer_rules import Rule
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("cloud_settings", __name__, url_prefix="/settings/cloud")

_NOTHING, _ALL, _SOME = "nothing", "all", "some"
_LONGEST_KEY = 10_000
_WHAT = {
    _NOTHING: "Only what somebody asks for",
    _ALL: "Everything that is kept",
    _SOME: "Only this:",
}
LABELS = {
    "reach": "Reach Google Cloud Storage",
    "key": "Sign in with the key",
    "bucket": "Find the bucket",
    "write": "Write",
    "read": "Read",
    "delete": "Delete",
}


class CloudForm(FlaskForm):
    """What can be chosen; with GCP_STORAGE_USE_GCS the first five are said by the environment."""

    is_on = BooleanField("Copy footage to Google Cloud Storage")
    bucket = StringField("Bucket", [Length(max=222)])
    project = StringField("Project", [Length(max=60)])
    prefix = StringField("Folder in the bucket", [Length(max=100)])
    key = TextAreaField("Key of the service account (JSON)", [Length(max=_LONGEST_KEY)])
    forgets_key = BooleanField("Forget the key")
    what = StringField("What is copied", [AnyOf((_NOTHING, _ALL, _SOME), "Choose one.")])
    schedule = BooleanField("what schedules record")
    recording = BooleanField("what somebody started to record")
    activity = BooleanField("what is recorded because something moved")
    locked = BooleanField("what is locked as evidence")
    with_older = BooleanField("Also what is stored already")
    hours_from = StringField("Send from", [Length(max=5)])
    hours_to = StringField("until", [Length(max=5)])
    limit_mbit = IntegerField(
        "Fastest, in Mbit/s",
        [InputRequired("Type a number; 0 is no limit."), NumberRange(0, cloud.FASTEST_MBIT)],
    )
    keep_days = IntegerField(
        "Days to keep what is only in the cloud", [Optional(), NumberRange(0, cloud.LONGEST_DAYS)]
    )


_SOME_RULES = (Rule.SCHEDULE, Rule.RECORDING, Rule.ACTIVITY, Rule.LOCKED)


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The page."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    return _htmx.render("settings/cloud.html", **_page(), form=_filled())


@blueprint.post("")
def save() -> ResponseReturnValue:
    """Store which bucket, and what is copied when."""
    access.authorise(current_user, None, Action.SETTINGS_SECRET)
    _doors.require_sudo()
    form = CloudForm()
    if not form.validate_on_submit():
        return _forms.problems("settings/cloud.html", form, **_page())
    rules = _rules(form)
    try:
        cloud.save(
            is_on=form.is_on.data,
            bucket=_typed(form.bucket),
            project=_typed(form.project),
            prefix=_typed(form.prefix),
            chosen=rules,
            since_now=not form.with_older.data,
            hours=_hours(form),
            limit_mbit=form.limit_mbit.data or 0,
            keep_days=form.keep_days.data or 0,
            key="" if form.forgets_key.data else (_typed(form.key) or None),
        )
    except Invalid as error:
        errors = {"hours_from" if name == "hours" else name: said for name, said in error.errors.items()}
        _forms.add_errors(form, errors)
        form.key.data = ""
        return _forms.problems("settings/cloud.html", form, **_page())
    queue.enqueue(queue.DEFAULT, "cctv.jobs.transfers.plan_all")
    return _htmx.toast(_htmx.redirect(url_for("cloud_settings.show")), "ok", "Saved.")


@blueprint.post("/retry")
def retry() -> ResponseReturnValue:
    """Try again at once what failed or waits."""
    access.authorise(current_user, None, Action.TRANSFER)
    count = transfer_rows.retry()
    cloud.resume()
    transfers.dispatch()
    said = "1 file is tried again." if count == 1 else f"{count} files are tried again."
    return _htmx.toast(_htmx.redirect(url_for("cloud_settings.show")), "ok", said)


@blueprint.post("/test")
def test() -> ResponseReturnValue:
    """Try the bucket; the steps appear one by one."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    try:
        trial = cloud_trials.start(current_user)
    except (LimitReached, Unavailable) as error:
        if _htmx.is_htmx():
            text = render_template("settings/_cloud_trial.html", trial=None, rows=[], problem=error.message)
            return _htmx.vary(make_response(text, 422))
        page = {**_page(), "problem": error.message}
        return _htmx.render("settings/cloud.html", status=422, form=_filled(), **page)
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("cloud_settings.show_test", trial_id=trial.id))
    return _fragment(trial)


@blueprint.get("/test/<int:trial_id>")
def show_test(trial_id: int) -> ResponseReturnValue:
    """The steps so far; the fragment asks again by itself until the test is over."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    trial = cloud_trials.get_trial(trial_id)
    if not _htmx.is_htmx():
        return _htmx.render("settings/cloud_test.html", trial=trial, rows=_trials.rows(trial, LABELS))
    return _fragment(trial)


@blueprint.get("/progress")
def progress() -> ResponseReturnValue:
    """How the copies get on; asks again by itself."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    return _htmx.render("settings/cloud.html", "progress", **_page(), form=_filled())


def _fragment(trial: Trial) -> ResponseReturnValue:
    text = render_template("settings/_cloud_trial.html", trial=trial, rows=_trials.rows(trial, LABELS))
    return _htmx.vary(make_response(text))


def _page() -> dict[str, Any]:
    told = cloud.read()
    figures = transfer_figures.collect()
    trial = cloud_trials.last()
    return {
        "told": told,
        "what": _WHAT,
        "key_file": config.current().gcs_credentials_path,
        "figures": figures,
        "waits_s": figures.waits_s,
        "trial": trial,
        "rows": _trials.rows(trial, LABELS) if trial else [],
        "problem": "",
        "may_save": access.may(current_user, Action.SETTINGS_SECRET),
        "may_retry": access.may(current_user, Action.TRANSFER),
    }


def _filled() -> CloudForm:
    told = cloud.read()
    chosen = set(told.rules)
    return CloudForm(
        formdata=None,
        is_on=told.is_on,
        bucket=told.bucket,
        project=told.project,
        prefix=told.prefix,
        what=_ALL if Rule.ALL in chosen else _SOME if chosen else _NOTHING,
        hours_from=told.hours[0] if told.hours else "",
        hours_to=told.hours[1] if told.hours else "",
        limit_mbit=told.limit_mbit,
        keep_days=told.keep_days,
        **{str(rule): rule in chosen for rule in _SOME_RULES},
    )


def _rules(form: CloudForm) -> list[str]:
    if form.what.data == _ALL:
        return [str(Rule.ALL)]
    return [str(rule) for rule in _SOME_RULES if form[rule].data] if form.what.data == _SOME else []


def _hours(form: CloudForm) -> tuple[str, str] | None:
    first, last = _typed(form.hours_from), _typed(form.hours_to)
    return (first, last) if first or last else None


def _typed(field: Any) -> str:
    return (field.data or "").strip()
