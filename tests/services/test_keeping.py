"""What people set about keeping footage: typed values, the preview, and that the night carries it out."""

from __future__ import annotations

import pytest

from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, Node, Recording, RecordingMode, Segment
from cctv.services.lifetime import keeping, retention_rules
from cctv.services.lifetime.keeping import Wish
from cctv.services.site import nodes, settings
from tests.services.footage import index_spans, make_camera

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

DAY = 86_400_000
NOW = 1_795_354_200_000  # 22 Nov 2026 13:30 UTC
NIGHT = NOW + 13 * 3_600_000 + 30 * 60_000
ONE = 600_800  # bytes of a file


@pytest.fixture
def node() -> Node:
    settings.save(time_zone="UTC")
    return nodes.this_node()


def filmed(node: Node, days: int, *, number: int = 1) -> Camera:
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=NOW - days * DAY, number=number)
    starts = [NOW - age * DAY for age in range(days, 0, -1)]
    index_spans(camera, [(start, start + 60_000) for start in starts], epoch_ms=starts[0], node=node)  # type: ignore[arg-type]
    return camera


def hold(camera: Camera, started_ms: int) -> None:
    db.session.add(
        Recording(
            camera_id=camera.id,
            kind="manual",
            started_ms=started_ms + 1,
            ended_ms=started_ms + 2,
            locked_by="Olive Owner",
            locked_reason="x",
        )
    )
    db.session.commit()


def test_the_preview_says_of_which_camera_from_when_to_when_and_how_much(node: Node) -> None:
    first, second = filmed(node, 10), filmed(node, 10, number=2)
    filmed(node, 10, number=3)
    wish = Wish(7, 0, False, {second.id: (0, 3 * 10**9), first.id: (None, None)})
    coming = keeping.preview(wish, at_ms=NOW)
    assert coming.at_ms == NIGHT
    assert len(coming.losses) == 2  # the second has no limit of days, and far less than its bytes
    loss = coming.losses[0]
    assert loss.camera_id == first.id
    assert (loss.files, loss.size_bytes) == (4, 4 * ONE)
    assert (loss.started_ms, loss.ended_ms) == (NOW - 10 * DAY, NOW - 7 * DAY + 60_000)
    assert coming.size_bytes == 8 * ONE


@pytest.mark.parametrize("is_held", [False, True])
def test_bytes_count_from_the_newest_and_what_is_held_is_left_out(
    node: Node, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    monkeypatch.setattr(keeping, "LEAST_BYTES", 1)
    camera = filmed(node, 6)
    if is_held:
        hold(camera, NOW - 6 * DAY)
    wish = Wish(0, 2 * ONE, False)
    (loss,) = keeping.preview(wish, at_ms=NOW).losses
    assert loss.files == (3 if is_held else 4)
    assert loss.ended_ms == NOW - 3 * DAY + 60_000
    keeping.save(wish)
    settings.save(rules_from_ms=0)
    gone = retention_rules.expire(node.id, at_ms=NOW)
    assert gone == loss.files
    assert db.session.query(Segment).count() == 6 - gone


def test_the_night_removes_what_the_preview_said(node: Node) -> None:
    filmed(node, 10)
    coming = keeping.save(Wish(7, 0, True))
    assert settings.get("rules_from_ms") == coming.at_ms
    assert retention_rules.expire(node.id, at_ms=coming.at_ms - 1) == 0
    assert keeping.waits_until_ms() == coming.at_ms
    before = sum(loss.files for loss in coming.losses)
    assert retention_rules.expire(node.id, at_ms=coming.at_ms) == before > 0


def test_rules_that_remove_nothing_hold_at_once_and_are_in_the_audit_log(node: Node) -> None:
    camera = filmed(node, 2)
    keeping.save(Wish(3000, 0, False, {camera.id: (2000, None)}))
    assert keeping.waits_until_ms() is None
    assert db.session.get_one(Camera, camera.id).keep_days == 2000
    assert {entry.action for entry in db.session.query(AuditEntry)} >= {"settings.change", "camera.edit"}


def test_typed_values_are_read_and_wrong_ones_named() -> None:
    typed = {"keep_days": " 30 ", "keep_gb": "1,5", "days_7": "0", "gb_7": "", "days_8": "14"}
    wish = keeping.parse(typed, [7, 8], keeps_manual=True)
    assert wish == Wish(30, 1_500_000_000, True, {7: (0, None), 8: (14, None)})
    wrong = {"keep_days": "a month", "keep_gb": "0.2", "days_7": "-1", "gb_7": "1e9"}
    with pytest.raises(Invalid) as refused:
        keeping.parse(wrong, [7], keeps_manual=False)
    assert set(refused.value.errors) == {"keep_days", "keep_gb", "days_7", "gb_7"}
