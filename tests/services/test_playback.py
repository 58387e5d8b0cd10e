"""Playing back: playlists that an independent player reads, over runs, gaps and file borders; key frames."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from cctv import config
from cctv.errors import NotFound
from cctv.extensions import db
from cctv.models import Camera, Recording, RecordingMode
from cctv.services.footage import open_files, playback, segments
from cctv.storage import paths
from tests.media.loops import EPOCH_S
from tests.services.footage import (
    MINUTE,
    T0,
    closed_files,
    index_spans,
    make_camera,
    make_node,
    put_real_run,
)

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

E0 = EPOCH_S * 1000
LATER = E0 + 3_600_000


def filmed(mode: str = RecordingMode.CONTINUOUS, *, sound: bool = False) -> tuple[Camera, Path]:
    camera = make_camera(mode, since_ms=0)
    directory = put_real_run(camera, node=make_node(), sound=sound)
    segments.index(closed_files(directory))
    return camera, directory


def want(camera: Camera, start_ms: int, end_ms: int) -> None:
    db.session.add(Recording(camera_id=camera.id, kind="manual", started_ms=start_ms, ended_ms=end_ms))
    db.session.commit()


def frame_times(camera: Camera, text: str) -> list[float]:
    """Presentation times that ffprobe reads when it plays the text, relative to EPOCH_S."""
    path = paths.camera_dir(config.current().media_dir, camera.id) / "test.m3u8"
    path.write_text(text)
    command = ["ffprobe", "-v", "error", "-allowed_extensions", "ALL", "-show_packets", "-of", "json"]
    command += ["-select_streams", "v:0", "-show_entries", "packet=pts_time", str(path)]
    found = subprocess.run(command, capture_output=True, timeout=30, check=True)
    times = sorted(float(packet["pts_time"]) for packet in json.loads(found.stdout)["packets"])
    return [round(time - EPOCH_S, 3) for time in times]


def dates(text: str) -> list[int]:
    found = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", text)
    return [round(datetime.fromisoformat(one).timestamp() * 1000) for one in found]


def durations(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", text)]


def test_an_independent_player_reads_every_frame_across_file_borders() -> None:
    camera, _directory = filmed(sound=True)
    made = playback.playlist(camera.id, E0, E0 + 12_000, at_ms=LATER)
    assert made.is_finished
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in made.text
    assert made.text.rstrip().endswith("#EXT-X-ENDLIST")
    times = frame_times(camera, made.text)
    assert len(times) == 300
    assert [time - times[0] for time in times] == pytest.approx([n / 25 for n in range(300)], abs=0.01)
    assert made.text.count("#EXT-X-MAP") == 1
    assert "#EXT-X-DISCONTINUITY\n" not in made.text
    ((start, end, at_s),) = made.positions
    assert (end - start, at_s) == (12_000, 0.0)
    assert sum(durations(made.text)) == pytest.approx(12, abs=0.01)


def test_runs_are_joined_by_a_discontinuity_and_keep_their_own_dates() -> None:
    camera, _directory = filmed()
    second = put_real_run(camera, ordinal=2, shift_ms=60_000, node=make_node())
    segments.index(closed_files(second))
    made = playback.playlist(camera.id, E0, E0 + 120_000, at_ms=LATER)
    assert made.text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert made.text.count("#EXT-X-MAP") == 2
    assert dates(made.text) == [E0 + s * 1000 for s in (0, 4, 8, 60, 64, 68)]
    assert made.positions == [(E0, E0 + 12_000, 0.0), (E0 + 60_000, E0 + 72_000, 12.0)]
    assert json.loads(json.dumps(made.as_dict()))["duration_s"] == pytest.approx(24, abs=0.01)


def test_only_what_was_wanted_is_shown_from_the_key_frame_before() -> None:
    camera, _directory = filmed(RecordingMode.MANUAL)
    want(camera, E0 + 2_400, E0 + 3_500)
    want(camera, E0 + 9_100, E0 + 10_100)
    segments.keep(camera.id, E0, E0 + 12_000)
    db.session.commit()
    made = playback.playlist(camera.id, E0, E0 + 12_000, at_ms=LATER)
    times = frame_times(camera, made.text)
    assert (min(times), max(times)) == (2.0, 10.96)
    assert not [time for time in times if 4.0 <= time < 9.0]
    assert made.text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert made.text.count("#EXT-X-MAP") == 1  # one run, one init
    with pytest.raises(NotFound):
        playback.playlist(camera.id, E0 + 5_000, E0 + 8_000, at_ms=LATER)


def test_what_two_nodes_recorded_is_played_once() -> None:
    camera, _directory = filmed()
    second = put_real_run(camera, ordinal=2, shift_ms=6_000, node=make_node("b" * 32))
    segments.index(closed_files(second))
    made = playback.playlist(camera.id, E0, E0 + 60_000, at_ms=LATER)
    assert made.duration_s == pytest.approx(18, abs=1.05)


def test_a_running_recording_plays_up_to_its_last_whole_group_and_grows_without_changing() -> None:
    camera, directory = filmed()
    run_key = directory.name
    db.session.query(segments.Segment).filter_by(number=2).delete()
    camera.main.run_key = run_key
    db.session.commit()
    newest = directory / "00002.mp4"
    content = newest.read_bytes()
    texts = []
    for share in (0.35, 0.8, 1.0):
        newest.write_bytes(content[: int(len(content) * share)])
        open_files.forget()
        made = playback.playlist(camera.id, E0, E0 + 600_000, at_ms=E0 + 11_000)
        assert not made.is_finished
        assert "#EXT-X-PLAYLIST-TYPE:EVENT" in made.text
        assert "#EXT-X-ENDLIST" not in made.text
        texts.append(made.text)
    assert texts[0] in texts[1]
    assert texts[1] in texts[2]
    segments.index(closed_files(directory))
    made = playback.playlist(camera.id, E0, E0 + 600_000, at_ms=E0 + 13_000)
    assert made.text.startswith(texts[2])
    made = playback.playlist(camera.id, E0, E0 + 600_000, at_ms=LATER)
    assert len(frame_times(camera, made.text)) == 300
    open_files.forget()


def test_the_date_of_a_run_is_that_of_its_earliest_sample() -> None:
    camera, directory = filmed(sound=True)
    made = playback.playlist(camera.id, E0, E0 + 12_000, at_ms=LATER)
    command = ["ffprobe", "-v", "error", "-show_packets", "-of", "json"]
    command += ["-show_entries", "packet=pts_time", str(directory / "00000.mp4")]
    found = subprocess.run(command, capture_output=True, timeout=30, check=True)
    earliest = min(float(packet["pts_time"]) for packet in json.loads(found.stdout)["packets"])
    assert dates(made.text)[0] == pytest.approx(earliest * 1000, abs=2)


def test_the_picture_of_a_moment_is_the_key_frame_before_it() -> None:
    camera, directory = filmed(sound=True)
    found = playback.key_frame_at(camera.id, E0 + 6_700)
    assert found.number == 1
    assert 6_000 <= found.at_ms - E0 < 6_100
    content = (directory / "00001.mp4").read_bytes()
    picture = content[: found.init_size] + content[found.offset : found.offset + found.size]
    command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-frames:v", "1", "-f", "rawvideo", "-"]
    decoded = subprocess.run(
        [*command[:-3], "-pix_fmt", "gray", *command[-3:]], input=picture, capture_output=True, timeout=30
    )
    assert len(decoded.stdout) == 320 * 240
    with pytest.raises(NotFound):
        playback.key_frame_at(camera.id, E0 + 60_000)
    (directory / "00001.mp4").unlink()
    with pytest.raises(NotFound):
        playback.key_frame_at(camera.id, E0 + 6_700)


def test_an_hour_is_listed_quickly_and_a_day_is_cut() -> None:
    camera = make_camera()
    index_spans(camera, [(T0 + n * MINUTE, T0 + (n + 1) * MINUTE) for n in range(600)])
    made = playback.playlist(camera.id, T0, T0 + 3_600_000, at_ms=T0 + 86_400_000)
    assert len(durations(made.text)) == 900
    assert min(durations(made.text)) >= 4
    long = playback.playlist(camera.id, T0, T0 + 86_400_000, at_ms=T0 + 864_000_000)
    assert long.to_ms == T0 + playback.LONGEST_PLAYLIST_MS
