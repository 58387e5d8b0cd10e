"""Configuration: names of the manual, generated secrets, refused placeholders."""

import os
from pathlib import Path

import pytest

import cctv
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


def test_a_new_data_folder_is_not_for_everybody(tmp_path: Path) -> None:
    Config.from_environment()
    assert (tmp_path / "data").stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_in_which_everybody_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    with pytest.raises(ConfigError, match="Everybody may write in DATA_DIR"):
        Config.from_environment()
    assert list((tmp_path / "data").iterdir()) == []


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "data", 4711, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4712)
    with pytest.raises(ConfigError, match="belongs to another user"):
        Config.from_environment()


def test_a_secret_that_came_back_readable_is_closed_again(tmp_path: Path) -> None:
    Config.from_environment()
    (tmp_path / "data" / "secret_key").chmod(0o644)
    Config.from_environment()
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_same_secret_twice_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "JWT_SECRET_KEY"):
        monkeypatch.setenv(name, "one and the same secret for both of them")
    with pytest.raises(ConfigError, match="are the same"):
        Config.from_environment()


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


@pytest.mark.parametrize("name", ["DATA_DIR", "MEDIA_DIR"])
def test_nothing_private_lies_among_the_files_for_everybody(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    static = Path(cctv.__file__).parent / "static"
    for folder in (static, static / "css"):
        monkeypatch.setenv(name, str(folder))
        with pytest.raises(ConfigError, match=f"{name}.*everybody can read"):
            Config.from_environment()
        assert not list(folder.glob("*secret*")), "no secret was made there either"


@pytest.mark.parametrize(
    "url", ["http://0.0.0.0:9997", "http://10.0.0.9:9997", "http://relay:9997", "http://[::]:1"]
)
def test_a_relay_that_others_could_command_stops_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MEDIAMTX_API_URL", url)
    with pytest.raises(ConfigError, match="MEDIAMTX_API_URL must name this machine"):
        Config.from_environment()


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9997", "http://localhost:9997", "http://[::1]:9997"])
def test_a_relay_on_this_machine_is_fine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MEDIAMTX_API_URL", url)
    assert Config.from_environment().mediamtx_api_url == url


def test_proxies_are_named_by_address_and_never_all_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1, 172.18.0.0/16,::1")
    found = Config.from_environment().trusted_proxies
    assert [str(one) for one in found] == ["127.0.0.1/32", "172.18.0.0/16", "::1/128"]
    for text in ("*", "nginx", "127.0.0.1/33"):
        monkeypatch.setenv("TRUSTED_PROXIES", text)
        with pytest.raises(ConfigError, match="is no address"):
            Config.from_environment()
    for text in ("0.0.0.0/0", "::/0"):
        monkeypatch.setenv("TRUSTED_PROXIES", text)
        with pytest.raises(ConfigError, match="must not name everybody"):
            Config.from_environment()
