"""Why a mail was not taken, in words for a person, and whether asking again can help.

Pure: an exception in, a sentence out; a server's own answer is masked before anybody sees it.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterable

from cctv.media import masking

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_LONGEST_ANSWER = 400
# The server wants a sign-in or TLS first: nothing is wrong with this one mail (RFC 4954 6, RFC 3207 4).
_SIGN_IN_FIRST = {530, 534, 535, 538}


class Undelivered(Exception):
    """The mail was not taken, or nobody knows whether it was."""

    def __init__(
        self,
        cause: str,
        *,
        answer: str = "",
        is_for_good: bool = False,
        is_of_server: bool = False,
        is_uncertain: bool = False,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.answer = answer  # of the server, masked
        self.is_for_good = is_for_good  # asking again is no use
        self.is_of_server = is_of_server  # every other mail would end the same way now
        self.is_uncertain = is_uncertain  # it may have arrived: never sent again by itself


def explain(
    error: Exception,
    *,
    stage: str,
    server: str,
    secrets: Iterable[str] = (),
    is_cut: bool = False,
    is_handed_over: bool = False,
) -> Undelivered:
    """What the error means. `server`: host and port in words; `is_cut`: our own limit ended it."""
    answer = answered(error, secrets)
    code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0
    if is_handed_over and not 400 <= code < 600:
        return Undelivered(
            "The server did not say whether it took the mail. It may have arrived, so it is not sent again.",
            answer=answer,
            is_for_good=True,
            is_uncertain=True,
        )
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        refused = next(iter(error.recipients.values()))[0] if error.recipients else 0
        return _judged(refused, "The server refused the recipient", answer)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return Undelivered(
            "The server does not let us send from this address. See 'From' in the settings of mail.",
            answer=answer,
            is_of_server=True,
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        if 400 <= code < 500:
            return _of_server("The server cannot check the password now", answer)
        return _of_server("The server refused the user name or the password", answer)
    if isinstance(error, smtplib.SMTPDataError):
        return _judged(code, "The server refused the mail", answer)
    if isinstance(error, smtplib.SMTPResponseException) and not isinstance(error, smtplib.SMTPConnectError):
        return _of_server(f"The server answered {code} where it should have gone on", answer)
    return _of_server(_of_connection(error, stage, server, is_cut=is_cut), answer)


def _judged(code: int, sentence: str, answer: str) -> Undelivered:
    """4xx: later; 5xx: for good, except when it speaks of us and not of the mail."""
    if code in _SIGN_IN_FIRST:
        return _of_server("The server wants a sign-in or encryption that is not configured", answer)
    if code == 421:
        return _of_server("The server is closing down", answer)
    if 500 <= code < 600:
        return Undelivered(f"{sentence}.", answer=answer, is_for_good=True)
    return Undelivered(f"{sentence} for now.", answer=answer)


def _of_server(sentence: str, answer: str) -> Undelivered:
    return Undelivered(f"{sentence}.", answer=answer, is_of_server=True)


def _of_connection(error: Exception, stage: str, server: str, *, is_cut: bool) -> str:
    """The part of the sentence before its dot."""
    host = server.partition(",")[0]
    inner = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else error
    is_late = isinstance(inner, TimeoutError)
    if stage == "login" and isinstance(error, UnicodeError):
        return "The user name or password has letters beyond ASCII, which mail servers do not agree about"
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"The name {host} is not known. Check EMAIL_HOST"
    if stage == "name" and is_late:
        return f"The name {host} could not be looked up: the name server does not answer"
    if is_cut:
        return f"{server}, answers too slowly"
    if is_late:
        return f"{server}, does not answer"
    if isinstance(error, ConnectionRefusedError):
        return f"{server}, refuses connections. Check EMAIL_PORT, and whether the server runs"
    return _of_encryption(error, stage, server) or _of_talk(error, stage, server)


def _of_encryption(error: Exception, stage: str, server: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {server.partition(',')[0]} is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"No encrypted connection with {server}. Does this port speak TLS?"
    if isinstance(error, smtplib.SMTPNotSupportedError) and stage == "tls":
        return "The server offers no encryption (STARTTLS). EMAIL_USE_TLS=false would send in the clear"
    return ""


def _of_talk(error: Exception, stage: str, server: str) -> str:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "The server offers no sign-in here. Check EMAIL_PORT and EMAIL_USE_TLS"
    if isinstance(error, smtplib.SMTPConnectError):
        return f"{server}, greeted us with a refusal"
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
        return f"{server}, closed the connection"
    if isinstance(error, smtplib.SMTPException) and stage == "login":
        return "The server offers no way of signing in that we know"
    return f"{server}, cannot be reached"


def answered(error: Exception, secrets: Iterable[str] = ()) -> str:
    """The server's own words, on one line, without secrets; "" when it said nothing."""
    code: int | None = None
    said: bytes | str = b""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()), (None, b""))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error
    if code is None or code < 0:
        return ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    line = " ".join(_CONTROLS.sub(" ", text).split())
    return f"{code} {masking.mask(line, secrets)}"[:_LONGEST_ANSWER].strip()
