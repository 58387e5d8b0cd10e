"""Copies in the bucket: sent, verified, gone on with after faults of line, Google, key, file and clock."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta

import google_crc32c
import pytest

from cctv.clock import from_ms, now_ms, utcnow
from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import Event, Recording, Segment, SegmentState, Transfer, TransferState
from cctv.services.bucket import cloud, transfer_rows, transfers, uploads
from cctv.services.lifetime import expiry
from cctv.services.site import settings
from cctv.storage import bucket_faults
from tests.bucket_server import Emulator, Front
from tests.fixtures.bucket import in_cloud
from tests.services.footage import MINUTE, T0
from tests.services.stored import again, ask, footage_of, path_of, this_node, work

pytestmark = pytest.mark.usefixtures("context")

PUT = r"^PUT .*upload_id="
BEGIN = r"^POST .*uploadType=resumable"
MB = 1 << 20


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    return in_cloud(config, front)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 256 KiB, so that a small file takes several."""
    monkeypatch.setattr(uploads, "FIRST_PIECE_BYTES", 256 * 1024)
    monkeypatch.setattr(uploads.Pace, "note", lambda *_: None)


def due_now(transfer: Transfer) -> None:
    """As if its pause, and the bucket's, were over."""
    begin_writing()
    db.session.query(Transfer).filter_by(id=transfer.id).update({"next_at": utcnow()})
    db.session.commit()
    node = this_node()
    begin_writing()
    node.cloud_next_ms = None
    db.session.commit()


def work_until_verified(transfer: Transfer, *, rounds: int = 8) -> Transfer:
    for _ in range(rounds):
        work()
        if again(transfer).state == TransferState.VERIFIED:
            break
        due_now(transfer)
    found = again(transfer)
    assert found.state == TransferState.VERIFIED, found.cause
    return found


def is_whole(transfer: Transfer, segment: Segment, emulator: Emulator) -> bool:
    """One object, with the bytes of the file."""
    found = emulator.objects()
    content = path_of(segment).read_bytes()
    return (
        list(found) == [transfer.object_name]
        and emulator.content(transfer.object_name) == content
        and found[transfer.object_name]["md5Hash"] == base64.b64encode(hashlib.md5(content).digest()).decode()
    )


def test_what_is_asked_for_is_copied_and_verified_one_object_for_each_file(
    emulator: Emulator, front: Front
) -> None:
    segments = footage_of([300_000, 1, 2 * MB])
    made = ask(segments)
    assert work() == 3
    objects = emulator.objects()
    assert len(objects) == 3
    for transfer, segment in zip(made, segments, strict=True):
        row = again(transfer)
        content = path_of(segment).read_bytes()
        crc = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        assert (row.state, row.crc32c, row.offset_bytes) == (TransferState.VERIFIED, crc, len(content))
        assert emulator.content(row.object_name) == content
        assert row.generation == objects[row.object_name]["generation"]
        assert row.session_sealed is None
    assert front.count(f"{BEGIN}.*ifGenerationMatch=0") == 3
    assert db.session.get_one(Segment, segments[0].id).state == SegmentState.KEPT


def test_names_end_in_bits_that_nobody_can_guess() -> None:
    first, second = (one.object_name for one in ask(footage_of([1, 1])))
    tails = [name.removesuffix(".mp4").rpartition("-")[2] for name in (first, second)]
    assert all(len(tail) == 32 and int(tail, 16) for tail in tails)
    assert tails[0] != tails[1]


@pytest.mark.parametrize("status", [408, 429, 503])
def test_trouble_of_google_only_takes_longer(emulator: Emulator, front: Front, status: int) -> None:
    (segment,) = footage_of([600_000])
    (transfer,) = ask([segment])
    front.answer(PUT, status)
    front.answer(BEGIN, status)
    assert work(2) == 0
    assert again(transfer).state == TransferState.PENDING
    assert again(transfer).next_at > utcnow()
    assert is_whole(work_until_verified(transfer), segment, emulator)


