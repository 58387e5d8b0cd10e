"""The bill of materials of what others made, read from the locks: it cannot differ from what is installed.

CycloneDX 1.6 (ECMA-424); programs of the distribution (ffmpeg, Redis, PostgreSQL) are named by its own tools.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from scripts.prepare.progress import ROOT

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill() -> str:
    """The document, as JSON."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "cctv"}},
        "components": [*_of_python(), *_of_browser()],
    }
    return json.dumps(document, indent=1)


def _of_python() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] | None = None
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if pin := _PIN.match(line):
            if found:
                yield found
            found = _component("pypi", pin[1].lower().replace("_", "-"), pin[2])
        if found and (digest := _HASH.search(line)):
            found["hashes"].append({"alg": "SHA-256", "content": digest[1]})
    if found:
        yield found


def _of_browser() -> Iterator[dict[str, Any]]:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for path, facts in packages.items():
        if not path or facts.get("dev"):
            continue
        found = _component("npm", path.removeprefix("node_modules/").replace("@", "%40"), facts["version"])
        digest = base64.b64decode(facts["integrity"].removeprefix("sha512-")).hex()
        found["hashes"].append({"alg": "SHA-512", "content": digest})
        yield found


def _component(kind: str, name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:{kind}/{name}@{version}"
    named = name.replace("%40", "@")
    return {"type": "library", "bom-ref": purl, "name": named, "version": version, "purl": purl, "hashes": []}
