"""One mail to one SMTP server, step by step, with an end to every wait. Only from jobs: it may take a while.

Knows no row; what a failure means is said in mail_causes.py, and no secret is in an error or a step.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any

import flask_mail

from cctv.services.mailing import mail_causes
from cctv.services.mailing.mail_causes import Undelivered

Step = Callable[[str, str, str], None]  # which (STEPS), ok | off | warn | bad, a sentence
STEPS = ("name", "connection", "tls", "login", "accepted")
# Quoted-printable or base64 where needed: no line is too long for a server, and none has to speak 8BITMIME.
_POLICY = SMTP.clone(cte_type="7bit")
_STEP_OF = {"greeting": "connection", "hello": "connection", "sender": "accepted", "recipient": "accepted"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. A server that drips single bytes still ends with `overall`."""

    overall: float = 30.0  # until the mail itself is handed over
    connect: float = 10.0
    command: float = 10.0
    # For the answer after the mail. RFC 5321 4.5.3.2.6 asks for ten minutes: who gives up early sends twice.
    taking: float = 60.0


TEST_LIMITS = Limits(overall=12.0, connect=6.0, command=8.0, taking=3.0)


class Envelope(flask_mail.Message):
    """A mail as Flask-Mail sends it, built by the standard library's own rules for headers and encodings."""

    def __init__(self, *, to: str, sender: str, sender_name: str, message_id: str) -> None:
        super().__init__(recipients=[to], sender=sender)
        self.sender_name = sender_name
        self.msgId = message_id
        self.is_automatic = True

    def _message(self) -> Any:
        """Refuses line ends in any header with a ValueError."""
        mime = EmailMessage(policy=_POLICY)
        mime["Subject"] = self.subject
        mime["From"] = _mailbox(self.sender_name, str(self.sender))
        mime["To"] = _mailbox("", str(self.recipients[0]))
        mime["Date"] = formatdate(self.date)
        mime["Message-ID"] = self.msgId
        if self.is_automatic:
            mime["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday answers stay away
        if self.reply_to:
            mime["Reply-To"] = _mailbox("", str(self.reply_to))
        mime.set_content(self.body or "")
        if self.html:
            mime.add_alternative(self.html, subtype="html")
        return mime


class Connection(flask_mail.Connection):
    """Flask-Mail's connection with limits, a certificate that is checked, and steps that are told."""

    def __init__(
        self, mail: Any, *, limits: Limits, tell: Step, before_handing_over: Callable[[], None]
    ) -> None:
        super().__init__(mail)
        self.limits = limits
        self.tell = tell
        self.before_handing_over = before_handing_over
        self.stage = "name"
        self.smtp: _Smtp | None = None

    def configure_host(self) -> smtplib.SMTP:
        """Find, connect, encrypt, sign in."""
        server = self.mail
        smtp = self.smtp = _Smtp(self)
        smtp.watch(self.limits.overall)
        code, greeting = smtp.connect(server.server, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, greeting)
        self.stage = "hello"
        smtp.ehlo_or_helo_if_needed()
        if server.use_tls:
            self.stage = "tls"
            smtp.starttls(context=ssl.create_default_context())
            self.stage = "hello"
            smtp.ehlo_or_helo_if_needed()
        if not (server.use_tls or server.use_ssl):
            self.tell("tls", "warn", "Not encrypted: EMAIL_USE_TLS is off.")
        else:
            version = smtp.sock.version() if isinstance(smtp.sock, ssl.SSLSocket) else "TLS"
            self.tell("tls", "ok", f"Encrypted with {version}; the certificate is valid.")
        if server.username and server.password:
            self.stage = "login"
            smtp.login(server.username, server.password)
            self.tell("login", "ok", f"Signed in as {server.username}.")
        else:
            self.tell("login", "off", "No sign-in: EMAIL_HOST_USER is not set.")
        self.stage = "message"
        return smtp

    def __exit__(self, *error: Any) -> None:
        """A server that is rude after it took the mail has taken it all the same."""
        smtp = self.smtp
        if smtp is None:
            return
        smtp.unwatch()
        if error[0] is None and smtp.sock is not None:
            with contextlib.suppress(OSError):
                smtp.sock.settimeout(2)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        smtp.close()


class _Smtp(smtplib.SMTP):
    """smtplib's client; its own waits have no end over all, and its greeting asks the DNS for our name."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(
            local_hostname=socket.gethostname() or "localhost", timeout=connection.limits.command
        )
        self._connection = connection
        self._host = connection.mail.server  # smtplib's: the name that the certificate must be for
        self._watch: threading.Timer | None = None
        self.is_cut = False
        self.is_handed_over = False

    def watch(self, seconds: float) -> None:
        """Cut the connection after so long, whatever is going on."""
        self.unwatch()
        self._watch = threading.Timer(seconds, self._cut)
        self._watch.daemon = True
        self._watch.start()

    def unwatch(self) -> None:
        """The end of `watch`."""
        if self._watch is not None:
            self._watch.cancel()

    def _cut(self) -> None:
        self.is_cut = True
        if isinstance(self.sock, socket.socket):
            with contextlib.suppress(OSError):
                # Not SSLSocket's own: that one would wait for its turn.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """smtplib's hook: name, connection, and TLS where it comes first (port 465)."""
        tell, limits = self._connection.tell, self._connection.limits
        found = _resolve(host, port, limits.connect)
        address = found[0][4][0]
        tell("name", "ok", f"{host} is {address}." if host != address else "EMAIL_HOST is an address.")
        self._connection.stage = "connection"
        plain = _connect(found, limits.connect)
        plain.settimeout(timeout)
        tell("connection", "ok", f"Connected to {plain.getpeername()[0]}, port {port}.")
        self._connection.stage = "greeting"
        if not self._connection.mail.use_ssl:
            return plain
        self._connection.stage = "tls"
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)

    def mail(self, sender: str, options: Any = ()) -> tuple[int, bytes]:
        """MAIL FROM."""
        self._connection.stage = "sender"
        return super().mail(sender, options)

    def rcpt(self, recip: str, options: Any = ()) -> tuple[int, bytes]:
        """RCPT TO."""
        self._connection.stage = "recipient"
        return super().rcpt(recip, options)

    def send(self, s: Any) -> None:
        """smtplib gives commands as text; bytes are the mail, and after them nobody knows for a while."""
        if not isinstance(s, bytes):
            super().send(s)
            return
        self._connection.stage = "message"
        self._connection.before_handing_over()
        super().send(s)
        self.is_handed_over = True
        self.watch(self._connection.limits.taking)
        if self.sock is not None:
            self.sock.settimeout(self._connection.limits.taking)


