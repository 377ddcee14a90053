"""Requests that a model or a stranger chose the address of: only public hosts are reached."""

from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.web_server import Answer, Fault, WebServer, web_server
from treadle.core.addresses import Allowed, IPAddress, is_public
from treadle.core.errors import ConfigError, OutgoingError
from treadle.core.outgoing import Outgoing
from treadle.core.settings import Settings

ADDRESSES = [
    # IPv4: loopback, private, link-local, shared, reserved.
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.1.1", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1"),
    # Metadata services.
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("[fd00:ec2::254]", "[fe80::a9fe:a9fe]"),
    # Spellings that resolvers read as 127.0.0.1 or 169.254.169.254.
    *("2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1"),
    *("0x7f.1", "0", "127.0.0.1.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"),
    *(
        "127.0.0.01",
        "127.000.000.001",
        "\uff11\uff12\uff17.0.0.1",
        "\u2460\u2461\u2466.0.0.1",
        "127\u30020\u30020\u30021",
        "127.0.0.1%00",
    ),
    # IPv6: loopback, local, multicast, documentation, and what carries an IPv4 address.
    *("[::1]", "[::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]"),
    *("[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]"),
    *("[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]"),
    *("[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2001:0:7f00:1::]", "[fe80::5efe:7f00:1]"),
    # Names.
    *("localhost", "localhost.", "LOCALHOST", "inside.example", "mixed.example", "a..b", "-a.b"),
]

TRICKS = [
    "http://public.example@127.0.0.1:{port}/",
    "http://user:word@public.example:{port}/",
    "http://127.0.0.1:{port}\\@public.example/",
    "http://public.example#@127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "ftp://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\t/",
    "http://[::1/",
    "http://:{port}/",
    "",
]

