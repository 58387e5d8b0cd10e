"""Forms that lose nothing: errors of services on their fields, and an answer that leaves typed values alone.

No page and no rule lives here.
"""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template
from flask_wtf import FlaskForm

from cctv.blueprints import _htmx


def add_errors(form: FlaskForm, errors: dict[str, str]) -> None:
    """Put a service's sentences (`Invalid.errors`) on the fields; the others go to the form."""
    for name, sentence in errors.items():
        if name in form:
            form[name].errors = [*form[name].errors, sentence]
        else:
            form.form_errors.append(sentence)


def problems(template: str, form: FlaskForm, **context: Any) -> Response:
    """422 with what is wrong: the page again for a browser, only the messages for HTMX.

    The form says hx-target="#problems" hx-swap="innerHTML"; its fields are not swapped, so that a typed
    password stays where it is and is never sent back.
    """
    if _htmx.is_htmx():
        return _htmx.vary(make_response(render_template("_problems.html", form=form), 422))
    return _htmx.render(template, status=422, form=form, **context)
