"""Encodes the loops of the demo camera and of the tests' cameras before the clock of a test runs.

Started by the virtual environment's Python, since it asks the product; a loop that is there is left alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cctv.demo.loops import make_loop
from cctv.demo.profiles import PROFILES


def main(cache_dir: Path) -> int:
    """Make the small loops; the large ones belong to the benchmark, which makes them itself."""
    for profile in PROFILES.values():
        if profile.name == "demo" or profile.name.startswith("t"):
            make_loop(profile, cache_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
