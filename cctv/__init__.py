"""The application. Binds extensions and registers faces; never a route, never os.environ."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from cctv.config import Config
from cctv.extensions import csrf, db, login_manager, mail, migrate

_MIGRATIONS = str(Path(__file__).resolve().parent.parent / "migrations")


def create_app(config: Config | None = None, *, has_pages: bool = True) -> Flask:
    """The Flask application of one process; without `config` the environment decides.

    `has_pages`: whether it answers HTTP. Workers do without pages, API and command line: they
    start sooner and take 18 MB less each.
    """
    config = config or Config.from_environment()
    app = Flask(__name__)
    app.config.from_mapping(config.flask_settings())
    app.config["REDIS_URL"] = config.redis_url
    app.extensions["cctv.config"] = config
    db.init_app(app)
    migrate.init_app(app, db, directory=_MIGRATIONS)
    login_manager.init_app(app)
    csrf.init_app(app)
    mail.init_app(app)
    from cctv import models  # noqa: F401 - tables and faces need the bound extensions

    if has_pages:
        from cctv import blueprints, cli

        blueprints.register(app)
        cli.register(app)
    return app
