"""What the operator sets for trying out services, and what one request may cost."""

import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec

from pilothouse.base.errors import CannotStart
from pilothouse.base.hosts import AllowList
from pilothouse.try_it.failures import CA_FILE_VARIABLE


class TryItRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator set."""

    allowed: AllowList = AllowList()
    ca_file: Path | None = None
    """PEM; without it the system's authorities are trusted."""
    insecure: bool = False
    """True gives up the check of certificates."""
    timeout_s: float = 30.0
    """Everything together; what has come of an answer by then is shown."""
    connect_s: float = 5.0
    """Resolving, connecting and the TLS handshake, all addresses together."""
    answer_bytes_max: int = 1_048_576
    """More of an answer is not read."""
    own_ports: Callable[[], frozenset[int]] = frozenset
    """The ports that the control plane listens on."""


def tls_context(rules: TryItRules) -> ssl.SSLContext:
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
        # Services within a network often show a certificate that signs itself: trusting that very one is enough.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if rules.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
