"""The first-run wizard: code, owner, place, storage, first camera, done. Plain forms, HTMX on top.

Strangers with the code may make the owner; after that only the owner goes on, and everybody else gets 404.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo, available_timezones

from flask import Blueprint, Response, make_response, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import EmailField, IntegerField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from cctv.blueprints import _forms, _guesses, _htmx, _live, auth
from cctv.errors import CctvError, Conflict, Invalid, NotFound
from cctv.models import Camera, User
from cctv.services.camera import cameras
from cctv.services.sign_in import passwords
from cctv.services.site import settings, setup

blueprint = Blueprint("setup", __name__, url_prefix="/setup")

_REGIONS = {
    *("Africa", "America", "Antarctica", "Arctic", "Asia"),
    *("Atlantic", "Australia", "Europe", "Indian", "Pacific"),
}
_BEFORE_OWNER = {"setup.index", "setup.welcome", "setup.owner", "setup.rate"}
_CODE = "setup_code"
_CODE_WRONG = "This is not the code. It is printed where the product was started, inside the link."


class CodeForm(FlaskForm):
    """The code of a person who opened the address without the printed link."""

    code = StringField("Set-up code", [InputRequired("Type the code."), Length(max=64)])


class OwnerForm(FlaskForm):
    """The first account."""

    name = StringField("Your name", [InputRequired("Enter your name."), Length(max=120)])
    email = EmailField("E-mail", [InputRequired("Enter your e-mail address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Choose a password.")])


class PlaceForm(FlaskForm):
    """Name and time zone of the site."""

    organisation_name = StringField(
        "Name of your organisation", [InputRequired("Enter a name."), Length(max=80)]
    )
    time_zone = SelectField("Time zone of the site")


class StorageForm(FlaskForm):
    """How much of the disk footage may fill."""

    disk_limit_percent = IntegerField(
        "Fill the disk up to (%)",
        [InputRequired("Enter a number."), NumberRange(10, 95, "Choose 10 to 95 percent.")],
    )


@blueprint.before_request
def guard() -> ResponseReturnValue | None:
    """Owner step: with the code. Later steps: the owner. Everybody else: there is no wizard."""
    if setup.needs_owner():
        return None if request.endpoint in _BEFORE_OWNER else to("welcome")
    if not current_user.is_authenticated or not setup.may_continue(current_user):
        # Reloading the last step, or going back to it, must not end on an error page.
        if current_user.is_authenticated and request.endpoint == "setup.done":
            return _htmx.redirect("/")
        raise NotFound("The set-up is finished, or it is another person's.")
    return to("place") if request.endpoint in _BEFORE_OWNER else None


def to(step: str) -> Response:
    """Go to a step."""
    return _htmx.redirect(f"/setup/{step}")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The address that people type."""
    return to("welcome")


@blueprint.route("/welcome", methods=["GET", "POST"])
def welcome() -> ResponseReturnValue:
    """Take the code: from the printed link without a click, else from a field."""
    form = CodeForm()
    typed = request.args.get("code", "") if request.method == "GET" else (form.code.data or "")
    guess = _guesses.of_code() if typed.strip() else None
    if guess and guess.wait_seconds:
        _forms.add_errors(form, {"code": guess.sentence})
        return guess.slow_down(_forms.problems("setup/welcome.html", form))
    if guess and setup.is_right_code(typed):
        guess.was_right()
        session[_CODE] = typed.strip()
        return to("owner")
    if request.method == "POST" and form.validate():
        _forms.add_errors(form, {"code": _CODE_WRONG})
    if request.method == "POST":
        return _forms.problems("setup/welcome.html", form)
    return _htmx.render("setup/welcome.html", form=form, is_code_wrong=bool(typed))


@blueprint.route("/owner", methods=["GET", "POST"])
def owner() -> ResponseReturnValue:
    """Make the account that can do everything, and sign it in."""
    if not setup.is_right_code(session.get(_CODE, "")):
        return to("welcome")
    form = OwnerForm()
    if request.method == "GET":
        return _htmx.render("setup/owner.html", form=form, strength=passwords.strength(""))
    if form.validate():
        try:
            user = setup.create_owner(**_typed(form), setup_code=session[_CODE])
            auth.begin_session(user)
            return to("place")
        except Invalid as error:
            _forms.add_errors(form, error.errors)
        except Conflict as error:
            form.form_errors.append(str(error))
    return _forms.problems("setup/owner.html", form, strength=passwords.strength(""))


