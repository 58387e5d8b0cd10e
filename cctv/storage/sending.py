"""The bytes of a file on their way into a resumable session, at most so fast, never all in memory.

Speaks the protocol of a session (cloud.google.com/storage/docs/performing-resumable-uploads); the session's
address is a secret of its own, so nothing here has a key.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cctv.storage import bucket_faults
from cctv.storage.bucket_faults import BucketFault, FaultKind

UNIT_BYTES = 256 * 1024  # a piece that is not the last has a multiple of it
_BLOCK_BYTES = 256 * 1024
_HASH_BYTES = 1 << 20
_TIMEOUT_S = (10.0, 60.0)  # without any progress while sending; for the answer
_RANGE = re.compile(r"bytes=0-([0-9]+)")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the bucket says that it holds."""

    name: str
    size_bytes: int
    crc32c: str  # base64, big endian
    generation: str


class FileChanged(Exception):
    """The local file ended before the bytes that its row tells of."""


def fingerprint(descriptor: int, size_bytes: int, digest: Any | None = None) -> str:
    """CRC-32C, as Google writes it, of the first bytes of a file; `digest` (of hashlib) sees them as well.

    FileChanged when they are not all there.
    """
    import google_crc32c

    checksum = google_crc32c.Checksum()
    offset = 0
    while offset < size_bytes:
        block = os.pread(descriptor, min(_HASH_BYTES, size_bytes - offset), offset)
        if not block:
            raise FileChanged
        checksum.update(block)
        if digest is not None:
            digest.update(block)
        offset += len(block)
    return base64.b64encode(checksum.digest()).decode()


class Throttle:
    """Lets so many bytes a second pass, over all files; 0 means as fast as it goes."""

    def __init__(self, bytes_per_second: int = 0) -> None:
        self.bytes_per_second = bytes_per_second
        self._free_at = time.monotonic()

    def wait(self, size: int) -> None:
        """Take part in the flow; sleeps while it is ahead of the limit."""
        if not self.bytes_per_second:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 0.25) + size / self.bytes_per_second
        if self._free_at > now:
            time.sleep(self._free_at - now)


class Piece:
    """A range of a file as the body of a request: read block by block while it is sent."""

    def __init__(self, descriptor: int, offset: int, size: int, throttle: Throttle) -> None:
        self._descriptor = descriptor
        self._at, self._end = offset, offset + size
        self._throttle = throttle

    def __len__(self) -> int:
        return self._end - self._at

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(_BLOCK_BYTES):
            yield block

    def read(self, size: int = -1) -> bytes:
        """The next bytes; http.client asks for them. FileChanged when the file ends too early."""
        wanted = min(_BLOCK_BYTES if size < 0 else size, self._end - self._at)
        if wanted <= 0:
            return b""
        block = os.pread(self._descriptor, wanted, self._at)
        if not block:
            raise FileChanged
        self._throttle.wait(len(block))
        self._at += len(block)
        return block


class Session:
    """One resumable session of an object; `bucket` is only for sentences."""

    def __init__(self, transport: Any, address: str, *, bucket: str, total_bytes: int) -> None:
        self._transport = transport
        self._address = address
        self._bucket = bucket
        self._total = total_bytes

    def ask(self) -> int | StoredObject:
        """How many bytes the bucket has, or the finished object.

        Raises:
            BucketFault: the session is no more (SESSION), or as for every request.
        """
        return self._put(None, f"bytes */{self._total}")

    def send(self, piece: Piece, offset: int) -> int | StoredObject:
        """Send a piece that begins at `offset`; how many bytes the bucket has then, or the finished object.

        Raises:
            FileChanged: the local file ended too early.
            BucketFault: as for `ask`; EXISTS and DIFFERS at the end of the object.
        """
        return self._put(piece, f"bytes {offset}-{offset + len(piece) - 1}/{self._total}")

    def cancel(self) -> None:
        """Forget the session with the bytes that it got; never raises for one that is gone."""
        self._request("DELETE", None, {"Content-Length": "0"})

    def _put(self, body: Piece | None, content_range: str) -> int | StoredObject:
        headers = {"Content-Range": content_range}
        if body is None:
            headers["Content-Length"] = "0"
        response = self._request("PUT", body, headers)
        if response.status_code in (200, 201):
            return stored_object(response.content)
        if response.status_code == 308:
            match = _RANGE.fullmatch(response.headers.get("Range", ""))
            return int(match[1]) + 1 if match else 0
        raise self._fault(response)

    def _request(self, method: str, body: Piece | None, headers: dict[str, str]) -> Any:
        try:
            # 308 is no redirect here (RFC 9110 came after the protocol).
            return self._transport.request(
                method, self._address, data=body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except FileChanged:
            raise
        except Exception as error:
            raise bucket_faults.of_exception(error, bucket=self._bucket, doing="write into") from error

    def _fault(self, response: Any) -> BucketFault:
        status = response.status_code
        if status in (404, 410, 499):
            return BucketFault(FaultKind.SESSION, "The upload's session has ended at Google's side.")
        if status == 400:
            # The announced CRC-32C does not match, or the piece does not begin where the last one ended.
            return BucketFault(FaultKind.DIFFERS, "The bucket got other bytes than were sent.")
        return bucket_faults.of_response(response, bucket=self._bucket, doing="write into")


def stored_object(body: bytes) -> StoredObject:
    """An object resource as JSON.

    Raises:
        BucketFault: the answer was cut off (AWAY): whether the object is there has to be asked.
    """
    try:
        found = json.loads(body)
        return StoredObject(
            name=str(found["name"]),
            size_bytes=int(found["size"]),
            crc32c=str(found["crc32c"]),
            generation=str(found["generation"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BucketFault(FaultKind.AWAY, "Google's answer was cut off.") from error
