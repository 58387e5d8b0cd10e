"""The first question of every sign-in, of browsers and apps alike: is this the password of this name?

Wrong ones are slowed down and written to the audit log, the same for names that nobody has; signs nobody in.
"""

from __future__ import annotations

from cctv.blueprints import _guesses, _origin
from cctv.blueprints._guesses import Guess
from cctv.models import User
from cctv.services.person import users
from cctv.services.sign_in import refused_sign_ins


def check(typed: str, password: str, *, is_browser: bool = True) -> tuple[User | None, Guess]:
    """The account, or None when name or password is wrong or it is too early to try (`wait_seconds`).

    Takes as long for a name that nobody has. An app (`is_browser` False) is not known by a cookie.
    """
    user = users.find_by_login(typed)
    guess = _guesses.of_password(user, typed, is_browser=is_browser)
    if not guess.wait_seconds and users.check_password(user, password):
        guess.was_right()
        return user, guess
    refused_sign_ins.note(user, address=_origin.address(), typed=typed)
    return None, guess