@blueprint.post("/owner/password")
def rate() -> ResponseReturnValue:
    """How good the password is that is being typed; keeps and echoes nothing."""
    form = OwnerForm()
    verdict = passwords.strength(
        form.password.data or "", name=form.name.data or "", email=form.email.data or ""
    )
    return _htmx.vary(
        make_response(render_template("setup/_strength.html", strength=verdict, is_typing=True))
    )


@blueprint.route("/place", methods=["GET", "POST"])
def place() -> ResponseReturnValue:
    """Name and time zone; the browser proposes its own zone."""
    form = PlaceForm(organisation_name=settings.get("organisation_name"), time_zone=settings.get("time_zone"))
    form.time_zone.choices = _zones()
    if request.method == "POST" and form.validate():
        try:
            setup.save_place(**_typed(form))
            return to("storage")
        except Invalid as error:
            _forms.add_errors(form, error.errors)
    is_new = not settings.get("organisation_name")
    context: dict[str, Any] = {"clock": _clock(form.time_zone.data), "is_new": is_new}
    if request.method == "POST":
        return _forms.problems("setup/place.html", form, **context)
    return _htmx.render("setup/place.html", form=form, **context)


@blueprint.route("/storage", methods=["GET", "POST"])
def storage() -> ResponseReturnValue:
    """Where footage goes and how full the disk may get."""
    form = StorageForm(disk_limit_percent=settings.get("disk_limit_percent"))
    if request.method == "POST" and form.validate():
        try:
            setup.save_storage(disk_limit_percent=cast(int, form.disk_limit_percent.data))
            return to("camera")
        except Invalid as error:
            _forms.add_errors(form, error.errors)
    if request.method == "POST":
        return _forms.problems("setup/storage.html", form, report=setup.storage_report())
    return _htmx.render("setup/storage.html", form=form, report=setup.storage_report())


@blueprint.post("/storage/test")
def test_storage() -> ResponseReturnValue:
    """Write, read and delete a test file now; the result appears in place."""
    report = setup.storage_report()  # makes the folder when it can
    result = setup.test_storage()
    form = StorageForm(formdata=None, disk_limit_percent=settings.get("disk_limit_percent"))
    return _htmx.render("setup/storage.html", "result", form=form, report=report, result=result)


@blueprint.route("/camera", methods=["GET", "POST"])
def camera() -> ResponseReturnValue:
    """The first camera: the built-in one at a press, or the page that adds a real one."""
    if request.method == "GET":
        return _htmx.render("setup/camera.html", problem=None)
    try:
        setup.add_demo_camera(_person())
    except CctvError as error:
        return _htmx.render("setup/camera.html", status=error.status, problem=str(error))
    return to("done")


@blueprint.get("/done")
def done() -> ResponseReturnValue:
    """The picture, and what to do next."""
    first = _first_camera()
    base = _live.base(_person(), first) if first else ""
    return _htmx.render("setup/done.html", camera=first, base=base)


@blueprint.post("/done")
def finish() -> ResponseReturnValue:
    """Close the wizard for everybody and go on where the person chose."""
    setup.finish(_person())
    return _htmx.redirect(auth.local_path(request.form.get("next") or "/wall"))


def _person() -> User:
    return cast(User, current_user._get_current_object())


def _first_camera() -> Camera | None:
    return next(iter(cameras.list_cameras()), None)


def _typed(form: FlaskForm) -> dict[str, Any]:
    return {name: value or "" for name, value in form.data.items() if name != "csrf_token"}


def _zones() -> dict[str, list[tuple[str, str]]]:
    """Region -> (zone, place), without the old names that stand outside a region."""
    zones: dict[str, list[tuple[str, str]]] = {"World": [("UTC", "UTC")]}
    for zone in sorted(available_timezones()):
        region, _, city = zone.partition("/")
        if city and region not in {
            "Etc",
            "SystemV",
            "posix",
            "right",
            "US",
            "Canada",
            "Brazil",
            "Chile",
            "Mexico",
        }:
            zones.setdefault(region, []).append((zone, city.replace("_", " ").replace("/", " / ")))
    return zones


def _clock(zone: str | None) -> str:
    return f"{datetime.now(ZoneInfo(zone)):%H:%M}" if zone in available_timezones() else ""
