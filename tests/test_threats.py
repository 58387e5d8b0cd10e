"""Rules that hold for all of the code: what is not there cannot be turned against anybody.

A line here that fails asks for a decision: docs/decisions/threats.md says what each of them keeps out.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from flask import Flask
from flask.testing import FlaskClient

import cctv
from cctv.media import argv
from scripts.prepare.bill import bill
from scripts.stack import parts, private_redis
from scripts.stack.options import parse_options
from tests.fixtures.processes import ROOT

CODE = Path(cctv.__file__).parent
# Who opens connections, and to where a person may lead them.
CONNECTS = {
    "media/rtsp_client.py": "a camera, after its address was checked and pinned",
    "media/addresses.py": "the name service, for a camera's name",
    "media/signpost.py": "listens on 127.0.0.1 for our own ffmpeg",
    "capture/attempt.py": "a camera, after its address was checked and pinned",
    "services/mailing/smtp.py": "EMAIL_HOST of the environment; nobody names a server in a page",
    "storage/bucket.py": "Google, or STORAGE_EMULATOR_HOST of the environment",
}
NO_CONNECTION = {"blueprints/hosts.py", "blueprints/media.py", "capture/heard.py", "config.py"}
NO_CONNECTION |= {"services/mailing/mail_causes.py", "storage/bucket_faults.py"}
OUTSIDE = (
    "socket",
    "ssl",
    "smtplib",
    "http.client",
    "urllib.request",
    "urllib3",
    "requests",
    "httpx",
    "aiohttp",
)
OUTSIDE += ("ftplib", "google", "websockets")


@cache
def _trees() -> dict[str, ast.Module]:
    files = sorted(CODE.rglob("*.py"))
    return {str(file.relative_to(CODE)): ast.parse(file.read_text()) for file in files}


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in _trees().items():
        yield from ((name, node) for node in ast.walk(tree) if isinstance(node, kind))


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(file, what is called, the call)."""
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        yield name, ast.unparse(node.func), node


def imports() -> Iterator[tuple[str, str]]:
    """(file, module) of every import."""
    for name, node in nodes(ast.Import):
        assert isinstance(node, ast.Import)
        yield from ((name, alias.name) for alias in node.names)
    for name, node in nodes(ast.ImportFrom):
        assert isinstance(node, ast.ImportFrom)
        yield from ((name, f"{node.module}.{alias.name}") for alias in node.names)


def is_of(module: str, families: tuple[str, ...]) -> bool:
    return any(module == family or module.startswith(f"{family}.") for family in families)


def test_no_command_passes_a_shell_and_no_text_becomes_code() -> None:
    for name, called, call in calls():
        assert called not in {"os.system", "os.popen", "eval", "exec", "compile"}, name
        assert all(keyword.arg != "shell" for keyword in call.keywords), name
    for name, module in imports():
        assert not is_of(module, ("pickle", "marshal", "shelve", "yaml", "commands")), name


def test_no_text_of_a_person_becomes_an_argument_of_a_program() -> None:
    """Words in command lines are of ours, folders are made of numbers; the address is a signpost's."""
    of_ours = {"quality", "audio", "ffmpeg_path", "codec", "kind"}
    builders = [(name, one) for name, one in vars(argv).items() if name.endswith("_argv")]
    assert len(builders) >= 4
    for name, builder in builders:
        hints = inspect.get_annotations(builder, eval_str=True)
        texts = {parameter for parameter, kind in hints.items() if str in (kind, *get_args(kind))}
        assert texts - {"return", "address"} <= of_ours, name
    for text in ("rtsp://user:secret@192.168.1.9/", "file:///etc/passwd", "-f lavfi", "http://192.168.1.9/"):
        with pytest.raises(ValueError, match="without a login"):
            argv.capture_argv(text, Path("/media"), epoch_ms=0)


def test_nothing_is_ever_unpacked_from_an_archive() -> None:
    for name, module in imports():
        assert not is_of(module, ("tarfile", "py7zr", "rarfile")), name
    for name, called, _ in calls():
        method = called.rpartition(".")[2]
        assert method not in {"extractall", "extract", "unpack_archive"}, (name, called)


def test_no_xml_is_read_and_nobody_listens_for_strangers() -> None:
    """With the search for cameras (ONVIF) comes one parser, hardened, in one place: then say here where."""
    for name, module in imports():
        assert not is_of(module, ("xml", "lxml", "defusedxml", "zeep", "onvif", "wsdiscovery")), name


