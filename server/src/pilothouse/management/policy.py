"""Whom the control plane may call. Pure: names are resolved elsewhere, what they resolved to is judged here.

Host and port of a management API come from a runtime's heartbeat: the peer holds a secret, but is not to be trusted with
the control plane's place in the network. Otherwise whoever holds a secret could make it knock at doors that are closed to
the holder: its own loopback, the cloud's metadata service, a neighbour's machine.

An address may be called when the runtime's heartbeats come from it, or when the operator allowed its host or its network.
Loopback needs heartbeats from loopback, or its network or the very host name in the list: a pattern does not open it.
Link-local, unspecified, multicast and metadata addresses are refused whatever the list says.
"""

from collections.abc import Iterable
from typing import Final

from pilothouse.base.hosts import Address, AllowList, faces_of, never_called, read_address, read_host_name, shown
from pilothouse.management.failures import Failure, ManagementFailure

__all__ = ["PORT_DEFAULT", "Address", "AllowList", "permit", "read_address", "read_host", "read_port"]

PORT_DEFAULT: Final = 443
PORT_MAX: Final = 65_535


def read_host(text: str | None) -> str | Address:
    """Read the host that a runtime reports: an address, or a name in lower case without a last dot.

    Raises: ManagementFailure (ADDRESS_MISSING, ADDRESS_INVALID)
    """
    if not text or not text.strip():
        raise ManagementFailure(Failure.ADDRESS_MISSING, "The runtime does not say where its management API is.")
    host = read_host_name(text)
    if host is None:
        raise ManagementFailure(Failure.ADDRESS_INVALID, f"`{shown(text.strip())}` is not the name of a host.")
    return host


def read_port(port: int | None) -> int:
    """Read the port that a runtime reports; without one it is that of HTTPS.

    Raises: ManagementFailure (ADDRESS_INVALID)
    """
    if port is None:
        return PORT_DEFAULT
    if not 1 <= port <= PORT_MAX:
        raise ManagementFailure(Failure.ADDRESS_INVALID, f"Its management port cannot be {port}.")
    return port


def permit(
    host: str | Address, resolved: Iterable[Address], heartbeats_from: str | None, allowed: AllowList
) -> tuple[Address, ...]:
    """Choose the addresses that may be called, the one that heartbeats come from first.

    Raises: ManagementFailure (ADDRESS_REFUSED, ADDRESS_INVALID) if there is none
    """
    source = read_address(heartbeats_from)
    chosen: list[Address] = []
    objection = ""
    for address in resolved:
        reason = _objection(host, address, source, allowed)
        if not reason:
            chosen.append(address)
        objection = objection or reason
    if not chosen:
        if not objection:
            raise ManagementFailure(Failure.ADDRESS_INVALID, f"`{shown(str(host))}` has no address.")
        raise ManagementFailure(Failure.ADDRESS_REFUSED, objection)
    return tuple(sorted(dict.fromkeys(chosen), key=lambda address: address != source))


def _objection(host: str | Address, address: Address, source: Address | None, allowed: AllowList) -> str:
    """Say in one sentence why an address may not be called; empty if it may."""
    subject = f"`{shown(str(host))}` ({address})" if isinstance(host, str) else f"The management address {address}"
    faces = faces_of(address)
    never = next((meaning for face in faces if (meaning := never_called(face))), "")
    if never:
        return f"{subject} is {never}: it is never called."
    listed = allowed.covers(address) or (isinstance(host, str) and allowed.names(host))
    if any(face.is_loopback for face in faces):
        if listed or (source is not None and source.is_loopback):
            return ""
        return f"{subject} is the control plane's own machine, and the runtime's heartbeats come from elsewhere."
    if address == source or listed or (isinstance(host, str) and allowed.matches(host)):
        return ""
    where = (
        f"the runtime's heartbeats come from {source}" if source else "it is not known where its heartbeats come from"
    )
    return f"{subject} is not in the list of allowed hosts, and {where}."
