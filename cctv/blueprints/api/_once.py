"""Work that a request asks for is done once, however often the request comes (Idempotency-Key).

What is kept, and for how long, is said by services/site/idempotency.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, make_response, request
from flask_login import current_user
from marshmallow import Schema

from cctv.blueprints.api._face import View
from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import User
from cctv.services.site import idempotency
from cctv.services.site.idempotency import Kept

_HEADER = "Idempotency-Key"
_KEY = re.compile(rf"[\x21-\x7e]{{1,{idempotency.LONGEST_KEY}}}")
PARAMETER = {
    "in": "header",
    "name": _HEADER,
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": idempotency.LONGEST_KEY},
    "description": "Any text of your own, new for each thing to be done: a request that comes again with it "
    "gets the first answer again for a day, and nothing is done twice.",
}


def once(work: Callable[[], tuple[Mapping[str, Any], int]], shape: Schema) -> Response:
    """The answer of `work` - (body, status) -, or the kept one when the request came with a key before."""
    key = request.headers.get(_HEADER)
    if key is None:
        body, status = work()
        return make_response(jsonify(shape.dump(body)), status)
    if not _KEY.fullmatch(key):
        raise Invalid({"idempotency_key": f"Use 1 to {idempotency.LONGEST_KEY} printable characters."})
    user: User = current_user
    user_id, name = user.id, idempotency.name_of(user, key)
    kept = idempotency.claim(user, key, f"{request.method} {request.path}\n".encode() + request.get_data())
    if kept is not None:
        response = Response(kept.body, kept.status, mimetype="application/json")
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        body, status = work()
    except BaseException:
        db.session.rollback()
        idempotency.give_up(user_id, name)
        raise
    text = json.dumps(shape.dump(body))
    idempotency.keep(user, key, Kept(status, text))
    return Response(text, status, mimetype="application/json")


def repeatable(view: View) -> View:
    """Document the header; the view answers through `once`."""
    found = getattr(view, "_apidoc", {})
    manual = found.setdefault("manual_doc", {})
    manual["parameters"] = [*manual.get("parameters", []), PARAMETER]
    view._apidoc = found  # type: ignore[attr-defined]
    return view
