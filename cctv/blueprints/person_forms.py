"""What is typed about a person: the form of inviting and editing, and the words on the four role cards.

Shape and lengths only; who may give which role is said by services/person/ranks.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length

from cctv.models import Role, User
from cctv.services.person import users

_LINES = {
    Role.SUPER_ADMIN: (
        "Everything on every camera.",
        "All people, all settings, all secrets.",
        "For the owner. One has to remain.",
    ),
    Role.ADMIN: (
        "Everything on every camera.",
        "Cameras, schedules, storage and mail.",
        "Manages Visitors, nobody else.",
    ),
    Role.DEVELOPER: (
        "Addresses, diagnosis, logs and queues.",
        "Watches what is shared, no recordings.",
        "For whoever looks after the machines.",
    ),
    Role.VISITOR: (
        "Only the cameras that are shared.",
        "Each right is given camera by camera.",
        "For guards and guests.",
    ),
}
WAYS = {
    "mail": ("Send an invitation by mail", "They choose their own password. The link works for 3 days."),
    "link": (
        "Make a link to pass on",
        "Shown once, with a code to scan by phone. It works for 3 days.",
    ),
    "password": ("Set a password now", "You tell them; they can change it in their account."),
}
_ROLES = [SelectChoice(role.value, role.label) for role in Role]
_WAYS = [SelectChoice(way, words) for way, (words, _) in WAYS.items()]


@dataclass(frozen=True, slots=True)
class RoleCard:
    """One of the choices: what it may do, and what a person would lose by it."""

    value: str
    label: str
    lines: tuple[str, ...]
    loses: str


class PersonForm(FlaskForm):
    """Everything about an account that somebody else may type."""

    name = StringField("Name", [Length(max=200)])
    email = StringField("E-mail", [Length(max=254)])
    username = StringField("User name", [Length(max=64)])
    role = RadioField(
        "Role", choices=[SelectChoice(role.value, role.label) for role in Role], validate_choice=False
    )
    new_cameras = BooleanField("Share cameras that are added later, too")
    version = HiddenField()

    @classmethod
    def of(cls, person: User) -> PersonForm:
        """As it is stored."""
        return cls(
            formdata=None,
            name=person.name,
            email=person.email,
            username=person.username,
            role=person.role,
            new_cameras=person.new_cameras == "give",
            version=person.version,
        )

    def changes(self) -> dict[str, str]:
        """For the service."""
        return {
            "name": self.name.data or "",
            "email": self.email.data or "",
            "username": self.username.data or "",
            "role": self.role.data or "",
            "new_cameras": "give" if self.new_cameras.data else "no",
        }


class InviteForm(PersonForm):
    """A new person, and how they get in."""

    way = RadioField("How do they get in?", choices=_WAYS, validate_choice=False)
    password = PasswordField("Password", [Length(max=users.LONGEST_PASSWORD)])


def role_cards(roles: Collection[Role], losses: Mapping[str, str] | None = None) -> list[RoleCard]:
    """The choices, strongest first."""
    told = losses or {}
    return [
        RoleCard(role.value, role.label, _LINES[role], told.get(role.value, ""))
        for role in Role
        if role in roles
    ]
