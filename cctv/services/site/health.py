"""Readiness: which of the parts that the product needs answer now.

Component names are public; nothing else is told to strangers.
"""

from __future__ import annotations

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from cctv import queue
from cctv.extensions import db
from cctv.services.site import nodes


def components() -> dict[str, bool]:
    """Component name -> whether it answers: web, database, redis, capture."""
    is_database_up, is_capture_up = _database()
    return {"web": True, "database": is_database_up, "redis": is_redis_up(), "capture": is_capture_up}


def _database() -> tuple[bool, bool]:
    try:
        db.session.execute(text("SELECT 1"))
        return True, nodes.is_capturing()
    except (SQLAlchemyError, OSError):
        db.session.rollback()
        return False, False
    finally:
        db.session.remove()


def is_redis_up() -> bool:
    """Whether it takes a write: a Redis that is full or a replica still answers a ping."""
    try:
        return bool(queue.redis_connection().set("cctv:health", 1, ex=60))
    except (RedisError, OSError):
        return False
