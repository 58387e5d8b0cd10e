"""How many requests a minute an account may make, or an address without one; told in headers of each answer.

Counted in this process: two questions to Redis were a third of what a list costs. Guessing of passwords has
its own limits, in Redis.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, current_app, g, request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from cctv.blueprints import _guesses
from cctv.blueprints.api import _bearer
from cctv.clock import now_ms

PER_ACCOUNT = "API_PER_ACCOUNT"  # settings of the application, for tests and measurements
PER_ADDRESS = "API_PER_ADDRESS"
_HEALTH = "/v0/api/system/health/"  # machines ask it, also many behind one address


def register_limits(app: Flask) -> None:
    """After the person is known, before anything else is done for them."""
    app.config.setdefault(PER_ACCOUNT, "1200 per minute")
    app.config.setdefault(PER_ADDRESS, "240 per minute")
    limiter = MovingWindowRateLimiter(MemoryStorage())

    def count() -> None:
        if not _bearer.is_api() or request.path == _HEALTH:
            return
        limit, who = _limit()
        is_within = limiter.hit(limit, who)
        g.api_limit = limit, limiter.get_window_stats(limit, who)
        if not is_within:
            raise TooManyRequests

    app.before_request(count)
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    """What is left; a wait that is told already (of guessing) stays."""
    if "api_limit" in g:
        limit, window = g.api_limit
        response.headers["X-RateLimit-Limit"] = str(limit.amount)
        response.headers["X-RateLimit-Remaining"] = str(max(0, window.remaining))
        response.headers["X-RateLimit-Reset"] = str(int(window.reset_time))
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            wait = int(window.reset_time) - now_ms() // 1000
            response.headers.setdefault("Retry-After", str(max(1, wait)))
    return response


def _limit() -> tuple[RateLimitItem, str]:
    """The limit, and for whom it is counted."""
    user = _bearer.asker()
    if user.is_authenticated:
        return parse(current_app.config[PER_ACCOUNT]), f"account:{user.id}"
    return parse(current_app.config[PER_ADDRESS]), f"address:{_guesses.client_address()}"
