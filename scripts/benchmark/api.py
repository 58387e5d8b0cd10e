"""Measures the API and the web server beside 16 cameras that record: many apps, then a flood of nonsense.

Each app asks again as soon as it is answered; what strangers send is wrong in every way, at a steady rate.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from pathlib import Path

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Recording, Role, Stream
from cctv.services.person import users
from cctv.services.sign_in import app_sessions
from cctv.services.site import settings
from scripts.benchmark.figure import Figure
from scripts.benchmark.node import Node, node, pss_mb
from tests.capture.rig import Cam
from tests.fixtures.processes import LiveServer

PROFILES = ("a4", "c2")  # as in capture.py
RECORDED, LISTED, APPS = 16, 64, 32
KEPT = 2_000  # recordings, of which a page is asked for
BAD, BAD_SECONDS = 5_000, 120.0
_STRANGERS = 8  # connections of theirs
_LEGITIMATE_EVERY = 0.5
_SETTLE_SECONDS = 5.0
CAMERAS = f"/v0/api/cctv/cameras/?page_size={LISTED}"
RECORDINGS = "/v0/api/cctv/recordings/?page_size=50"


@dataclass
class Asked:
    """What some clients were answered; safe to fill from several threads."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)  # 0: no answer

    def note(self, seconds: float, status: int) -> None:
        """One answer."""
        self.seconds.append(seconds)
        self.statuses[status] += 1

    @property
    def p95_ms(self) -> float:
        """Of all of them."""
        return sorted(self.seconds)[len(self.seconds) * 19 // 20] * 1000

    @property
    def errors(self) -> int:
        """Answers other than 200."""
        return sum(count for status, count in self.statuses.items() if status != 200)


def measure(
    *,
    seconds: float = 300,
    profiles: tuple[str, ...] = PROFILES,
    recorded: int = RECORDED,
    apps: int = APPS,
) -> list[Figure]:
    """A minute of apps and two of nonsense; half a minute of each when quick, the nonsense as dense."""
    app_seconds, bad_seconds = min(seconds, 60.0), min(seconds, BAD_SECONDS)
    with node(*profiles) as site:
        tokens = _fill(site, apps)
        server = LiveServer(site.config)
        try:
            worker = site.run_worker()
            numbers = range(1, recorded + 1)
            cams = [
                site.add(profiles[number % len(profiles)], number, recording_mode="continuous")
                for number in numbers
            ]
            site.wait_live(*cams, timeout=90)
            server.wait()
            time.sleep(_SETTLE_SECONDS)
            seen = _apps(server.port, tokens, app_seconds)
            flooded = _flood(server, tokens[0], bad_seconds)
            worker.stop()  # closes the last files
            missing = sum(_missing_seconds(site, cam) for cam in cams)
        finally:
            server.close()
    return [*_of_apps(seen, apps, recorded, app_seconds), *flooded, _gap(missing, recorded)]


def _fill(site: Node, apps: int) -> list[str]:
    """Tokens of that many people, in a site with a full list of cameras and many recordings."""
    with site.rows() as session:
        settings.save(organisation_name="Bench", setup_finished=True)
        tokens = []
        for number in range(apps):
            name = f"app{number}"
            user = users.create_user(
                name, f"{name}@example.org", password="a long enough password", role=Role.ADMIN
            )
            tokens.append(app_sessions.begin(user).access_token)
        begin_writing()
        for number in range(RECORDED + 1, LISTED + 1):
            camera = Camera(number=100 + number, name=f"Camera {number}", is_enabled=False)
            camera.streams = [Stream(kind="main", url="rtsp://192.168.1.9/x", state="off")]
            session.add(camera)
        session.flush()
        ids = list(session.scalars(db.select(Camera.id)))
        latest = now_ms() - 3_600_000
        for number in range(KEPT):
            at = latest - number * 1_200_000
            session.add(
                Recording(
                    camera_id=ids[number % len(ids)], kind="manual", started_ms=at, ended_ms=at + 60_000
                )
            )
        session.commit()
    return tokens


def _apps(port: int, tokens: list[str], seconds: float) -> dict[str, Asked]:
    """By address: what apps were answered that ask for both lists in turn, without a pause."""
    seen = {CAMERAS: Asked(), RECORDINGS: Asked()}
    until = time.monotonic() + seconds

    def use(token: str) -> None:
        client = _Client(port)
        for path in cycle(seen):
            if time.monotonic() >= until:
                break
            seen[path].note(*client.ask("GET", path, {"Authorization": f"Bearer {token}"}))
        client.close()

    _side_by_side([lambda token=token: use(token) for token in tokens])  # type: ignore[misc]
    return seen


def _of_apps(seen: dict[str, Asked], apps: int, recorded: int, seconds: float) -> list[Figure]:
    names = {CAMERAS: f"API, list of {LISTED} cameras, p95", RECORDINGS: "API, page of recordings, p95"}
    figures = []
    for path, asked in seen.items():
        pace = len(asked.seconds) / seconds
        how = f"{apps} apps without a pause beside {recorded} cameras, {pace:.0f} a second"
        figures.append(Figure(names[path], asked.p95_ms, "ms", how, 150))
    statuses = sum((asked.statuses for asked in seen.values()), Counter())
    errors = sum(asked.errors for asked in seen.values())
    return [*figures, Figure("API, answers that are errors", errors, "", _told(statuses), 0)]


def _flood(server: LiveServer, token: str, seconds: float) -> list[Figure]:
    """Nonsense at a steady rate while one app goes on; memory is looked at before and after it."""
    rate = BAD / BAD_SECONDS
    _send_nonsense(server.port, rate, min(10.0, seconds / 3))  # what is loaded once is loaded now
    before = _memory_mb(server.process.pid)
    legitimate, is_over = Asked(), threading.Event()

    def go_on() -> None:
        client = _Client(server.port)
        while not is_over.wait(_LEGITIMATE_EVERY):
            legitimate.note(*client.ask("GET", CAMERAS, {"Authorization": f"Bearer {token}"}))
        client.close()

    app = threading.Thread(target=go_on)
    app.start()
    bad = _send_nonsense(server.port, rate, seconds)
    is_over.set()
    app.join()
    after = _memory_mb(server.process.pid)
    broken = sum(count for status, count in bad.statuses.items() if status >= 500)
    what = f"{len(bad.seconds)} bad requests in {seconds:g} s"
    return [
        Figure(f"{what}: memory", (after / before - 1) * 100, "%", f"PSS {before:.0f} to {after:.0f} MB", 10),
        Figure(f"{what}: legitimate p95", legitimate.p95_ms, "ms", _told(legitimate.statuses), 1000),
        Figure(f"{what}: legitimate ones refused", legitimate.errors, "", "one app goes on meanwhile", 0),
        Figure(f"{what}: answered with 5xx", broken, "", _told(bad.statuses), 0),
    ]


def _send_nonsense(port: int, rate: float, seconds: float) -> Asked:
    asked, began, end = Asked(), time.monotonic(), time.monotonic() + seconds

    def send(which: int) -> None:
        client = _Client(port)
        for turn, one in enumerate(nonsense(which)):
            due = began + (turn * _STRANGERS + which) / rate
            if due >= end:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            asked.note(*client.ask(*one))
        client.close()

    _side_by_side([lambda which=which: send(which) for which in range(_STRANGERS)])  # type: ignore[misc]
    return asked


def nonsense(seed: int) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """(verb, path, headers, body) without an end: scans, wrong passwords, broken JSON, huge headers."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    data = {"Content-Type": "application/json"}
    login = "/v0/api/users/auth/login/"
    turn = seed
    while True:
        turn += _STRANGERS
        wrong = json.dumps({"login": f"somebody{turn}", "password": "wrong"}).encode()
        yield "GET", f"/wp-content/{turn}/setup.php?id={turn}%27", {}, b""
        yield "GET", f"/stream/{turn}x/1/main/live.m3u8", {}, b""
        yield "POST", login, data, wrong
        yield "POST", "/login", form, f"name=somebody{turn}&password=wrong".encode()
        yield "POST", login, data, b'{"login": [' + b"[" * 2000
        yield "PATCH", "/v0/api/users/profile/", data, b'{"name": "' + b"x" * 20_000
        yield "GET", "/", {"X-Padding": "x" * 12_000}, b""
        yield "GET", f"/{'../' * 30}etc/passwd", {"Authorization": f"Bearer {'e' * 3000}"}, b""


class _Client:
    """One connection that is kept, and made anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[float, int]:
        """(seconds, status); status 0 when there was no answer."""
        began = time.perf_counter()
        try:
            self._connection.request(method, path, body or None, headers)
            answer = self._connection.getresponse()
            answer.read()
            status = answer.status
            if answer.will_close:
                self.close()
        except (OSError, http.client.HTTPException):
            status = 0
            self.close()
        return time.perf_counter() - began, status

    def close(self) -> None:
        """The next question opens another one."""
        self._connection.close()


def _side_by_side(tasks: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory_mb(pid: int) -> float:
    """Of gunicorn's master and its worker."""
    children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return sum(pss_mb(process) for process in [pid, *(int(child) for group in children for child in group)])


def _missing_seconds(site: Node, cam: Cam) -> float:
    """Between the first and the last stored picture: what the index lacks, or what gaps were written down."""
    files = site.wait_closed(cam)
    holes = sum(max(0, later.started_ms - earlier.ended_ms) for earlier, later in pairwise(files))
    told = sum(gap.ended_ms - max(gap.started_ms, files[0].started_ms) for gap in site.gaps(cam))
    return max(holes, told) / 1000


def _gap(missing: float, recorded: int) -> Figure:
    return Figure("recording gap through all of that", missing, "s", f"{recorded} cameras together", 0)


def _told(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(statuses.items()))
