"""Loaded by every Python of a stage whose clock can be set; never by the product.

libfaketime 0.9.10 refuses to sleep until a moment of the monotonic clock, which is how Python 3.11 sleeps,
and does not step the times of files that are written after the clock was set.
"""

import os
import select
import time

_CLOCK = os.environ.get("FAKETIME_TIMESTAMP_FILE", "")
_fstat = os.fstat


def _sleep(seconds: float) -> None:
    select.select([], [], [], max(0.0, seconds))


def _stepped_fstat(descriptor: int) -> os.stat_result:
    real = _fstat(descriptor)
    clock = os.open(_CLOCK, os.O_RDONLY)
    try:
        stepped_ns, text = _fstat(clock).st_mtime_ns, os.read(clock, 32)
    finally:
        os.close(clock)
    if real.st_mtime_ns < stepped_ns:
        return real
    changed_ns = real.st_mtime_ns + int(float(text) * 1e9)
    times = {name: getattr(real, name) for name in ("st_atime", "st_ctime", "st_atime_ns", "st_ctime_ns")}
    return os.stat_result(tuple(real), times | {"st_mtime": changed_ns / 1e9, "st_mtime_ns": changed_ns})


time.sleep = _sleep  # type: ignore[assignment]
if _CLOCK:
    os.fstat = _stepped_fstat  # type: ignore[assignment]
