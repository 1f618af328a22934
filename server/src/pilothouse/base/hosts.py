"""Hosts and addresses that the control plane may call, or never calls. Pure: names are resolved elsewhere.

Source: RFC 6890, RFC 6052 and RFC 4291 (addresses within addresses)
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias, final

import msgspec

from pilothouse.base.errors import InvalidInput

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

HOST_CHARS_MAX: Final = 253
ENTRIES_MAX: Final = 1_000

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_PATTERN: Final = re.compile(r"[A-Za-z0-9_.*-]+", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
"""A last label that resolvers read as a part of an IPv4 address, `0x7f.1` included."""

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Services that give a machine its own credentials; the other clouds' are link-local."""
_NEVER: Final[tuple[tuple[Network, str], ...]] = (
    (IPv4Network("0.0.0.0/8"), "no host's address"),
    (IPv6Network("::/128"), "no host's address"),
    (IPv4Network("169.254.0.0/16"), "link-local, where clouds keep their machines' credentials"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("fec0::/10"), "site-local, which is no longer in use"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv6Network("ff00::/8"), "multicast"),
    (IPv4Network("240.0.0.0/4"), "reserved"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


@final
class AllowList(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator allows beyond the address that heartbeats come from."""

    hosts: frozenset[str] = frozenset()
    """Exact names, lower case."""
    patterns: tuple[str, ...] = ()
    """Names with `*`, which stands for any characters, dots included; lower case."""
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowList":
        """Read host names, patterns such as `*.mi.example.com`, addresses and networks, separated by commas.

        Raises: InvalidInput
        """
        hosts: set[str] = set()
        patterns: list[str] = []
        networks: list[Network] = []
        entries = [entry for entry in (part.strip() for part in text.split(",")) if entry]
        if len(entries) > ENTRIES_MAX:
            raise InvalidInput(f"The list has more than {ENTRIES_MAX} entries.", fix="Use networks and patterns.")
        for entry in entries:
            network = _network(entry)
            if network is not None:
                networks.append(network)
            elif "*" in entry:
                patterns.append(_pattern(entry))
            else:
                hosts.add(_name(entry))
        return cls(hosts=frozenset(hosts), patterns=tuple(patterns), networks=tuple(networks))

    def names(self, host: str) -> bool:
        """True if this very host name stands in the list."""
        return host in self.hosts

    def covers(self, address: Address) -> bool:
        """True if an address is in one of the networks."""
        return any(address in network for network in self.networks)

    def matches(self, host: str) -> bool:
        """True if a pattern fits the host."""
        return any(_fits(pattern, host) for pattern in self.patterns)


def read_host_name(text: str) -> str | Address | None:
    """Read a host: an address, or a name in lower case without a last dot; None if it is neither."""
    host = text.strip()
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    address = read_address(bare)
    if address is not None:
        return address
    name = host.removesuffix(".").lower()
    if len(name) > HOST_CHARS_MAX or not _HOST.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(".")[2]):
        return None
    return name


def read_address(text: str | None) -> Address | None:
    """Read an address as it stands in a heartbeat's connection or in a resolver's answer; None if it is none.

    An IPv4 address in the clothes of IPv6 (`::ffff:10.0.0.7`) is the IPv4 address.
    """
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    # Without its zone: `fe80::1%eth0` is link-local whatever the interface is called.
    return address.ipv4_mapped or IPv6Address(int(address))


def faces_of(address: Address) -> tuple[Address, ...]:
    """List an address with those that a network may take out of it."""
    return (address, *_within(address))


def never_called(address: Address) -> str:
    """Say what an address, or one within it, is that nobody may make the control plane call; empty for all others."""
    for face in faces_of(address):
        if face in _METADATA:
            return "a cloud's metadata service"
        for network, meaning in _NEVER:
            if face in network:
                return meaning
    return ""


def is_loopback(address: Address) -> bool:
    """True if an address, or one within it, is this machine's own."""
    return any(face.is_loopback for face in faces_of(address))


def shown(text: str) -> str:
    """Make a text from elsewhere fit to be shown between backticks."""
    return "".join(character if character.isprintable() and character != "`" else "?" for character in text[:100])


def _within(address: Address) -> tuple[IPv4Address, ...]:
    """List IPv4 addresses that a network may take out of an IPv6 address."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (address in _COMPATIBLE and not address.is_loopback and not address.is_unspecified):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(inner for inner in found if inner is not None)


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry)
    except ValueError as error:
        if "host bits" in str(error):
            raise InvalidInput(
                f"`{shown(entry)}` is an address within a network, not a network.",
                fix=f"Write {ip_network(entry, strict=False)}, or the address alone.",
            ) from None
        return None


def _pattern(entry: str) -> str:
    if not _PATTERN.fullmatch(entry) or not (entry == "*" or re.search(r"[A-Za-z]", entry)):
        # `10.*` looks like a network, but would be a name that anybody can have: `10.evil.example`.
        raise InvalidInput(
            f"`{shown(entry)}` is not a pattern of host names.", fix="Networks are written like 10.20.0.0/16."
        )
    return entry.lower()


def _name(entry: str) -> str:
    host = read_host_name(entry)
    if not isinstance(host, str):
        raise InvalidInput(
            f"`{shown(entry)}` is neither a host nor a network.",
            fix="Write hosts (`mi-1.example.com`), patterns (`*.mi.example.com`) and networks (`10.20.0.0/16`).",
        )
    return host


def _fits(pattern: str, host: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return host == pattern
    *middle, last = rest
    if len(host) < len(first) + len(last) or not host.startswith(first) or not host.endswith(last):
        return False
    start, end = len(first), len(host) - len(last)
    for part in middle:
        found = host.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True
