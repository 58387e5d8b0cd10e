"""Configuration: the only reader of the environment and of `.env`.

Names are those of the manual and fixed; every other module receives a `Config`, never os.environ.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
import stat
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from flask import current_app

_ROOT = Path(__file__).resolve().parent.parent
_PUBLIC = Path(__file__).resolve().parent / "static"  # served to strangers
_PLACEHOLDERS = {"changeme", "change-me", "secret", "your-secret-key", "dev", "development", "password"}
_SHORTEST_SECRET = 32


class ConfigError(Exception):
    """A setting that cannot be started with; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is decided before the process starts. Paths are absolute, times in seconds."""

    data_dir: Path
    media_dir: Path
    database_url: str
    redis_url: str
    secret_key: str
    jwt_secret_key: str
    debug: bool = False
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    email_host: str = ""
    email_port: int = 587
    email_use_tls: bool = True
    email_host_user: str = ""
    email_host_password: str = ""
    gcs_enabled: bool = False
    gcs_project_id: str = ""
    gcs_bucket_name: str = ""
    gcs_credentials_path: str = ""
    gcs_endpoint: str = ""  # of an emulator; empty: Google's own
    frontend_url: str = ""
    tailscale_network: str = "100.64.0.0/10"
    camera_network: str = "192.168.1.0/24"
    node_name: str = ""
    fsync_seconds: float = 5.0
    mediamtx_api_url: str = ""
    demo_camera_url: str = ""
    transcode_limit: int = 4
    testing: bool = False

    @classmethod
    def from_environment(cls, **overrides: Any) -> Self:
        """Read the environment over `.env`; `overrides` win over both.

        Missing secrets are generated once into DATA_DIR (mode 600).

        Raises:
            ConfigError: a setting is malformed, or a secret is known, too short, or the same as another one.
        """
        env = {**dotenv_values(_ROOT / ".env"), **os.environ}

        def text(name: str, default: str = "") -> str:
            return (env.get(name) or default).strip()

        data_dir = Path(overrides.pop("data_dir", None) or text("DATA_DIR") or _ROOT / "data").resolve()
        media_dir = Path(text("MEDIA_DIR") or data_dir / "media").resolve()
        _check_hidden(data_dir, media_dir)
        data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        _check_private(data_dir)
        config = cls(
            data_dir=data_dir,
            media_dir=media_dir,
            database_url=_database_url(text, data_dir),
            redis_url=text("REDIS_URL") or f"unix://{data_dir}/redis.sock",
            secret_key=_secret("SECRET_KEY", text("SECRET_KEY"), data_dir),
            jwt_secret_key=_secret("JWT_SECRET_KEY", text("JWT_SECRET_KEY"), data_dir),
            debug=_flag(text("DEBUG")),
            allowed_hosts=tuple(h.strip() for h in text("ALLOWED_HOSTS").split(",") if h.strip()),
            trusted_proxies=_proxies(text("TRUSTED_PROXIES")),
            email_host=text("EMAIL_HOST"),
            email_port=int(_number("EMAIL_PORT", text("EMAIL_PORT", "587"))),
            email_use_tls=_flag(text("EMAIL_USE_TLS", "true")),
            email_host_user=text("EMAIL_HOST_USER"),
            email_host_password=text("EMAIL_HOST_PASSWORD"),
            gcs_enabled=_flag(text("GCP_STORAGE_USE_GCS")),
            gcs_project_id=text("GCP_STORAGE_PROJECT_ID"),
            gcs_bucket_name=text("GCP_STORAGE_BUCKET_NAME"),
            gcs_credentials_path=text("GCP_STORAGE_CREDENTIALS_PATH"),
            gcs_endpoint=text("STORAGE_EMULATOR_HOST").rstrip("/"),
            frontend_url=text("FRONTEND_URL").rstrip("/"),
            tailscale_network=text("TAILSCALE_NETWORK", "100.64.0.0/10"),
            camera_network=text("CAMERA_NETWORK", "192.168.1.0/24"),
            node_name=text("NODE_NAME") or socket.gethostname(),
            fsync_seconds=_number("FSYNC_SECONDS", text("FSYNC_SECONDS", "5")),
            mediamtx_api_url=_own_service("MEDIAMTX_API_URL", text("MEDIAMTX_API_URL")),
            demo_camera_url=text("DEMO_CAMERA_URL"),
            transcode_limit=int(_number("TRANSCODE_LIMIT", text("TRANSCODE_LIMIT", "4"))),
        )
        _check_different(config.secret_key, config.jwt_secret_key)
        return replace(config, **overrides)

    def flask_settings(self) -> dict[str, Any]:
        """The same decisions under the names that Flask and its extensions read."""
        is_sqlite = self.database_url.startswith("sqlite")
        engine: dict[str, Any] = {
            "pool_pre_ping": True,
            "pool_size": 10,
            "max_overflow": 50,
            "pool_timeout": 3,
            # Values of rows, hashes among them, stay out of tracebacks: of logs and, for jobs, of Redis.
            "hide_parameters": True,
        }
        if is_sqlite:
            # The lock is taken by BEGIN IMMEDIATE (extensions.py); 5 s of waiting, then a clear error.
            engine["connect_args"] = {"timeout": 5, "check_same_thread": False}
        else:
            # A frozen server must not hang a request: connect, statement, lock and TCP each have an end.
            engine["connect_args"] = {
                "connect_timeout": 3,
                "tcp_user_timeout": 3000,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 2,
                "options": "-c statement_timeout=5000 -c lock_timeout=3000 -c timezone=UTC",
            }
        return {
            "SECRET_KEY": self.secret_key,
            "SQLALCHEMY_DATABASE_URI": self.database_url,
            "SQLALCHEMY_ENGINE_OPTIONS": engine,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "MAX_CONTENT_LENGTH": 2 * 1024 * 1024,
            "MAX_FORM_PARTS": 200,
            "WTF_CSRF_TIME_LIMIT": None,
            # Our pages send no Referer (headers.py), so over https every form would be refused. Tokens are
            # bound to the session, whose __Host- cookie nobody else can plant.
            "WTF_CSRF_SSL_STRICT": False,
            # Flask-Mail's names. Port 465 speaks TLS from the first byte, every other one after STARTTLS.
            "MAIL_SERVER": self.email_host,
            "MAIL_PORT": self.email_port,
            "MAIL_USE_TLS": self.email_use_tls and self.email_port != 465,
            "MAIL_USE_SSL": self.email_use_tls and self.email_port == 465,
            "MAIL_USERNAME": self.email_host_user,
            "MAIL_PASSWORD": self.email_host_password,
            "MAIL_SUPPRESS_SEND": False,  # tests send as well, to a server of their own
            "MAIL_DEBUG": 0,  # smtplib would print the password
            "TESTING": self.testing,
            "DEBUG": self.debug,
        }


def _database_url(text: Any, data_dir: Path) -> str:
    url = text("DATABASE_URL")
    if not url and text("DB_NAME"):
        password = f":{text('DB_PASSWORD')}" if text("DB_PASSWORD") else ""
        host = f"{text('DB_HOST', 'localhost')}:{text('DB_PORT', '5432')}"
        url = f"postgresql://{text('DB_USER', 'postgres')}{password}@{host}/{text('DB_NAME')}"
    if not url:
        return f"sqlite:///{data_dir}/cctv.db"
    # SQLAlchemy picks the driver by the scheme; ours is psycopg2-binary whatever spelling was given.
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg2://" + url.removeprefix(scheme)
    return url


def _check_different(secret_key: str, jwt_secret_key: str) -> None:
    if secret_key == jwt_secret_key:
        raise ConfigError("SECRET_KEY and JWT_SECRET_KEY are the same. Remove JWT_SECRET_KEY, or change it.")


def _check_private(data_dir: Path) -> None:
    """Who can write here can plant our secrets and read every camera's password."""
    found = data_dir.stat()
    if found.st_mode & stat.S_IWOTH:
        raise ConfigError(f"Everybody may write in DATA_DIR, {data_dir}. Choose a folder of its own in it.")
    if os.geteuid() != 0 and found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"DATA_DIR, {data_dir}, belongs to another user. Choose another, or chown it.")


