"""Whom a notice may be sent to over HTTP: judged by the addresses that a host resolves to, and only those are connected to.

URLs of channels come from people who manage alerts, and they are not to be trusted with the control plane's place in the
network. Public addresses may be called; all others only where the operator's list has the host or its network. Link-local,
unspecified, multicast and metadata addresses are refused whatever the list says.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from yarl import URL

from pilothouse.base.hosts import Address, AllowList, faces_of, is_loopback, never_called, read_host_name, shown
from pilothouse.notify.errors import NotDelivered

ADDRESSES_MAX: Final = 4
"""Of one host; more are not tried."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes: an address that passed, under the host that it was found by."""

    scheme: str
    host: str | Address
    address: Address
    port: int

    @property
    def host_header(self) -> str:
        """Name the host as HTTP does."""
        name = self.host if isinstance(self.host, str) else bracketed(self.host)
        return name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    def url(self, wanted: URL) -> URL:
        """Write the request's URL with the address itself: nothing is resolved a second time."""
        return URL(f"{self.scheme}://{bracketed(self.address)}:{self.port}{wanted.raw_path_qs}", encoded=True)


def host_of(url: URL) -> str | Address:
    """Tell the host of a URL that was checked before.

    Raises: NotDelivered
    """
    host = read_host_name(url.raw_host or "")
    if host is None:
        raise NotDelivered("The channel's URL has no host.", retry=False)
    return host


def doors_to(url: URL, resolved: Iterable[Address], allowed: AllowList) -> tuple[Door, ...]:
    """Choose the addresses of a URL's host that may be called.

    Raises: NotDelivered if there is none
    """
    host, port = host_of(url), url.port or _DEFAULT_PORTS[url.scheme]
    doors: list[Door] = []
    objection = ""
    for address in dict.fromkeys(resolved):
        reason = _objection(host, address, allowed)
        if not reason and url.scheme == "http" and not address.is_loopback:
            reason = f"{_named(host, address)} is not loopback: notices leave this machine over HTTPS alone."
        if not reason:
            doors.append(Door(scheme=url.scheme, host=host, address=address, port=port))
        objection = objection or reason
    if not doors:
        if not objection:
            raise NotDelivered(f"`{shown(str(host))}` has no address.", retry=True)
        raise NotDelivered(objection, retry=False)
    return tuple(doors[:ADDRESSES_MAX])


def bracketed(address: Address) -> str:
    """Write an address as URLs do."""
    return str(address) if address.version == 4 else f"[{address}]"  # noqa: PLR2004 - the number is the name


def _objection(host: str | Address, address: Address, allowed: AllowList) -> str:
    """Say in one sentence why an address may not be called; empty if it may."""
    never = never_called(address)
    if never:
        return f"{_named(host, address)} is {never}: it is never called."
    if allowed.covers(address) or (isinstance(host, str) and allowed.names(host)):
        return ""
    if is_loopback(address):
        return (
            f"{_named(host, address)} is the control plane's own machine, and PILOTHOUSE_NOTIFY_ALLOW does not list it."
        )
    if isinstance(host, str) and allowed.matches(host):
        return ""
    if not all(face.is_global for face in faces_of(address)):
        return f"{_named(host, address)} is no public address, and PILOTHOUSE_NOTIFY_ALLOW does not list it."
    return ""


def _named(host: str | Address, address: Address) -> str:
    return f"`{shown(str(host))}` ({address})" if isinstance(host, str) else f"The address {address}"
