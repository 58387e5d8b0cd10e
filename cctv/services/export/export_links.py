"""Addresses of exports that play in any player without cookies: signed for one person and one export.

The right is asked again at every request; such an address dies with the sign-in that it was made for.
"""

from __future__ import annotations

from pathlib import Path

from cctv import keys
from cctv.errors import NotAllowed, NotFound
from cctv.models import Export, User
from cctv.services.export import export_list
from cctv.services.person.access import TOKEN_SECONDS
from cctv.services.sign_in import sessions, token_holders

_PURPOSE = "export"
_DEAD = "This address is not valid (any more). Ask for a new one."


def make(user: User, export: Export) -> str:
    """The signed text for one export."""
    return keys.sign(_PURPOSE, [user.get_id(), export.id])


def open_link(token: str, export_id: int) -> tuple[int, Export, Path]:
    """Whose link it is, and the export with its file, as `export_list.open_file`.

    Raises:
        NotFound: forged, expired, for another export, or the person may not (any more).
    """
    payload = keys.unsign(_PURPOSE, token, max_age_seconds=TOKEN_SECONDS)
    if not isinstance(payload, list) or len(payload) != 2 or payload[1] != export_id:
        raise NotFound(_DEAD)
    principal = str(payload[0])
    is_token = token_holders.is_principal(principal)
    user = token_holders.find_by_principal(principal) if is_token else sessions.find_user(principal)
    if user is None:
        raise NotFound(_DEAD)
    user_id = user.id
    try:
        return user_id, *export_list.open_file(user, export_id)
    except NotAllowed:
        raise NotFound(_DEAD) from None
