"""Runtimes that the control plane calls: what the operator set for it, and which of their addresses it may call.

Host and port come from a runtime's heartbeat: the peer holds a secret, but is not to be trusted with the control plane's place
in the network. An address may be called when the runtime's heartbeats come from it, or when the operator allowed its host or its
network. Loopback needs heartbeats from loopback, or its network or the very host name in the list: a pattern does not open it.
Link-local, unspecified, multicast and metadata addresses are refused whatever the list says.
"""

import ssl
from pathlib import Path
from typing import ClassVar

import msgspec

from pilothouse.base.errors import CannotStart
from pilothouse.base.hosts import Address, AllowList, is_loopback, never_called, shown


class CalleeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator set for calls of one sort."""

    ca_file_variable: ClassVar[str]
    """The setting that names `ca_file`."""
    allowed: AllowList = AllowList()
    ca_file: Path | None = None
    """PEM; without it the system's authorities are trusted."""
    insecure: bool = False
    """True gives up the check of certificates."""


def tls_context(rules: CalleeRules) -> ssl.SSLContext:
    """Say which certificates are trusted.

    Raises: CannotStart if the file of authorities cannot be read
    """
    try:
        context = ssl.create_default_context(cafile=rules.ca_file)
    except (OSError, ValueError):
        raise CannotStart(
            f"{rules.ca_file_variable} names a file that cannot be read as certificates: {rules.ca_file}",
            fix="It is a PEM file with one or more certificates.",
            field=rules.ca_file_variable,
        ) from None
    if rules.ca_file is not None:
        # What runs within a network often shows a certificate that signs itself: trusting that very one is enough.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if rules.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def objection_to(
    host: str | Address, address: Address, source: Address | None, allowed: AllowList, *, called: str = "address"
) -> str:
    """Say in one sentence why an address of a runtime may not be called; empty if it may.

    source: where the runtime's heartbeats come from; called: what an address without a name is called
    """
    subject = f"`{shown(host)}` ({address})" if isinstance(host, str) else f"The {called} {address}"
    never = never_called(address)
    if never:
        return f"{subject} is {never}: it is never called."
    listed = allowed.covers(address) or (isinstance(host, str) and allowed.names(host))
    if is_loopback(address):
        if listed or (source is not None and source.is_loopback):
            return ""
        return f"{subject} is the control plane's own machine, and the runtime's heartbeats come from elsewhere."
    if address == source or listed or (isinstance(host, str) and allowed.matches(host)):
        return ""
    where = (
        f"the runtime's heartbeats come from {source}" if source else "it is not known where its heartbeats come from"
    )
    return f"{subject} is not in the list of allowed hosts, and {where}."