def test_pauses_grow_with_jitter_up_to_a_quarter_of_an_hour_and_obey_google() -> None:
    for tries, least, most in ((1, 0.5, 2), (5, 8, 32), (50, 225, 900)):
        assert all(least <= bucket_faults.pause_s(tries) <= most for _ in range(50))
    assert bucket_faults.pause_s(1, 120) == 120
    assert bucket_faults.pause_s(1, 86_400) == bucket_faults.LONGEST_WAIT_S


def test_a_reset_in_the_middle_goes_on_where_the_bucket_stopped(
    emulator: Emulator, front: Front, small_pieces: None
) -> None:
    (segment,) = footage_of([MB])
    (transfer,) = ask([segment])
    front.break_after(r"^PUT .*upload_id=", 100_000)
    work()
    front.break_after(r"^PUT .*upload_id=", 200_000)  # of the question how far it is: nothing to break
    due_now(transfer)
    work()
    assert is_whole(work_until_verified(transfer), segment, emulator)
    assert front.count(BEGIN) == 1
    sent = sum(one.sent_bytes for one in front.asked if "upload_id" in one.path)
    assert sent < 2 * MB


def test_an_answer_that_says_how_long_to_wait_is_obeyed(front: Front) -> None:
    (transfer,) = ask(footage_of([1000]))
    front.answer(BEGIN, 429, Retry_After="120")
    work(2)
    row = again(transfer)
    assert timedelta(seconds=100) < row.next_at - utcnow() < timedelta(seconds=125)
    asked = len(front.asked)
    ask(footage_of_other())
    assert work(2) == 0  # the whole machine leaves the bucket alone
    assert len(front.asked) == asked


def footage_of_other() -> list[Segment]:
    from tests.services.footage import make_camera
    from tests.services.stored import store

    return store(make_camera(number=2, since_ms=0), [1000])


@pytest.mark.parametrize("how", ["lost", "cut"])
def test_an_answer_lost_after_the_end_is_recognised(emulator: Emulator, front: Front, how: str) -> None:
    (segment,) = footage_of([500_000])
    (transfer,) = ask([segment])
    (front.lose_answer if how == "lost" else front.cut_answer)(PUT)
    work(2)
    sent = sum(one.sent_bytes for one in front.asked if "upload_id" in one.path)
    assert is_whole(work_until_verified(transfer), segment, emulator)
    assert sum(one.sent_bytes for one in front.asked if "upload_id" in one.path) == sent  # not a byte again


def test_an_object_of_the_name_that_is_ours_counts_and_another_is_left_alone(
    emulator: Emulator, front: Front
) -> None:
    (segment,) = footage_of([400_000])
    (transfer,) = ask([segment])
    bucket = cloud.open_bucket()
    name = transfer.object_name
    bucket.put_small(name, b"somebody else's", content_type="text/plain")
    work_until_verified(transfer)
    objects = emulator.objects()
    assert len(objects) == 2
    assert emulator.content(name) == b"somebody else's"
    assert again(transfer).object_name != name
    assert db.session.query(Event).filter_by(kind="cloud").count() == 1


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        (401, "authError", "key"),
        (403, "forbidden", "may not write"),
        (403, "quotaExceeded", "quota"),
        (404, "notFound", "no bucket"),
    ],
)
def test_what_needs_a_person_pauses_everything_and_is_asked_again_in_a_quarter_of_an_hour(
    emulator: Emulator, front: Front, status: int, reason: str, word: str
) -> None:
    (segment,) = footage_of([1000])
    (transfer,) = ask([segment])
    front.answer(BEGIN, status, reason=reason, times=-1)
    work(2)
    node = this_node()
    assert (node.cloud_state, word in node.cloud_detail) == ("refused", True), node.cloud_detail
    assert 14 * 60_000 < (node.cloud_next_ms or 0) - now_ms() <= 15 * 60_000
    assert word in again(transfer).cause
    assert again(transfer).tries == 0
    asked = front.count(BEGIN)
    for _ in range(5):
        assert work(1) == 0
    assert front.count(BEGIN) == asked
    front.faults.clear()
    cloud.resume()
    assert work() == 1
    assert this_node().cloud_state == "ok"
    assert is_whole(again(transfer), segment, emulator)


