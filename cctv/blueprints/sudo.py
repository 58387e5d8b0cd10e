"""The question for the password before a risky change, as a dialog and as a page of its own.

Who asks it, and what happens to the change meanwhile, is in _sudo.py.
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from cctv.blueprints import _htmx, _sudo
from cctv.blueprints._entry import local_path

blueprint = Blueprint("sudo", __name__)


@blueprint.get("/account/sudo")
def show() -> ResponseReturnValue:
    """The question."""
    return _question(_sudo.SudoForm(formdata=None), None)


@blueprint.post("/account/sudo")
def answer() -> ResponseReturnValue:
    """The answer: the dialog closes and the change goes on; a page leads to where one wanted to go."""
    form = _sudo.SudoForm()
    if problem := _sudo.check(form):
        return _question(form, problem)
    if _htmx.is_htmx():
        return _htmx.trigger(_htmx.no_content(), "sudo-done")
    return _htmx.redirect(local_path(request.form.get("next")))


def _question(form: _sudo.SudoForm, problem: str | None) -> ResponseReturnValue:
    return _sudo.question(form, problem, action="/account/sudo", next=request.values.get("next", ""))
