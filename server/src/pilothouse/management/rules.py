"""What the operator sets for calls of management APIs, and what a call may cost."""

import ssl
from pathlib import Path

import msgspec

from pilothouse.base.errors import CannotStart
from pilothouse.management.failures import CA_FILE_VARIABLE
from pilothouse.management.policy import AllowList


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a call may cost."""

    connect_s: float = 5.0
    """Resolving, connecting and the TLS handshake, all addresses together."""
    whole_s: float = 15.0
    """Everything, the wait for a place included."""
    answer_bytes_max: int = 4 * 1024 * 1024
    at_once_max: int = 32
    per_runtime_max: int = 2
    waiting_max: int = 1_024
    waiting_per_runtime_max: int = 64


class ManagementRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator set."""

    allowed: AllowList = AllowList()
    ca_file: Path | None = None
    """PEM; without it the system's authorities are trusted."""
    insecure: bool = False
    """True gives up the check of certificates."""
    limits: Limits = Limits()


def tls_context(rules: ManagementRules) -> ssl.SSLContext:
    """Say which certificates are trusted.

    Raises: CannotStart if the file of authorities cannot be read
    """
    try:
        context = ssl.create_default_context(cafile=rules.ca_file)
    except (OSError, ValueError):
        raise CannotStart(
            f"{CA_FILE_VARIABLE} names a file that cannot be read as certificates: {rules.ca_file}",
            fix="It is a PEM file with one or more certificates.",
            field=CA_FILE_VARIABLE,
        ) from None
    if rules.ca_file is not None:
        # Micro Integrator is often run with a certificate that signs itself: trusting that very one is enough.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if rules.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