def test_a_key_that_google_does_not_know_any_more_is_told(front: Front) -> None:
    (transfer,) = ask(footage_of([1000]))
    front.token_error("Invalid grant: account not found")
    cloud._buckets.clear()
    work(2)
    assert "does not know this key" in again(transfer).cause


def test_a_wrong_clock_is_told_and_waits(front: Front) -> None:
    (transfer,) = ask(footage_of([1000]))
    front.token_error(
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    )
    cloud._buckets.clear()
    work(2)
    assert "clock" in again(transfer).cause
    assert this_node().cloud_state == "refused"


@pytest.mark.parametrize("status", [404, 410])
def test_a_session_that_is_over_begins_anew(
    emulator: Emulator, front: Front, small_pieces: None, status: int
) -> None:
    (segment,) = footage_of([700_000])
    (transfer,) = ask([segment])
    front.break_after(PUT, 100_000)
    work(2)
    due_now(transfer)
    front.answer(PUT, status)
    assert is_whole(work_until_verified(transfer), segment, emulator)
    assert front.count(BEGIN) == 2


def test_a_file_that_is_gone_or_changed_is_never_marked_as_good(emulator: Emulator, front: Front) -> None:
    gone, shorter, changed = footage_of([1000, 2000, 3000])
    made = ask([gone, shorter, changed])
    path_of(gone).unlink()
    path_of(shorter).write_bytes(b"x")
    begin_writing()
    db.session.get_one(Segment, changed.id).sha256 = "0" * 64
    db.session.commit()
    work()
    causes = []
    for transfer in made:
        row = again(transfer)
        assert row.state == TransferState.FAILED
        causes.append(row.cause)
    assert "is gone" in causes[0]
    assert "shorter" in causes[1]
    assert "has changed" in causes[2]
    assert emulator.objects() == {}
    assert db.session.query(Event).filter_by(kind="cloud").count() == 3
    assert transfer_rows.retry([made[0].id]) == 1


def test_a_file_that_changes_while_it_is_sent_is_told(
    emulator: Emulator, front: Front, small_pieces: None
) -> None:
    (segment,) = footage_of([600_000])
    (transfer,) = ask([segment])
    front.break_after(PUT, 100_000)
    work(2)
    content = bytearray(path_of(segment).read_bytes())
    content[-1] ^= 1
    path_of(segment).write_bytes(content)
    due_now(transfer)
    work(5)
    row = again(transfer)
    assert (row.state, "has changed while" in row.cause) == (TransferState.FAILED, True)
    assert emulator.objects() == {}


def test_bytes_that_are_spoilt_on_the_way_do_not_count(emulator: Emulator, front: Front) -> None:
    (segment,) = footage_of([500_000])
    (transfer,) = ask([segment])

    def spoil(found: dict[str, str]) -> dict[str, str]:
        return {**found, "crc32c": "AAAAAA=="}

    front.change_answer(r"^GET /storage/v1/b/[^/]+/o/", spoil)
    work(2)
    assert again(transfer).state == TransferState.PENDING
    assert emulator.objects() == {}  # what is not right does not stay
    assert is_whole(work_until_verified(transfer), segment, emulator)


