"""Redis killed, emptied, frozen, full, read-only, or with another password (rows 18 to 20).

Recording must not notice; pages may pay a second.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import redis

from cctv.clock import now_ms
from cctv.services.camera import captures
from scripts.drills import invariants
from scripts.drills.catalogue import drill
from scripts.drills.onlooker import HEALTH
from scripts.drills.stage import EMAIL, PASSWORD, Stage
from scripts.drills.trial import Trial
from tests.capture.rig import Cam

_REQUIRED = "recording gap 0; queue rebuilt; sign-in works meanwhile; requests at most 1 s longer"
_LIMIT_S = 2.0


@drill("redis-killed", "18", "Redis is killed, stays away and comes back empty", _REQUIRED)
def killed(stage: Stage, trial: Trial) -> None:
    server = stage.redis

    def back() -> None:
        for leftover in server.folder.glob("appendonlydir/*"):
            leftover.unlink()
        server.start()

    _outage(stage, trial, "killed", server.kill, back)


@drill("redis-emptied", "18", "Redis forgets everything while it runs", _REQUIRED)
def emptied(stage: Stage, trial: Trial) -> None:
    _outage(stage, trial, "emptied", stage.redis.empty, lambda: None, is_away=False)


@drill("redis-frozen", "19", "Redis keeps its connections and answers nothing", _REQUIRED)
def frozen(stage: Stage, trial: Trial) -> None:
    _outage(stage, trial, "frozen", stage.redis.freeze, stage.redis.thaw)


@drill("redis-full", "20", "Redis has no memory left for writes", f"{_REQUIRED}; an alarm")
def full(stage: Stage, trial: Trial) -> None:
    client = stage.redis.client()
    _outage(
        stage,
        trial,
        "full",
        lambda: client.config_set("maxmemory", 1),
        lambda: client.config_set("maxmemory", 0),
    )


@drill("redis-read-only", "20", "Redis becomes a replica of nobody: read-only", f"{_REQUIRED}; an alarm")
def read_only(stage: Stage, trial: Trial) -> None:
    client = stage.redis.client()
    _outage(
        stage,
        trial,
        "read-only",
        lambda: client.execute_command("REPLICAOF", "127.0.0.1", "9"),
        lambda: client.execute_command("REPLICAOF", "NO", "ONE"),
    )


@drill("redis-password", "20", "Redis wants a password that we do not have", f"{_REQUIRED}; an alarm")
def password(stage: Stage, trial: Trial) -> None:
    client = stage.redis.client()
    client.ping()

    def change() -> None:
        client.config_set("requirepass", "another")
        with contextlib.suppress(redis.RedisError):
            client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")

    def back() -> None:
        other = redis.Redis.from_url(stage.redis.url, password="another")
        other.config_set("requirepass", "")

    _outage(stage, trial, "another password", change, back)


def _outage(
    stage: Stage,
    trial: Trial,
    what: str,
    begin: Callable[[], object],
    end: Callable[[], object],
    *,
    is_away: bool = True,
) -> None:
    """The same for every way in which Redis can be away: two cameras record, a third is added meanwhile."""
    cams = [stage.camera(), stage.camera()]
    pids = [stage.rig.pid(cam) for cam in cams]
    away = trial.pick(5, 30) if is_away else 0
    trial.fault = f"{what} for {away:g} s" if is_away else what
    usual, _ = _sign_in(stage)
    at, at_ms = time.monotonic(), now_ms()
    begin()
    if is_away:
        answer = stage.onlooker.ask(HEALTH)
        trial.seen.append(f"health {answer.status} after {answer.seconds:.1f} s")
        trial.require(answer.status == 503, "health does not tell that Redis is away")
        took, signed_in = _sign_in(stage)
        trial.seen.append(f"sign-in {signed_in} in {took:.1f} s, before {usual:.1f} s")
        slack = trial.pick(4, 1)  # tests share their processors with other tests
        trial.require(signed_in == 303, f"the sign-in was answered {signed_in}")
        trial.require(took <= usual + slack, f"the sign-in took {took - usual:.1f} s longer")
        late = stage.camera(wait=False)
        trial.within("a camera added meanwhile", 15, _is_live(stage, late), patience_s=30)
        time.sleep(max(0.0, away - (time.monotonic() - at)))
    end()
    trial.within("healthy", 15, stage.is_healthy, patience_s=60)
    trial.within("jobs of all captures", 30, lambda: _has_jobs(stage, cams), patience_s=60)
    for cam, pid in zip(cams, pids, strict=True):
        stage.wait_row_after(cam, now_ms())
        trial.require(stage.rig.pid(cam) == pid, "the capture was ended")
        lost_ms, pictures = stage.lost_ms(cam, at_ms), stage.pictures_lost(cam, at_ms)
        trial.lost.append(f"camera {cam.number}: {lost_ms / 1000:.1f} s, {pictures} pictures")
        trial.require(lost_ms == 0 and pictures == 0, "footage was lost")
    limit = _LIMIT_S if trial.is_long else 4.0
    trial.failures += invariants.slow_answers(stage.onlooker, at, limit_s=limit, allowed=(200, 204, 503))
    pages = [answer for answer in stage.onlooker.since(at) if answer.path != HEALTH]
    trial.require(all(answer.status in (200, 204) for answer in pages), "a page was refused meanwhile")


def _is_live(stage: Stage, cam: Cam) -> Callable[[], bool]:
    return lambda: stage.rig.stream(cam).state == "live"


def _sign_in(stage: Stage) -> tuple[float, int]:
    """Seconds and status."""
    began = time.monotonic()
    status = stage.onlooker.sign_in(EMAIL, PASSWORD)
    return time.monotonic() - began, status


def _has_jobs(stage: Stage, cams: list[Cam]) -> bool:
    """Every capture is shown by RQ: its job is registered as started."""
    client = stage.redis.client()
    with contextlib.suppress(redis.RedisError):
        states = [client.hget(f"rq:job:{captures.job_id(cam.stream_id)}", "status") for cam in cams]
        return all(state == b"started" for state in states)
    return False
