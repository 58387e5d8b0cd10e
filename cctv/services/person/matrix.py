"""The one table of what each role may do. Deny by default; nothing here asks the database.

Who may is decided with it by services/person/access.py; pages show it as it stands.
"""

from __future__ import annotations

from enum import StrEnum

from cctv.models import Role


class Action(StrEnum):
    """What can be done; the values stand in stream tokens, grants and the audit log."""

    # To a camera; the first six can be granted one by one.
    LIVE = "live"
    PLAYBACK = "playback"
    SNAPSHOT = "snapshot"
    RECORD = "record"
    PTZ = "ptz"
    EXPORT = "export"
    LOCK = "lock"
    RECORDING_DELETE = "recording.delete"
    TRANSFER = "transfer"  # to the cloud, by request
    CAMERA_LIST = "camera.list"
    CAMERA_ADD = "camera.add"
    CAMERA_EDIT = "camera.edit"
    CAMERA_TECHNICS = "camera.technics"  # address, login, streams
    CAMERA_DIAGNOSE = "camera.diagnose"
    CAMERA_DELETE = "camera.delete"
    # To the installation.
    OVERVIEW = "overview"
    SCHEDULE_READ = "schedule.read"
    SCHEDULE_EDIT = "schedule.edit"
    USERS = "users"
    AUDIT = "audit"
    HEALTH = "health"
    LOGS = "logs"
    SETTINGS = "settings"  # storage, retention, mail
    SETTINGS_SECRET = "settings.secret"  # cloud secrets, network
    SETTINGS_TEST = "settings.test"  # the test buttons
    MAIL_SEND = "mail.send"
    API_DOCS = "api.docs"
    API_TOKENS = "api.tokens"
    QUEUE = "queue"  # the RQ dashboard
    HONEYPOT = "honeypot"
    ADMIN = "admin"  # the dashboard of administrators


class Scope(StrEnum):
    """How far a role may go."""

    ALL = "all"
    PART = (
        "part"  # of the cameras: the granted ones. Of people: Visitors. Of the audit log: see services/audit
    )
    OWN = "own"  # what is the person's own
    NO = "no"


GRANTABLE = (Action.LIVE, Action.PLAYBACK, Action.SNAPSHOT, Action.RECORD, Action.PTZ, Action.EXPORT)

_ALL, _PART, _OWN, _NO = Scope.ALL, Scope.PART, Scope.OWN, Scope.NO
# The roles in this order, as in the product's table.
_ROLES = (Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER, Role.VISITOR)
_TABLE: dict[Action, tuple[Scope, Scope, Scope, Scope]] = {
    Action.LIVE: (_ALL, _ALL, _PART, _PART),
    Action.PLAYBACK: (_ALL, _ALL, _NO, _PART),
    Action.SNAPSHOT: (_ALL, _ALL, _NO, _PART),
    Action.RECORD: (_ALL, _ALL, _NO, _PART),
    Action.PTZ: (_ALL, _ALL, _NO, _PART),
    Action.EXPORT: (_ALL, _ALL, _NO, _PART),
    Action.LOCK: (_ALL, _ALL, _NO, _NO),
    Action.RECORDING_DELETE: (_ALL, _ALL, _NO, _NO),
    Action.TRANSFER: (_ALL, _ALL, _NO, _NO),
    Action.CAMERA_LIST: (_ALL, _ALL, _ALL, _NO),
    Action.CAMERA_ADD: (_ALL, _ALL, _NO, _NO),
    Action.CAMERA_EDIT: (_ALL, _ALL, _NO, _NO),
    Action.CAMERA_TECHNICS: (_ALL, _ALL, _ALL, _NO),
    Action.CAMERA_DIAGNOSE: (_ALL, _ALL, _ALL, _NO),
    Action.CAMERA_DELETE: (_ALL, _ALL, _NO, _NO),
    Action.OVERVIEW: (_ALL, _ALL, _ALL, _NO),
    Action.SCHEDULE_READ: (_ALL, _ALL, _ALL, _NO),
    Action.SCHEDULE_EDIT: (_ALL, _ALL, _NO, _NO),
    Action.USERS: (_ALL, _PART, _NO, _NO),
    Action.AUDIT: (_ALL, _ALL, _PART, _OWN),
    Action.HEALTH: (_ALL, _ALL, _ALL, _NO),
    Action.LOGS: (_ALL, _NO, _ALL, _NO),
    Action.SETTINGS: (_ALL, _ALL, _NO, _NO),
    Action.SETTINGS_SECRET: (_ALL, _NO, _NO, _NO),
    Action.SETTINGS_TEST: (_ALL, _ALL, _ALL, _NO),
    Action.MAIL_SEND: (_ALL, _ALL, _NO, _NO),
    Action.API_DOCS: (_ALL, _ALL, _ALL, _OWN),
    Action.API_TOKENS: (_ALL, _OWN, _OWN, _OWN),
    Action.QUEUE: (_ALL, _NO, _ALL, _NO),
    Action.HONEYPOT: (_ALL, _NO, _ALL, _NO),
    Action.ADMIN: (_ALL, _ALL, _NO, _NO),
}

