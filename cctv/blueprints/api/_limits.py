"""How many requests a minute an account may make, or an address without one; told in headers of each answer.

Counted in Redis, in this process while Redis is away. Guessing of passwords has its own limits.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter, RequestLimit
from flask_login import current_user
from redis.backoff import NoBackoff
from redis.retry import Retry

from cctv import config
from cctv.blueprints import _guesses
from cctv.blueprints.api import _bearer
from cctv.clock import now_ms

PER_ACCOUNT = "API_PER_ACCOUNT"  # settings of the application, for tests and measurements
PER_ADDRESS = "API_PER_ADDRESS"
_HEALTH = "/v0/api/system/health/"  # machines ask it, also many behind one address
# A frozen Redis costs one request half a second; then counts are kept here until it answers.
_QUICK: dict[str, Any] = {
    "socket_timeout": 0.5,
    "socket_connect_timeout": 0.5,
    "retry": Retry(NoBackoff(), 0),
}


def register_limits(app: Flask) -> None:
    """After the person is known, before anything else is done for them."""
    app.config.setdefault(PER_ACCOUNT, "1200 per minute")
    app.config.setdefault(PER_ADDRESS, "240 per minute")
    limiter = Limiter(
        key_func=_who,
        storage_uri=_storage_url(app),
        storage_options=_QUICK,
        strategy="moving-window",
        application_limits=[_limit],
        in_memory_fallback_enabled=True,
        key_prefix="cctv:api",
    )
    limiter.request_filter(lambda: not _bearer.is_api() or request.path == _HEALTH)
    limiter.init_app(app)

    def tell(response: Response) -> Response:
        return _tell(response, limiter.current_limit)

    app.after_request(tell)


def _tell(response: Response, used: RequestLimit | None) -> Response:
    """What is left; a wait that is told already (of guessing) stays."""
    if used is not None:
        response.headers["X-RateLimit-Limit"] = str(used.limit.amount)
        response.headers["X-RateLimit-Remaining"] = str(max(0, used.remaining))
        response.headers["X-RateLimit-Reset"] = str(used.reset_at)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            response.headers.setdefault("Retry-After", str(max(1, used.reset_at - now_ms() // 1000)))
    return response


def _storage_url(app: Flask) -> str:
    """As the package `limits` spells a socket."""
    with app.app_context():
        url = config.current().redis_url
    return f"redis+{url}" if url.startswith("unix://") else url


def _limit() -> str:
    name = PER_ACCOUNT if current_user.is_authenticated else PER_ADDRESS
    limit: str = current_app.config[name]
    return limit


def _who() -> str:
    if current_user.is_authenticated:
        return f"account:{current_user.id}"
    return f"address:{_guesses.client_address()}"
