"""Entries of the audit log as people say them: one sentence each, and what changed as before and after.

Only words. An action that is not known here is still shown, by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cctv.blueprints import _words
from cctv.models import AuditEntry

# What one may look for: key -> (label, actions; one that ends with a dot means all that begin so).
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "watched": ("Who watched", ("live", "playback", "snapshot", "export", "export.", "test_picture")),
    "sign-in": (
        "Signing in",
        ("sign_in", "sign_in.", "sign_out", "session.", "app.", "password.", "second_factor."),
    ),
    "refused": ("Refused sign-ins", ("sign_in.refused",)),
    "cameras": ("Cameras", ("camera.",)),
    "recordings": ("Recordings and schedules", ("recording.", "schedule.")),
    "people": ("People and rights", ("user.", "grant.", "group.", "see_as")),
    "settings": ("Settings, mail, tokens", ("settings.", "mail.", "api_token.")),
    "traps": ("Honeypot, queues, this log", ("honeypot.", "queue.", "audit.")),
}

SENTENCES = {
    "sign_in": "signed in",
    "sign_out": "signed out",
    "password.change": "changed the password of {target}",
    "password.reset": "reset the password of {target}",
    "second_factor.on": "turned the second factor on",
    "second_factor.off": "turned the second factor of {target} off",
    "second_factor.recovery_codes": "made new recovery codes",
    "second_factor.recovery_code": "used a recovery code",
    "session.end": "signed {target} out on another device",
    "app.pair": "showed a picture that signs an app in",
    "user.create": "added {target}",
    "user.owner": "became the owner of this system",
    "user.invite": "invited {target}",
    "user.change": "changed {target}",
    "user.disable": "switched the account of {target} off",
    "user.enable": "switched the account of {target} on",
    "user.delete": "deleted the account of {target}",
    "grant.change": "changed what {target} may do",
    "group.create": "made the camera group {target}",
    "group.change": "changed the camera group {target}",
    "group.delete": "deleted the camera group {target}",
    "camera.add": "added the camera {target}",
    "camera.edit": "changed the camera {target}",
    "camera.mode": "changed how {target} records",
    "camera.on": "turned {target} on",
    "camera.off": "turned {target} off",
    "camera.delete": "deleted the camera {target} and its footage",
    "schedule.create": "made the schedule {target}",
    "schedule.change": "changed the schedule {target}",
    "schedule.on": "activated the schedule {target}",
    "schedule.off": "deactivated the schedule {target}",
    "schedule.delete": "deleted the schedule {target}",
    "recording.start": "started recording {target}",
    "recording.extend": "made the recording of {target} longer",
    "recording.stop": "stopped recording {target}",
    "recording.delete": "deleted a recording of {target}",
    "recording.lock": "locked a recording of {target}",
    "recording.unlock": "unlocked a recording of {target}",
    "recording.transfer": "had a recording of {target} copied to the cloud",
    "recording.note": "changed the note of a recording of {target}",
    "live": "watched {target}",
    "playback": "played back {target}",
    "snapshot": "took a snapshot of {target}",
    "test_picture": "saw what {target} shows in a check",
    "export": "exported {target}",
    "export.download": "downloaded the export {target}",
    "export.cancel": "cancelled the export of {target}",
    "export.keep": "changed how long the export of {target} is kept",
    "export.retry": "had the export of {target} made again",
    "export.delete": "deleted the export of {target}",
    "ptz": "moved {target}",
    "mail.send": "sent a mail to {target}",
    "mail.cancel": "stopped the mail {target}",
    "mail.again": "sent the mail to {target} again",
    "settings.change": "changed the settings",
    "chain.accept": "believed the chains of stored footage after a restored backup",
    "settings.test": "tested {target}",
    "api_token.create": "made the API token {target}",
    "api_token.revoke": "revoked the API token {target}",
    "honeypot.block": "blocked {target}",
    "honeypot.unblock": "unblocked {target}",
    "honeypot.ours": "marked {target} as ours",
    "honeypot.not_ours": "no longer marks {target} as ours",
    "honeypot.export": "exported the honeypot log",
    "queue.change": "changed the job queues ({target})",
    "audit.export": "exported the audit log",
    "audit.accept": "accepted the audit log as it is after a restore",
    "see_as": "looked at the pages as {target}",
}
_OWN = {  # done by people to themselves
    "password.change": "changed their password",
    "password.reset": "chose a new password by mail",
    "session.end": "signed out another device of theirs",
    "second_factor.off": "turned the second factor off",
    "user.change": "changed their account",
}
_STEPS = {
    "asked for": "asked for a new password for {target}",
    "link made": "made a link for a new password for {target}",
}
_ICONS = {
    "sign_in": "login",
    "sign_in.refused": "lock-exclamation",
    "sign_out": "logout",
    "session.": "logout",
    "password.": "key",
    "second_factor.": "shield-check",
    "user.": "user",
    "grant.": "users",
    "group.": "users",
    "see_as": "eye",
    "camera.delete": "trash",
    "camera.": "device-cctv",
    "recording.": "player-record",
    "schedule.": "calendar-event",
    "live": "eye",
    "playback": "history",
    "snapshot": "camera",
    "test_picture": "camera",
    "export": "download",
    "export.": "download",
    "mail.": "mail",
    "settings.": "settings",
    "api_token.": "key",
    "honeypot.": "bug",
    "audit.": "shield-check",
    "queue.": "server",
}
_NAMES = {
    "url": "Address",
    "sub_url": "Address of the small stream",
    "username": "User name at the camera",
    "pre_roll_seconds": "Seconds kept before a press on Record",
    "post_roll_seconds": "Seconds kept after activity",
    "watches_activity": "Looks for activity",
    "sensitivity": "Sensitivity for activity",
    "zones": "Zones of activity",
    "recording_mode": "Recording",
    "weekly": "The week",
    "has_new_password": "New password at the camera",
    "max_seconds": "At most (s)",
    "seconds": "Seconds",
    "is_kept": "Kept signed in",
    "is_everywhere": "Everywhere",
    "kind": "With",
    "how": "What was wrong",
    "is_verified": "Address confirmed",
    "until_ms": "Until",
    "times": "Times within an hour",
    "times_by_all": "Times within an hour, from all addresses",
    "from_ms": "From",
    "started_ms": "From",
    "ended_ms": "To",
    "with_copies": "Copies in the cloud as well",
    "is_enabled": "Switched on",
}
_PEOPLE = {"": "Somebody not signed in", "system": "The system", "command line": "The command line"}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the details: a field with its value, or with the one before and the one after."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Told:
    """One entry, ready to be shown."""

    entry: AuditEntry
    who: str
    what: str
    icon: str
    is_bad: bool
    clock: str
    moment: str
    day: str
    changes: list[Change]


def tell(entry: AuditEntry) -> Told:
    """The entry in words."""
    return Told(
        entry=entry,
        who=person(entry),
        what=sentence(entry),
        icon=_icon(entry.action),
        is_bad=entry.action == "sign_in.refused",
        clock=_words.time_of_day(entry.at_ms),
        moment=_words.moment(entry.at_ms),
        day=_words.long_day(entry.at_ms),
        changes=changes(entry.details),
    )


def person(entry: AuditEntry) -> str:
    """Who did it."""
    return entry.user_name if entry.user_id else _PEOPLE.get(entry.user_name, entry.user_name)


def sentence(entry: AuditEntry) -> str:
    """What was done, to be read after who did it."""
    if entry.action == "sign_in.refused":
        return _refused(entry)
    step = entry.details.get("step")
    if entry.action == "password.reset" and step in _STEPS:
        return _STEPS[step].replace("{target}", entry.target)
    is_own = entry.target_id is not None and entry.target_id == entry.user_id
    if is_own and (words := _OWN.get(entry.action)):
        return words
    words = SENTENCES.get(entry.action, f"{entry.action.replace('.', ' ').replace('_', ' ')} {{target}}")
    note = entry.details.get("note")
    return words.replace("{target}", entry.target or "—").strip() + (f" (note: {note})" if note else "")


def changes(details: dict[str, Any]) -> list[Change]:
    """The details as lines: what differs first, then the rest."""
    before, after = details.get("before"), details.get("after")
    lines = []
    if isinstance(before, dict) and isinstance(after, dict):
        lines = [
            Change(_name(key), _value(key, before.get(key)), _value(key, after.get(key))) for key in after
        ]
    else:
        for side in (before, after):
            lines += [Change(_name(key), None, _value(key, part)) for key, part in _items(side) if part != ""]
    rest = {key: part for key, part in details.items() if key not in {"before", "after", "note"}}
    return lines + [
        Change(_name(key), None, _value(key, part))
        for key, part in rest.items()
        if part not in (None, False, "", "browser")
    ]


def _refused(entry: AuditEntry) -> str:
    times, by_all = entry.details.get("times", 1), entry.details.get("times_by_all")
    whom = f" as {entry.target}" if entry.target else " with a name that nobody has"
    if by_all:
        return f"was refused: {by_all} wrong sign-ins within an hour, from all addresses together"
    return f"was refused to sign in{whom}" + (f", {times} times within an hour" if times > 1 else "")


def _icon(action: str) -> str:
    group = action.partition(".")[0] + "."
    return _ICONS.get(action) or _ICONS.get(group) or "info-circle"


def _items(side: Any) -> list[tuple[str, Any]]:
    return list(side.items()) if isinstance(side, dict) else []


def _name(key: str) -> str:
    return _NAMES.get(key) or key.removeprefix("is_").replace("_", " ").capitalize()


def _value(key: str, value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_ms") and isinstance(value, int):
        return _words.moment(value)
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{_name(part)}: {_value(part, one)}" for part, one in value.items()) or "nothing"
    return str(value)