def test_a_bucket_that_hangs_does_not_hold_the_job(
    front: Front, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    from cctv.storage import sending

    (segment,) = footage_of([300_000])
    (transfer,) = ask([segment])
    monkeypatch.setattr(sending, "_TIMEOUT_S", (0.3, 0.3))
    front.hang(PUT, 1.5)
    work(2)
    assert "in time" in again(transfer).cause
    assert is_whole(work_until_verified(transfer), segment, emulator)


def test_the_emulator_is_killed_in_the_middle_and_nothing_is_lost(
    emulator: Emulator, front: Front, small_pieces: None
) -> None:
    (segment,) = footage_of([MB])
    (transfer,) = ask([segment])
    front.break_after(PUT, 100_000)
    work(2)
    emulator.kill()
    due_now(transfer)
    work(2)
    row = again(transfer)
    assert row.state == TransferState.PENDING
    emulator.start()
    assert is_whole(work_until_verified(transfer), segment, emulator)


def test_the_bandwidth_is_kept_and_what_is_asked_for_goes_first(front: Front, small_pieces: None) -> None:
    settings.save(cloud_limit_mbit=8)
    by_rule, asked = footage_of([600_000, 600_000])
    first = ask([by_rule], priority=transfer_rows.BY_RULE)[0]
    second = ask([asked])[0]
    began = now_ms()
    transfers.work_on(this_node().id, seconds=0.3)
    assert again(second).offset_bytes > 0
    assert again(first).offset_bytes == 0
    work()
    assert again(first).state == again(second).state == TransferState.VERIFIED
    assert now_ms() - began > 850  # 1.2 MB at 1 MB/s, less the first quarter of a second


def test_rules_wait_for_their_hours_and_requests_do_not(context: object) -> None:
    moment = from_ms(now_ms())
    hours = [(moment + timedelta(hours=2)).strftime("%H:%M"), (moment + timedelta(hours=3)).strftime("%H:%M")]
    settings.save(cloud_hours=hours)
    by_rule, asked = footage_of([1000, 1000])
    ask([by_rule], priority=transfer_rows.BY_RULE)
    ask([asked])
    assert work() == 1
    settings.save(cloud_hours=[])
    assert work() == 1


def test_what_is_deleted_leaves_the_bucket_and_what_is_held_does_not(emulator: Emulator) -> None:
    first, held, left = footage_of([1000, 1000, 1000])
    made = ask([first, held, left])
    gone_id = made[0].id
    work()
    begin_writing()
    transfer_rows.leave_copies([left.id])
    for one in (first, left):
        db.session.get_one(Segment, one.id).state = SegmentState.EXPIRING
    db.session.add(
        Recording(
            camera_id=made[1].camera_id,
            kind="manual",
            started_ms=T0 + MINUTE,
            ended_ms=T0 + 2 * MINUTE,
            locked_by="Olive",
            locked_reason="x",
        )
    )
    db.session.get_one(Transfer, made[1].id).state = TransferState.REMOVING  # by mistake
    db.session.commit()
    assert expiry.finish_expiring(this_node().id) == 2
    assert again(made[0]).state == TransferState.REMOVING
    work()
    db.session.expire_all()
    assert db.session.get(Transfer, gone_id) is None
    assert again(made[1]).state == TransferState.VERIFIED
    kept = again(made[2])
    assert (kept.state, kept.segment_id) == (TransferState.VERIFIED, None)
    assert set(emulator.objects()) == {again(made[1]).object_name, kept.object_name}


def test_removing_goes_on_after_trouble_and_forgets_what_is_gone(front: Front, emulator: Emulator) -> None:
    (segment,) = footage_of([1000])
    (transfer,) = ask([segment])
    transfer_id = transfer.id
    work()
    begin_writing()
    db.session.get_one(Segment, segment.id).state = SegmentState.EXPIRING
    db.session.commit()
    expiry.finish_expiring(this_node().id)
    front.answer(r"^DELETE", 503)
    work(2)
    assert again(transfer).state == TransferState.REMOVING
    emulator.remove_all()
    due_now(transfer)
    work(2)
    db.session.expire_all()
    assert db.session.get(Transfer, transfer_id) is None


@pytest.fixture(autouse=True)
def _fresh_buckets() -> Iterator[None]:
    cloud._buckets.clear()
    yield
    cloud._buckets.clear()
