"""Run the migrations on whatever database the application is configured for.

Used by `flask db ...` only; needs a running application context, never a URL of its own.
"""

from contextlib import contextmanager

from alembic import context
from flask import current_app

from cctv.extensions import Base

_extension = current_app.extensions["migrate"]


def _skip_empty(_context, _revision, directives):
    """Do not write a migration file when nothing changed."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


@contextmanager
def _without_cascades(connection):
    """Let SQLite replace a table (batch mode drops the old one) without deleting the rows that point to it.

    By the driver's own connection, because the pragma does nothing inside a transaction.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA foreign_keys=ON")


def _run() -> None:
    with _extension.db.engine.connect() as connection, _without_cascades(connection):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            process_revision_directives=_skip_empty,
            **_extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


_run()
