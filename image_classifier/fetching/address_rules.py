"""Decides whether an IP address and port may be connected to, and gives the reason if not.

The rule has no sockets and no names: ``connect.py`` applies it to the very address that it is about
to connect to.

The ranges are those of IANA's special-purpose registries, plus the addresses of the clouds'
metadata services. They are listed here, because ``ipaddress``'s own ``is_global`` changes its
answer for some of them between patch releases of Python 3.11 to 3.13. For IPv6 the list names the
allowed addresses: global unicast (2000::/3) less its special parts; all others are refused.

An IPv6 address can carry an IPv4 address. IPv4-mapped ones are treated as the IPv4 address that
the system really connects to. NAT64 ones may be fetched when the IPv4 address inside is public
(networks without IPv4 have no others). Every other form is refused: 6to4, Teredo, ISATAP,
IPv4-compatible and IPv4-translated addresses, and NAT64 with a local prefix. An address does not
reveal a NAT64 gateway on a prefix of a network's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

__all__ = ["IPAddress", "Kind", "kind_of", "refusal"]

IPAddress = IPv4Address | IPv6Address


class Kind(Enum):
    """The kinds of addresses that the rule distinguishes."""

    PUBLIC = "public"
    """May be fetched."""
    PRIVATE = "private"
    """May be fetched from hosts in ``FETCH_ALLOWED_HOSTS``, and from all in Development."""
    METADATA = "metadata"
    """Never fetched: it may hand out the machine's own credentials."""
    RESERVED = "reserved"
    """Never fetched: no web server can have it, or it is a tunnel to a hidden address."""


_Range = tuple[IPv4Network | IPv6Network, Kind, str]


def _ranges(*rows: tuple[str, Kind, str]) -> tuple[_Range, ...]:
    return tuple((ip_network(text), kind, words) for text, kind, words in rows)


# The first row that holds the address decides.
_IPV4 = _ranges(
    ("168.63.129.16/32", Kind.METADATA, "Azure's own metadata address"),
    ("100.100.100.200/32", Kind.METADATA, "a cloud's metadata address"),
    ("192.0.0.192/32", Kind.METADATA, "a cloud's metadata address"),
    ("169.254.0.0/16", Kind.METADATA, "a link-local address, where clouds keep their metadata"),
    ("127.0.0.0/8", Kind.PRIVATE, "a loopback address"),
    ("10.0.0.0/8", Kind.PRIVATE, "a private address"),
    ("172.16.0.0/12", Kind.PRIVATE, "a private address"),
    ("192.168.0.0/16", Kind.PRIVATE, "a private address"),
    ("0.0.0.0/8", Kind.RESERVED, "an unspecified address"),
    ("100.64.0.0/10", Kind.RESERVED, "a carrier-grade NAT address"),
    ("192.0.0.0/24", Kind.RESERVED, "a reserved address"),
    ("192.0.2.0/24", Kind.RESERVED, "an address for documentation"),
    ("192.88.99.0/24", Kind.RESERVED, "a 6to4 relay address"),
    ("198.18.0.0/15", Kind.RESERVED, "an address for benchmarks"),
    ("198.51.100.0/24", Kind.RESERVED, "an address for documentation"),
    ("203.0.113.0/24", Kind.RESERVED, "an address for documentation"),
    ("224.0.0.0/4", Kind.RESERVED, "a multicast address"),
    ("255.255.255.255/32", Kind.RESERVED, "the broadcast address"),
    ("240.0.0.0/4", Kind.RESERVED, "a reserved address"),
    ("0.0.0.0/0", Kind.PUBLIC, "a public address"),
)
_IPV6 = _ranges(
    # AWS keeps more than the metadata service under this prefix: DNS, time, pod identity.
    ("fd00:ec2::/32", Kind.METADATA, "a cloud's metadata address"),
    ("fd20:ce::254/128", Kind.METADATA, "a cloud's metadata address"),
    ("fd00:c1::a9fe:a9fe/128", Kind.METADATA, "a cloud's metadata address"),
    ("fd00:42::42/128", Kind.METADATA, "a cloud's metadata address"),
    ("fe80::/10", Kind.METADATA, "a link-local address, where clouds keep their metadata"),
    ("::1/128", Kind.PRIVATE, "a loopback address"),
    ("fc00::/7", Kind.PRIVATE, "a private address"),
    ("::/128", Kind.RESERVED, "an unspecified address"),
    ("::/96", Kind.RESERVED, "an IPv4-compatible address"),
    ("::ffff:0:0:0/96", Kind.RESERVED, "an IPv4-translated address"),
    ("64:ff9b:1::/48", Kind.RESERVED, "a local NAT64 address"),
    ("2001::/32", Kind.RESERVED, "a Teredo tunnel address"),
    ("2001::/23", Kind.RESERVED, "a reserved address"),
    ("2001:db8::/32", Kind.RESERVED, "an address for documentation"),
    ("2002::/16", Kind.RESERVED, "a 6to4 tunnel address"),
    ("3ffe::/16", Kind.RESERVED, "a reserved address"),
    ("3fff::/20", Kind.RESERVED, "an address for documentation"),
    ("fec0::/10", Kind.RESERVED, "a site-local address"),
    ("ff00::/8", Kind.RESERVED, "a multicast address"),
    ("2000::/3", Kind.PUBLIC, "a public address"),
    ("::/0", Kind.RESERVED, "a reserved address"),
)
_NAT64 = IPv6Network("64:ff9b::/96")
# The middle of an ISATAP interface identifier; the IPv4 address follows in the last 32 bits.
_ISATAP = {0x00005EFE, 0x02005EFE}


