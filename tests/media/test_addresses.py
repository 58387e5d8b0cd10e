"""What people type is understood; every spelling of a forbidden place is refused; nothing shows a
password."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cctv import texts
from cctv.media.addresses import (
    AddressInvalid,
    AddressRefused,
    CameraAddress,
    Networks,
    parse_typed,
    resolve,
)

SITE = Networks.parse("192.168.1.0/24, 100.64.0.0/10, fd12:3456::/32")
ANYWHERE = Networks.parse("0.0.0.0/0, ::/0")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("192.168.1.44", ("rtsp", "192.168.1.44", 554, "/", "", "")),
        ("  192.168.1.44:8554 ", ("rtsp", "192.168.1.44", 8554, "/", "", "")),
        ("cam.local", ("rtsp", "cam.local", 554, "/", "", "")),
        ("CAM.Local./Stream1", ("rtsp", "cam.local", 554, "/Stream1", "", "")),
        (
            "192.168.1.44/Streaming/Channels/101",
            ("rtsp", "192.168.1.44", 554, "/Streaming/Channels/101", "", ""),
        ),
        ("rtsp://192.168.1.44", ("rtsp", "192.168.1.44", 554, "/", "", "")),
        ("RTSP://192.168.1.44:554/a?b=1&c=2", ("rtsp", "192.168.1.44", 554, "/a?b=1&c=2", "", "")),
        ("rtsps://cam/a", ("rtsps", "cam", 322, "/a", "", "")),
        ("admin:secret@192.168.1.44", ("rtsp", "192.168.1.44", 554, "/", "admin", "secret")),
        ("rtsp://admin@192.168.1.44/a", ("rtsp", "192.168.1.44", 554, "/a", "admin", "")),
        (
            "rtsp://admin:p%40ss%3Aw%2Ford@192.168.1.44/a",
            ("rtsp", "192.168.1.44", 554, "/a", "admin", "p@ss:w/ord"),
        ),
        ("rtsp://admin:p@ss:w0rd@192.168.1.44/a", ("rtsp", "192.168.1.44", 554, "/a", "admin", "p@ss:w0rd")),
        ("rtsp://admin:a/b#c?d@192.168.1.44/a", ("rtsp", "192.168.1.44", 554, "/a", "admin", "a/b#c?d")),
        ("admin:p@ss/w@192.168.1.44/a", ("rtsp", "192.168.1.44", 554, "/a", "admin", "p@ss/w")),
        ("rtsp://admin:100%@192.168.1.44/a", ("rtsp", "192.168.1.44", 554, "/a", "admin", "100%")),
        (
            "rtsp://192.168.1.44/a?mail=x@example",
            ("rtsp", "192.168.1.44", 554, "/a?mail=x%40example", "", ""),
        ),
        ("rtsp://192.168.1.44:554/a?u=x@example", ("rtsp", "192.168.1.44", 554, "/a?u=x%40example", "", "")),
        ("rtsp://u:p@192.168.1.44:554/a?m=x@ex", ("rtsp", "192.168.1.44", 554, "/a?m=x%40ex", "u", "p")),
        ("rtsp://[fd12:3456::1]:8554/a", ("rtsp", "fd12:3456::1", 8554, "/a", "", "")),
        ("fd12:3456::0001", ("rtsp", "fd12:3456::1", 554, "/", "", "")),
        (
            "rtsp://kamera-süd.local/ä b".replace(" ", "%20"),
            ("rtsp", "xn--kamera-sd-x9a.local", 554, "/%C3%A4%20b", "", ""),
        ),
        ("rtsp://192.168.1.44/50%", ("rtsp", "192.168.1.44", 554, "/50%25", "", "")),
        ("rtsp://0xC0A8012C/", ("rtsp", "192.168.1.44", 554, "/", "", "")),
    ],
)
def test_it_understands_what_people_type(typed: str, expected: tuple) -> None:
    address = parse_typed(typed)
    found = (address.scheme, address.host, address.port, address.path, address.username, address.password)
    assert found == expected


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "http://192.168.1.44/",
        "file:///etc/passwd",
        "concat:a|b",
        "rtp://192.168.1.44",
        "x" * 2000,
        "rtsp://",
        "rtsp:///path",
        "rtsp://host:0/",
        "rtsp://host:99999/",
        "rtsp://host:abc/",
        "rtsp://ho st/",
        "rtsp://host/\r\nX: y",
        "rtsp://[::1",
        "rtsp://[fd12::1]x/",
        "rtsp://-host/",
        "rtsp://1.2.3.4.5/",
        "rtsp://256.1.1.1/",
        "rtsp://1.2.3.09/",
        "rtsp://host/\x00",
        "rtsp://ad%00min@host/",
        "rtsp://admin:p%0Aw@host/",
        "rtsp://admin%1b[31m:pw@host/",
        "rtsp://admin:p%C2%9Bw@host/",
        "data:text/plain,x",
        "mailto:x",
        "rtsp://[cam]/",
        "rtsp://@/",
        "rtsp://u:p@/",
        "javascript:alert(1)",
        "rtsp://a..b/",
        "mailto:x",
        "rtsp://%ff:p@10.0.0.5/",
        "rtsp://u:p%e9@10.0.0.5/",
    ],
)
def test_it_refuses_what_is_no_camera_address(typed: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_typed(typed)


def test_credentials_are_only_in_the_one_form_that_ffmpeg_reads() -> None:
    address = parse_typed("rtsp://192.168.1.44/a").with_login("ad:min", "p@ss/w'o%rd")
    assert address.safe_url == "rtsp://192.168.1.44/a"
    assert address.url_with_credentials == "rtsp://ad%3Amin:p%40ss%2Fw%27o%25rd@192.168.1.44/a"
    assert parse_typed(address.url_with_credentials) == address
    for shown in (repr(address), str(address), f"{address}"):
        assert "p@ss" not in shown
        assert "p%40ss" not in shown


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_any_login_survives_the_address(username: str, password: str) -> None:
    try:
        address = CameraAddress("rtsp", "192.168.1.44", 554, "/a").with_login(username, password)
        url = address.url_with_credentials
        found = parse_typed(url)
    except (UnicodeEncodeError, AddressInvalid):
        assert texts.is_unfit(username + password) or set(username + password) & set("\t\r\n")
        return
    assert found == address


TYPED = st.text(st.one_of(st.sampled_from("@:/?#%.[]0a-x"), st.characters()), max_size=30)


@settings(max_examples=1000)
@given(TYPED)
def test_any_text_is_refused_or_has_one_meaning_from_then_on(text: str) -> None:
    """What was checked and stored is what is connected to, however often it is read again."""
    try:
        address = parse_typed(text)
    except AddressInvalid:
        return
    assert parse_typed(address.url_with_credentials) == address
    assert parse_typed(address.safe_url) == address.with_login("", "")
    assert not any(ord(sign) < 33 or ord(sign) > 126 for sign in address.url_with_credentials)


LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
]
LOOPBACK += [
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "0x0",
    "[::1]",
    "::1",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
]
LOOPBACK += [
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "１２７.0.0.1",
    "127。0。0。1",
]
LOOPBACK += ["①②⑦.0.0.1", "127%2e0.0.1", "localhost", "LOCALHOST.", "x.localhost", "0.1.2.3"]
LINK_LOCAL = [
    "169.254.1.1",
    "0xa9fe0101",
    "[fe80::1]",
    "[fe80::1%eth0]",
    "[::ffff:169.254.1.1]",
    "2851995905",
]
METADATA = [
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "100.100.100.100",
]
METADATA += [
    "0x64646464",
    "1684300900",
    "[::ffff:100.100.100.100]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
]
METADATA += ["[fd00:ec2::254]", "[2002:a9fe:a9fe::1]", "100.100.25700"]
MULTICAST = [
    "224.0.0.1",
    "239.255.255.250",
    "0xe0000001",
    "[ff02::1]",
    "255.255.255.255",
    "[::ffff:224.0.0.1]",
]


@pytest.mark.parametrize("host", LOOPBACK + LINK_LOCAL + METADATA + MULTICAST)
def test_special_places_are_refused_in_every_spelling(host: str) -> None:
    for networks in (SITE, ANYWHERE):
        with pytest.raises((AddressRefused, AddressInvalid)):
            networks.check_spelling(parse_typed(f"rtsp://{host}/a"))


@pytest.mark.parametrize("host", METADATA)
def test_metadata_services_stay_shut_even_when_a_network_covers_them(host: str) -> None:
    generous = Networks.parse(
        "169.254.0.0/16, 100.100.100.100/32, 169.254.169.254/32, fd00:ec2::/64, 64:ff9b::/96"
    )
    with pytest.raises((AddressRefused, AddressInvalid)):
        generous.check_spelling(parse_typed(f"rtsp://{host}/a"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"])
def test_an_explicit_network_opens_loopback(host: str) -> None:
    Networks.parse("127.0.0.0/8").check_spelling(parse_typed(f"rtsp://{host}:8554/a"))


@pytest.mark.parametrize("host", ["192.168.2.1", "10.0.0.1", "8.8.8.8", "[2001:db8::1]", "192.168.1.44.1"])
def test_places_outside_the_networks_are_refused(host: str) -> None:
    with pytest.raises((AddressRefused, AddressInvalid)):
        SITE.check_spelling(parse_typed(f"rtsp://{host}/a"))


def test_only_the_port_of_the_demo_camera_is_open_on_this_machine() -> None:
    networks = SITE.with_demo("rtsp://127.0.0.1:18554/demo")
    networks.check_spelling(parse_typed("rtsp://127.0.0.1:18554/other"))
    assert resolve(parse_typed("rtsp://127.0.0.1:18554/demo"), networks) == "127.0.0.1"
    for other in ("rtsp://127.0.0.1:18555/", "rtsp://127.0.0.2:18554/", "rtsp://127.0.0.1/"):
        with pytest.raises(AddressRefused):
            networks.check_spelling(parse_typed(other))


def answers(*ips: str):  # type: ignore[no-untyped-def]
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 554)) for ip in ips]


def test_a_name_leads_to_one_checked_address() -> None:
    address = parse_typed("rtsp://u:p@cam.local/a")
    ip = resolve(address, SITE, look_up=answers("fd12:3456::7", "192.168.1.44"))
    assert ip == "192.168.1.44"
    assert address.pinned(ip).url_with_credentials == "rtsp://u:p@192.168.1.44/a"


@pytest.mark.parametrize(
    "other", ["127.0.0.1", "8.8.8.8", "::1", "::ffff:127.0.0.1", "fe80::1%eth0", "0.0.0.0"]
)
def test_one_answer_outside_refuses_the_name(other: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        resolve(parse_typed("rtsp://cam.local/a"), SITE, look_up=answers("192.168.1.44", other))
    assert refusal.value.code == "outside"


def test_an_unknown_name_is_told_as_such() -> None:
    def nobody(*_: object, **__: object) -> list:
        raise socket.gaierror(-2, "Name or service not known")

    for look_up in (nobody, answers()):
        with pytest.raises(AddressRefused) as refusal:
            resolve(parse_typed("rtsp://cam.local/a"), SITE, look_up=look_up)
        assert refusal.value.code == "dns"


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Networks.parse("192.168.1.0/24,nonsense")
    assert Networks.parse("").allowed == ()
