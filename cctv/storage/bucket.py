"""A bucket of Google Cloud Storage with the verbs that transfers and playback need; no rule lives here.

Google's library is imported when the first bucket is opened: it costs 0.2 s and tens of megabytes.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cctv.storage import bucket_faults
from cctv.storage.bucket_faults import BucketFault, FaultKind
from cctv.storage.sending import Session, StoredObject

LONGEST_ADDRESS_S = 300  # DECISIONS 17
_TIMEOUT_S = (5.0, 20.0)
_SCOPES = ["https://www.googleapis.com/auth/devstorage.read_write"]
_BLOCK_BYTES = 256 * 1024
GOOGLE = "https://storage.googleapis.com"


@dataclass(frozen=True, slots=True)
class Access:
    """Where the bucket is and with what it opens. `key`: the JSON of a service account, never printed."""

    bucket: str
    project: str = ""
    prefix: str = ""
    key: str = field(default="", repr=False)
    key_path: str = ""
    endpoint: str = ""  # of an emulator


class Bucket:
    """One bucket. Every method raises BucketFault; none tries twice by itself."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.name = access.bucket

    @property
    def origin(self) -> str:
        """Scheme and host of signed addresses."""
        return self.access.endpoint or GOOGLE

    def begin(self, name: str, *, size_bytes: int, crc32c: str) -> str:
        """A resumable session for a new object; its address is as good as a key for this one object.

        The object comes into being only if none of that name exists and its bytes have this CRC-32C.
        """
        blob = self._bucket.blob(name)
        blob.crc32c = crc32c
        blob.cache_control = "private, max-age=300"
        with self._told("write into"):
            address: str = blob.create_resumable_upload_session(
                content_type="video/mp4",
                size=size_bytes,
                client=self._client,
                timeout=_TIMEOUT_S,
                if_generation_match=0,
                retry=None,
            )
        return address

    def session(self, address: str, *, total_bytes: int) -> Session:
        """A session that was begun, by this process or another one."""
        return Session(self._plain, address, bucket=self.name, total_bytes=total_bytes)

    def look(self, name: str) -> StoredObject | None:
        """What the bucket says of an object; None when there is none."""
        blob = self._bucket.blob(name)
        try:
            with self._told("read from"):
                blob.reload(client=self._client, timeout=_TIMEOUT_S, retry=None)
        except BucketFault as fault:
            # 404 is said of the object and of the bucket alike.
            if isinstance(fault.__cause__, self._not_found) and self._is_there():
                return None
            raise
        return StoredObject(name, int(blob.size or 0), str(blob.crc32c), str(blob.generation))

    def delete(self, name: str, *, generation: str | None = None) -> bool:
        """Remove an object; False when it was gone. Another generation than the known one is left alone."""
        match = int(generation) if generation else None
        try:
            with self._told("delete from"):
                self._bucket.blob(name).delete(
                    client=self._client, timeout=_TIMEOUT_S, retry=None, if_generation_match=match
                )
        except BucketFault as fault:
            if isinstance(fault.__cause__, self._not_found) and self._is_there():
                return False
            raise
        return True

    def read(self, name: str, start: int, end: int) -> bytes:
        """Bytes [start, end) of an object."""
        if end <= start:
            return b""
        with self._told("read from"):
            content: bytes = self._bucket.blob(name).download_as_bytes(
                client=self._client, start=start, end=end - 1, timeout=_TIMEOUT_S, retry=None, checksum=None
            )
        return content

    def put_small(self, name: str, content: bytes, *, content_type: str) -> None:
        """Store a few bytes that may replace an older object of the name; for tests of the settings."""
        with self._told("write into"):
            self._bucket.blob(name).upload_from_string(
                content, content_type=content_type, client=self._client, timeout=_TIMEOUT_S, retry=None
            )

    def put_once(self, name: str, content: bytes, *, content_type: str) -> None:
        """Store a few bytes under a name that is free; EXISTS when it is not."""
        with self._told("write into"):
            self._bucket.blob(name).upload_from_string(
                content,
                content_type=content_type,
                client=self._client,
                timeout=_TIMEOUT_S,
                retry=None,
                if_generation_match=0,
            )

    def signed_address(self, name: str, *, seconds: int = LONGEST_ADDRESS_S) -> str | None:
        """An address that everybody may read for so long (V4); None when our key cannot sign."""
        if not self._can_sign:
            return None
        seconds = min(seconds, LONGEST_ADDRESS_S)
        with self._told("sign for"):
            address: str = self._bucket.blob(name).generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=seconds),
                method="GET",
                client=self._client,
                api_access_endpoint=self.origin,
            )
        return address

    def fetch_address(self, address: str) -> bytes:
        """What is read at a signed address, without our key."""
        with self._told("read from"):
            response = self._plain.get(address, timeout=_TIMEOUT_S, allow_redirects=False)
        if response.status_code != 200:
            raise bucket_faults.of_response(response, bucket=self.name, doing="sign addresses for")
        content: bytes = response.content
        return content

    def describe(self) -> dict[str, Any]:
        """What Google tells of the bucket; REFUSED when the key may only touch objects."""
        with self._told("look at"):
            found = self._client.get_bucket(self.name, timeout=_TIMEOUT_S, retry=None)
        iam = found.iam_configuration
        return {
            "location": found.location or "",
            "storage_class": found.storage_class or "",
            "cors": list(found.cors),
            "is_public_prevented": iam.public_access_prevention == "enforced",
        }

    def sign_in(self) -> str:
        """Get a token; the e-mail address of the account, or what else is used."""
        from google.auth.credentials import AnonymousCredentials

        credentials = self._client._credentials
        if isinstance(credentials, AnonymousCredentials):
            return "no account (emulator)"
        from google.auth.transport.requests import Request

        with self._told("sign in to"):
            credentials.refresh(Request())
        return str(getattr(credentials, "service_account_email", "") or "this machine's own account")

    def skew_s(self) -> float:
        """By how many seconds the clock of this machine is ahead of Google's."""
        with self._told("reach"):
            response = self._plain.head(self.origin, timeout=_TIMEOUT_S, allow_redirects=False)
        said = response.headers.get("Date")
        return time.time() - parsedate_to_datetime(said).timestamp() if said else 0.0

    @cached_property
    def _client(self) -> Any:
        from google.cloud import storage

        options = {"api_endpoint": self.access.endpoint} if self.access.endpoint else None
        return storage.Client(
            project=self.access.project or None, credentials=self._credentials, client_options=options
        )

    @cached_property
    def _credentials(self) -> Any:
        """Of the key; without one those of the machine (a service account of Google's), none for an emulator.

        Raises:
            BucketFault: the key cannot be read (REFUSED).
        """
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.exceptions import DefaultCredentialsError
        from google.oauth2 import service_account

        if text := self.access.key or _read_key(self.access.key_path):
            try:
                kind = _local_credentials() if self.access.endpoint else service_account.Credentials
                return kind.from_service_account_info(json.loads(text), scopes=_SCOPES)
            except (ValueError, KeyError, TypeError):
                raise BucketFault(
                    FaultKind.REFUSED, "This is no key of a service account. Make a new one (JSON)."
                ) from None
        if self.access.endpoint:
            return AnonymousCredentials()
        try:
            return google.auth.default(scopes=_SCOPES)[0]
        except DefaultCredentialsError:
            raise BucketFault(
                FaultKind.REFUSED, "There is no key. Put the key of a service account into the settings."
            ) from None

    @cached_property
    def _bucket(self) -> Any:
        return self._client.bucket(self.name)

    @cached_property
    def _plain(self) -> Any:
        """For addresses that are their own key."""
        import requests
        from requests.adapters import HTTPAdapter

        class LargeBlocks(HTTPAdapter):
            """Sends blocks of 256 KiB: with the usual 16 KiB a fast line is bound by Python."""

            def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
                return super().init_poolmanager(*arguments, **options, blocksize=_BLOCK_BYTES)

        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, LargeBlocks())
        return session

    @property
    def _can_sign(self) -> bool:
        from google.auth.credentials import Signing

        return isinstance(self._credentials, Signing)

    @property
    def _not_found(self) -> type[Exception]:
        from google.api_core.exceptions import NotFound

        return NotFound

    def _is_there(self) -> bool:
        """Whether the bucket exists; a key that may not look at it is believed."""
        try:
            with self._told("look at"):
                self._client.get_bucket(self.name, timeout=_TIMEOUT_S, retry=None)
        except BucketFault as fault:
            if isinstance(fault.__cause__, self._not_found):
                return False
            if fault.kind != FaultKind.REFUSED:
                raise
        return True

    def _told(self, doing: str) -> _Told:
        return _Told(self.name, doing)


class _Told:
    """Turns what Google's libraries raise into a BucketFault."""

    def __init__(self, bucket: str, doing: str) -> None:
        self._bucket, self._doing = bucket, doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, BucketFault):
            raise bucket_faults.of_exception(error, bucket=self._bucket, doing=self._doing) from error


def _local_credentials() -> Any:
    """A service account for an emulator: nothing about it is asked of Google."""
    from google.oauth2 import service_account

    class LocalCredentials(service_account.Credentials):
        """Without the look-up, in the background, of the regions that the account may be used in."""

        def _is_regional_access_boundary_lookup_required(self) -> bool:
            return False

    return LocalCredentials


def _read_key(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text()
    except OSError:
        raise BucketFault(
            FaultKind.REFUSED, f"The key file {path} cannot be read. Check GCP_STORAGE_CREDENTIALS_PATH."
        ) from None
