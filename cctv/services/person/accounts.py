"""One's own account: what each person changes about themselves, whatever the role.

Other people's accounts are in people.py; password, e-mail address and second factor have their own modules.
"""

from __future__ import annotations

from cctv.errors import Invalid
from cctv.extensions import begin_writing, db
from cctv.models import Role, User
from cctv.services.auditing import audit
from cctv.services.person import access
from cctv.services.person.access import Action

_LONGEST_NAME = 120
# path -> (words, what one must be allowed to do to open it)
_START_PAGES = {
    "/": ("Overview", Action.OVERVIEW),
    "/wall": ("Wall", Action.LIVE),
    "/playback": ("Playback", Action.PLAYBACK),
    "/cameras": ("Cameras", Action.CAMERA_LIST),
}


def start_page(user: User) -> str:
    """Where signing in leads: the person's choice while it is open to them, else as the role has it."""
    return user.start_page if user.start_page in start_pages(user) else usual_start_page(user)


def usual_start_page(user: User) -> str:
    """Where the role starts."""
    return "/wall" if user.role == Role.VISITOR else "/"


def start_pages(user: User) -> dict[str, str]:
    """What the person may choose: path -> words."""
    return {path: words for path, (words, action) in _START_PAGES.items() if access.may(user, action)}


def rename(user: User, name: str) -> None:
    """Change how the person is called.

    Raises:
        Invalid: key name.
    """
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME:
        raise Invalid({"name": f"Enter a name of at most {_LONGEST_NAME} characters."})
    begin_writing()
    before = {"name": user.name}
    user.name = name
    user.version += 1
    audit.add("user.change", target=name, target_id=user.id, before=before, after={"name": name})
    db.session.commit()


def choose(user: User, *, start_page: str, has_shortcuts: bool, pauses_updates: bool) -> None:
    """How the pages behave for this person.

    Raises:
        Invalid: key start_page.
    """
    if start_page and start_page not in start_pages(user):
        raise Invalid({"start_page": "Choose a page that you can open."})
    begin_writing()
    after = {"start_page": start_page, "has_shortcuts": has_shortcuts, "pauses_updates": pauses_updates}
    before = {name: getattr(user, name) for name in after}
    for name, value in after.items():
        setattr(user, name, value)
    if before != after:
        audit.add("user.change", target=user.name, target_id=user.id, before=before, after=after)
    db.session.commit()
