"""What is weak in how this installation is set up: one sentence each, with what to do about it.

Reads the configuration and a few rows; never tells a secret, never changes anything.
"""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import func, select

from cctv import config
from cctv.clock import utcnow
from cctv.config import Config
from cctv.extensions import db
from cctv.models import ApiToken, Node, Role, User

_UNUSED_DAYS = 90  # an account that nobody used for so long is only a risk
_NEVER_USED_DAYS = 14
_FEWEST_CHARACTERS = 12  # different ones, in a secret that was not typed by holding a key down
_WIDEST_NETWORK = 2**24  # addresses: 10.0.0.0/8 is still somebody's own
_MOST_PROXIES = 2**20  # the networks of a container engine are as wide
_MOST_NAMES = 3
_ENV = Path(__file__).resolve().parents[3] / ".env"


@dataclass(frozen=True, slots=True)
class Weakness:
    """One line."""

    name: str
    sentence: str
    remedy: str


def find() -> Iterator[Weakness]:
    """Everything that is weak, the most dangerous first."""
    settings = config.current()
    yield from _of_secrets(settings)
    yield from _of_the_web(settings)
    yield from _of_servers(settings)
    yield from _of_people()


def _of_secrets(settings: Config) -> Iterator[Weakness]:
    for name, value in (("SECRET_KEY", settings.secret_key), ("JWT_SECRET_KEY", settings.jwt_secret_key)):
        if len(set(value)) < _FEWEST_CHARACTERS:
            yield Weakness(name, "Long, but easy to guess.", f"Remove {name}: a random one is made.")
    kept = settings.data_dir / "secret_key"
    is_of_file = kept.exists() and kept.read_text().strip() == settings.secret_key
    if is_of_file and (db.session.scalar(select(func.count(Node.id))) or 0) > 1:
        yield Weakness(
            "SECRET_KEY",
            "Several machines work together, and this one keeps a key of its own in DATA_DIR.",
            "Set the same SECRET_KEY in the environment of every machine.",
        )
    if _ENV.exists() and stat.S_IMODE(_ENV.stat().st_mode) & 0o077:
        yield Weakness(".env", "Other users of this machine can read it.", f"chmod 600 {_ENV}")


def _of_the_web(settings: Config) -> Iterator[Weakness]:
    if settings.debug:
        yield Weakness("DEBUG", "Is on: a failure shows strangers how we work.", "Remove DEBUG.")
    if "*" in settings.allowed_hosts:
        yield Weakness(
            "ALLOWED_HOSTS",
            "Answers to every name, also to one that somebody else points here.",
            "List the names that people type.",
        )
    for proxy in settings.trusted_proxies:
        if proxy.num_addresses > _MOST_PROXIES:
            yield Weakness(
                "TRUSTED_PROXIES",
                f"Whoever is in {proxy} may say that a request comes from any other place.",
                "List only the addresses of your proxies.",
            )
    frontend = urlsplit(settings.frontend_url)
    if frontend.scheme == "http" and not _is_private(frontend.hostname or ""):
        yield Weakness(
            "FRONTEND_URL",
            "Passwords and pictures cross the internet in the clear.",
            "Put a server with TLS in front, and use https:// in FRONTEND_URL.",
        )
    for name, texts in (
        ("CAMERA_NETWORK", settings.camera_network),
        ("TAILSCALE_NETWORK", settings.tailscale_network),
    ):
        for text in texts.split(","):
            if _is_wide(text.strip()):
                sentence = f"{text.strip()} lets a camera's address name almost any machine."
                yield Weakness(name, sentence, "List only the networks that your cameras are in.")


def _of_servers(settings: Config) -> Iterator[Weakness]:
    redis = urlsplit(settings.redis_url)
    if redis.scheme in {"redis", "rediss"} and not redis.password:
        who = "Every user of this machine" if _is_local(redis.hostname or "") else "Everybody in its network"
        yield Weakness(
            "Redis",
            f"{who} can start jobs: it asks for no password.",
            "Use a socket, or requirepass and redis://:password@host in REDIS_URL.",
        )
    database = urlsplit(settings.database_url)
    is_far = database.scheme.startswith("postgres") and not _is_local(database.hostname or "")
    if is_far and parse_qs(database.query).get("sslmode", [""])[0] not in {
        "require",
        "verify-ca",
        "verify-full",
    }:
        yield Weakness(
            "database",
            "The connection to the database may be read on its way.",
            "Add ?sslmode=require to DATABASE_URL.",
        )
    if settings.email_host and not settings.email_use_tls and not _is_local(settings.email_host):
        yield Weakness(
            "mail",
            "Codes and the mail password travel in the clear.",
            "Set EMAIL_USE_TLS=true and the port that goes with it, often 587.",
        )


def _of_people() -> Iterator[Weakness]:
    now = utcnow()
    enabled = list(db.session.scalars(select(User).where(User.is_enabled).order_by(User.name)))
    owners = [user for user in enabled if user.role == Role.SUPER_ADMIN and user.totp_confirmed_at is None]
    if owners:
        yield Weakness(
            "second factor",
            f"Without: {_names(owners)}, who can do everything with a password alone.",
            "Each turns it on under Account.",
        )
    old = now - timedelta(days=_NEVER_USED_DAYS)
    never = [user for user in enabled if user.last_sign_in_at is None and user.created_at < old]
    if never:
        yield Weakness("accounts", f"Never used: {_names(never)}.", "Turn them off under Users.")
    long_ago = now - timedelta(days=_UNUSED_DAYS)
    unused = [user for user in enabled if user.last_sign_in_at and user.last_sign_in_at < long_ago]
    if unused:
        sentence = f"Not used for {_UNUSED_DAYS} days: {_names(unused)}."
        yield Weakness("accounts", sentence, "Turn off those that nobody needs, under Users.")
    endless = db.session.scalar(
        select(func.count(ApiToken.id)).where(ApiToken.revoked_at.is_(None), ApiToken.expires_at.is_(None))
    )
    if endless:
        count = (
            "1 token for programs never ends" if endless == 1 else f"{endless} tokens for programs never end"
        )
        yield Weakness("API tokens", f"{count}.", "Make new ones with an end, and revoke these.")


def _names(users: list[User]) -> str:
    more = len(users) - _MOST_NAMES
    listed = ", ".join(user.name for user in users[:_MOST_NAMES])
    return f"{listed} and {more} more" if more > 0 else listed


def _is_wide(network: str) -> bool:
    try:
        return ipaddress.ip_network(network, strict=False).num_addresses > _WIDEST_NETWORK
    except ValueError:
        return False  # refused with a sentence where it is read


def _is_local(host: str) -> bool:
    """Whether it is this machine: by name, by address, or a socket."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}


def _is_private(host: str) -> bool:
    """Whether the name or address means something only in a network of one's own."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa"))
