"""Every fault that a camera can have, all at once on one worker: what is told, what is kept, how long.

The cameras are made faulty together and each test looks at its own; see docs of the faults in cctv/demo.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.cameras import steps_of
from tests.capture.rig import Cam, Rig
from tests.waiting import wait_until

FRAMES = 160  # in the loops of 16 s
Scene = dict[str, Cam]

RUNNING = {
    "still": "t1",
    "stall": "t1",
    "hang": "t1",
    "fin": "t1",
    "rst": "t1",
    "forward": "t1",
    "far forward": "t1",
    "back": "t1",
    "far back": "t1",
    "switch": "t1",
    "mute": "t1a",
    "drop": "t1",
    "garbage": "t1",
    "password": "t1",
    "killed": "t1",
    "g711": "t1p",
    "h265": "t1h",
    "long gop": "t20",
    "aac": "t1a",
    "no parameter sets": "t1-nosprop",
}


@pytest.fixture(scope="module")
def scene(shared_rig: Rig) -> Iterator[Scene]:
    """All cameras, running or failing since their beginning."""
    rig, control = shared_rig, shared_rig.farm.control
    found: Scene = {}
    for number, (name, profile) in enumerate(RUNNING.items(), start=201):
        url = rig.farm.url(profile, number, auth=name == "password")
        found[name] = rig.add(profile, number, url=url)
    control("status", 231, 453)
    found["busy"] = rig.add("t1", 231)
    control("slow", 232, 4)
    found["slow answer"] = rig.add("t1", 232)
    control("slow", 233, 4, "frame")
    found["slow picture"] = rig.add("t1", 233)
    control("freeze", 234)
    found["silent"] = rig.add("t1", 234)
    control("http", 235)
    found["http"] = rig.add("t1", 235)
    found["401"] = rig.add("t1", 236, url=rig.farm.url("t1", 236, auth=True, password="wrong"))
    found["404"] = rig.add("t1", 237, url=rig.farm.url("nothing", 237))
    found["closed port"] = rig.add("t1", 238, url="rtsp://127.0.0.1:9/t1/238")
    found["no such address"] = rig.add("t1", 239, url="rtsp://127.1.2.3:9/t1/239")
    rig.wait_live(*(found[name] for name in RUNNING), timeout=40)
    yield found
    control("resume", "all")


@pytest.fixture(scope="module")
def faulty(shared_rig: Rig, scene: Scene) -> Scene:
    """The running cameras, some seconds later, each with its fault."""
    rig, control = shared_rig, shared_rig.farm.control
    time.sleep(4.0)  # enough for each to be a good attempt
    number = {name: cam.number for name, cam in scene.items()}
    control("stall", number["stall"])
    control("hang", number["hang"])
    control("kill", number["fin"])
    control("rst", number["rst"])
    control("jump", number["forward"], 20)
    control("jump", number["far forward"], 3600)
    control("back", number["back"], 6)
    control("back", number["far back"], 3600)
    control("switch", number["switch"], "t1w")
    control("mute", number["mute"])
    control("drop", number["drop"], 20)
    control("garbage", number["garbage"], 30)
    control("password", number["password"], "changed")
    control("kill", number["password"])
    import os
    import signal

    os.kill(rig.pid(scene["killed"]), signal.SIGKILL)
    return scene


def test_a_camera_that_stalls_is_told_frozen_and_recovers(shared_rig: Rig, faulty: Scene) -> None:
    cam = faulty["stall"]
    shared_rig.wait_state(cam, "frozen", "stall")
    stalled = shared_rig.pid(cam)
    wait_until(lambda: stalled not in [found.pid for found in shared_rig.captures(cam)], 15, "its end")
    shared_rig.farm.control("resume", cam.number)
    shared_rig.wait_live(cam)
    gap = wait_until(
        lambda: next((gap for gap in shared_rig.gaps(cam) if gap.cause == "stall"), None), 20, "the gap"
    )
    assert gap.ended_ms - gap.started_ms < 20_000


def test_a_camera_that_hangs_is_asked_again_without_waiting_for_its_timeout(
    shared_rig: Rig, faulty: Scene
) -> None:
    cam = faulty["hang"]
    wait_until(lambda: ("frozen", "stall") in shared_rig.history(cam), 15, "frozen to be told")
    shared_rig.wait_live(cam)


@pytest.mark.parametrize("name", ["fin", "rst", "killed"])
def test_an_end_is_followed_by_a_new_run_within_a_second_and_a_group_of_pictures(
    shared_rig: Rig, faulty: Scene, name: str
) -> None:
    cam = faulty[name]
    wait_until(lambda: len(shared_rig.runs(cam)) >= 2, 20, "a second run")
    first, second = shared_rig.runs(cam)[:2]
    files = shared_rig.segments(cam)
    end = max(file.ended_ms for file in files if file.run_id == first.id)
    begin = min(file.started_ms for file in files if file.run_id == second.id)
    assert 0 <= begin - end < 4000, "the rest is the load of twenty other faults"
    assert first.ended_cause in ("ended", "reset", "killed")
    gap = wait_until(
        lambda: next((gap for gap in shared_rig.gaps(cam) if gap.started_ms == end), None), 15, "the gap"
    )
    assert gap.cause == first.ended_cause


@pytest.mark.parametrize("name", ["forward", "far forward", "far back"])
def test_a_jump_of_the_cameras_clock_begins_a_new_run_and_keeps_times_true(
    shared_rig: Rig, faulty: Scene, name: str
) -> None:
    cam = faulty[name]
    wait_until(lambda: len(shared_rig.runs(cam)) >= 2, 30, "a second run")
    shared_rig.wait_live(cam)
    now = time.time() * 1000
    files = shared_rig.segments(cam)
    for file in files:
        assert file.ended_ms - file.started_ms <= (5 + 2) * 1000 + 1500
        assert file.ended_ms < now + 2000
    starts = [file.started_ms for file in files]
    assert starts == sorted(starts)


def test_a_small_step_back_loses_no_more_than_itself(shared_rig: Rig, faulty: Scene) -> None:
    cam = faulty["back"]
    shared_rig.wait_live(cam)
    assert max(file.ended_ms for file in shared_rig.wait_closed(cam, 3)) > time.time() * 1000 - 15_000


def test_another_picture_size_begins_a_new_run_with_its_own_init(shared_rig: Rig, faulty: Scene) -> None:
    cam = faulty["switch"]
    wait_until(lambda: len(shared_rig.runs(cam)) >= 2, 20, "a second run")
    first, second = shared_rig.runs(cam)[:2]
    assert (first.width, first.height) == (320, 240)
    assert (second.width, second.height) == (480, 270)
    assert first.ended_cause == "changed"
    assert shared_rig.stream(cam).width == 480


@pytest.mark.parametrize("name", ["mute", "drop", "garbage", "still", "aac"])
def test_lesser_troubles_do_not_end_the_run(shared_rig: Rig, faulty: Scene, name: str) -> None:
    cam = faulty[name]
    shared_rig.wait_closed(cam, 4)
    assert len(shared_rig.runs(cam)) == 1
    assert shared_rig.stream(cam).state == "live"


def test_finished_files_tell_the_facts_of_a_stream(shared_rig: Rig, faulty: Scene) -> None:
    cam = faulty["still"]
    row = wait_until(
        lambda: found if (found := shared_rig.stream(cam)).bitrate_kbps else None, 20, "the facts"
    )
    assert row.fps == pytest.approx(10, abs=0.5)
    assert row.gop_ms == pytest.approx(1000, abs=50)
    assert row.bitrate_kbps is not None
    assert 20 < row.bitrate_kbps < 400


def test_files_of_a_run_touch_exactly_and_lose_no_picture(shared_rig: Rig, faulty: Scene) -> None:
    cam = faulty["still"]
    files = shared_rig.wait_closed(cam, 4)
    assert all(later.started_ms == earlier.ended_ms for earlier, later in pairwise(files))
    assert set(steps_of(list(shared_rig.pictures(cam)), FRAMES)) == {1}


def test_a_login_that_worked_is_tried_again_rarely(shared_rig: Rig, faulty: Scene) -> None:
    cam = faulty["password"]
    shared_rig.wait_state(cam, "refused", "locked")
    time.sleep(4)  # longer than the first patience with a refusal: one more try, then a long pause
    assert shared_rig.farm.control.stats(cam.number)["logins_refused"] <= 2


def test_a_login_that_never_worked_is_tried_once(shared_rig: Rig, scene: Scene) -> None:
    cam = scene["401"]
    shared_rig.wait_state(cam, "refused", "auth")
    assert shared_rig.farm.control.stats(cam.number)["logins_refused"] == 1


@pytest.mark.parametrize(
    ("name", "state", "cause"),
    [
        ("busy", "refused", "busy"),
        ("404", "refused", "path"),
        ("closed port", "offline", "refused"),
        ("http", "offline", "nostart"),
        ("silent", "offline", "silent"),
    ],
)
def test_the_cause_is_named(shared_rig: Rig, scene: Scene, name: str, state: str, cause: str) -> None:
    shared_rig.wait_state(scene[name], state, cause)


def test_a_camera_that_is_away_leaves_nothing_behind_and_costs_no_ffmpeg(
    shared_rig: Rig, scene: Scene
) -> None:
    cam = scene["closed port"]
    shared_rig.wait_state(cam, "offline", "refused")
    time.sleep(5)  # several attempts
    assert shared_rig.captures(cam) == []
    assert list((shared_rig.config.media_dir / str(cam.camera_id)).iterdir()) == []


def test_a_silent_camera_is_captured_as_soon_as_it_answers(shared_rig: Rig, scene: Scene) -> None:
    cam = scene["silent"]
    shared_rig.wait_state(cam, "offline", "silent")
    shared_rig.farm.control("resume", cam.number)
    shared_rig.wait_live(cam, timeout=25)


@pytest.mark.parametrize("name", ["slow answer", "slow picture"])
def test_a_slow_camera_is_captured(shared_rig: Rig, scene: Scene, name: str) -> None:
    shared_rig.wait_live(scene[name])


def test_sound_that_mp4_cannot_hold_is_converted(shared_rig: Rig, scene: Scene) -> None:
    row = shared_rig.stream(scene["g711"])
    assert row.state == "live"
    assert row.audio_codec == "mp4a.40.2"


def test_a_camera_that_does_not_announce_its_picture_size_is_captured(shared_rig: Rig, scene: Scene) -> None:
    row = shared_rig.stream(scene["no parameter sets"])
    assert (row.state, row.width) == ("live", 320)


def test_a_camera_without_sound_is_captured(shared_rig: Rig, scene: Scene) -> None:
    assert shared_rig.stream(scene["still"]).audio_codec is None


def test_h265_is_stored_as_players_want_it(shared_rig: Rig, scene: Scene) -> None:
    row = shared_rig.stream(scene["h265"])
    assert row.state == "live"
    assert (row.video_codec or "").startswith("hvc1")


def test_few_key_frames_are_no_reason_to_end_a_capture(shared_rig: Rig, scene: Scene) -> None:
    cam = scene["long gop"]
    shared_rig.wait_closed(cam, 2, timeout=50)
    assert len(shared_rig.runs(cam)) == 1


def test_no_list_file_with_a_password_is_left(shared_rig: Rig, scene: Scene) -> None:
    shared_rig.wait_live(scene["aac"])
    folders = [capture.run_key for capture in shared_rig.captures(scene["aac"])]
    for key in folders:
        folder = shared_rig.config.media_dir / str(scene["aac"].camera_id) / key
        assert not (folder / "source.ffconcat").exists()
        assert (folder / "run.json").exists()


def test_all_cameras_come_back_together_after_an_outage(shared_rig: Rig, faulty: Scene) -> None:
    names = ["still", "fin", "rst", "aac", "g711", "h265", "mute", "drop", "killed", "hang"]
    for name in faulty:
        if name not in names:
            shared_rig.disable(faulty[name])
    shared_rig.farm.control("resume", "all")
    shared_rig.farm.control("down", "all", 3)
    for name in names:
        shared_rig.wait_state(faulty[name], "offline", timeout=10)
    began = time.monotonic()
    shared_rig.wait_live(*(faulty[name] for name in names), timeout=20)
    assert time.monotonic() - began < 12
    assert len(shared_rig.captures()) == len(names), (
        "one ffmpeg each, none of the cameras that were turned off"
    )
