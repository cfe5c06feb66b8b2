"""The rule for addresses: a table, and properties of every address that carries another."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from image_classifier.fetching.address_rules import IPAddress, Kind, kind_of, refusal

PORTS = frozenset({80, 443})

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "20.60.40.4",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2001:ffff::1",
    "2003::1",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2603:1030::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.255.255",
    "::1",
    "fc00::",
    "fdff:ffff::1",
    "fd00:ec1::254",
    "fd00:ec3::254",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
]
METADATA = [
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fe80::",
    "fe80::1%eth0",
    "febf::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "::ffff:169.254.169.254",
    "::ffff:168.63.129.16",
    "::ffff:100.100.100.200",
    "64:ff9b::169.254.169.254",
]
RESERVED = [
    "0.0.0.0",
    "0.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::2",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::100.64.0.1",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:0:1::1",
    "100::1",
    "1fff::1",
    "2001::1",
    "2001:1::1",
    "2001:10::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:808:808::1",
    "2606:2800::5efe:808:808",
    "2606:2800::200:5efe:808:808",
    "3ffe::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fbff::1",
    "fe00::1",
    "fec0::1",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *[(text, Kind.PUBLIC) for text in PUBLIC],
        *[(text, Kind.PRIVATE) for text in PRIVATE],
        *[(text, Kind.METADATA) for text in METADATA],
        *[(text, Kind.RESERVED) for text in RESERVED],
    ],
)
def test_address_is_of_its_kind(text: str, kind: Kind) -> None:
    assert kind_of(ip_address(text))[0] is kind


def why(text: str | IPAddress, port: int = 80, **rule: bool) -> str | None:
    return refusal(ip_address(str(text)), port, allowed_ports=PORTS, **rule)


def test_public_addresses_are_open_on_allowed_ports_only() -> None:
    for rule in ({}, {"host_is_listed": True}, {"allow_private": True}):
        assert why("8.8.8.8", 443, **rule) is None
        assert "8080" in str(why("8.8.8.8", 8080, **rule))


def test_private_addresses_are_closed() -> None:
    assert all(why(text) for text in PRIVATE)


def test_private_addresses_of_listed_hosts_are_open_on_allowed_ports_only() -> None:
    assert not any(why(text, host_is_listed=True) for text in PRIVATE)
    assert all(why(text, 7071, host_is_listed=True) for text in PRIVATE)


def test_private_addresses_open_on_every_port_when_the_setting_says_so() -> None:
    assert not any(why(text, 7071, allow_private=True) for text in PRIVATE)


def test_nothing_opens_metadata_and_reserved_addresses() -> None:
    for text in METADATA + RESERVED:
        for port in (80, 7071):
            assert why(text, port, host_is_listed=True, allow_private=True), text


def test_reason_names_the_kind_of_address_and_the_setting() -> None:
    assert "loopback" in str(why("127.0.0.1"))
    assert "FETCH_ALLOW_PRIVATE_ADDRESSES" in str(why("127.0.0.1"))
    assert "metadata" in str(why("169.254.169.254"))
    assert "FETCH_ALLOWED_PORTS: 80, 443" in str(why("8.8.8.8", 22))


IPV4 = st.one_of(
    st.ip_addresses(v=4),
    st.sampled_from(
        [
            IPv4Address(text)
            for text in PUBLIC + PRIVATE + METADATA
            if "." in text and ":" not in text
        ]
    ),
)


@hypothesis_settings(deadline=None)  # a busy machine is no fault of the rule
@given(IPV4)
def test_mapped_address_is_judged_as_what_it_carries(inner: IPv4Address) -> None:
    assert kind_of(IPv6Address((0xFFFF << 32) | int(inner))) == kind_of(inner)


@hypothesis_settings(deadline=None)  # a busy machine is no fault of the rule
@given(IPV4)
def test_nat64_address_is_public_only_if_what_it_carries_is(inner: IPv4Address) -> None:
    kind, _ = kind_of(IPv6Address((0x64FF9B << 96) | int(inner)))

    assert (kind is Kind.PUBLIC) == (kind_of(inner)[0] is Kind.PUBLIC)
    assert kind is not Kind.PRIVATE


@hypothesis_settings(deadline=None)  # a busy machine is no fault of the rule
@given(IPV4, st.integers(0, 2**80 - 1), st.integers(0, 2**32 - 1))
def test_every_other_form_that_carries_an_address_is_never_fetched(
    inner: IPv4Address, noise: int, prefix: int
) -> None:
    carried = int(inner)
    forms = {
        "IPv4-compatible": carried,
        "IPv4-translated": (0xFFFF << 48) | carried,
        "6to4": (0x2002 << 112) | (carried << 80) | noise,
        "Teredo server": (0x20010000 << 96) | (carried << 64) | (noise & (2**64 - 1)),
        "Teredo client": (0x20010000 << 96)
        | ((noise & (2**32 - 1)) << 32)
        | (carried ^ 0xFFFFFFFF),
        "local NAT64": (0x64FF9B0001 << 88) | (noise << 8 & (2**80 - 2**32)) | carried,
        "ISATAP": (0x2 << 124) | (prefix << 92) | (0x5EFE << 32) | carried,
        "global ISATAP": (0x2 << 124) | (prefix << 92) | (0x2005EFE << 32) | carried,
    }
    for name, form in forms.items():
        reason = why(IPv6Address(form), host_is_listed=True, allow_private=True)

        assert reason, f"{name}: {IPv6Address(form)}"


@hypothesis_settings(deadline=None)  # a busy machine is no fault of the rule
@given(st.ip_addresses())
def test_what_python_calls_special_is_never_public(address: IPAddress) -> None:
    nat64 = address in ip_network("64:ff9b::/96")
    if address.is_multicast or address.is_loopback or address.is_link_local:
        assert kind_of(address)[0] is not Kind.PUBLIC
    if (address.is_private or address.is_unspecified) and not nat64:
        assert why(address)
