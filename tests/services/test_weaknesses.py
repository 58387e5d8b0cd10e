"""What `flask doctor` finds weak: each with what to do, and nothing on an installation that is well kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import Flask

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models import ApiToken, Node, Role, User
from cctv.services.site import doctor, weaknesses

STRONG = "q8Zr-5uPw_0aYt2LxKd7Vn3Hs9Gb1Jm4Cf6E"


@pytest.fixture(autouse=True)
def no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(weaknesses, "_ENV", tmp_path / ".env")
    return tmp_path / ".env"


def configure(app: Flask, **values: object) -> None:
    """A well-kept installation but for these settings."""
    app.extensions["cctv.config"] = replace(
        app.extensions["cctv.config"],
        **{
            "redis_url": "unix:///run/redis.sock",
            "secret_key": STRONG,
            "jwt_secret_key": STRONG[::-1],
            **values,
        },
    )


def said() -> list[str]:
    return [f"{one.name}: {one.sentence} {one.remedy}" for one in weaknesses.find()]


def add_user(name: str, role: Role = Role.VISITOR, **columns: object) -> None:
    facts = {"last_sign_in_at": utcnow(), "totp_confirmed_at": utcnow(), **columns}
    username = name.lower().replace(" ", ".")
    db.session.add(
        User(
            name=name,
            email=f"{username}@example.org",
            username=username,
            password_hash="x",
            role=role,
            **facts,
        )
    )
    db.session.commit()


def test_nothing_is_said_of_an_installation_that_is_well_kept(context: Flask) -> None:
    configure(context, frontend_url="https://cctv.example.org", allowed_hosts=("cctv.example.org",))
    add_user("Olive Owner", Role.SUPER_ADMIN)
    add_user("Vic", last_sign_in_at=None)
    assert said() == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"debug": True}, "DEBUG: Is on"),
        ({"allowed_hosts": ("*",)}, "ALLOWED_HOSTS: Answers to every name"),
        (
            {"frontend_url": "http://cctv.example.org"},
            "FRONTEND_URL: Passwords and pictures cross the internet",
        ),
        ({"frontend_url": "http://203.0.114.9"}, "use https://"),
        ({"secret_key": "a" * 64}, "SECRET_KEY: Long, but easy to guess."),
        ({"jwt_secret_key": "abc" * 20}, "JWT_SECRET_KEY: Long, but easy to guess."),
        ({"redis_url": "redis://localhost:6379/0"}, "Redis: Every user of this machine can start jobs"),
        ({"redis_url": "redis://10.0.0.9:6379/0"}, "Redis: Everybody in its network can start jobs"),
        ({"database_url": "postgresql+psycopg2://u:p@db.example.org/cctv"}, "?sslmode=require"),
        ({"email_host": "mail.example.org", "email_use_tls": False}, "EMAIL_USE_TLS=true"),
        ({"camera_network": "192.168.1.0/24, 0.0.0.0/0"}, "CAMERA_NETWORK: 0.0.0.0/0 lets"),
        ({"tailscale_network": "::/0"}, "TAILSCALE_NETWORK: ::/0 lets"),
        ({"trusted_proxies": (ip_network("10.0.0.0/8"),)}, "TRUSTED_PROXIES: Whoever is in 10.0.0.0/8 may"),
    ],
)
def test_a_weak_setting_is_told_in_one_line(context: Flask, values: dict[str, object], words: str) -> None:
    configure(context, **values)
    found = said()
    assert len(found) == 1
    assert words in found[0]
    assert "u:p@" not in found[0]


@pytest.mark.parametrize(
    "values",
    [
        {"frontend_url": "http://nvr.local:8000"},
        {"frontend_url": "http://192.168.1.5"},
        {"frontend_url": "http://100.101.102.103"},
        {"redis_url": "redis://:secret@10.0.0.9:6379/0"},
        {"redis_url": "rediss://user:secret@10.0.0.9:6379/0"},
        {"database_url": "postgresql+psycopg2://u@localhost/cctv"},
        {"database_url": "postgresql+psycopg2:///cctv"},
        {"database_url": "postgresql+psycopg2://u:p@db.example.org/cctv?sslmode=verify-full"},
        {"email_host": "localhost", "email_use_tls": False},
        {"camera_network": "10.0.0.0/8,nonsense,"},
        {"trusted_proxies": (ip_network("127.0.0.1"), ip_network("172.16.0.0/12"))},
    ],
)
def test_what_is_good_enough_is_not_called_weak(context: Flask, values: dict[str, object]) -> None:
    configure(context, **values)
    assert said() == []


def test_people_who_are_a_risk_are_named(context: Flask) -> None:
    configure(context)
    now = utcnow()
    add_user("Olive Owner", Role.SUPER_ADMIN, totp_confirmed_at=None)
    add_user("Ada Admin", Role.ADMIN, totp_confirmed_at=None)
    add_user("Nobody", last_sign_in_at=None, created_at=now - timedelta(days=20))
    add_user("Gone", last_sign_in_at=None, created_at=now - timedelta(days=20), is_enabled=False)
    for number in range(5):
        add_user(
            f"Old {number}", last_sign_in_at=now - timedelta(days=100), created_at=now - timedelta(days=200)
        )
    second, never, unused = said()
    assert "Without: Olive Owner, who" in second
    assert "Never used: Nobody." in never
    assert "Not used for 90 days: Old 0, Old 1, Old 2 and 2 more." in unused


def test_tokens_without_an_end_are_counted(context: Flask) -> None:
    configure(context)
    add_user("Olive Owner", Role.SUPER_ADMIN)
    user_id = db.session.scalars(db.select(User.id)).one()
    facts = {"user_id": user_id, "name": "x", "prefix": "cctv_", "scopes": []}
    for number, more in enumerate(({}, {"revoked_at": utcnow()}, {"expires_at": utcnow()})):
        db.session.add(ApiToken(secret_hash=f"{number:064}", **facts, **more))
    db.session.commit()
    assert said() == [
        "API tokens: 1 token for programs never ends. Make new ones with an end, and revoke these."
    ]


def test_a_second_machine_needs_the_key_from_outside(context: Flask) -> None:
    configure(context)
    (context.extensions["cctv.config"].data_dir / "secret_key").write_text(STRONG)
    for key in "ab":
        assert said() == [], "one machine may keep its key"
        db.session.add(Node(key=key * 32, name=f"node {key}", seen_ms=0))
        db.session.commit()
    assert "Several machines work together" in said()[0]
    (context.extensions["cctv.config"].data_dir / "secret_key").write_text("an old one, not in use any more")
    assert said() == []


def test_an_environment_file_that_others_can_read_is_told(context: Flask, no_env_file: Path) -> None:
    configure(context)
    no_env_file.write_text("EMAIL_HOST_PASSWORD=x")
    no_env_file.chmod(0o640)
    assert said() == [f".env: Other users of this machine can read it. chmod 600 {no_env_file}"]
    no_env_file.chmod(0o600)
    assert said() == []


def test_the_doctor_warns_and_does_not_fail_for_it(context: Flask) -> None:
    configure(context, debug=True)
    found = [one for one in doctor.examine() if one.name == "DEBUG"]
    assert [(one.state, one.remedy) for one in found] == [("warn", "Remove DEBUG.")]
