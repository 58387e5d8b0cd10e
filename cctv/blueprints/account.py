"""One's own account: profile, how the pages behave, and where one is signed in. For every role.

Password, e-mail address and second factor have pages of their own (account_security.py).
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectChoice, SelectField, StringField
from wtforms.validators import Length

from cctv.blueprints import _forms, _htmx
from cctv.blueprints._entry import with_theme
from cctv.blueprints._pictures import picture_of, site_address
from cctv.blueprints.frame import THEMES
from cctv.clock import now_ms, to_ms
from cctv.errors import Invalid
from cctv.services.person import accounts, addresses_of_people, users
from cctv.services.sign_in import second_factor, sessions

blueprint = Blueprint("account", __name__, url_prefix="/account")


class ProfileForm(FlaskForm):
    """How the person is called."""

    name = StringField("Name", [Length(max=120)])


class PreferencesForm(FlaskForm):
    """How the pages behave."""

    theme = SelectField("Theme", choices=[SelectChoice(value, words) for value, words in THEMES.items()])
    start_page = SelectField("Page after signing in")
    has_shortcuts = BooleanField("Use single-key shortcuts")
    pauses_updates = BooleanField("Pause updates")


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The account."""
    return _page()


@blueprint.post("/profile")
def rename() -> ResponseReturnValue:
    """Change one's name."""
    form = ProfileForm()
    try:
        if not form.validate_on_submit():
            return _page(profile=form, status=422)
        accounts.rename(current_user, form.name.data or "")
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _page(profile=form, status=422)
    return _htmx.toast(_htmx.redirect("/account"), "ok", "Your name was changed.")


@blueprint.post("/preferences")
def choose() -> ResponseReturnValue:
    """Change how the pages behave."""
    form = _preferences(PreferencesForm())
    try:
        if not form.validate_on_submit():
            return _page(preferences=form, status=422)
        accounts.choose(
            current_user,
            start_page=form.start_page.data,
            has_shortcuts=form.has_shortcuts.data,
            pauses_updates=form.pauses_updates.data,
        )
        users.set_theme(current_user, form.theme.data)
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _page(preferences=form, status=422)
    done = _htmx.toast(_htmx.redirect("/account"), "ok", "Saved.")
    return with_theme(done, form.theme.data)


@blueprint.post("/sessions/end")
def end_session() -> ResponseReturnValue:
    """Sign out one browser or app; without an id all the others."""
    if session_id := request.form.get("id", ""):
        sessions.end_of(current_user, session_id)
        said = "Signed out there."
    else:
        sessions.end_all(current_user, except_id=current_user.session_id)
        said = "Signed out everywhere else."
    if _htmx.is_htmx():
        response = _htmx.render("account/show.html", "places", **_places())
        return _htmx.toast(response, "ok", said)
    return _htmx.toast(_htmx.redirect("/account"), "ok", said)


@blueprint.get("/session")
def show_session() -> ResponseReturnValue:
    """How long this session lasts if nothing more is asked, for the warning before its end."""
    return _seconds_left()


@blueprint.post("/session/stay")
def stay() -> ResponseReturnValue:
    """Stay signed in: a press puts the end off (WCAG 2.2.1)."""
    sessions.stay(current_user)
    return _seconds_left()


def _seconds_left() -> Response:
    return jsonify(seconds_left=max(0, current_user.session_ends_ms - now_ms()) // 1000)


def _preferences(form: PreferencesForm) -> PreferencesForm:
    pages = accounts.start_pages(current_user)
    usual = pages.get(accounts.usual_start_page(current_user), "Overview")
    offered = {"": f"As usual ({usual})", **pages}
    form.start_page.choices = [SelectChoice(path, words) for path, words in offered.items()]
    return form


def _places() -> dict[str, Any]:
    return {"places": sessions.list_of(current_user), "here": current_user.session_id}


def _phone() -> dict[str, str]:
    """Where a phone finds this system, in words and to scan. No secret: the person signs in there."""
    return {"phone_address": site_address(), "phone_picture": picture_of(site_address())}


def _page(
    *, profile: ProfileForm | None = None, preferences: PreferencesForm | None = None, status: int = 200
) -> Response:
    person = current_user
    changed = person.password_changed_at
    # Made from the row, not from the form that was sent to another one on the page.
    return _htmx.render(
        "account/show.html",
        status=status,
        profile=profile or ProfileForm(formdata=None, obj=person),
        preferences=preferences or _preferences(PreferencesForm(formdata=None, obj=person)),
        waiting=addresses_of_people.waiting_email(person),
        password_changed_ms=to_ms(changed) if changed else None,
        last_sign_in_ms=to_ms(person.previous_sign_in_at) if person.previous_sign_in_at else None,
        has_second=second_factor.is_on(person),
        codes_left=second_factor.recovery_codes_left(person),
        **_places(),
        **_phone(),
    )
