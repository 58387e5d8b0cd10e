"""Flask extensions, created once and bound by create_app, and how each database is opened.

Nothing here knows a table or a page.
"""

from __future__ import annotations

import select
import sqlite3
import time
from typing import Any

import psycopg2
from flask_login import LoginManager
from flask_mail import Mail
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine, MetaData, event
from sqlalchemy.orm import DeclarativeBase

# Constraint names are fixed so that Alembic can change them on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)
migrate = Migrate(render_as_batch=True)
login_manager = LoginManager()
csrf = CSRFProtect()
mail = Mail()


_ANSWER_S = 6.0  # a second more than the server's own limit of a statement
_CONNECT_S = 3.0
_SUSPECT_S = 1.0  # for a server that has just not answered
_suspected_until = 0.0


def _wait_for_postgresql(connection: Any) -> None:
    """Wait for an answer, but not for ever.

    The kernel of a frozen server goes on acknowledging, so that neither tcp_user_timeout nor keepalives end
    the driver's own wait, and its statement_timeout is frozen as well (measured: until it thaws).
    After an error here psycopg2 closes the connection, and the pool throws it away.
    """
    global _suspected_until
    began = time.monotonic()
    limit_s = _CONNECT_S if connection.status == psycopg2.extensions.STATUS_SETUP else _ANSWER_S
    if began < _suspected_until:
        limit_s = _SUSPECT_S
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        poll = select.poll()
        poll.register(
            connection.fileno(), select.POLLIN if state == psycopg2.extensions.POLL_READ else select.POLLOUT
        )
        left_s = began + limit_s - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            _suspected_until = time.monotonic() + _ANSWER_S
            raise psycopg2.OperationalError(f"the server did not answer within {limit_s:g} s")
    _suspected_until = 0.0


psycopg2.extensions.set_wait_callback(_wait_for_postgresql)


@event.listens_for(Engine, "connect")
def _open_sqlite(connection: Any, _record: Any) -> None:
    """WAL so that readers never wait; FULL because NORMAL lost every commit of a power cut (measured)."""
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # the driver's own BEGIN is DEFERRED; ours is below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Any) -> None:
    """A transaction that will write takes the lock at its start (`writing`), so that it never fails half way.

    A DEFERRED transaction that reads first and writes later gets SQLITE_BUSY at once, without any waiting.
    """
    if connection.dialect.name == "sqlite":
        is_writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def begin_writing() -> None:
    """Start the session's transaction as a writer; call it first in a service that changes rows."""
    session = db.session()
    if session.in_transaction():
        # A reader became a writer: end the read, so that the lock is taken before anything is decided.
        session.commit()
    session.connection(execution_options={"writing": True})
