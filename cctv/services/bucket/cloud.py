"""The bucket of this installation: where it is, with what it opens, when it may be used, and how that goes.

Says nothing of single files; the key passes through here sealed and is never shown or logged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

from sqlalchemy import update

from cctv import config, keys
from cctv.clock import from_ms, now_ms
from cctv.errors import Invalid, Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import Node
from cctv.services.site import settings
from cctv.storage import bucket_faults
from cctv.storage.bucket import Access, Bucket
from cctv.storage.bucket_faults import BucketFault, FaultKind

ASK_AGAIN_MS = 15 * 60_000  # when a person has to do something first (FAULTS 37)
FASTEST_MBIT = 10_000
LONGEST_DAYS = 3650
_TRIES_BEFORE_PAUSE = 2  # one file may have bad luck; then it is the line
# cloud.google.com/storage/docs/buckets#naming
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
# developers.google.com/identity/protocols/oauth2/service-account; the others stand in older keys.
_SIGN_IN = {
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
    "https://accounts.google.com/o/oauth2/token",
}
_UNIVERSE = "googleapis.com"
_UNREADABLE = "unreadable"  # no JSON, so no key
_NO_BUCKET = "No bucket is set up. Ask the owner to open Settings, Cloud."


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """What is set; the key only as whose it is."""

    is_on: bool
    bucket: str
    project: str
    prefix: str
    account: str  # e-mail address of the service account; empty: no key
    is_by_environment: bool
    rules: tuple[str, ...]
    hours: tuple[str, str] | None
    limit_mbit: int
    keep_days: int  # of what is only in the bucket; 0: until somebody deletes it


_buckets: dict[Access, Bucket] = {}


def read() -> CloudSettings:
    """The settings as they hold now."""
    found = _access()
    hours = settings.get("cloud_hours")
    return CloudSettings(
        is_on=_is_on(),
        bucket=found.bucket,
        project=found.project,
        prefix=found.prefix,
        account=_account(found),
        is_by_environment=config.current().gcs_enabled,
        rules=tuple(rules()),
        hours=(hours[0], hours[1]) if hours else None,
        limit_mbit=int(settings.get("cloud_limit_mbit")),
        keep_days=int(settings.get("cloud_keep_days")),
    )


def access() -> Access | None:
    """Where the bucket is; None while there is none or it is switched off."""
    if not _is_on():
        return None
    found = _access()
    return found if found.bucket else None


def rules() -> list[str]:
    """What is copied without being asked for (services/bucket/transfer_rules.py).

    Whoever switches it on in the environment wants everything that is kept, until somebody chooses otherwise.
    """
    chosen = settings.get("cloud_rules")
    if chosen is None:
        return ["all"] if config.current().gcs_enabled else []
    return list(chosen)


def open_bucket(name: str | None = None) -> Bucket:
    """The bucket, or the one of this name that older copies are in.

    Raises:
        Unavailable: none is set up.
    """
    found = access()
    if found is None:
        raise Unavailable(_NO_BUCKET)
    if name:
        found = replace(found, bucket=name)
    if found not in _buckets:
        _buckets.clear()  # the old key, if it was replaced
        _buckets[found] = Bucket(found)
    return _buckets[found]


def save(
    *,
    is_on: bool,
    bucket: str,
    project: str,
    prefix: str,
    chosen: list[str],
    since_now: bool,
    hours: tuple[str, str] | None,
    limit_mbit: int,
    keep_days: int,
    key: str | None,
) -> None:
    """Store the settings; `key` None keeps the one that is there, "" forgets it.

    `since_now`: rules hold for footage from now on; else also for what is stored already.

    Raises:
        Invalid: keys bucket, prefix, key, hours, limit_mbit, keep_days.
    """
    errors: dict[str, str] = {}
    is_by_environment = config.current().gcs_enabled
    if not is_by_environment:
        errors |= _wrong_place(is_on, bucket, prefix)
        if key:
            errors |= _wrong_key(key)
    errors |= _wrong_times(hours, limit_mbit)
    if not 0 <= keep_days <= LONGEST_DAYS:
        errors["keep_days"] = f"Choose 0 (no limit) to {LONGEST_DAYS} days."
    if errors:
        raise Invalid(errors)
    values: dict[str, Any] = {
        "cloud_rules": chosen,
        "cloud_hours": list(hours or ()),
        "cloud_limit_mbit": limit_mbit,
        "cloud_keep_days": keep_days,
    }
    if chosen != rules() or not since_now:
        values["cloud_rules_since_ms"] = now_ms() if since_now else 0
    if not is_by_environment:
        values |= {"cloud_is_on": is_on, "cloud_bucket": bucket, "cloud_project": project}
        values["cloud_prefix"] = prefix.strip("/")
        if key is not None:
            values["cloud_credential_sealed"] = keys.encrypt(key) if key else ""
    settings.save(**values)
    resume()


def is_open_at(ms: int) -> bool:
    """Whether rules may send at this moment; what a person asked for goes at any time."""
    hours = settings.get("cloud_hours")
    if not hours:
        return True
    first, last = (time.fromisoformat(text) for text in hours)
    moment = from_ms(ms).astimezone(settings.zone()).time()
    return first <= moment < last if first < last else moment >= first or moment < last


def note_success(node_id: int) -> None:
    """The bucket answered this machine as it should. In a transaction of its own, only when that is news."""
    node = db.session.get(Node, node_id)
    is_news = node is not None and (node.cloud_state != "ok" or node.cloud_tries)
    db.session.commit()
    if is_news:
        _set(
            node_id, cloud_state="ok", cloud_detail="", cloud_since_ms=None, cloud_next_ms=None, cloud_tries=0
        )


def note_fault(node_id: int, fault: BucketFault) -> None:
    """The bucket did not; says when this machine may ask it again."""
    node = db.session.get_one(Node, node_id)
    tries, since_ms, old = node.cloud_tries + 1, node.cloud_since_ms, node.cloud_state
    db.session.commit()
    at_ms = now_ms()
    is_refused = fault.kind in (FaultKind.REFUSED, FaultKind.CLOCK)
    state, next_ms = "away", None
    if is_refused:
        state, next_ms = "refused", at_ms + ASK_AGAIN_MS
    elif fault.retry_after_s or tries >= _TRIES_BEFORE_PAUSE:
        next_ms = at_ms + round(bucket_faults.pause_s(tries, fault.retry_after_s) * 1000)
    _set(
        node_id,
        cloud_state=state,
        cloud_detail=fault.sentence[:300],
        cloud_since_ms=since_ms if since_ms and old == state else at_ms,
        cloud_next_ms=next_ms,
        cloud_tries=tries,
    )


def is_paused(node_id: int) -> bool:
    """Whether this machine has to leave the bucket alone for now."""
    next_ms = db.session.scalar(db.select(Node.cloud_next_ms).where(Node.id == node_id))
    db.session.commit()
    return next_ms is not None and next_ms > now_ms()


def resume() -> None:
    """Ask the bucket again at once: somebody changed something, or pressed Retry."""
    begin_writing()
    db.session.execute(
        update(Node).values(cloud_next_ms=None, cloud_tries=0).execution_options(synchronize_session=False)
    )
    db.session.commit()


def _set(node_id: int, **values: Any) -> None:
    begin_writing()
    db.session.execute(
        update(Node).where(Node.id == node_id).values(**values).execution_options(synchronize_session=False)
    )
    db.session.commit()


def _is_on() -> bool:
    return config.current().gcs_enabled or bool(settings.get("cloud_is_on"))


def _access() -> Access:
    told = config.current()
    prefix = str(settings.get("cloud_prefix"))
    if told.gcs_enabled:
        return Access(
            bucket=told.gcs_bucket_name,
            project=told.gcs_project_id,
            prefix=prefix,
            key_path=told.gcs_credentials_path,
            endpoint=told.gcs_endpoint,
        )
    sealed = str(settings.get("cloud_credential_sealed"))
    return Access(
        bucket=str(settings.get("cloud_bucket")),
        project=str(settings.get("cloud_project")),
        prefix=prefix,
        key=_unsealed(sealed) if sealed else "",
        endpoint=told.gcs_endpoint,
    )


def _unsealed(sealed: str) -> str:
    try:
        return keys.decrypt(sealed)
    except Unavailable:
        return _UNREADABLE  # pages go on; whoever uses it is refused with a sentence


def _account(found: Access) -> str:
    """Whose key it is, for a person."""
    if found.key_path:
        return f"the key in {found.key_path}"
    if found.key == _UNREADABLE:
        return "one that cannot be read any more, as SECRET_KEY has changed: paste it again"
    return str(json.loads(found.key).get("client_email", "")) if found.key else ""


def _wrong_place(is_on: bool, bucket: str, prefix: str) -> dict[str, str]:
    errors = {}
    if bucket and (not _BUCKET.fullmatch(bucket) or ".." in bucket):
        errors["bucket"] = "Names of buckets have 3 to 222 small letters, digits, dots, - and _."
    if is_on and not bucket:
        errors["bucket"] = "Type the name of the bucket."
    if prefix and (len(prefix) > 100 or not _PREFIX.fullmatch(prefix.strip("/"))):
        errors["prefix"] = "Use letters, digits, dots, - and _, with / between folders; at most 100."
    return errors


def _wrong_key(key: str) -> dict[str, str]:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    sentence = "This is no key of a service account: choose the JSON file that Google Cloud made."
    try:
        found = json.loads(key)
        load_pem_private_key(found["private_key"].encode(), None)
        is_right = found["type"] == "service_account" and "@" in found["client_email"]
        is_googles = _asks_google(found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"key": sentence}
    if not is_right:
        return {"key": sentence}
    return {} if is_googles else {"key": "This key asks another place than Google to sign in."}


def _asks_google(key: dict[str, Any]) -> bool:
    """Whether the key leads nowhere else: the file itself says where its signature is sent (THREATS 9)."""
    place, emulator = str(key["token_uri"]), config.current().gcs_endpoint
    is_known = place in _SIGN_IN or (bool(emulator) and place.startswith(f"{emulator}/"))
    return is_known and key.get("universe_domain", _UNIVERSE) == _UNIVERSE


def _wrong_times(hours: tuple[str, str] | None, limit_mbit: int) -> dict[str, str]:
    errors = {}
    try:
        if hours and time.fromisoformat(hours[0]) == time.fromisoformat(hours[1]):
            errors["hours"] = "From and to are the same. Leave both empty to send at any time."
    except ValueError:
        errors["hours"] = "Type both times like 22:00, or leave both empty."
    if not 0 <= limit_mbit <= FASTEST_MBIT:
        errors["limit_mbit"] = f"Choose 0 (no limit) to {FASTEST_MBIT} Mbit/s."
    return errors
