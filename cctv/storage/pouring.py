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
_LONG_CHUNK_BYTES = 4 << 20  # where the kernel copies
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
        return hashing.finish()


def pour_into(
    descriptor: int, head: bytes, ranges: Iterable[Range], *, on_bytes: Callable[[int], None]
) -> str:
    """As `pour`, to the end of an open file: the kernel copies, and no byte passes through this process but
    for the hash."""
    with _Hashing() as hashing:
        _write_all(descriptor, head)
        hashing.add(head)
        for one in ranges:
            at = one.offset
            while at < one.end:
                count = os.sendfile(descriptor, one.fd, at, min(_LONG_CHUNK_BYTES, one.end - at))
                if not count:
                    raise EOFError("a file is shorter than it was")
                hashing.add((one.fd, at, count))
                at += count
                on_bytes(count)
        return hashing.finish()


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sha256_of(path: Path, *, on_bytes: Callable[[int], None]) -> str:
    """SHA-256 of a whole file, in hex. OSError when it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


class _Hashing:
    """SHA-256 on a thread of its own: hashing lets go of the interpreter, so that it costs little time beside
    reading and writing where there is a second core. Ranges of files are read there, too."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._chunks: SimpleQueue[bytes | tuple[int, int, int] | None] = SimpleQueue()
        self._room = Semaphore(_WAITING_CHUNKS)
        self._thread = Thread(target=self._run, daemon=True)
        self._problem: Exception | None = None

    def add(self, chunk: bytes | tuple[int, int, int]) -> None:
        """Bytes, or (descriptor, offset, size); waits while enough of them wait."""
        self._room.acquire()
        self._chunks.put(chunk)

    def finish(self) -> str:
        """The hash in hex, once all of it is hashed. EOFError or OSError where a range could not be read."""
        self._chunks.put(None)
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        return self._digest.hexdigest()

    def _run(self) -> None:
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        while (chunk := self._chunks.get()) is not None:
            try:
                if self._problem is None:
                    self._hash(chunk, buffer)
            except (OSError, EOFError) as error:
                self._problem = error
            self._room.release()

    def _hash(self, chunk: bytes | tuple[int, int, int], buffer: memoryview) -> None:
        if isinstance(chunk, bytes):
            self._digest.update(chunk)
            return
        descriptor, at, size = chunk
        while size:
            count = os.preadv(descriptor, [buffer[: min(size, len(buffer))]], at)
            if not count:
                raise EOFError("a file is shorter than it was")
            self._digest.update(buffer[:count])
            at, size = at + count, size - count

    def __enter__(self) -> _Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()
