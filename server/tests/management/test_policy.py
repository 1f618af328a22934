from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pilothouse.base.errors import InvalidInput
from pilothouse.management.failures import Failure, ManagementFailure
from pilothouse.management.policy import Address, AllowList, permit, read_address, read_host, read_port

NOTHING = AllowList()
EVERYTHING = AllowList.parse("*, 0.0.0.0/0, ::/0, localhost, mi")
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
]
LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"]

addresses = st.ip_addresses().map(str).map(read_address)
usable = addresses.filter(
    lambda a: (
        a.is_global
        and not a.is_multicast
        and not (a.version == 6 and (a.sixtofour or a.teredo or int(a) >> 32 in (0, 0x64FF9B << 64)))
    )
)


def refused(
    address: str | Address, *, source: str | None = "10.0.0.7", allowed: AllowList = NOTHING, host: str = "mi"
) -> bool:
    """True if it is refused by policy; every other failure is a failure of the test."""
    found = address if not isinstance(address, str) else read_address(address)
    assert found is not None
    try:
        chosen = permit(host, [found], source, allowed)
    except ManagementFailure as failure:
        assert failure.failure is Failure.ADDRESS_REFUSED
        assert failure.message.count("\n") == 0
        assert failure.fix
        return True
    assert chosen == (found,)
    return False


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_refused_whoever_sends_heartbeats_and_whatever_is_allowed(address: str) -> None:
    assert refused(address)
    assert refused(address, source=address, allowed=EVERYTHING)
    assert refused(address, source="127.0.0.1", allowed=EVERYTHING)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_needs_heartbeats_from_loopback_or_a_network_or_the_very_name(address: str) -> None:
    assert refused(address)
    assert refused(address, source=None)
    assert refused(address, allowed=AllowList.parse("*"))
    assert refused(address, allowed=AllowList.parse("m*"))
    assert not refused(address, source="127.0.0.1")
    assert not refused(address, source="::1")
    assert not refused(address, allowed=AllowList.parse("mi"))
    assert not refused(address, allowed=AllowList.parse("0.0.0.0/0,::/0"))


@given(usable, usable)
def test_without_a_list_only_the_address_of_the_heartbeats_is_called(address: Address, source: Address) -> None:
    assume(address != source)

    assert refused(address, source=str(source))
    assert refused(address, source=None)
    assert not refused(address, source=str(address))


@given(st.lists(addresses, max_size=6), addresses, st.booleans())
def test_what_is_chosen_was_resolved_and_is_never_more_than_what_passes_alone(
    resolved: list[Address], source: Address, is_listed: bool
) -> None:
    allowed = EVERYTHING if is_listed else NOTHING
    alone = [address for address in resolved if not refused(address, source=str(source), allowed=allowed)]
    try:
        chosen = permit("mi", resolved, str(source), allowed)
    except ManagementFailure as failure:
        assert not alone
        assert failure.failure in {Failure.ADDRESS_REFUSED, Failure.ADDRESS_INVALID}
    else:
        assert sorted(map(str, chosen)) == sorted(map(str, set(alone)))
        assert source not in chosen[1:]


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_the_clothes_of_ipv6(address: IPv4Address, source: IPv4Address) -> None:
    clothed = read_address(f"::ffff:{address}")

    assert clothed == address
    assert refused(address, source=f"::ffff:{source}") == refused(address, source=str(source))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_that_carries_a_metadata_address_is_called(address: IPv6Address) -> None:
    carried = {address.sixtofour, address.ipv4_mapped, *(address.teredo or ())}
    if any(inner is not None and inner.is_link_local for inner in carried):
        assert refused(address, source=str(address), allowed=EVERYTHING)


def test_the_list_takes_hosts_patterns_and_networks() -> None:
    allowed = AllowList.parse(" mi-1.example.com , *.mi.example.com,,10.20.0.0/16,192.0.2.9, fd12::/16 ")

    assert not refused("198.51.100.1", allowed=allowed, host="mi-1.example.com")
    assert not refused("198.51.100.1", allowed=allowed, host="a.b.mi.example.com")
    assert refused("198.51.100.1", allowed=allowed, host="mi.example.com.evil.example")
    assert refused("198.51.100.1", allowed=allowed, host="evilmi.example.com")
    assert not refused("10.20.255.1", allowed=allowed, host="whatever")
    assert refused("10.21.0.1", allowed=allowed, host="whatever")
    assert not refused("192.0.2.9", allowed=allowed, host="whatever")
    assert not refused("fd12::7", allowed=allowed, host="whatever")


@given(st.text("ab*.-1", min_size=1, max_size=10), st.text("ab.-1", max_size=12))
def test_patterns_fit_as_the_stars_say(pattern: str, host: str) -> None:
    import re

    assume("*" in pattern and (pattern == "*" or any("a" <= character <= "z" for character in pattern)))
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), host) is not None

    assert AllowList.parse(pattern).matches(host) is expected


@pytest.mark.parametrize(
    "text", ["10.*", "10.0.0.1/8", "ho st", "-x", "1.2.3", "[x", "*/24", "a" * 300, "**.1", "x,0x7f.1"]
)
def test_an_entry_that_is_neither_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        AllowList.parse(text)

    assert caught.value.fix


def test_a_list_has_an_end() -> None:
    with pytest.raises(InvalidInput):
        AllowList.parse(",".join(f"h{number}" for number in range(1_001)))


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("MI-1.Example.com.", "mi-1.example.com"),
        ("order_mi", "order_mi"),
        (" localhost ", "localhost"),
        ("10.0.0.7", ip_address("10.0.0.7")),
        ("[::1]", ip_address("::1")),
        ("::ffff:10.0.0.7", ip_address("10.0.0.7")),
    ],
)
def test_a_host_is_a_name_or_an_address(text: str, host: object) -> None:
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "2130706433", "127.1", "0x7f.1", "0x7f000001", "017700000001", "1.2.3.4.5", "a.0x7f", "mi:9164", "mi/../x", "mi?x", "user@mi",
        "mi#x", "a b", "a\r\nb", "日本", "-mi", "mi-", "a..b", ".", "[mi]", "a" * 64, "a." * 127 + "a", "mi\x00", "%6d%69", "\uff4d\uff49",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ManagementFailure) as caught:
        read_host(text)

    assert caught.value.failure is Failure.ADDRESS_INVALID
    assert caught.value.message.isprintable()


@given(st.text(max_size=40))
def test_whatever_is_reported_a_host_that_is_read_cannot_change_the_url(text: str) -> None:
    from urllib.parse import urlsplit

    try:
        host = read_host(text)
    except ManagementFailure:
        return
    shown = f"[{host}]" if isinstance(host, IPv6Address) else str(host)
    split = urlsplit(f"https://{shown}:9164/management/apis")
    assert (split.hostname, split.port, split.path) == (str(host), 9164, "/management/apis")


@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_runtime_that_says_nothing_is_told_apart(text: str | None) -> None:
    with pytest.raises(ManagementFailure) as caught:
        read_host(text)

    assert caught.value.failure is Failure.ADDRESS_MISSING


@given(st.integers())
def test_ports_are_1_to_65535(port: int) -> None:
    try:
        assert read_port(port) == port
    except ManagementFailure as failure:
        assert failure.failure is Failure.ADDRESS_INVALID
        assert not 1 <= port <= 65_535
    else:
        assert 1 <= port <= 65_535


def test_no_port_is_that_of_https() -> None:
    assert read_port(None) == 443