# What each action opens, as a person says it. The ones to a camera first.
WORDS = {
    Action.LIVE: "Watch live",
    Action.PLAYBACK: "Play back recordings",
    Action.SNAPSHOT: "Take snapshots",
    Action.RECORD: "Record now",
    Action.PTZ: "Move the camera",
    Action.EXPORT: "Export clips",
    Action.LOCK: "Lock and unlock footage",
    Action.RECORDING_DELETE: "Delete recordings",
    Action.TRANSFER: "Copy recordings to the cloud",
    Action.CAMERA_LIST: "See the list of all cameras",
    Action.CAMERA_ADD: "Add cameras",
    Action.CAMERA_EDIT: "Rename cameras, turn them on and off, choose what is recorded",
    Action.CAMERA_TECHNICS: "Change address and login of cameras",
    Action.CAMERA_DIAGNOSE: "Diagnose cameras",
    Action.CAMERA_DELETE: "Delete cameras",
    Action.OVERVIEW: "See the overview",
    Action.SCHEDULE_READ: "See schedules",
    Action.SCHEDULE_EDIT: "Change schedules",
    Action.USERS: "Invite and change people",
    Action.AUDIT: "Read the audit log",
    Action.HEALTH: "See the health of the system",
    Action.LOGS: "Read technical logs",
    Action.SETTINGS: "Change storage, retention and mail",
    Action.SETTINGS_SECRET: "Change cloud secrets and networks",
    Action.SETTINGS_TEST: "Press the test buttons of settings",
    Action.MAIL_SEND: "Send mail to people",
    Action.API_DOCS: "Read the documentation of the API",
    Action.API_TOKENS: "Make tokens for programs",
    Action.QUEUE: "Open the dashboard of the queues",
    Action.HONEYPOT: "See who tried the trap",
    Action.ADMIN: "Open the dashboard of administrators",
}

# How far, where it is neither everything nor nothing nor some cameras.
_EXTENTS = {
    (Action.USERS, Scope.PART): "Visitors only",
    (Action.AUDIT, Scope.PART): "Own actions and technical entries",
    (Action.AUDIT, Scope.OWN): "Own actions",
    (Action.API_DOCS, Scope.OWN): "With a token of their own",
    (Action.API_TOKENS, Scope.OWN): "Own tokens",
}

_VERBS = {
    Action.LIVE: "watch",
    Action.PLAYBACK: "play back",
    Action.SNAPSHOT: "take snapshots of",
    Action.RECORD: "record",
    Action.PTZ: "move",
    Action.EXPORT: "export from",
}


def scope(role: str, action: Action) -> Scope:
    """How far this role may go; `Scope.NO` for a role that nobody knows."""
    row = _TABLE.get(action)
    return row[_ROLES.index(Role(role))] if row and role in _ROLES else Scope.NO


def extent_words(action: Action, extent: Scope) -> str:
    """Yes, No, or how far."""
    if extent in (Scope.ALL, Scope.NO):
        return "Yes" if extent == Scope.ALL else "No"
    return _EXTENTS.get((action, extent), "In part")


def refusal(action: Action) -> str:
    """The sentence for somebody whose role may not: who may."""
    labels = [role.label for role in _ROLES if scope(role, action) != Scope.NO]
    who = " or ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
    return f"You may not open this. Only {'an ' if who[:1] in 'AEIOU' else 'a '}{who} can. Ask the owner."


def verb(action: Action) -> str:
    """What a person does to a camera: "watch", "play back"."""
    return _VERBS.get(action, "do this with")


def not_granted(action: Action) -> str:
    """The sentence for a person who has something of a camera, but not this."""
    return f"You may not {verb(action)} this camera. Ask an Admin to share it with you."
