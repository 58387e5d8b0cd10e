"""A real SMTP server with TLS, sign-in and faults on command, and a rude one that speaks by script.

Both listen on a free port of 127.0.0.1 and die with the test; nothing here knows the product.
"""

from __future__ import annotations

import asyncio
import datetime
import email
import email.policy
import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import free_port

USER, PASSWORD = "cctv@example.org", "the mail server's own password"


@dataclass
class Received:
    """One mail that the server has taken."""

    to: list[str]
    sender: str
    mail: EmailMessage
    is_encrypted: bool
    is_signed_in: bool

    @property
    def text(self) -> str:
        """Its plain part."""
        part = self.mail.get_body(("plain",))
        assert part is not None
        return str(part.get_content())


@dataclass
class MailServer:
    """aiosmtpd behind STARTTLS and a password; what it does wrong is said by the test while it runs."""

    folder: Path
    has_tls: bool = True
    has_sign_in: bool = True
    host: str = "localhost"
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    # Answers by recipient: the first of the list is used up by each try; the last one stays.
    refusals: dict[str, list[str]] = field(default_factory=dict)
    data_answers: list[str] = field(default_factory=list)
    rcpt_seconds: float = 0.0
    data_seconds: float = 0.0  # after the mail is here, before the answer
    is_in_data: threading.Event = field(default_factory=threading.Event)
    is_in_rcpt: threading.Event = field(default_factory=threading.Event)
    _is_closed: bool = False

    def start(self) -> MailServer:
        """Listen."""
        certificate, key = make_certificate(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.certificate = certificate
        self.port = free_port()
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            tls_context=context if self.has_tls else None,
            require_starttls=self.has_tls,
            auth_required=self.has_sign_in,
            auth_require_tls=self.has_tls,
            authenticator=_check if self.has_sign_in else None,
            timeout=30,
        )
        self._controller.start()
        return self

    def close(self) -> None:
        """Stop listening: connections are refused."""
        if not self._is_closed:
            self._is_closed = True
            self._controller.stop(no_assert=True)

    async def handle_EHLO(
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.is_in_rcpt.set()
        await asyncio.sleep(self.rcpt_seconds)
        answers = self.refusals.get(address, [])
        answer = (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else ""
        if answer and not answer.startswith("2"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else "250 Taken"
        if answer.startswith("2"):
            mail = email.message_from_bytes(envelope.original_content, policy=email.policy.SMTP)
            assert isinstance(mail, EmailMessage)
            self.received.append(
                Received(
                    to=list(envelope.rcpt_tos),
                    sender=envelope.mail_from,
                    mail=mail,
                    is_encrypted=session.ssl is not None,
                    is_signed_in=bool(session.authenticated),
                )
            )
        self.is_in_data.set()
        await asyncio.sleep(self.data_seconds)
        return answer


def _check(server: SMTP, session: Any, envelope: Any, mechanism: str, auth_data: Any) -> AuthResult:
    is_right = (
        isinstance(auth_data, LoginPassword)
        and auth_data.login == USER.encode()
        and auth_data.password == PASSWORD.encode()
    )
    return AuthResult(success=is_right, handled=False)


class RudeServer:
    """Says `script` to each connection, line by line, one for each line that it hears, and then is silent.

    `drip_seconds`: between single bytes of everything that it says. An empty script never says a word.
    """

    def __init__(self, *script: str, drip_seconds: float = 0.0) -> None:
        self.script, self.drip_seconds = script, drip_seconds
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as lines:
                for reply in self.script:
                    if reply == "close":
                        return
                    self._say(client, f"{reply}\r\n".encode())
                    self.heard.append(lines.readline())
                time.sleep(60)
        except OSError:
            return

    def _say(self, client: socket.socket, said: bytes) -> None:
        if not self.drip_seconds:
            client.sendall(said)
            return
        for byte in said:
            client.sendall(bytes([byte]))
            time.sleep(self.drip_seconds)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    certificate_path, key_path = folder / "mail.pem", folder / "mail.key"
    if certificate_path.exists():
        return certificate_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path
