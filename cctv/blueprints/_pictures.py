"""Addresses as pictures for a phone's camera.

Only drawn here; whether a picture holds a secret is decided by who asks for it.
"""

from __future__ import annotations

import segno
from flask import request

from cctv.services.mailing import mail


def site_address() -> str:
    """Where a phone finds this system: the configured address, else the one that was typed here."""
    return mail.link("/") or request.host_url


def picture_of(text: str) -> str:
    """A QR code as the address of an image."""
    # Four modules of rim (ISO 18004), dark on white in both themes, as cameras want it.
    drawn = segno.make(text, error="m", micro=False)
    return str(drawn.svg_data_uri(scale=5, border=4, light="#fff", dark="#000"))