def deliver(
    mail: Any,
    envelope: Envelope,
    *,
    limits: Limits,
    tell: Step,
    before_handing_over: Callable[[], None],
    secrets: tuple[str, ...] = (),
) -> None:
    """Hand one mail to the server. `mail`: Flask-Mail's settings; `secrets` are masked in what it answers.

    `before_handing_over` is called when the server is ready for the mail itself; what it raises is raised.

    Raises:
        Undelivered: why not, in words.
    """
    connection = Connection(mail, limits=limits, tell=tell, before_handing_over=before_handing_over)
    try:
        with connection:
            connection.send(envelope)
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        smtp = connection.smtp
        undelivered = mail_causes.explain(
            error,
            stage=connection.stage,
            server=f"{mail.server}, port {mail.port}",
            secrets=(mail.password or "", *secrets),
            is_cut=smtp is not None and smtp.is_cut,
            is_handed_over=smtp is not None and smtp.is_handed_over,
        )
        step = _STEP_OF.get(connection.stage, connection.stage)
        tell(step if step in STEPS else "accepted", "bad", undelivered.cause)
        raise undelivered from None
    tell("accepted", "ok", f"The server has taken the mail for {envelope.recipients[0]}.")


def _resolve(host: str, port: int, seconds: float) -> list[Any]:
    """getaddrinfo with an end: the C library's own is told by /etc/resolv.conf, and may be half a minute."""
    found: list[Any] = []
    errors: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            errors.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if errors:
        raise errors[0]
    if not found:
        raise TimeoutError("the name server does not answer")
    return found


def _connect(found: list[Any], seconds: float) -> socket.socket:
    """A connection to the first address that takes one; all of them together have `seconds`."""
    until = time.monotonic() + seconds
    problem: OSError = TimeoutError("no address")
    for family, kind, protocol, _name, address in found:
        left = until - time.monotonic()
        if left <= 0:
            break
        plain = socket.socket(family, kind, protocol)
        plain.settimeout(left)
        try:
            plain.connect(address)
        except OSError as error:
            plain.close()
            problem = error
            continue
        return plain
    raise problem


def _mailbox(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain.encode("idna").decode())


__all__ = ["STEPS", "TEST_LIMITS", "Connection", "Envelope", "Limits", "Undelivered", "deliver"]
