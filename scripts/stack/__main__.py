"""`scripts/run` once everything is installed: check, start the parts, tell the person, watch, stop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.stack import leftovers, parts, private_redis
from scripts.stack.catch_up import PREFLIGHT, CatchUp, read_facts
from scripts.stack.options import Options, parse_options
from scripts.stack.preflight import Facts, already_running, try_lock
from scripts.stack.ready import Announcer, address
from scripts.stack.supervisor import Supervisor

_REDIS_PATIENCE_SECONDS = 20.0


def main(arguments: list[str]) -> int:
    """Run until a signal; returns the exit code: 0 after a stop, 1 when it could not start."""
    # Secrets have modes of their own; footage may be read by the group of a web server in front.
    os.umask(0o027)
    options = parse_options(arguments)
    facts = _preflight()
    if facts.refusal:
        return _refuse(facts.refusal)
    if not parts.is_free(options.host, options.port):
        return _refuse(
            f"{address(options)} cannot be used: another program listens there, or the address is not "
            f"of this machine. Try another port: ./scripts/run --port {options.port + 1}"
        )
    data_dir = Path(facts.data_dir)
    lock = try_lock(data_dir)
    if lock is None:
        return _refuse(already_running(data_dir))
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()} {address(options)}\n".encode())
    if facts.warning:
        print(facts.warning, flush=True)
    try:
        return _supervise(options, facts, data_dir)
    finally:
        os.ftruncate(lock, 0)


def _preflight() -> Facts:
    done = subprocess.run(PREFLIGHT, stdout=subprocess.PIPE, text=True, check=False)
    return read_facts(done.returncode, done.stdout)


def _supervise(options: Options, facts: Facts, data_dir: Path) -> int:
    ended = leftovers.end(data_dir, with_captures=False, patience_seconds=5)
    if ended:
        print(f"Ended {ended} processes that an earlier run had left behind.", flush=True)
    port = parts.demo_port(data_dir, facts.demo_camera_url)
    env = {
        **os.environ,
        "DATA_DIR": facts.data_dir,
        "MEDIA_DIR": facts.media_dir,
        "REDIS_URL": facts.redis_url,
        "DEMO_CAMERA_URL": facts.demo_camera_url or f"rtsp://127.0.0.1:{port}/demo/1",
        "PYTHONUNBUFFERED": "1",
    }
    supervisor = Supervisor(data_dir, env, say=_say)
    supervisor.listen_to_signals()
    announcer = Announcer(options, data_dir, None if facts.warning else facts.setup_path)
    catch_up = CatchUp(env, on_done=announcer.use_setup_path) if facts.warning else None
    try:
        if facts.has_private_redis:
            supervisor.start([private_redis.plan(data_dir)])
            private_redis.wait(data_dir, patience_seconds=_REDIS_PATIENCE_SECONDS)
        supervisor.start([parts.web(options.host, options.port), *parts.workers()])
        if not facts.demo_camera_url:
            supervisor.start([parts.demo(port)])
        supervisor.run(lambda: _sooner(announcer.tick(), catch_up.tick() if catch_up else None))
    except OSError as error:
        return _refuse(str(error))
    finally:
        _say("Stopping ...")
        supervisor.stop()
        _say("Stopped.")
    return 0


def _sooner(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)


def _say(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:  # the terminal is gone; the parts still have to be stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # before there was anything to stop
        sys.exit(130)
