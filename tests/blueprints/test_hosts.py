"""Host names: ours are answered, foreign ones are not."""

from dataclasses import replace

import pytest

from cctv import create_app
from cctv.config import Config


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "192.168.1.7:8000", "[::1]:8000", "127.0.0.1"]
)
def test_the_machines_own_names_and_any_address_are_answered(config: Config, host: str) -> None:
    assert create_app(config).test_client().get("/alive", headers={"Host": host}).status_code < 300


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "cctv.example.evil.org"])
def test_a_foreign_name_is_refused_with_a_sentence(config: Config, host: str) -> None:
    answer = create_app(config).test_client().get("/login", headers={"Host": host})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text and "Set-Cookie" not in answer.headers


def test_allowed_hosts_and_the_frontend_are_known(config: Config) -> None:
    named = replace(config, allowed_hosts=("cctv.example",), frontend_url="https://site.example/cams")
    client = create_app(named).test_client()
    for host, status in (("cctv.example", True), ("site.example", True), ("localhost", False)):
        assert (client.get("/alive", headers={"Host": host}).status_code < 300) is status
