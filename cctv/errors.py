"""The one family of errors that services raise and faces turn into answers.

An error carries a sentence for a person; it never carries a secret, a path or a stack trace.
"""


class CctvError(Exception):
    """Base of every refusal; `str(error)` is a sentence fit for a person."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Malformed(CctvError):
    """The request cannot be read at all: not JSON, or a body where none belongs."""

    status = 400


class NotSignedIn(CctvError):
    """Nobody is known by what the request brought; signing in helps."""

    status = 401


class NotFresh(NotSignedIn):
    """The person is known, but has not typed the password for a while, and this needs it (RFC 9470)."""


class NotFound(CctvError):
    """The thing does not exist, or must not be known to exist by this person."""

    status = 404


class Gone(CctvError):
    """The thing existed and was deleted; the sentence says by whom or by which rule."""

    status = 410


class NotAllowed(CctvError):
    """The person may not do this; the sentence says who may."""

    status = 403


class Invalid(CctvError):
    """What was typed cannot be accepted; `errors` maps field name to sentence."""

    status = 422

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


class Conflict(CctvError):
    """Somebody else changed the thing in the meantime, or it is in the wrong state."""

    status = 409


class Changed(CctvError):
    """The thing is not (any more) as the asker knows it: read it again (RFC 9110, If-Match)."""

    status = 412


class VersionMissing(CctvError):
    """Which version is to be changed was not said (RFC 6585)."""

    status = 428


class LimitReached(CctvError):
    """A limit of this node or person is used up; the sentence names the limit."""

    status = 429


class Unavailable(CctvError):
    """Something we depend on is away for now; asking again later is right."""

    status = 503
