"""Whom the control plane may call, judged by what a runtime says and by where its heartbeats come from."""

import pytest
from pilothouse.base.errors import PilothouseError
from pilothouse.base.hosts import AllowList, read_address
from pilothouse.try_it.failures import AddressRefused, Unreachable
from pilothouse.try_it.policy import Target, host_of, permit


def target(host: str | None = None, source: str | None = "10.0.3.7", port: int = 8080) -> Target:
    return Target(runtime="r", scheme="http", port=port, host=host, heartbeats_from=source)


def judged(
    host: str | None, *resolved: str, source: str | None = "10.0.3.7", allow: str = "", port: int = 8080
) -> list[str]:
    told = target(host, source, port)
    found = host_of(told)
    addresses = [read_address(one) for one in resolved] if isinstance(found, str) else [found]
    passed = permit(found, [one for one in addresses if one], told, AllowList.parse(allow), frozenset({9445, 9446}))
    return [str(address) for address in passed]


def test_without_a_host_it_is_called_where_its_heartbeats_come_from() -> None:
    assert judged(None) == ["10.0.3.7"]
    assert judged("  ") == ["10.0.3.7"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "::1", "[::1]", "app.localhost", "127.9.9.9"])
def test_a_runtime_that_says_localhost_means_its_own_machine(host: str) -> None:
    assert judged(host) == ["10.0.3.7"]


def test_on_this_very_machine_localhost_is_called() -> None:
    assert host_of(target("localhost", "127.0.0.1")) == "localhost"
    assert host_of(target(None, "::1")) == "localhost"
    assert judged(None, "::1", "127.0.0.1", source="127.0.0.1") == ["127.0.0.1", "::1"]


def test_the_control_planes_own_ports_on_this_machine_are_never_called() -> None:
    with pytest.raises(AddressRefused, match="own"):
        judged(None, "127.0.0.1", source="127.0.0.1", port=9446)


def test_a_name_passes_by_the_address_that_heartbeats_come_from() -> None:
    assert judged("orders.example.com", "192.0.2.1", "10.0.3.7") == ["10.0.3.7"]


def test_a_name_that_leads_elsewhere_is_refused_unless_it_is_listed() -> None:
    with pytest.raises(AddressRefused, match=r"not in the list of allowed hosts"):
        judged("orders.example.com", "192.0.2.1")
    for allow in ("orders.example.com", "*.example.com", "192.0.2.0/24"):
        assert judged("orders.example.com", "192.0.2.1", allow=allow) == ["192.0.2.1"]


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "0.0.0.0",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "224.0.0.1",
        "fd00:ec2::254",
    ],
)
def test_metadata_and_link_local_addresses_are_refused_whatever_is_listed(address: str) -> None:
    with pytest.raises(AddressRefused, match="never called"):
        judged("evil.example", address, allow="0.0.0.0/0,::/0,evil.example", source=address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_a_name_that_leads_to_this_machine_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="own machine"):
        judged("evil.example", address, allow="*.example,*")


@pytest.mark.parametrize("host", ["a b", "http://x", "x:80", "-", "0x7f.1", "2130706433", "a/b"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        judged(host, "10.0.3.7")


def test_a_runtime_of_which_no_address_is_known_is_not_called() -> None:
    with pytest.raises(Unreachable):
        judged(None, source=None)
    with pytest.raises(PilothouseError):
        judged("orders.example.com", "10.0.3.7", source=None)


def test_a_name_without_an_address_cannot_be_reached() -> None:
    with pytest.raises(Unreachable, match="no address"):
        judged("orders.example.com")
