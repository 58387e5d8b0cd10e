"""One flask-smorest Api and the blueprints of its operations: who may, which problems, how it is documented.

Errors are answered by blueprints/errors.py, for pages and API alike; no operation lives here.
"""

from __future__ import annotations

import http
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import flask_smorest
from flask import g, request
from flask_smorest.utils import deepupdate, prepare_response

from cctv.blueprints.api._bearer import asker
from cctv.blueprints.api._parsing import Parser
from cctv.blueprints.api._shapes import Problem
from cctv.errors import NotFresh
from cctv.extensions import csrf
from cctv.models import Camera, Role
from cctv.services.person import access, matrix
from cctv.services.person.access import Action, Scope
from cctv.services.sign_in import sessions

View = TypeVar("View", bound=Callable[..., Any])

_STALE = "Type your password again: sign in anew, then send this within ten minutes."
_FRESH = "Within ten minutes after signing in; later 401, `insufficient_user_authentication`: sign in anew."
PROBLEM_TYPE = "application/problem+json"
_SAID = {
    400: "The request cannot be read.",
    401: "Not signed in: no token, or one that is not valid (any more).",
    403: "The role, the grant or the token has no such right; `detail` says who may.",
    404: "It does not exist, or not for this person.",
    409: "It is in a state in which this cannot be done; `detail` says why.",
    412: "Somebody changed it in the meantime: read it again.",
    415: "The body is not `application/json`.",
    422: "Something in the request cannot be accepted; `errors` names each field.",
    428: "Send the ETag of what was read as `If-Match`.",
    429: "Too many requests; `Retry-After` says when to come again.",
    503: "Something that is needed is away for now; come again after `Retry-After` seconds.",
}
_EXAMPLE = {
    "type": "about:blank",
    "title": "Please check what you typed",
    "status": 422,
    "detail": "Choose 1 to 200.",
    "errors": {"page_size": "Choose 1 to 200."},
}


class Api(flask_smorest.Api):
    """Documents problem+json (RFC 9457) and leaves the errors of all other pages alone."""

    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        """None: blueprints/errors.py answers for pages and API."""

    def _register_responses(self) -> None:
        for status in http.HTTPStatus:
            if status < 400:
                continue
            response = {"description": _SAID.get(status, status.phrase), "schema": Problem}
            if status == 422:
                response["example"] = _EXAMPLE
            prepare_response(response, self.spec, PROBLEM_TYPE)
            self.spec.components.response(status.name, response, lazy=True)
        response = {"description": "Any other problem.", "schema": Problem}
        prepare_response(response, self.spec, PROBLEM_TYPE)
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, response, lazy=True)


class ApiBlueprint(flask_smorest.Blueprint):
    """Operations of one noun. Each documents by itself the problems that any request may have."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_add_problems)
        csrf.exempt(self)  # a bearer token is nothing that a foreign page could make a browser send

    def _store_endpoint_docs(self, endpoint: str, obj: Any, *args: Any, **options: Any) -> None:
        """Name the operation after its blueprint and function: generated clients call it so."""
        super()._store_endpoint_docs(endpoint, obj, *args, **options)
        noun = self.name.removeprefix("api-").replace("-", "_")
        for facts in self._docs[endpoint].values():
            if isinstance(facts, dict):
                facts.setdefault("manual_doc", {})["operationId"] = f"{noun}_{endpoint}"


def _add_problems(doc: dict[str, Any], facts: dict[str, Any], *, method: str, **_: Any) -> dict[str, Any]:
    statuses = [429]
    if facts.get("manual_doc", {}).get("security") != []:
        statuses += [401]
    if "needs" in facts:
        statuses += [403, 404]
        text = facts["docstring"].get("description", "")
        age = f"\n\n{_FRESH}" if facts.get("is_fresh") else ""
        facts["docstring"]["description"] = f"{text}\n\n{facts['needs']}{age}".strip()
    if method in {"post", "patch"}:
        statuses += [400, 415]
    found = {str(status): http.HTTPStatus(status).name for status in sorted(statuses)}
    found["default"] = Api.DEFAULT_ERROR_RESPONSE_NAME
    doc["responses"] = {**found, **doc.get("responses", {})}
    return doc


def needs(action: Action) -> Callable[[View], View]:
    """Only for who may do this - to the camera that the address names, if it names one. Asked first."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            camera_id = (request.view_args or {}).get("camera_id")
            g.api_camera = access.authorise(asker(), camera_id, action)
            return view(*args, **kwargs)

        guarded._apidoc = deepupdate(  # type: ignore[attr-defined]
            getattr(view, "_apidoc", {}), {"needs": f"Who may: {_who(action)}."}
        )
        return guarded  # type: ignore[return-value]

    return decorate


def fresh(view: View) -> View:
    """Only when the person has typed the password lately; stands below `needs`.

    A program has nobody who could type: its token was made with the password, for this scope.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        user = asker()
        if user.token_actions is None and not sessions.has_sudo(user):
            raise NotFresh(_STALE)
        return view(*args, **kwargs)

    guarded._apidoc = deepupdate(  # type: ignore[attr-defined]
        getattr(view, "_apidoc", {}), {"is_fresh": True}
    )
    return guarded  # type: ignore[return-value]


def camera() -> Camera:
    """The camera that the address names; `needs` has let the person through to it."""
    found: Camera = g.api_camera
    return found


def open_to_all(view: View) -> View:
    """Document that no token is asked for (the list itself is in _bearer.py)."""
    view._apidoc = deepupdate(  # type: ignore[attr-defined]
        getattr(view, "_apidoc", {}), {"manual_doc": {"security": []}}
    )
    return view


def _who(action: Action) -> str:
    words = []
    for role in Role:
        scope = matrix.scope(role, action)
        if scope != Scope.NO:
            is_granted = scope == Scope.PART and action in matrix.GRANTABLE
            words.append(f"{role.label} (where granted)" if is_granted else role.label)
    return ", ".join(words)