NAMES = {
    "public.example": ["127.0.0.1"],
    "inside.example": ["10.1.2.3"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
}


async def names(host: str, port: int) -> Sequence[IPAddress]:
    """Resolve the names of this file as a hostile name server would."""
    if host.lower() not in NAMES or host == "public.example":
        raise OSError(f"{host} has no address")
    return [ip_address(each) for each in NAMES[host.lower()]]


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with web_server() as server:
        yield server


def port_of(web: WebServer) -> int:
    return int(web.url.rpartition(":")[2])


def to(web: WebServer, **more: object) -> Outgoing:
    """Return what may reach that server alone, by the name of ``site.example``."""

    async def resolver(host: str, port: int) -> Sequence[IPAddress]:
        if host == "site.example":
            return [IPv4Address("127.0.0.1")]
        return await names(host, port)

    allowed = Allowed.parse([f"site.example:{port_of(web)}"])
    return Outgoing(**{"allowed": allowed, "resolver": resolver, "seconds": 10, **more})  # type: ignore[arg-type]


def site(web: WebServer, path: str = "/") -> str:
    return f"http://site.example:{port_of(web)}{path}"


def test_there_are_enough_hostile_addresses() -> None:
    assert len(set(ADDRESSES)) == len(ADDRESSES)
    assert len(ADDRESSES) + len(TRICKS) > 80


@pytest.mark.parametrize("host", ADDRESSES)
async def test_a_hostile_address_is_not_reached(host: str, web: WebServer) -> None:
    outgoing = Outgoing(resolver=names, seconds=5)
    with pytest.raises(OutgoingError, match=r"public internet|cannot be reached:|no web|no host"):
        await outgoing.request("GET", f"http://{host}:{port_of(web)}/")
    assert not web.requests


@pytest.mark.parametrize("host", ADDRESSES)
async def test_a_redirect_to_a_hostile_address_is_not_followed(host: str, web: WebServer) -> None:
    web.answer = Answer(status=302, headers={"location": f"http://{host}:{port_of(web)}/"})
    if not host.isascii():
        web.answer.headers["location"] = "http://0/"
    with pytest.raises(OutgoingError):
        await to(web).request("GET", site(web, "/first"))
    assert [request.path for request in web.requests] == ["/first"]


@pytest.mark.parametrize("trick", TRICKS)
async def test_a_trick_with_the_form_of_an_address_reaches_nothing(
    trick: str, web: WebServer
) -> None:
    with pytest.raises(OutgoingError):
        await Outgoing(resolver=names, seconds=5).request("GET", trick.format(port=port_of(web)))
    assert not web.requests


async def test_the_name_is_asked_once_and_the_checked_address_is_the_one_used(
    web: WebServer,
) -> None:
    asked: list[str] = []

    async def changing(host: str, port: int) -> Sequence[IPAddress]:
        asked.append(host)
        # The first answer is harmless; a second question would be answered with loopback.
        return [IPv4Address("127.0.0.2" if len(asked) == 1 else "127.0.0.1")]

    outgoing = Outgoing(Allowed.parse(["127.0.0.2/32"]), changing, seconds=5)
    with pytest.raises(OutgoingError, match="cannot be reached"):
        await outgoing.request("GET", f"http://changing.example:{port_of(web)}/")
    assert asked == ["changing.example"]
    assert not web.requests


async def test_a_redirect_asks_for_the_name_again_and_checks_the_new_answer(web: WebServer) -> None:
    answers = [IPv4Address("127.0.0.1"), IPv4Address("10.0.0.1")]

    async def changing(host: str, port: int) -> Sequence[IPAddress]:
        return [answers.pop(0)]

    web.answer = Answer(status=302, headers={"location": "/again"})
    outgoing = Outgoing(Allowed.parse(["127.0.0.1"]), changing, seconds=5)
    with pytest.raises(OutgoingError, match="not on the public internet"):
        await outgoing.request("GET", f"http://changing.example:{port_of(web)}/")
    assert len(web.requests) == 1


async def test_host_header_and_body_arrive_and_an_allowed_host_answers(web: WebServer) -> None:
    web.answer = Answer("hello")
    answer = await to(web).request("POST", site(web, "/hook?x=1"), content=b"y=2")
    assert (answer.status_code, answer.text) == (200, "hello")
    assert web.requests[0].headers["host"] == f"site.example:{port_of(web)}"
    assert web.requests[0].parameters == {"x": "1", "y": "2"}


async def test_a_proxy_of_the_environment_is_not_used(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", web.url)
    monkeypatch.setenv("HTTP_PROXY", web.url)
    with pytest.raises(OutgoingError):
        await Outgoing(resolver=names, seconds=5).request("GET", "http://10.0.0.1/")
    assert not web.requests


async def test_another_address_is_tried_when_the_first_does_not_answer(web: WebServer) -> None:
    async def two(host: str, port: int) -> Sequence[IPAddress]:
        return [IPv4Address("127.0.0.2"), IPv4Address("127.0.0.1")]

    outgoing = to(web, resolver=two)
    assert (await outgoing.request("GET", site(web))).status_code == 200


async def test_redirects_are_bounded(web: WebServer) -> None:
    web.answer = Answer(status=302, headers={"location": site(web, "/again")})
    with pytest.raises(OutgoingError, match="redirects more than 3 times"):
        await to(web, max_redirects=3).request("GET", site(web))
    assert len(web.requests) == 4


async def test_without_redirects_the_redirect_is_the_answer(web: WebServer) -> None:
    web.answer = Answer(status=302, headers={"location": site(web, "/again")})
    assert (await to(web, max_redirects=0).request("GET", site(web))).status_code == 302


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer("x" * 2_000), "longer than 1,000 bytes"),
        (Answer(fault=Fault.HANG), "no answer within 0.2 seconds"),
        (Answer(fault=Fault.DRIP), "no answer within 0.2 seconds"),
        (Answer(fault=Fault.DROP), "broke off"),
        (Answer("x", fault=Fault.HALF), "broke off"),
        (Answer("x", headers={"content-encoding": "br"}), "packed as 'br'"),
        (Answer("x", headers={"content-encoding": "gzip, gzip"}), "packed as 'gzip, gzip'"),
        (Answer("x" * 100, headers={"content-encoding": "gzip"}), "broke off"),
    ],
)
async def test_an_answer_is_bounded(answer: Answer, message: str, web: WebServer) -> None:
    web.answer = answer
    seconds = 0.2 if answer.fault in {Fault.HANG, Fault.DRIP} else 10
    with pytest.raises(OutgoingError, match=message):
        await to(web, max_bytes=1_000, seconds=seconds).request("GET", site(web))


@given(st.integers(0, 2**32 - 1))
def test_no_form_of_an_address_inside_is_public(number: int) -> None:
    inner = IPv4Address(number)
    forms = [IPv6Address(0xFFFF << 32 | number), IPv6Address(number)]
    forms += [IPv6Address(0x2002 << 112 | number << 80), IPv6Address(0x2001 << 112 | number)]
    assert not any(map(is_public, forms))
    assert is_public(IPv6Address(0x64FF9B << 96 | number)) == is_public(inner)
    assert not (is_public(inner) and (inner.is_private or inner.is_multicast or inner.is_reserved))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "a b", "host:0", "host:99999", "x/y", "http://a"])
def test_an_entry_that_cannot_be_read_is_named(entry: str, tmp_path: Path) -> None:
    (tmp_path / "treadle.toml").write_text(f'[outgoing]\nallow = ["{entry}"]\n')
    with pytest.raises(ConfigError, match=r"outgoing\.allow.*no host, host:port or network"):
        Settings.load(tmp_path)


def test_entries_name_hosts_ports_and_networks() -> None:
    allowed = Allowed.parse(
        ["wiki.internal", "localhost:8888", "10.0.5.0/24", "127.0.0.1:80", "::1"]
    )
    assert allowed.permits_host("WIKI.internal.", 1234)
    assert allowed.permits_host("localhost", 8888)
    assert not allowed.permits_host("localhost", 8889)
    assert allowed.permits_host("127.0.0.1", 80)
    assert allowed.permits(ip_address("10.0.5.7"))
    assert allowed.permits(ip_address("::1"))
    assert not allowed.permits(ip_address("10.0.6.7"))