def kind_of(address: IPAddress) -> tuple[Kind, str]:
    """Classifies an address; returns its kind, and a phrase that describes it.

    Example:
        ``kind_of(IPv6Address("::ffff:127.0.0.1"))`` is
        ``(Kind.PRIVATE, "a loopback address")``.
    """
    if isinstance(address, IPv4Address):
        return _look_up(address, _IPV4)
    if address.ipv4_mapped is not None:
        return kind_of(address.ipv4_mapped)
    if address in _NAT64:
        kind, words = kind_of(IPv4Address(int(address) & 0xFFFFFFFF))
        # Private ones, too: they are behind the gateway, which is not on this machine.
        return (Kind.RESERVED if kind is Kind.PRIVATE else kind), f"the NAT64 form of {words}"
    kind, words = _look_up(address, _IPV6)
    if kind is Kind.PUBLIC and (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return Kind.RESERVED, "an ISATAP tunnel address"
    return kind, words


def _look_up(address: IPAddress, ranges: Iterable[_Range]) -> tuple[Kind, str]:
    return next((kind, words) for network, kind, words in ranges if address in network)


def refusal(
    address: IPAddress,
    port: int,
    *,
    allowed_ports: frozenset[int],
    host_is_listed: bool = False,
    allow_private: bool = False,
) -> str | None:
    """Decides on an address and a port together.

    Args:
        address: the address that would be connected to.
        port: the port of it.
        allowed_ports: ``FETCH_ALLOWED_PORTS``.
        host_is_listed: the host is in ``FETCH_ALLOWED_HOSTS``: it may have a private address.
        allow_private: ``FETCH_ALLOW_PRIVATE_ADDRESSES`` in Development: private addresses are
            open on any port.

    Returns:
        None if it may be connected to; else the reason and the rule, to follow a colon.
    """
    kind, words = kind_of(address)
    if kind is Kind.PRIVATE and allow_private:
        return None
    if kind is Kind.PRIVATE and not host_is_listed:
        return (
            f"its host has {words}, and only public addresses are fetched (in development, "
            "FETCH_ALLOW_PRIVATE_ADDRESSES=true opens private ones)"
        )
    if kind in (Kind.METADATA, Kind.RESERVED):
        return f"its host has {words}, which is never fetched"
    if port not in allowed_ports:
        ports = ", ".join(str(allowed) for allowed in sorted(allowed_ports))
        return f"its port, {port}, is not one that is fetched (FETCH_ALLOWED_PORTS: {ports})"
    return None
