"""The description of the API: as OpenAPI 3.1, and as pages of Swagger UI and ReDoc with our own files.

Only for who is signed in; a strict policy with a nonce, and no other host (DEPENDENCIES.md).
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api._face import Api
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("api_docs", __name__, url_prefix="/api/docs")

_POLICY = (
    "default-src 'none'",
    "script-src 'nonce-{nonce}'",
    # Both draw with style elements of their own; ours gives each of them the nonce.
    "style-src 'self' 'nonce-{nonce}'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self' blob:",  # ReDoc's search
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)


def register_docs(app: Flask, api: Api) -> None:
    """Serve the description of this Api."""
    app.extensions["cctv.api"] = api
    app.register_blueprint(blueprint)


@blueprint.get("/schema/")
def schema() -> ResponseReturnValue:
    """OpenAPI 3.1, for generators and for the pages."""
    _let_in()
    if request.headers.get("Sec-Fetch-Dest") == "document":
        # Shown by a browser: as text, because its viewer of JSON is a page of another policy.
        return Response(
            current_app.json.dumps(_description(), indent=2), content_type="text/plain; charset=utf-8"
        )
    return jsonify(_description())


@blueprint.get("/swagger/")
def swagger() -> ResponseReturnValue:
    """Swagger UI: read, and try with a token."""
    return _page("docs/swagger.html")


@blueprint.get("/redoc/")
def redoc() -> ResponseReturnValue:
    """ReDoc: read and search."""
    return _page("docs/redoc.html")


def _let_in() -> None:
    access.authorise(current_user, None, Action.API_DOCS)


def _page(template: str) -> Response:
    _let_in()
    nonce = secrets.token_urlsafe(18)
    response = make_response(render_template(template, nonce=nonce))
    response.headers["Content-Security-Policy"] = "; ".join(_POLICY).format(nonce=nonce)
    return response


def _description() -> dict[str, Any]:
    """As flask-smorest has it, with groups named for readers: Cameras, not api-cameras."""
    api: Api = current_app.extensions["cctv.api"]
    found: dict[str, Any] = api.spec.to_dict()
    for tag in found["tags"]:
        tag["name"] = _title(tag["name"])
    for path in found["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "tags" in operation:
                operation["tags"] = [_title(name) for name in operation["tags"]]
    return found


def _title(name: str) -> str:
    return name.removeprefix("api-").replace("-", " ").capitalize()
