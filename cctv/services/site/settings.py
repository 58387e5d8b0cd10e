"""Settings of the organisation: which exist, what they default to, and one way to read and write them.

A key that is not in DEFAULTS does not exist.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from cctv.extensions import begin_writing, db
from cctv.models import Setting
from cctv.services.auditing import audit

DEFAULTS: dict[str, Any] = {
    "organisation_name": "",
    "time_zone": "UTC",
    "setup_code_hash": "",  # of the one-time code that opens the set-up wizard
    "setup_owner_id": 0,  # who is allowed to finish the set-up
    "setup_finished": False,
    "first_steps_closed": False,  # the list on the overview
    "site_address": "",  # of the pages, for links in mails; FRONTEND_URL wins
    # Kind of notice -> roles that get it by mail.
    "notice_roles": {
        "camera": ["super_admin", "admin"],
        "disk": ["super_admin", "admin"],
        "cloud": ["super_admin", "admin"],
    },
    "report_mailed_day": "",  # the newest day whose report went out by mail
    "notice_event_id": 0,  # the newest event that was told
    "mail_from": "",  # the address that mails come from; empty: EMAIL_HOST_USER, or one of the site's
    "evidence_keys": {},  # public halves (hex) of the keys that sign evidence, by name
    "evidence_mail": "",  # where the daily heads of the chains go; empty: nowhere
    "disk_limit_percent": 90,  # of the media disk; above it the oldest footage goes
    # The bucket (services/bucket/cloud.py); GCP_STORAGE_* of the environment wins over the first five.
    "cloud_is_on": False,
    "cloud_bucket": "",
    "cloud_project": "",
    "cloud_prefix": "",  # of object names
    "cloud_credential_sealed": "",  # keys.encrypt of the service account's key
    "cloud_rules": None,  # what is copied without being asked for; None: nobody has chosen (cloud.rules)
    "cloud_rules_since_ms": 0,  # footage from before it is only copied on request
    "cloud_hours": [],  # ["22:00", "06:00"] at the site; empty: always
    "cloud_limit_mbit": 0,  # a second and machine; 0: as fast as it goes
    "cloud_keep_days": 0,  # of what is only in the bucket; 0: until somebody deletes it
    "cloud_trial": {},  # the last test of the bucket, with its steps
    "spared_hours": 24,  # the newest footage of a camera that files of others can never take the room of
    "keep_days": 0,  # of cameras that have no rule of their own; 0: as long as there is room
    "keep_bytes": 0,  # of each of them; 0: no limit
    "keeps_manual": False,  # recordings that somebody started are not removed for their age
    "rules_from_ms": 0,  # rules that were made stricter wait for the night
    "early_deletions": {},  # node id -> the episode in which footage goes before its time
    "storage_tests": {},  # node id -> the last test of its disk with its steps
}


def get(key: str) -> Any:
    """The value of a setting, or its default."""
    row = db.session.get(Setting, key)
    return DEFAULTS[key] if row is None else row.value


def save(**values: Any) -> None:
    """Store several settings in one transaction."""
    begin_writing()
    put(**values)
    db.session.commit()


def put(**values: Any) -> None:
    """Store several settings in the caller's transaction."""
    if unknown := values.keys() - DEFAULTS.keys():
        raise KeyError(*unknown)
    before = {key: get(key) for key in values}
    for key, value in values.items():
        db.session.merge(Setting(key=key, value=value))
    if before != values:
        audit.add("settings.change", before=before, after=values)


def note(key: str, value: Any) -> None:
    """Remember something that nobody chose, in the caller's transaction: not in the audit log."""
    if key not in DEFAULTS:
        raise KeyError(key)
    db.session.merge(Setting(key=key, value=value))


def zone() -> ZoneInfo:
    """The time zone of the site: every time that a person reads is in it."""
    return ZoneInfo(get("time_zone"))
