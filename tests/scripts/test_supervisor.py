"""The supervisor with small real programs: restarts, back-off, rotation of logs; the access log's masks."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import leftovers, logs
from scripts.stack.part import Part, Plan, in_words
from scripts.stack.supervisor import Supervisor
from tests.fixtures.processes import ROOT
from tests.waiting import wait_until

FOREVER = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    lines: list[str] = []
    supervisor = Supervisor(tmp_path, dict(os.environ), say=lines.append)
    supervisor.lines = lines  # type: ignore[attr-defined]
    yield supervisor
    supervisor.stop()


def test_it_waits_longer_each_time_a_part_dies_young(tmp_path: Path) -> None:
    part = Part(Plan("short", ("true",)), log=tmp_path / "short.log", env=dict(os.environ))
    part.start()
    waits = [part.plan_restart() for _ in range(8)]
    assert waits == [0, 0.5, 1, 2, 4, 8, 10, 10]


def test_a_stubborn_part_is_killed_together_with_its_children(supervisor: Supervisor, tmp_path: Path) -> None:
    stubborn = "import signal, subprocess, time; signal.signal(15, signal.SIG_IGN); "
    stubborn += f"subprocess.Popen({list(FOREVER)!r}); print('up', flush=True); time.sleep(600)"
    supervisor.start([Plan("stubborn", (sys.executable, "-c", stubborn))])
    part = supervisor.parts[0]
    wait_until(lambda: logs.last_line(part.log) == "up", 5, "the program")
    assert len(leftovers.find_marked(tmp_path)) == 2
    part.terminate()
    part.kill()
    wait_until(lambda: not leftovers.find_marked(tmp_path), 5, "the child to be gone")


def test_a_part_that_lives_in_a_session_of_its_own_is_ended_too(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    away = f"import subprocess; subprocess.Popen({list(FOREVER)!r}, start_new_session=True)"
    supervisor.start([Plan("away", (sys.executable, "-c", away))])
    wait_until(lambda: supervisor.parts[0].take_exit() is not None, 5, "the parent to end")
    assert len(leftovers.find_marked(tmp_path)) == 1
    supervisor.stop()
    assert leftovers.find_marked(tmp_path) == []


def test_a_capture_is_left_for_the_next_start_but_not_by_a_stop(tmp_path: Path) -> None:
    environment = {**os.environ, leftovers.MARK: str(tmp_path)}
    argv = ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-"]
    capture = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    other = subprocess.Popen(FOREVER, env=environment)
    reaper = threading.Thread(target=lambda: (other.wait(), capture.wait()), daemon=True)
    reaper.start()
    wait_until(lambda: len(leftovers.find_marked(tmp_path)) == 2, 5, "both to run")
    leftovers.end(tmp_path, with_captures=False, patience_seconds=1)
    assert [process.pid for process in leftovers.find_marked(tmp_path)] == [capture.pid]
    leftovers.end(tmp_path, with_captures=True, patience_seconds=3)
    assert leftovers.find_marked(tmp_path) == []


def test_a_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    descriptor = logs.open_log(path)
    for number in range(5):
        os.write(descriptor, f"{number} ".encode() + b"x" * 100 + b"\n")
        logs.rotate(path, max_bytes=50)
    os.write(descriptor, b"last\n")
    os.close(descriptor)
    assert path.read_text() == "last\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part.log", *(f"part.log.{n}" for n in (1, 2, 3))]
    assert path.with_name("part.log.1").read_text().startswith("4 ")


def test_it_says_in_one_line_what_ended_and_why(supervisor: Supervisor) -> None:
    supervisor.start([Plan("broken", (sys.executable, "-c", "raise SystemExit('no disk')"))])
    began = time.monotonic()

    def tick() -> float:
        if time.monotonic() - began > 1:
            supervisor._ask_to_stop()
        return 0.05

    supervisor.run(tick)
    lines: list[str] = supervisor.lines  # type: ignore[attr-defined]
    assert lines[0] == "broken ended (exit code 1); starting it again at once. no disk"
    assert lines[1].startswith("broken ended (exit code 1, 2 times in a row); starting it again in 0.5 s.")


def test_a_part_that_cannot_be_started_is_told_of_and_tried_again_while_the_others_go_on(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    logs_folder = tmp_path / "logs"
    logs_folder.mkdir()
    (logs_folder / "blocked.log").mkdir()  # its log cannot be opened: as on a disk that takes nothing
    supervisor.start([Plan("well", FOREVER), Plan("blocked", FOREVER)])
    well, blocked = supervisor.parts
    lines: list[str] = supervisor.lines  # type: ignore[attr-defined]
    assert lines == ["blocked could not be started (Is a directory); starting it again at once."]
    began = time.monotonic()

    def tick() -> float:
        if len(lines) == 3 and (logs_folder / "blocked.log").is_dir():
            (logs_folder / "blocked.log").rmdir()
        if blocked.is_running or time.monotonic() - began > 10:
            supervisor._ask_to_stop()
        return 0.05

    supervisor.run(tick)
    assert blocked.is_running
    assert well.is_running
    assert lines[2] == "blocked could not be started (Is a directory); starting it again in 1 s."
    assert 1.5 <= time.monotonic() - began < 10


def test_a_part_that_not_even_kill_ends_is_told_of_and_does_not_hold_the_stop(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.start([Plan("hung", FOREVER), Plan("other", FOREVER)])
    hung, other = supervisor.parts
    # What a process in uninterruptible sleep does with signals: nothing, for now.
    monkeypatch.setattr(hung, "_kill_group", lambda: None)
    began = time.monotonic()
    supervisor._kill(supervisor.parts)
    assert time.monotonic() - began < 4
    assert not other.is_running
    lines: list[str] = supervisor.lines  # type: ignore[attr-defined]
    assert lines == ["hung does not end even when killed: does a disk not answer? It is left."]
    monkeypatch.undo()
    assert hung.kill()


def test_an_exit_is_told_in_words() -> None:
    assert [in_words(3), in_words(-signal.SIGKILL), in_words(-99)] == [
        "exit code 3",
        "signal KILL",
        "signal 99",
    ]


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("GET /stream/abc.DEF-1/3/main/live.m3u8 HTTP/1.1", "GET /stream/***/3/main/live.m3u8 HTTP/1.1"),
        ("POST /invite/abc-DEF_1 HTTP/1.1", "POST /invite/*** HTTP/1.1"),
        ("GET /setup/welcome?code=abc&x=1 HTTP/1.1", "GET /setup/welcome?code=***&x=1 HTTP/1.1"),
        ("http://h/a?access_token=abc&password=p", "http://h/a?access_token=***&password=***"),
        ("/add?url=rtsp://admin:pass@10.0.0.1/s", "/add?url=rtsp://***@10.0.0.1/s"),
        ("/add?url=rtsp%3A%2F%2Fadmin%3Apa%40ss%4010.0.0.1%2Fs", "/add?url=rtsp%3A%2F%2F***@10.0.0.1%2Fs"),
        ("/playback?cams=1,2&t=5", "/playback?cams=1,2&t=5"),
    ],
)
def test_the_access_log_hides_tokens_and_secrets(line: str, hidden: str) -> None:
    masked = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["masked"]
    assert masked(line) == hidden
