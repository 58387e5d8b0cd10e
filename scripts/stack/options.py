"""The options of `scripts/run`. Reads the command line only; the environment is read by cctv.config."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

_EPILOG = """\
environment (or .env, see .env.example):
  DATA_DIR      database, secrets, logs, private Redis   (default: data/ in the project)
  MEDIA_DIR     footage                                  (default: DATA_DIR/media)
  DATABASE_URL  PostgreSQL instead of SQLite             (postgresql://user:password@host/name)
  REDIS_URL     a Redis of yours instead of the private one
"""


@dataclass(frozen=True)
class Options:
    """Where the pages are served; `spent_seconds` is what the set-up took before."""

    host: str
    port: int
    spent_seconds: float


def parse_options(arguments: list[str]) -> Options:
    """Parse, or leave with the usage text as argparse does."""
    parser = argparse.ArgumentParser(
        prog="scripts/run",
        description="Start the whole system on this machine; Ctrl-C stops it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="port of the pages (default: %(default)s)")
    parser.add_argument("--spent", type=float, default=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    return Options(host=given.host, port=given.port, spent_seconds=given.spent)


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number
