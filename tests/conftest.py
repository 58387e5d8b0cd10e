"""Registers the fixtures and the marker `each_database`. The fixtures themselves are in tests/fixtures."""

from __future__ import annotations

import pytest

pytest_plugins = [
    "tests.fixtures.application",
    "tests.fixtures.bucket",
    "tests.fixtures.processes",
    "tests.fixtures.browser",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--api-examples",
        type=int,
        default=3,
        help="requests made up for each operation of the API",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "each_database: run the test on SQLite and again on PostgreSQL")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("each_database"):
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
