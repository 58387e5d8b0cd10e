"""The only place that spells an HX- header, and how a view answers a browser and HTMX alike.

No page and no rule lives here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import Response, flash, make_response, render_template, request
from flask import redirect as http_redirect
from jinja2_fragments.flask import render_block


def is_htmx() -> bool:
    """Whether HTMX asks for a fragment; a page that it restores for the Back button is wanted whole."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def render(template: str, block: str | None = None, *, status: int = 200, **context: Any) -> Response:
    """The whole page for a browser, only the named block for HTMX.

    The block is chosen by the view, never by the client; permission is decided before, because a block
    inside a template's `if` is rendered by name all the same.
    """
    if block and is_htmx():
        return vary(make_response(render_block(template, block, **context), status))
    return vary(make_response(render_template(template, **context), status))


def vary(response: Response) -> Response:
    """Tell caches that HTMX and browsers get different bodies at this address."""
    response.vary.add("HX-Request")
    return response


def redirect(location: str) -> Response:
    """Go to another page: 303 for a browser, HX-Redirect for HTMX."""
    if not is_htmx():
        return make_response(http_redirect(location, code=303))
    response = make_response("", 200)
    response.headers["HX-Redirect"] = location
    return vary(response)


def no_content() -> Response:
    """Nothing changed: HTMX leaves the page as it is."""
    return vary(make_response("", 204))


def push_url(response: Response, url: str) -> Response:
    """Put `url` into the address bar as a new entry of the history."""
    response.headers["HX-Push-Url"] = url
    return response


def replace_url(response: Response, url: str) -> Response:
    """Put `url` into the address bar without a new entry of the history."""
    response.headers["HX-Replace-Url"] = url
    return response


def retarget(response: Response, selector: str, swap: str = "outerHTML") -> Response:
    """Swap the body elsewhere than the element asked for."""
    response.headers["HX-Retarget"] = selector
    response.headers["HX-Reswap"] = swap
    return response


def trigger(response: Response, name: str, detail: Any = None) -> Response:
    """Raise a browser event on the element that asked; several may be added to one answer."""
    events = json.loads(response.headers.get("HX-Trigger", "{}"))
    events[name] = detail
    # Non-ASCII is escaped: header values are Latin-1.
    response.headers["HX-Trigger"] = json.dumps(events)
    return response


def toast(
    response: Response, level: str, text: str, *, actions: Sequence[dict[str, str]] = (), picture: str = ""
) -> Response:
    """Say something in a corner of the page: now for HTMX, on the next page for a browser or a redirect.

    level: ok | info | warn | bad; bad stays until it is closed. actions: {"label", "href"} for a link or
    {"label", "post"} for a button that posts; with an action it stays 8 s instead of 6.
    picture: the address of a small one that is shown beside the text.
    """
    said = {"text": text, "actions": list(actions), "picture": picture}
    if not is_htmx() or "HX-Redirect" in response.headers:
        flash(said, level)  # type: ignore[arg-type]
        return response
    return trigger(response, "toast", {"level": level, **said})


def close_dialog(response: Response) -> Response:
    """Close the page's dialog once this answer has arrived."""
    return trigger(response, "close-dialog")
