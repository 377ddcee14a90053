"""Which network addresses a request may go to: public ones, and those the operator allows.

The special ranges are those of the IANA registries (RFC 6890 and after). A name is never judged,
only the address it resolves to; see `treadle.core.outgoing` for how the two are kept together.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self

IPAddress = IPv4Address | IPv6Address

_METADATA = IPv4Address("168.63.129.16")
"""Azure's host agent: a public number that only a virtual machine's own host answers."""

_SPECIAL: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""What some versions of the standard library take for global."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def is_public(address: IPAddress) -> bool:
    """Tell whether an address belongs to the public internet.

    IPv6 forms that carry an IPv4 address (mapped, compatible, 6to4, Teredo) are refused whole:
    nothing that is public needs them. NAT64 (RFC 6052) is how an IPv6-only network reaches
    public IPv4, so it is judged by the address inside.
    """
    if isinstance(address, IPv6Address) and address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if not address.is_global or address.is_multicast or any(address in each for each in _SPECIAL):
        return False
    if isinstance(address, IPv4Address):
        return address != _METADATA
    return address in _GLOBAL_UNICAST and not address.scope_id


def literal_address(host: str) -> IPAddress | None:
    """Return the address that a URL's host spells out, or ``None`` for a name.

    Raises:
        ValueError: it is a number in a spelling other than the usual one (decimal, octal,
            hexadecimal, shortened), which resolvers understand in different ways, or is no host.
    """
    bare = host.removesuffix(".")
    if ":" in bare:
        return IPv6Address(bare)
    if _NUMBER.fullmatch(bare.rpartition(".")[2]):
        return IPv4Address(bare)
    if not _NAME.fullmatch(bare.lower()) or len(bare) > 253:
        raise ValueError(f"{host!r} is no host name")
    return None


@dataclass(frozen=True)
class Allowed:
    """Hosts and networks that requests may go to although they are not public.

    Attributes:
        hosts: names and addresses, each with a port or with ``None`` for every port.
        networks: addresses, on every port.
    """

    hosts: frozenset[tuple[str, int | None]] = field(default_factory=frozenset)
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read entries such as ``wiki.internal``, ``localhost:8888``, ``10.0.5.0/24``.

        Raises:
            ValueError: an entry is none of these.
        """
        hosts: set[tuple[str, int | None]] = set()
        networks = []
        for entry in entries:
            try:
                if entry.count(":") != 1:
                    networks.append(ip_network(entry))
                    continue
            except ValueError:
                if "/" in entry or ":" in entry:
                    raise ValueError(f"{entry!r} is no host, host:port or network") from None
            hosts.add(_host_and_port(entry))
        return cls(frozenset(hosts), tuple(networks))

    def permits_host(self, host: str, port: int) -> bool:
        """Tell whether the operator named this host, wherever it lies."""
        name = host.lower().removesuffix(".")
        return (name, None) in self.hosts or (name, port) in self.hosts

    def permits(self, address: IPAddress) -> bool:
        """Tell whether a request may go to an address that its host resolved to."""
        return is_public(address) or any(address in network for network in self.networks)


def _host_and_port(entry: str) -> tuple[str, int | None]:
    host, separator, port = entry.lower().partition(":")
    is_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536
    if not _NAME.fullmatch(host) or (separator and not is_port):
        raise ValueError(f"{entry!r} is no host, host:port or network")
    if separator and _NUMBER.fullmatch(host.rpartition(".")[2]):
        host = str(ip_address(host))
    return host, int(port) if separator else None
