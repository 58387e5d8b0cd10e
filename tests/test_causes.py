"""Every cause is told in whole sentences, once."""

from __future__ import annotations

import pytest

from cctv import causes

STATES = {"off", "connecting", "live", "frozen", "offline", "refused", "storage"}
REQUIRED = "badurl dns noroute refused notrtsp silent auth locked forbidden path busy transport tls novideo "
REQUIRED += "mjpeg keyframes stall dup ended reset stalled killed changed clock_step frozen disk_full codec "
REQUIRED += "disk_hung disk_slow volume_missing worker_down host_down disabled deleted_rule deleted_early "
REQUIRED += "deleted_person lost_file redirected starting unknown disk_error nostart damaged forgotten flood"


@pytest.mark.parametrize("cause", causes.CAUSES.values(), ids=lambda cause: cause.code)
def test_a_cause_is_told_in_sentences(cause: causes.Cause) -> None:
    assert cause.state in STATES
    assert cause.headline[0].isupper()
    assert not cause.headline.endswith(".")
    assert cause.short
    assert cause.short[-1] not in ".!"
    assert "{" not in cause.headline + cause.body + cause.short
    assert cause.field in {None, "url", "username", "password"}


@pytest.mark.parametrize("code", REQUIRED.split())
def test_each_code_has_its_own_text(code: str) -> None:
    assert causes.get(code).code in {code, {"stalled": "stall"}.get(code)}


def test_headlines_are_unique() -> None:
    headlines = [cause.headline for cause in causes.CAUSES.values()]
    assert len(set(headlines)) == len(headlines)


def test_facts_are_told_when_they_are_known() -> None:
    assert causes.get("dns").told(host="cam.local")[0] == "The name cam.local was not found"
    assert causes.get("refused").told(port=554)[0] == "The camera is there, but port 554 is closed"
    assert causes.get("forbidden").told(user="guard")[0] == "The user guard may not watch this camera"
    assert "since 14:51:58" in causes.get("stall").told(since="14:51:58")[1]
    assert "{x}" in causes.get("dns").told(host="{x}")[0]


def test_a_wrong_password_is_never_tried_again_and_says_so() -> None:
    assert not causes.get("auth").retries
    assert causes.get("auth").promise == ""
    assert causes.get("noroute").promise


def test_an_unknown_code_is_told_as_unknown() -> None:
    assert causes.get("from the future").code == "unknown"
    assert causes.get(None).code == "unknown"