def test_only_known_places_open_connections() -> None:
    found = {name for name, module in imports() if is_of(module, OUTSIDE) and not name.startswith("demo/")}
    assert found <= CONNECTS.keys() | NO_CONNECTION


def test_files_are_sent_only_after_a_question() -> None:
    """Every other byte of video leaves through blueprints/media.py, which asks for each request."""
    found = {name for name, called, _ in calls() if called.rpartition(".")[2].startswith("send_f")}
    assert found <= {"blueprints/probes.py", "blueprints/evidence_settings.py", "blueprints/export_bytes.py"}


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd",
        "..%2f..%2f..%2fetc/passwd",
        "%2e%2e/%2e%2e/config.py",
        "..\\..\\config.py",
        "/etc/passwd",
        "//etc/passwd",
        "css/../../config.py",
        "css/app.css/../../../config.py",
        "css/app.css%00.png",
    ],
)
def test_the_open_folder_opens_nothing_else(client: FlaskClient, path: str) -> None:
    for address in (f"/static/{path}", f"/rq/static/{path}"):
        assert client.get(address).status_code in {302, 303, 308, 401, 404}, address


def test_no_folder_is_listed(app: Flask, signed_in: FlaskClient) -> None:
    for folder in (
        "/static/",
        "/static/css/",
        "/static/css",
        "/media/",
        "/data/",
        "/stream/",
        "/.git/",
        "/.env",
    ):
        assert signed_in.get(folder).status_code == 404, folder


def test_what_asks_for_no_password_listens_on_this_machine_alone() -> None:
    assert parse_options([]).host == "127.0.0.1"
    assert "port 0\n" in private_redis._CONFIGURATION and "unixsocketperm 700" in private_redis._CONFIGURATION
    assert "--host" not in parts.demo(18554).argv, "its default is 127.0.0.1"
    source = (CODE / "demo" / "__main__.py").read_text()
    assert '"--host", default="127.0.0.1"' in source
    for name, called, call in calls():
        if called.endswith((".bind", "start_server", "create_server")):
            assert "0.0.0.0" not in ast.unparse(call) and "'::'" not in ast.unparse(call), name


def _plain(package: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", package).lower()


class TestWhatOthersMade:
    def test_every_package_is_pinned_exactly(self) -> None:
        for file in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
            lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
            for line in lines:
                assert not line or line.startswith(("-c ", "-r ")) or "==" in line, (file, line)

    def test_every_pin_stands_in_the_lock_with_its_hashes(self) -> None:
        """After changing a pin: scripts/lock."""
        for name in ("requirements", "requirements-dev"):
            found = (ROOT / f"{name}.lock").read_text()
            locked = dict(
                re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)[^\n]*\\\n    --hash=sha256:", found, re.M)
            )
            assert len(locked) == len(re.findall("^[A-Za-z]", found, re.M)), "one without a hash"
            named = {_plain(package): version for package, version in locked.items()}
            for line in (ROOT / f"{name}.txt").read_text().splitlines():
                if pin := re.match(r"([A-Za-z0-9._-]+)==(\S+)", line):
                    assert named.get(_plain(pin[1])) == pin[2], f"{pin[0]}: run scripts/lock"

    def test_the_bill_names_every_package_with_its_hashes(self) -> None:
        parts = json.loads(bill())["components"]
        assert all(part["hashes"] and part["version"] for part in parts)
        assert {"flask", "htmx.org", "@tabler/core"} <= {part["name"] for part in parts}

    def test_every_file_for_the_browser_is_pinned_by_its_hash(self) -> None:
        packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
        assert all(one.get("integrity", "").startswith("sha512-") for name, one in packages.items() if name)

    def test_no_page_loads_anything_from_another_host(self) -> None:
        files = [*(CODE / "templates").rglob("*.html"), *(CODE / "static" / "js").rglob("*.js")]
        files += (CODE / "static" / "css").rglob("*.css")
        loading = re.compile(
            r"""(?:src|href|action|@import|url\(|import\(|from)\s*=?\s*["'(]?\s*(?:https?:)?//""", re.I
        )
        for file in files:
            assert not loading.search(file.read_text()), file.name
