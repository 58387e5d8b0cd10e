"""Pages made of every macro, so that the frame is tested without any page of the product."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, render_template
from flask.typing import ResponseReturnValue
from jinja2 import ChoiceLoader, FileSystemLoader

from cctv.blueprints import _htmx
from cctv.errors import NotAllowed


def add_sample_pages(app: Flask) -> dict[str, int]:
    """Register the sample under /sample; returns a count of what was posted and asked for."""
    loaders = [FileSystemLoader(Path(__file__).parent), app.jinja_loader]
    app.jinja_loader = ChoiceLoader(loaders)  # type: ignore[arg-type, assignment]
    seen = {"tick": 0, "toast": 0, "delete": 0, "refuse": 0, "undo": 0}

    def tick() -> ResponseReturnValue:
        seen["tick"] += 1
        return str(seen["tick"])

    def toast() -> ResponseReturnValue:
        seen["toast"] += 1
        actions = [{"label": "Undo", "post": "/sample/undo"}]
        return _htmx.toast(_htmx.no_content(), "ok", "Recording – from 14:51:58.", actions=actions)

    def refuse() -> ResponseReturnValue:
        seen["refuse"] += 1
        raise NotAllowed("Only an Admin can do that.")

    def delete() -> ResponseReturnValue:
        seen["delete"] += 1
        return _htmx.toast(_htmx.redirect("/sample"), "ok", "Deleted.")

    def undo() -> ResponseReturnValue:
        seen["undo"] += 1
        return _htmx.no_content()

    def dialog() -> ResponseReturnValue:
        return (
            '<div class="dialog-body"><h2 id="dlg-title">Inside</h2><input id="inside" aria-label="x"></div>'
        )

    app.add_url_rule("/sample", "sample", lambda: render_template("sample.html"))
    app.add_url_rule("/sample/tick", "tick", tick)
    app.add_url_rule("/sample/dialog", "dialog", dialog)
    for name, view in (("toast", toast), ("refuse", refuse), ("delete", delete), ("undo", undo)):
        app.add_url_rule(f"/sample/{name}", name, view, methods=["POST"])
    return seen
