"""axe-core on a page: what it breaks of WCAG 2.0-2.2 A and AA, as lines to read in a failing test."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_SCRIPT = Path(__file__).parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """async () => (await axe.run(document, { runOnly: { type: "tag",
    values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] } })).violations
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`))"""


def violations(page: Page) -> list[str]:
    """What is wrong with the page as it is shown now; empty when nothing is."""
    page.evaluate(_SCRIPT.read_text())  # through the debugger: the page's own policy forbids inline scripts
    found: list[str] = page.evaluate(_RUN)
    return found
