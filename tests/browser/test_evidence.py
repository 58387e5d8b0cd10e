"""The page of an evidence package, in a real browser from a local file: it names what was harmed."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page

from cctv.services.proof import chain_heads, hashing
from cctv.services.site import nodes
from tests.services.test_evidence_package import E0, filmed, make_package


@pytest.fixture
def package(context: Flask, tmp_path: Path) -> Path:
    """A package of one camera with three stored files, of which a day's head was signed."""
    node = nodes.this_node()
    camera, _directory = filmed(node, 1)
    hashing.hash_some(node.id, seconds=5)
    chain_heads.sign_due(at_ms=E0 + 3 * 86_400_000)
    make_package(tmp_path / "package.zip", [camera.id])
    return tmp_path / "package.zip"


def check(page: Page, chosen: Path, *, how: str = "folder") -> str:
    """The verdict on what was chosen."""
    page.set_input_files(f"#{how}", chosen)
    page.wait_for_selector("#verdict")
    said = page.inner_text("#verdict")
    page.evaluate("document.getElementById('result').replaceChildren()")
    return said


def open_page(page: Page, folder: Path) -> None:
    page.goto(f"file://{folder}/check.html")


def test_it_says_that_nothing_was_changed_and_finds_what_was(
    page: Page, console_errors: list[str], package: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    zipfile.ZipFile(package).extractall(whole)
    originals = sorted(whole.glob("originals/*/*.mp4"))
    open_page(page, whole)
    assert page.evaluate("isSecureContext") is True
    page.set_input_files("#folder", whole)
    page.wait_for_selector("#verdict.good")
    assert "Genuine; worked out by this browser" in page.inner_text("#result")
    with zipfile.ZipFile(tmp_path / "packed again.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (path for path in whole.rglob("*") if path.is_file()):
            archive.write(path, f"a folder/{path.relative_to(whole)}")
    zips = [("zip", package), ("zip", tmp_path / "packed again.zip")]
    for how, chosen in (("folder", whole), *zips):
        said = check(page, chosen, how=how)
        assert "Nothing was changed" in said, (how, said)

    def harmed(name: str) -> tuple[Path, Path]:
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        return folder, folder / originals[1].relative_to(whole)

    folder, victim = harmed("changed")
    content = bytearray(victim.read_bytes())
    content[7_000] ^= 1
    victim.write_bytes(content)
    moment = r"Camera 1 \(camera \d+\), stored file of 22 Nov 2026, 13:30:22 \(UTC\),"
    assert re.search(f"{moment} was changed", check(page, folder))

    twice = tmp_path / "twice.zip"
    shutil.copy(package, twice)
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(str(originals[0].relative_to(whole)), b"what another program unpacks")
    assert "holds two files of the name originals/" in check(page, twice, how="zip")

    folder, victim = harmed("cut")
    victim.write_bytes(victim.read_bytes()[:-1])
    assert re.search(rf"{moment} is too short: \d+ of \d+ bytes", check(page, folder))

    folder, victim = harmed("dropped")
    victim.unlink()
    assert re.search(f"{moment} is missing", check(page, folder))

    folder, victim = harmed("another list")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace("The door at night", "The door at noon."))
    assert "The manifest was changed after it was signed" in check(page, folder)

    folder, victim = harmed("no list")
    (folder / "manifest.json").unlink()
    assert "There is no manifest.json" in check(page, folder)
    assert console_errors == []


def test_it_works_everything_out_itself_where_the_browser_cannot(
    page: Page, console_errors: list[str], package: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    zipfile.ZipFile(package).extractall(whole)
    page.add_init_script("Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined})")
    open_page(page, whole)
    page.set_input_files("#folder", whole)
    page.wait_for_selector("#verdict.good")
    assert "worked out by this page itself" in page.inner_text("#result")
    signature = whole / "signature.json"
    text = signature.read_text()
    at = text.index('"signature": "') + 14
    signature.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    assert "signed by somebody else" in check(page, whole)
    assert console_errors == []
