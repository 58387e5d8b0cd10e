"""What the tests of services share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from cctv import create_app
from cctv.config import Config
from cctv.services.person import users
from tests.fixtures.application import running


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 rounds cost 250 ms each time; how strong the hash is is tested where it is made."""
    monkeypatch.setattr(users, "_ROUNDS", 4)


@pytest.fixture
def pages() -> None:
    """For a test that needs pages or the command line as well."""


@pytest.fixture
def app(config: Config, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """As in a worker: services need no pages."""
    has_pages = not {"client", "pages"}.isdisjoint(request.fixturenames)
    yield from running(create_app(config, has_pages=has_pages))
