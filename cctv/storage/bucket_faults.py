"""What can be wrong between this machine and a bucket: one error with a kind, and the sentence for a person.

Reads answers and exceptions of Google's libraries; never asks anything itself.
"""

from __future__ import annotations

import json
import random
import re
from enum import StrEnum
from typing import Any

LONGEST_WAIT_S = 15 * 60  # FAULTS 36: for hours, but never faster and never slower
_TRANSIENT = {408, 429, 500, 502, 503, 504}
# Reasons of a 403 that only mean "slower" (cloud.google.com/storage/docs/json_api/v1/status-codes).
_SLOWER = {"rateLimitExceeded", "userRateLimitExceeded"}
_SKEWED = re.compile(r"reasonable timeframe|short-lived token|clock skew|iat and exp", re.IGNORECASE)


class FaultKind(StrEnum):
    """What follows from a fault."""

    AWAY = "away"  # passes by itself: tried again with growing pauses
    REFUSED = "refused"  # a person has to do something: asked again every 15 minutes
    CLOCK = "clock"  # this machine's time is wrong; as refused
    SESSION = "session"  # the resumable session is no more: begin a new one
    EXISTS = "exists"  # an object of this name is there already
    MISSING = "missing"  # there is no such object
    DIFFERS = "differs"  # the bucket did not get the bytes that were announced


class BucketFault(Exception):
    """Something did not work; `str()` is a sentence for a person, without secrets."""

    def __init__(self, kind: FaultKind, sentence: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.retry_after_s = retry_after_s


def pause_s(tries: int, retry_after_s: float = 0.0) -> float:
    """How long to wait before try number `tries` + 1: doubling with full jitter, as Google asks for."""
    ceiling = min(LONGEST_WAIT_S, 2.0 ** min(tries, 10))
    return min(LONGEST_WAIT_S, max(retry_after_s, random.uniform(ceiling / 4, ceiling)))


def of_status(
    status: int, *, bucket: str, doing: str, body: bytes | str = b"", retry_after: str | None = None
) -> BucketFault:
    """The fault behind a status of HTTP. `doing` completes "may not ...": "write into", "read from"."""
    reason, message = _reason(body)
    wait_s = _seconds(retry_after)
    if status == 429 or reason in _SLOWER:
        return BucketFault(FaultKind.AWAY, "Google asks for fewer requests.", retry_after_s=wait_s)
    if status in _TRANSIENT:
        return BucketFault(
            FaultKind.AWAY, f"Google Cloud Storage has trouble (answer {status}).", retry_after_s=wait_s
        )
    if status == 412:
        return BucketFault(FaultKind.EXISTS, "An object of this name is in the bucket already.")
    if status == 401:
        return BucketFault(
            FaultKind.REFUSED, "Google does not accept the key (401). Replace the key in the cloud settings."
        )
    if status == 403:
        return BucketFault(FaultKind.REFUSED, _refusal(reason, message, bucket, doing))
    if status == 404:
        return BucketFault(FaultKind.REFUSED, f"There is no bucket {bucket} (any more). Check its name.")
    return BucketFault(FaultKind.AWAY, f"Google Cloud Storage answered {status}.", retry_after_s=wait_s)


def of_exception(error: Exception, *, bucket: str, doing: str) -> BucketFault:
    """The fault behind an exception of google-cloud-storage, google-auth or requests."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
    from google.cloud.storage.exceptions import InvalidResponse

    if isinstance(error, BucketFault):
        return error
    if isinstance(error, InvalidResponse):
        return of_response(error.response, bucket=bucket, doing=doing)
    if isinstance(error, GoogleAPICallError) and error.code is not None:
        response = error.response
        if response is not None and hasattr(response, "content"):
            return of_response(response, bucket=bucket, doing=doing)
        return of_status(int(error.code), bucket=bucket, doing=doing, body=error.message or "")
    if isinstance(error, RefreshError):
        return _of_refresh(error)
    if isinstance(error, TransportError | requests.ConnectionError):
        return BucketFault(FaultKind.AWAY, "Google Cloud Storage cannot be reached from this machine.")
    if isinstance(error, requests.Timeout):
        return BucketFault(FaultKind.AWAY, "Google Cloud Storage does not answer in time.")
    if isinstance(error, GoogleAuthError):
        return BucketFault(
            FaultKind.REFUSED, "This machine has no key for Google Cloud. Put one into the cloud settings."
        )
    if isinstance(error, requests.RequestException):
        return BucketFault(FaultKind.AWAY, "The connection to Google Cloud Storage broke.")
    raise error


def of_response(response: Any, *, bucket: str, doing: str) -> BucketFault:
    """The fault behind a response of requests."""
    return of_status(
        response.status_code,
        bucket=bucket,
        doing=doing,
        body=response.content,
        retry_after=response.headers.get("Retry-After"),
    )


def _of_refresh(error: Exception) -> BucketFault:
    """The token endpoint said no, or nothing that can be read."""
    said = " ".join(str(part) for part in error.args)
    if _SKEWED.search(said):
        return BucketFault(
            FaultKind.CLOCK,
            "Google refuses the sign-in because the clock of this machine is wrong. Set it (NTP); "
            "transfers wait, recording goes on.",
        )
    if getattr(error, "retryable", False) or not re.search(r"invalid_|unauthorized|deleted", said):
        return BucketFault(FaultKind.AWAY, "Google's sign-in does not answer.")
    return BucketFault(
        FaultKind.REFUSED,
        "Google does not know this key (any more): it was deleted, or its account is disabled. "
        "Make a new key and replace it in the cloud settings.",
    )


def _refusal(reason: str, message: str, bucket: str, doing: str) -> str:
    if "billing" in message.lower() or reason in {"accountDisabled", "billingNotEnabled"}:
        return "Google has closed the project's billing account. Open billing in the Google Cloud console."
    if "quota" in reason.lower() or "quota" in message.lower():
        return "The project's quota at Google is used up. Raise it in the Google Cloud console."
    return f"The key is right but may not {doing} bucket {bucket}. Give it 'Storage Object User'."


def _reason(body: bytes | str) -> tuple[str, str]:
    """(reason, message) of Google's JSON errors; empty when it is something else."""
    try:
        error = json.loads(body)["error"]
        first = (error.get("errors") or [{}])[0]
        return str(first.get("reason", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", ""


def _seconds(retry_after: str | None) -> float:
    # RFC 9110 10.2.3 allows a date as well; Google sends seconds.
    return float(retry_after) if retry_after and re.fullmatch(r"[0-9]{1,6}", retry_after) else 0.0