def _check_hidden(data_dir: Path, media_dir: Path) -> None:
    """Nothing private may lie where files are served without a question, nor be what lies there."""
    for name, folder in (("DATA_DIR", data_dir), ("MEDIA_DIR", media_dir)):
        if folder == _PUBLIC or _PUBLIC in folder.parents:
            raise ConfigError(f"{name}, {folder}, is inside a folder that everybody can read. Move it out.")


def _own_service(name: str, url: str) -> str:
    """The address of a program on this machine: what asks for no password must not be reached from afar."""
    host = urlsplit(url).hostname if url else "localhost"
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        is_own = False
    if not is_own:
        raise ConfigError(f"{name} must name this machine: http://127.0.0.1 and the port, not {host}.")
    return url


def _proxies(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Whom to believe who a client is: addresses or networks, with commas."""
    found = []
    for part in (one.strip() for one in text.split(",") if one.strip()):
        try:
            network = ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ConfigError(f"TRUSTED_PROXIES: {part!r} is no address, like 127.0.0.1 or ::1.") from None
        if network.prefixlen == 0:
            raise ConfigError("TRUSTED_PROXIES must not name everybody: then anybody can be anybody.")
        found.append(network)
    return tuple(found)


def _secret(name: str, given: str, data_dir: Path) -> str:
    if given:
        if given.lower() in _PLACEHOLDERS or len(given) < _SHORTEST_SECRET:
            raise ConfigError(
                f"{name} is a known placeholder or shorter than {_SHORTEST_SECRET} characters. "
                f"Remove it to have one generated, or set a long random value."
            )
        return given
    path = data_dir / name.lower()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _stored_secret(name, path)
    with os.fdopen(descriptor, "w") as file:
        value = secrets.token_urlsafe(48)
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    return value


def _stored_secret(name: str, path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)  # came back from a backup
    value = path.read_text().strip()
    if len(value) < _SHORTEST_SECRET:
        raise ConfigError(
            f"{path} does not hold a usable {name}. Restore it from a backup: stored passwords need it."
        )
    return value


def _flag(value: str) -> bool:
    return value.lower() in {"1", "true", "yes", "on"}


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigError(f"{name} must be a number, not {value!r}.") from None


def current() -> Config:
    """The configuration of the application that is running."""
    config: Config = current_app.extensions["cctv.config"]
    return config
