"""What is typed about a camera: the form of adding and editing, and its translation to the service.

Shape and lengths only; whether an address may be used is said by services/camera/cameras.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, IntegerField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional

from cctv.media import addresses
from cctv.media.makes import MAKES, find_make
from cctv.media.masking import MASKED
from cctv.models import Camera, RecordingMode
from cctv.services.camera import cameras
from cctv.services.schedule import schedule_cameras, schedules

_MODES = {
    RecordingMode.CONTINUOUS: "All the time",
    RecordingMode.ACTIVITY: "On activity, with the seconds around it",
    RecordingMode.MANUAL: "When somebody presses Record",
    RecordingMode.OFF: "Never, live only",
}
_NOT_A_NUMBER = "Type a whole number."


class WholeNumber(IntegerField):
    """A number whose refusal is a sentence, and whose typed text survives it."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_NOT_A_NUMBER) from None


class TechnicsEditor(FlaskForm):
    """How a camera is reached: what a Developer may change of it."""

    url = StringField("Address or link", [Length(max=500)])
    make = SelectField(
        "Make",
        choices=[SelectChoice("", "Choose to fill the path"), *(SelectChoice(m.key, m.name) for m in MAKES)],
        validate_choice=False,
    )
    username = StringField("User name", [Length(max=128)])
    password = PasswordField("Password", [Length(max=256)])
    sub_url = StringField("Small stream (optional)", [Length(max=500)])
    keep_anyway = BooleanField("Keep the new address or login without a check")
    probe = HiddenField()
    version = HiddenField()

    @classmethod
    def of(cls, camera: Camera) -> Self:
        """As it is stored; the password never."""
        return cls(**cls._stored(camera))

    @classmethod
    def _stored(cls, camera: Camera) -> dict[str, Any]:
        sub = camera.stream("sub")
        return {
            "url": camera.main.url,
            "username": camera.username,
            "sub_url": sub.url if sub else "",
            "version": camera.version,
        }

    def changed(self, camera: Camera) -> cameras.CameraForm:
        """For the service: the camera with what was typed; an empty password means the stored one."""
        main, sub = self.addresses()
        return replace(
            cameras.stored_form(camera),
            url=main,
            username=self.username.data or "",
            password=self.password.data or None,
            sub_url=sub,
        )

    def forget_passwords(self) -> None:
        """Take passwords out of typed addresses too: what comes back in a page must not hold one."""
        for field in (self.url, self.sub_url):
            field.data = addresses.mask(field.data or "").replace(f":{MASKED}@", "@")

    def addresses(self) -> tuple[str, str]:
        """Main and small address; a make fills a path that was left out."""
        main, sub = (self.url.data or "").strip(), (self.sub_url.data or "").strip()
        make = find_make(self.make.data or "")
        if make is None or not make.main or not main:
            return main, sub
        try:
            address = addresses.parse_typed(main)
        except addresses.AddressInvalid:
            return main, sub
        if address.path.strip("/"):
            return main, sub
        typed = main.rstrip("/")
        return typed + make.main, sub or (typed + make.sub if make.sub else "")


class CameraEditor(TechnicsEditor):
    """Everything about a camera that a person types."""

    name = StringField("Name", [Length(max=200)])
    number = WholeNumber("Number on the wall", [Optional()])
    recording_mode = SelectField("Record", choices=lambda: _mode_choices(), validate_choice=False)
    pre_roll_seconds = WholeNumber("Seconds kept before", [Optional()])
    post_roll_seconds = WholeNumber("Seconds kept after activity", [Optional()])

    @classmethod
    def blank(cls) -> CameraEditor:
        """For a new camera."""
        return cls(recording_mode=RecordingMode.CONTINUOUS.value, pre_roll_seconds=10, post_roll_seconds=10)

    @classmethod
    def _stored(cls, camera: Camera) -> dict[str, Any]:
        return super()._stored(camera) | {
            "name": camera.name,
            "number": camera.number,
            "recording_mode": _mode_value(camera),
            "pre_roll_seconds": camera.pre_roll_seconds,
            "post_roll_seconds": camera.post_roll_seconds,
        }

    def typed(self) -> cameras.CameraForm:
        """For the service, of a new camera."""
        main, sub = self.addresses()
        return cameras.CameraForm(
            url=main,
            username=self.username.data or "",
            password=self.password.data or "",
            sub_url=sub,
            **self._about(),
        )

    def changed(self, camera: Camera) -> cameras.CameraForm:
        """For the service: everything is as typed, except a password that was left out."""
        return replace(super().changed(camera), **self._about())

    def _about(self) -> dict[str, Any]:
        mode, _, schedule = (self.recording_mode.data or "").partition(":")
        return {
            "name": self.name.data or "",
            "recording_mode": mode,
            "schedule_id": int(schedule) if schedule.isdecimal() and len(schedule) < 10 else None,
            "pre_roll_seconds": 10 if self.pre_roll_seconds.data is None else self.pre_roll_seconds.data,
            "post_roll_seconds": 10 if self.post_roll_seconds.data is None else self.post_roll_seconds.data,
            "number": self.number.data,
        }


def _mode_choices() -> list[SelectChoice]:
    """The modes, and each schedule by its name."""
    found = [
        (f"{RecordingMode.SCHEDULE}:{one.id}", f"Schedule: {one.name}") for one in schedules.list_schedules()
    ]
    modes = [SelectChoice(mode.value, words) for mode, words in _MODES.items()]
    by_name = [SelectChoice(value, name, optgroup="By schedule") for value, name in found]
    return modes + by_name


def _mode_value(camera: Camera) -> str:
    if camera.recording_mode != RecordingMode.SCHEDULE:
        return camera.recording_mode
    return f"{camera.recording_mode}:{schedule_cameras.schedule_id_of(camera.id)}"
