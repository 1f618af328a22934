"""Whom the control plane may call when somebody tries out a service. Pure: names are resolved elsewhere, and judged here.

Host and port come from a runtime's heartbeat, and whoever holds a secret can send one: neither is to be trusted with the
control plane's place in the network. A runtime is called where its heartbeats come from, or where the operator's list allows
it, as `base/callees.py` tells; and nobody is led to the control plane's own ports.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from pilothouse.base.callees import objection_to
from pilothouse.base.hosts import Address, AllowList, is_loopback, read_address, read_host_name, shown
from pilothouse.try_it.failures import ALLOW_VARIABLE, AddressRefused, Unreachable

_LOCALHOST: Final = "localhost"
_FIX: Final = (
    f"If the address is right, put its host or its network into {ALLOW_VARIABLE}; otherwise let the runtime report the host "
    "that it can be reached by (`tryItHost`), or none: then it is called where its heartbeats come from."
)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A door of a runtime, as its heartbeats describe it. Untrusted."""

    runtime: str
    """What tells it from other runtimes."""
    scheme: str
    port: int
    host: str | None
    """What the runtime says that it can be reached by."""
    heartbeats_from: str | None
    """The peer's address of its last heartbeat, None if unknown."""


def host_of(target: Target) -> str | Address:
    """Choose the host to look up: what the runtime told, or where its heartbeats come from.

    A runtime that says `localhost` means its own machine, which is not this one unless its heartbeats come from here.
    Raises: Unreachable, AddressRefused
    """
    source = read_address(target.heartbeats_from)
    told = (target.host or "").strip()
    host = read_host_name(told) if told else None
    if told and host is None:
        raise AddressRefused(f"`{shown(told)}` is not the name of a host.", fix=_FIX)
    if host is not None and not _is_own_machine(host):
        return host
    if source is None:
        raise Unreachable(
            "It is not known where the runtime's heartbeats come from.",
            fix="Wait for its next heartbeat and try again.",
        )
    return _LOCALHOST if source.is_loopback else source


def permit(
    host: str | Address, resolved: Iterable[Address], target: Target, allowed: AllowList, own_ports: frozenset[int]
) -> tuple[Address, ...]:
    """Choose the addresses that may be called, the one that heartbeats come from first.

    own_ports: those that the control plane listens on
    Raises: AddressRefused, Unreachable
    """
    source = read_address(target.heartbeats_from)
    chosen: list[Address] = []
    objection = ""
    for address in resolved:
        reason = objection_to(host, address, source, allowed)
        if not reason and target.port in own_ports and is_loopback(address):
            reason = f"Port {target.port} of this machine is the control plane's own."
        if not reason:
            chosen.append(address)
        objection = objection or reason
    if not chosen and objection:
        raise AddressRefused(objection, fix=_FIX)
    if not chosen:
        raise Unreachable(f"`{shown(str(host))}` has no address.", fix=_FIX)
    return tuple(sorted(dict.fromkeys(chosen), key=lambda address: address != source))


def _is_own_machine(host: str | Address) -> bool:
    if isinstance(host, str):
        return host == _LOCALHOST or host.endswith(f".{_LOCALHOST}")
    return is_loopback(host)
