"""Pours bytes of open files into another one and takes their SHA-256 on the way, beside the writing.

Knows nothing of what the bytes mean; whoever calls decides when to stop.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Protocol

_CHUNK_BYTES = 1 << 20
_WAITING_CHUNKS = 8  # between writing and hashing: what is written is in memory so long


class Range(Protocol):
    """Bytes [offset, end) of an open file."""

    @property
    def fd(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def end(self) -> int: ...


def pour(
    head: bytes,
    ranges: Iterable[Range],
    write: Callable[[bytes], object],
    *,
    on_bytes: Callable[[int], None],
) -> str:
    """Write `head` and the ranges; the SHA-256 of all of it, in hex. `on_bytes` is told of each chunk.

    Raises:
        EOFError: a file is shorter than its range.
        OSError: a disk refuses. Whatever `on_bytes` raises goes through.
    """
    with _Hashing() as hashing:
        write(head)
        hashing.add(head)
        for one in ranges:
            at = one.offset
            while at < one.end:
                chunk = os.pread(one.fd, min(_CHUNK_BYTES, one.end - at), at)
                if not chunk:
                    raise EOFError("a file is shorter than it was")
                write(chunk)
                hashing.add(chunk)
                at += len(chunk)
                on_bytes(len(chunk))
    return hashing.hexdigest()


def writing_to(descriptor: int) -> Callable[[bytes], None]:
    """A `write` for `pour` into an open file."""

    def write(content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


def sha256_of(path: Path, *, on_bytes: Callable[[int], None]) -> str:
    """SHA-256 of a whole file, in hex. OSError when it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


class _Hashing:
    """SHA-256 on a thread of its own: hashing lets go of the interpreter, so that it costs no time beside
    reading and writing where there is a second core."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = Semaphore(_WAITING_CHUNKS)
        self._thread = Thread(target=self._run, daemon=True)

    def add(self, chunk: bytes) -> None:
        self._room.acquire()
        self._chunks.put(chunk)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def _run(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            self._digest.update(chunk)
            self._room.release()

    def __enter__(self) -> _Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._chunks.put(None)
        self._thread.join()
