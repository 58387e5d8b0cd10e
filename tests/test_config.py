"""Configuration: names of the manual, generated secrets, refused placeholders."""

from pathlib import Path

import pytest

from cctv.config import Config, ConfigError


@pytest.fixture(autouse=True)
def only_our_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "DB_NAME", "SECRET_KEY", "JWT_SECRET_KEY", "REDIS_URL", "MEDIA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))


def test_missing_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    first, second = Config.from_environment(), Config.from_environment()
    assert first.secret_key == second.secret_key != first.jwt_secret_key
    for name in ("secret_key", "jwt_secret_key"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["changeme", "short", "secret"])
def test_known_or_short_secrets_stop_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SECRET_KEY", value)
    with pytest.raises(ConfigError, match=r"SECRET_KEY.*Remove it"):
        Config.from_environment()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_means_our_driver(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h/d")
    assert Config.from_environment().database_url == "postgresql+psycopg2://u:p@h/d"


def test_the_database_can_be_named_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DB_NAME": "cctv", "DB_USER": "me", "DB_PASSWORD": "pw", "DB_HOST": "db"}.items():
        monkeypatch.setenv(name, value)
    assert Config.from_environment().database_url == "postgresql+psycopg2://me:pw@db:5432/cctv"


def test_without_any_database_setting_it_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    assert Config.from_environment().database_url == f"sqlite:///{tmp_path}/data/cctv.db"


def test_a_number_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSYNC_SECONDS", "often")
    with pytest.raises(ConfigError, match="FSYNC_SECONDS must be a number, not 'often'"):
        Config.from_environment()
