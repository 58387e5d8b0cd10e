"""Run the migrations on whatever database the application is configured for.

Used by `flask db ...` only; needs a running application context, never a URL of its own.
"""

from alembic import context
from flask import current_app

from cctv.extensions import Base

_extension = current_app.extensions["migrate"]


def _skip_empty(_context, _revision, directives):
    """Do not write a migration file when nothing changed."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def _run() -> None:
    with _extension.db.engine.connect() as connection:
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
