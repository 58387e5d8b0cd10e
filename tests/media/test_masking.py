"""No spelling of a secret gets through."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cctv.media.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("rtsp://admin:geheim@10.0.0.1/a", "rtsp://admin:***@10.0.0.1/a"),
        ("rtsp://admin:p@ss/w:rd@10.0.0.1:554/a", "rtsp://admin:***@10.0.0.1:554/a"),
        (
            "Impossible to open 'rtsp://admin:x@10.0.0.1/a'",
            "Impossible to open 'rtsp://admin:***@10.0.0.1/a'",
        ),
        ("rtsp%3A%2F%2Fadmin%3Ageheim%4010.0.0.1%2Fa", "rtsp%3A%2F%2Fadmin%3A***%4010.0.0.1%2Fa"),
        ("Authorization: Basic YWRtaW46Z2VoZWlt\r\nCSeq: 2", "Authorization: ***\r\nCSeq: 2"),
        ('authorization: Digest username="a", response="9f"', "authorization: ***"),
        ("sent Basic YWRtaW46Z2VoZWlt to it", "sent Basic *** to it"),
        ('{"password": "geheim", "x": 1}', '{"password": "***", "x": 1}'),
        ("user=a&password=geheim&x=1", "user=a&password=***&x=1"),
        ("rtsp://10.0.0.1/a", "rtsp://10.0.0.1/a"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_it_hides_credentials_it_does_not_know(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.text(min_size=4, max_size=20, alphabet=st.characters(codec="utf-8")))
def test_a_known_secret_is_hidden_in_every_spelling(secret: str) -> None:
    spellings = [secret, quote(secret), quote(secret, safe=""), quote(quote(secret, safe=""), safe="")]
    spellings += [quote(secret, safe="").lower() if secret.isascii() and secret.islower() else secret]
    spellings += [base64.b64encode(secret.encode()).decode()]
    for spelling in spellings:
        masked = mask(f"<{spelling}>", [secret])
        assert masked == "<***>"


def test_an_empty_secret_masks_nothing() -> None:
    assert mask("abc", ["", "b"]) == "a***c"
