"""What the tests of services share."""

from __future__ import annotations

import pytest

from cctv.services import users


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 rounds cost 250 ms each time; how strong the hash is is tested where it is made."""
    monkeypatch.setattr(users, "_ROUNDS", 4)
