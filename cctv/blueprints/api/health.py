"""GET /v0/api/system/health/: is this installation ready? For machines, without a login.

Tells component names and nothing else.
"""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from cctv.services import health

blueprint = Blueprint("health", __name__)


@blueprint.get("/v0/api/system/health/")
def show() -> ResponseReturnValue:
    """200 when every component answers, else 503 with the names of what is missing."""
    components = health.components()
    missing = sorted(name for name, is_up in components.items() if not is_up)
    body = {"status": "missing" if missing else "ready", "components": components, "missing": missing}
    return body, 503 if missing else 200, {"Cache-Control": "no-store"}
