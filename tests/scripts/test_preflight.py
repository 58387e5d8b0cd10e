"""What a start refuses, and in which words."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cctv import create_app
from cctv.services.site import doctor
from scripts.stack import preflight
from tests.fixtures.application import make_config


@pytest.fixture
def damaged(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """A DATA_DIR whose database has noise in the middle."""
    shutil.copyfile(migrated_sqlite, tmp_path / "cctv.db")
    with (tmp_path / "cctv.db").open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(100_000))
    return tmp_path


def test_a_damaged_database_is_told_with_the_way_out(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(damaged))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    refusal = preflight.inspect(take_lock=False).refusal
    assert "database is damaged" in refusal
    assert "flask reconcile" in refusal


def test_the_doctor_names_the_damage(damaged: Path) -> None:
    config = make_config(damaged, database_url=f"sqlite:///{damaged}/cctv.db", redis_url="unix:///nowhere")
    with create_app(config).app_context():
        found = {finding.name: finding for finding in doctor.examine()}
    assert found["database"].state == "bad"
    assert "damaged" in found["database"].sentence
