"""The key of a machine: made once, kept over a power cut, made anew only when nothing is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from cctv import config
from cctv.capture.volume import Volume
from cctv.services.site import nodes

pytestmark = pytest.mark.usefixtures("context")


def test_the_key_stays(context: Flask) -> None:
    assert len(nodes.key()) == 32
    assert nodes.key() == nodes.key()


def test_a_name_without_bytes_is_no_key(context: Flask) -> None:
    (config.current().data_dir / "node_id").touch()
    assert len(nodes.key()) == 32
    assert [path.name for path in config.current().data_dir.glob(".node_id*")] == []


def test_a_volume_id_without_bytes_does_not_make_every_disk_the_wrong_one(tmp_path: Path) -> None:
    media_dir = tmp_path / "media"
    Volume(media_dir, tmp_path, every_s=60, hung_after_s=10).prepare()
    marker = (tmp_path / "volume_id").read_text()
    (tmp_path / "volume_id").write_text("")
    volume = Volume(media_dir, tmp_path, every_s=60, hung_after_s=10)
    volume.prepare()
    assert volume.state == "ok"
    assert (tmp_path / "volume_id").read_text() == marker
