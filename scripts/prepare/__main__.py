"""`scripts/run`, `test`, `assets` and `bill` once Python is found: prepare, then become the command.

Decides the order of the steps; what a step does is in its own module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from scripts.prepare import assets, packages, system
from scripts.prepare.bill import bill
from scripts.prepare.progress import ROOT, VENV, SetUpError, Steps, fail, run
from scripts.stack.options import parse_options

_SOME_FAILED = 1  # pytest's exit code: tests ran, and some failed


def main(argv: list[str]) -> int:
    """Prepare the machine, then run `argv[0]`: run, test or assets."""
    command, *arguments = argv
    try:
        if command == "assets":
            print("Assets built." if assets.build() else "Assets were up to date.")
            return 0
        if command == "bill":
            print(bill())
            return 0
        if command == "test":
            return _test(arguments)
        return _run(arguments)
    except SetUpError as error:
        return fail(error)
    except KeyboardInterrupt:
        return fail("Stopped during the set-up; the next start goes on from here.")


def _run(arguments: list[str]) -> int:
    parse_options(arguments)
    began = time.monotonic()
    _prepare(Steps(3), system.needs_to_run(), ("requirements.txt",))
    spent = time.monotonic() - began
    os.environ["PATH"] = f"{VENV / 'bin'}:{os.environ['PATH']}"
    os.execv(
        packages.PYTHON, [str(packages.PYTHON), "-m", "scripts.stack", f"--spent={spent:.2f}", *arguments]
    )


def _test(arguments: list[str]) -> int:
    needs = list({need.name: need for need in (*system.needs_to_run(), *system.needs_to_test())}.values())
    steps = Steps(4)
    _prepare(steps, needs, ("requirements.txt", "requirements-dev.txt"))
    os.environ["PATH"] = f"{VENV / 'bin'}:{os.environ['PATH']}"
    with steps.step("Loops of the cameras"):
        cache = str(ROOT / ".cache" / "loops")
        run([str(packages.PYTHON), "-m", "scripts.prepare.loops", cache])
    os.environ.setdefault("CHROME_PATH", system.find_chromium() or "")
    checks = (
        ("Lint", ["ruff", "check", "."]),
        ("Format", ["ruff", "format", "--check", "."]),
        ("Types", ["mypy"]),
        ("Rooms", ["lint-imports"]),
    )
    # All of them, so that one run tells everything that is wrong.
    verdicts = [_check(title, argv) for title, argv in checks]
    # Most tests wait for something outside: three processes keep two cores busy. A file stays in one process,
    # so that what a module starts is started once.
    code = _pytest("-n", "3", "--dist", "loadfile", *arguments)
    if code == _SOME_FAILED:
        # Figures are promised for a machine that is not also running two other test processes: what failed
        # in that crowd must hold alone, or it fails.
        print("Once more, alone, what failed beside others:", flush=True)
        code = _pytest("--last-failed", "--last-failed-no-failures", "none", *arguments)
    return code or int(not all(verdicts))


def _pytest(*arguments: str) -> int:
    return subprocess.call([packages.PYTHON, "-m", "pytest", *arguments])


def _check(title: str, argv: list[str]) -> bool:
    began = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{title}: {verdict}, {time.monotonic() - began:.1f} s", flush=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


def _prepare(steps: Steps, needs: list[system.Need], requirements: tuple[str, ...]) -> None:
    with steps.step(f"Programs ({', '.join(need.name for need in needs if need.name != 'setpriv')})"):
        missing = system.install_missing(needs)
        if any(need.name == "virtual environments" for need in missing):
            raise system.refuse(missing)
        names = ", ".join(need.name for need in missing)
        if names:
            steps.remark = f"{names} could not be installed here, trying a wheel"
    with steps.step("Python packages"):
        for end in range(1, len(requirements) + 1):
            packages.install(*requirements[:end])
        missing = packages.install_wheels_for(missing)
        if missing:
            raise system.refuse(missing)
        if names:
            steps.remark = f"with {names}"
    with steps.step("Browser assets"):
        assets.build()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
