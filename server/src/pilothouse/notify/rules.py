"""What the operator sets for telling people, and what an attempt may cost."""

import ssl
from pathlib import Path
from typing import Final

import msgspec

from pilothouse.base.errors import CannotStart
from pilothouse.base.hosts import AllowList
from pilothouse.notify.mail_server import MailServer

ALLOW_VARIABLE: Final = "PILOTHOUSE_NOTIFY_ALLOW"
CA_FILE_VARIABLE: Final = "PILOTHOUSE_NOTIFY_CA_FILE"
PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"


class NotifyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator set."""

    allowed: AllowList = AllowList()
    """Hosts and networks that are not public and may be called all the same."""
    ca_file: Path | None = None
    """PEM of authorities that are trusted beside the system's."""
    mail: MailServer | None = None
    """None: no e-mail can be sent."""
    connect_s: float = 5.0
    """Resolving, connecting and the TLS handshake, all addresses together."""
    whole_s: float = 15.0
    """A whole attempt over HTTP."""
    mail_s: float = 30.0
    """A whole attempt over SMTP."""
    at_once_max: int = 16
    """Attempts under way; more wait."""


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Say which certificates are trusted: the system's authorities, and those of a file.

    Raises: CannotStart if the file cannot be read
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ValueError):
            raise CannotStart(
                f"{CA_FILE_VARIABLE} names a file that cannot be read as certificates: {ca_file}",
                fix="It is a PEM file with one or more certificates.",
                field=CA_FILE_VARIABLE,
            ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
