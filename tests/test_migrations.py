"""The migrations make the tables of the models, keep what is there, and close the audit log to changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from cctv import create_app
from cctv.extensions import db
from cctv.models import AuditEntry, User
from tests.fixtures.application import make_config


@pytest.mark.each_database
def test_the_migrations_make_what_the_models_say(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


@pytest.mark.each_database
@pytest.mark.parametrize("change", ["UPDATE audit_entry SET user_name = 'nobody'", "DELETE FROM audit_entry"])
def test_the_database_refuses_to_change_the_audit_log(app: Flask, change: str) -> None:
    with app.app_context():
        db.session.add(AuditEntry(id=1, at_ms=1, user_name="Somebody", action="sign_in", hash="1" * 64))
        db.session.commit()
        with pytest.raises(DatabaseError, match="append-only"):
            db.session.execute(text(change))
        db.session.rollback()
        assert db.session.get_one(AuditEntry, 1).user_name == "Somebody"


def test_accounts_of_an_older_installation_are_kept(tmp_path: Path) -> None:
    config = make_config(tmp_path, database_url=f"sqlite:///{tmp_path}/cctv.db", redis_url="unix:///nowhere")
    app = create_app(config)
    with app.app_context():
        upgrade(revision="0002")
        db.session.execute(
            text(
                "INSERT INTO user (email, username, name, password_hash, role, is_enabled, session_version,"
                " theme, created_at) "
                "VALUES ('a@b.org', 'a', 'A', 'x', 'super_admin', 1, 1, 'dark', '2026-01-01')"
            )
        )
        db.session.execute(
            text(
                "INSERT INTO session (id, user_id, user_version, is_kept, created_ms, seen_ms, ends_ms)"
                " VALUES ('s', 1, 1, 0, 1, 1, 1)"
            )
        )
        db.session.commit()
        upgrade()
        assert db.session.execute(text("SELECT user_id FROM session")).scalar_one() == 1
        assert db.session.execute(text("PRAGMA foreign_key_check")).all() == []
        assert db.session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        user = db.session.scalars(db.select(User)).one()
        assert (user.username, user.version, user.new_cameras, user.has_shortcuts) == ("a", 1, "no", True)
        db.session.remove()
        downgrade(revision="0002")
        assert db.session.execute(text("SELECT username FROM user")).scalar_one() == "a"
        db.session.remove()
        db.engine.dispose()


@pytest.mark.each_database
def test_the_id_of_a_deleted_account_is_never_given_out_again(context: Flask) -> None:
    ids = []
    for name in ("first", "second"):
        user = User(email=f"{name}@b.org", username=name, name=name, password_hash="x", role="visitor")
        db.session.add(user)
        db.session.commit()
        ids.append(user.id)
        db.session.delete(user)
        db.session.commit()
    assert ids[0] < ids[1]
