"""How many requests a minute an account may make, or an address without one; told in headers of each answer.

Counted in Redis, in this process while Redis is away. Guessing of passwords has its own limits.
"""

from __future__ import annotations

from flask import Flask, request
from flask_limiter import Limiter
from flask_login import current_user

from cctv import config, queue
from cctv.blueprints import _guesses
from cctv.blueprints.api import _bearer

PER_ACCOUNT = "API_PER_ACCOUNT"  # settings of the application, for tests and measurements
PER_ADDRESS = "API_PER_ADDRESS"
_HEALTH = "/v0/api/system/health/"  # machines ask it, also many behind one address


def register_limits(app: Flask) -> None:
    """After the person is known, before anything else is done for them."""
    app.config.setdefault(PER_ACCOUNT, "1200 per minute")
    app.config.setdefault(PER_ADDRESS, "240 per minute")
    limiter = Limiter(
        key_func=_who,
        storage_uri=_storage(config_url=_redis_url(app)),
        storage_options={
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
            "retry": queue.RedisRetry(queue.NoBackoff(), 0),
        },
        strategy="moving-window",
        application_limits=[_limit],
        in_memory_fallback_enabled=True,
        headers_enabled=True,
        key_prefix="cctv:api",
    )
    limiter.request_filter(lambda: not _bearer.is_api() or request.path == _HEALTH)
    limiter.init_app(app)


def _redis_url(app: Flask) -> str:
    with app.app_context():
        return config.current().redis_url


def _storage(*, config_url: str) -> str:
    """As the package `limits` spells a socket."""
    return f"redis+{config_url}" if config_url.startswith("unix://") else config_url


def _limit() -> str:
    from flask import current_app

    name = PER_ACCOUNT if current_user.is_authenticated else PER_ADDRESS
    limit: str = current_app.config[name]
    return limit


def _who() -> str:
    if current_user.is_authenticated:
        return f"account:{current_user.id}"
    return f"address:{_guesses.client_address()}"
