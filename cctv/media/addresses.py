"""Camera addresses: reading what a person types, and deciding whether our machines may connect there.
Every spelling of a forbidden place is refused; nothing here may ever open a connection or show a password.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from cctv import texts
from cctv.media.masking import mask

__all__ = ["AddressInvalid", "AddressRefused", "CameraAddress", "Networks", "mask", "parse_typed", "resolve"]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}  # IANA; RFC 7826, 4.2
LONGEST = 1000
# Instance metadata services; no setting opens them (THREATS 7).
NEVER = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.100", "fd00:ec2::254")))
# This machine, this cable, many at once: opened only by an entry that lies wholly inside (RFC 6890).
SPECIAL: tuple[IpNetwork, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_SAFE_IN_PATH = "/:!$&'()*+,;=-._~?%[]"  # not @: an address in normal form has one meaning only
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressInvalid(ValueError):
    """What was typed is no camera address (cause `badurl`); the text is a sentence for the field."""


class AddressRefused(ValueError):
    """The address is understood, but we must not connect there. `code` is `outside` or `dns` of causes.py."""

    def __init__(self, message: str, *, code: str = "outside") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, repr=False)
class CameraAddress:
    """One address in normal form. `host` is lower-case ASCII or an IP in its usual spelling, without
    brackets; `path` holds the query too and is percent-encoded; user name and password are plain text."""

    scheme: str
    host: str
    port: int
    path: str = "/"
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"CameraAddress({self.safe_url!r})"

    @property
    def safe_url(self) -> str:
        """The address without credentials: for rows, pages and logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def url_with_credentials(self) -> str:
        """The address as ffmpeg wants it, credentials percent-encoded: for the list file only."""
        if not self.username and not self.password:
            return self.safe_url
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        return self.safe_url.replace("://", f"://{login}", 1)

    def with_login(self, username: str, password: str) -> CameraAddress:
        """The same place with these credentials."""
        return replace(self, username=username, password=password)

    def pinned(self, ip: str) -> CameraAddress:
        """The same stream at the address that was checked, so that a second look-up cannot lead elsewhere."""
        return replace(self, host=str(ipaddress.ip_address(ip)))


def parse_typed(text: str) -> CameraAddress:
    """Understand an IP, a host name or a whole link, with or without credentials, port and path.

    Raises:
        AddressInvalid: it is none of them, or of another scheme than rtsp and rtsps.
    """
    text = text.strip()
    if not text or len(text) > LONGEST or any(ord(sign) < 33 or ord(sign) == 127 for sign in text):
        raise AddressInvalid("This does not look like an address. Example: rtsp://192.168.1.44/stream1")
    scheme, rest = _scheme_and_rest(text)
    authority, path = _authority_and_path(rest)
    login, _, place = authority.rpartition("@")
    username, _, password = login.partition(":")
    host, port = _host_and_port(place, scheme)
    path = quote(path, safe=_SAFE_IN_PATH)
    path = path if path.startswith("/") else f"/{path}"
    # "%" not followed by two hexadecimal digits is itself; encode it, so that nobody reads it differently.
    path = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", path)
    return CameraAddress(scheme, host, port, path, _decoded(username), _decoded(password))


def _scheme_and_rest(text: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/{1,2}", text)
    if match is None:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(?![0-9])", text) and "@" not in text:
            raise AddressInvalid("Only rtsp:// and rtsps:// addresses can be used.")
        return "rtsp", text.lstrip("/")
    scheme = match[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise AddressInvalid("Only rtsp:// and rtsps:// addresses can be used.")
    return scheme, text[match.end() :]


def _authority_and_path(rest: str) -> tuple[str, str]:
    """Split where the host ends. As RFC 3986 says, unless that makes no sense: people type passwords raw,
    with "/", "?", "#" and "@" in them; then the last "@" with a host behind it ends the credentials."""
    end = re.search(r"[/?#]|$", rest).start()  # type: ignore[union-attr]
    place = rest[:end].rpartition("@")[2]
    has_login = "@" in rest[:end]
    if _looks_like_host(place) and (not has_login or re.search(r"[.:\[]", place)):
        return rest[:end], rest[end:]
    for match in reversed(list(re.finditer("@", rest))):
        raw_place = re.split(r"[/?#]", rest[match.end() :], maxsplit=1)[0]
        is_full = re.search(r"[.:\[]", raw_place) or not (has_login and _looks_like_host(place))
        if _looks_like_host(raw_place) and is_full:
            end = match.end() + len(raw_place)
            break
    return rest[:end], rest[end:]


def _looks_like_host(place: str) -> bool:
    return bool(re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:@\[\]/?#]+)(:[0-9]{1,5})?", place))


def _decoded(text: str) -> str:
    """A user name or password; one that is no text could be neither sealed nor sent."""
    if not re.search(r"%[0-9A-Fa-f]{2}", text):
        return text
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise AddressInvalid("The user name or password in this address is not spelled in UTF-8.") from None
    if texts.is_unfit(decoded) or re.search(r"[\t\r\n]", decoded):
        raise AddressInvalid("The user name or password in this address holds a control character.")
    return decoded


def _host_and_port(place: str, scheme: str) -> tuple[str, int]:
    if place.count(":") > 1 and not place.startswith("["):
        host, port_text = place, ""  # an IPv6 address typed without brackets
    elif place.startswith("["):
        host, bracket, behind = place[1:].partition("]")
        port_text = behind.removeprefix(":")
        if not bracket or ":" not in host or (behind and not behind.startswith(":")):
            raise AddressInvalid("The address is not complete around the brackets.")
    else:
        host, _, port_text = place.partition(":")
    if port_text and not re.fullmatch(r"[0-9]{1,5}", port_text, re.ASCII):
        raise AddressInvalid("The port must be a number from 1 to 65535.")
    port = int(port_text) if port_text else DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise AddressInvalid("The port must be a number from 1 to 65535.")
    return _normal_host(host), port


def _normal_host(host: str) -> str:
    """Lower-case ASCII without a trailing dot, or an IP in its usual spelling whatever number base it was
    typed in."""
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host.partition("%")[0]))
        except ValueError:
            raise AddressInvalid("This is not an IPv6 address.") from None
    host = unquote(host)
    try:
        # NFKC and the dots of other scripts: what looks like 127.0.0.1 is read as 127.0.0.1 (RFC 3490, 3.1).
        name = host.encode("idna").decode("ascii").lower() if not host.isascii() else host.lower()
    except UnicodeError:
        raise AddressInvalid("The name of the camera cannot be understood.") from None
    name = name.rstrip(".")
    labels = name.split(".")
    if all(_NUMBER.fullmatch(label) for label in labels) and len(labels) <= 4:
        return _from_numbers(labels)
    if len(name) > 253 or not name or not all(_HOST.fullmatch(label) for label in labels):
        raise AddressInvalid("The name of the camera cannot be understood.")
    if _NUMBER.fullmatch(labels[-1]):
        raise AddressInvalid("This is neither a name nor an IP address.")
    return name


def _from_numbers(labels: list[str]) -> str:
    """The IPv4 address of one to four numbers, decimal, octal or hexadecimal, as inet_aton(3) reads them."""
    try:
        numbers = [_number(label) for label in labels]
    except ValueError:
        raise AddressInvalid("This is not an IP address.") from None
    *high, low = numbers
    if any(number > 255 for number in high) or low >= 256 ** (5 - len(numbers)):
        raise AddressInvalid("This is not an IP address.")
    value = low + sum(number << (8 * (3 - at)) for at, number in enumerate(high))
    return str(ipaddress.IPv4Address(value))


def _number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8) if len(label) > 1 and label.startswith("0") else int(label)


