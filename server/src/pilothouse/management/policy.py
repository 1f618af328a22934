"""Whom the control plane may call. Pure: names are resolved elsewhere, what they resolved to is judged here.

Host and port of a management API come from a runtime's heartbeat. If they were trusted, whoever holds a secret could make
the control plane knock at doors that are closed to the holder: its own loopback, the cloud's metadata service, a neighbour's
machine. Which addresses may be called is told in `base/callees.py`.
"""

from collections.abc import Iterable
from typing import Final

from pilothouse.base.callees import objection_to
from pilothouse.base.hosts import Address, AllowList, read_address, read_host_name, shown
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
        reason = objection_to(host, address, source, allowed, called="management address")
        if not reason:
            chosen.append(address)
        objection = objection or reason
    if not chosen:
        if not objection:
            raise ManagementFailure(Failure.ADDRESS_INVALID, f"`{shown(str(host))}` has no address.")
        raise ManagementFailure(Failure.ADDRESS_REFUSED, objection)
    return tuple(sorted(dict.fromkeys(chosen), key=lambda address: address != source))
