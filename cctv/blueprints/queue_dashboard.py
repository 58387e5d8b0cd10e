"""rq-dashboard under /rq/, for Super Admins and Developers: a technical view of the queues, behind our login.

Its own pages trust what stands in Redis; everything here is there so that ours need not.
"""

from __future__ import annotations

import secrets
from typing import Any

import rq.serializers
from flask import Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer
from rq_dashboard import web

from cctv import queue
from cctv.blueprints import errors
from cctv.extensions import begin_writing, db
from cctv.services.auditing import audit
from cctv.services.person import access
from cctv.services.person.access import Action

PREFIX = "/rq"
_NAME = web.blueprint.name
_POLL_MILLISECONDS = 5000
_NOT_THERE = "This job or queue does not exist (any more)."

# Some of its calls name no serializer: RQ's own default is pickle, and a forged pickle would be code.
rq.serializers.PickleSerializer = JSONSerializer  # type: ignore[assignment]
rq.serializers.SERIALIZER_ALIASES["pickle"] = JSONSerializer
web.config.serializer = JSONSerializer


def register_queue_dashboard(app: Flask) -> None:
    """Mount it. Flask asks the guards of the application before those of the blueprint."""
    app.config["RQ_DASHBOARD_REDIS_URL"] = ("redis",)  # a label; the connection is ours
    app.config["RQ_DASHBOARD_POLL_INTERVAL"] = _POLL_MILLISECONDS
    app.before_request(_guard)
    app.after_request(_add_headers)
    app.register_blueprint(web.blueprint, url_prefix=PREFIX)


def _guard() -> ResponseReturnValue | None:
    """Only for whom it is meant, only POST changes something, and only with Redis."""
    if request.blueprint != _NAME:
        return None
    access.authorise(current_user, None, Action.QUEUE)
    connection = queue.redis_connection()
    current_app.redis_conn = connection  # type: ignore[attr-defined]  # where it looks for it
    if request.endpoint == f"{_NAME}.static":
        return None
    if (request.view_args or {}).get("instance_number"):
        return errors.answer(404)
    rule = request.url_rule
    if request.method != "POST" and rule is not None and "POST" in (rule.methods or ()):
        refused = errors.answer(405)
        refused.headers["Allow"] = "POST"
        return refused
    try:
        connection.ping()
    except (RedisError, OSError):
        return _away(None)
    if request.method == "POST":
        begin_writing()
        audit.add("queue.change", target=request.path.removeprefix(f"{PREFIX}/"))
        db.session.commit()
    g.queue_nonce = secrets.token_urlsafe(16)
    return None


def _add_headers(response: Response) -> Response:
    """Its inline scripts carry a nonce and its templates need eval; no other script runs, no form is sent."""
    if request.blueprint == _NAME and "queue_nonce" in g:
        response.headers["Content-Security-Policy"] = "; ".join(
            (
                "default-src 'none'",
                f"script-src 'nonce-{g.queue_nonce}' 'unsafe-eval'",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data:",
                "connect-src 'self'",
                "form-action 'none'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            )
        )
    return response


def _our_connection(*_: Any, **__: Any) -> tuple[None, Redis]:
    """Instead of one without any timeout for each request."""
    return None, queue.redis_connection()


def _away(_error: Exception | None) -> Response:
    return errors.answer(503, "The queues cannot be shown: Redis does not answer. Recording goes on.")


def _not_there(_error: Exception) -> Response:
    return errors.answer(404, _NOT_THERE)


def _not_now(_error: Exception) -> Response:
    return errors.answer(409, "This job or queue is not in a state in which that can be done.")


# Attached once, at import: a blueprint takes nothing more after it was registered, and tests make many
# applications.
web.from_url = _our_connection
web.blueprint.register_error_handler(RedisError, _away)
for _refused in (InvalidJobOperation, ResponseError):
    web.blueprint.register_error_handler(_refused, _not_now)
for _error in (NoSuchJobError, ValueError, LookupError):
    web.blueprint.register_error_handler(_error, _not_there)