@dataclass(frozen=True, slots=True)
class Networks:
    """Where cameras may be. `demo` are single places on this machine, host and port, of the built-in
    camera."""

    allowed: tuple[IpNetwork, ...]
    demo: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Networks:
        """From a comma list such as "192.168.1.0/24, 100.64.0.0/10, fd12::/64". ValueError names the wrong
        entry."""
        found = []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            try:
                found.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                raise ValueError(f"{entry} is not a network such as 192.168.1.0/24") from None
        return cls(tuple(found))

    def with_demo(self, url: str) -> Networks:
        """Also the place of the built-in camera, that one port only."""
        if not url:
            return self
        address = parse_typed(url)
        return replace(self, demo=(*self.demo, (address.host, address.port)))

    def allows(self, ip: str, port: int) -> bool:
        """Whether a connection to this IP address and port is allowed."""
        if (ip, port) in self.demo:
            return True
        forms = _forms(ipaddress.ip_address(ip.partition("%")[0]))
        if any(form in NEVER for form in forms):
            return False
        return all(self._covers(form) for form in forms)

    def _covers(self, ip: IpAddress) -> bool:
        """Whether an entry holds it; a special place must be meant: 0.0.0.0/0 does not open loopback."""
        covering = [network for network in self.allowed if network.version == ip.version and ip in network]
        special = next((place for place in SPECIAL if place.version == ip.version and ip in place), None)
        if special is None:
            return bool(covering)
        return any(network.subnet_of(special) for network in covering)  # type: ignore[arg-type]

    def check_spelling(self, address: CameraAddress) -> None:
        """Refuse what can be refused without asking the name service; for forms.

        Raises:
            AddressRefused: the address is an IP outside the allowed networks, or a name of this machine.
        """
        if (address.host, address.port) in self.demo:
            return
        if address.host == "localhost" or address.host.endswith(".localhost"):
            raise AddressRefused("This is the server itself, not a camera.")
        try:
            ipaddress.ip_address(address.host)
        except ValueError:
            return
        if not self.allows(address.host, address.port):
            raise AddressRefused(self._refusal(address.host))

    def _refusal(self, host: str) -> str:
        return f"{host} is outside the networks in which cameras are allowed here (CAMERA_NETWORK)."


def _forms(ip: IpAddress) -> list[IpAddress]:
    """The address itself, or the IPv4 address that an IPv6 spelling leads to (mapped, compatible, 6to4,
    NAT64)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip.sixtofour:
        return [ip, ip.sixtofour]
    if ip.teredo:
        return [ip, *ip.teredo]
    if ip in _NAT64:
        return [ip, ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    if int(ip) >> 32 == 0 and int(ip) > 1:
        return [ip, ipaddress.IPv4Address(int(ip))]
    return [ip]


def resolve(
    address: CameraAddress,
    networks: Networks,
    *,
    look_up: Callable[..., list[tuple]] = socket.getaddrinfo,
) -> str:
    """The IP to connect to, checked; connect to exactly this one (`address.pinned(ip)`), never to the name
    again.

    Every answer of the name service must be allowed, so that no answer order can lead outside. Blocks as
    long as the name service does.

    Raises:
        AddressRefused: code `dns` when the name is unknown, `outside` when any answer is not allowed.
    """
    networks.check_spelling(address)
    try:
        answers = look_up(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused(f"The name {address.host} was not found.", code="dns") from None
    found = list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))
    if not found:
        raise AddressRefused(f"The name {address.host} was not found.", code="dns")
    if not all(networks.allows(ip, address.port) for ip in found):
        raise AddressRefused(networks._refusal(address.host))
    # IPv4 first: cameras that have both are reached by it more reliably.
    return min(found, key=lambda ip: ":" in ip)


def safe_netloc(url: str) -> str:
    """Host and port of a link for a log line; empty when it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
