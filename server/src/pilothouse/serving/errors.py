"""Why the ports cannot be opened.

CannotStart
├── PortTaken               somebody listens there already
├── PortForbidden           the operating system does not let us
├── AddressNotOurs          no such address on this machine
└── CertificateUnusable     see certificates.py
"""

from pathlib import Path
from typing import ClassVar

from pilothouse.base.errors import CannotStart


class PortTaken(CannotStart):
    """The port is in use already."""

    code: ClassVar[str] = "PORT_TAKEN"

    def __init__(self, *, port: int, setting: str, holder: str | None) -> None:
        self.port = port
        self.setting = setting
        self.holder = holder
        by = f" by {holder}" if holder else ""
        super().__init__(f"Port {port} is in use already{by}.", fix=f"Stop it, or choose another port with {setting}.")


class PortForbidden(CannotStart):
    """The operating system does not let this user listen on the port."""

    code: ClassVar[str] = "PORT_FORBIDDEN"

    def __init__(self, *, port: int, setting: str) -> None:
        self.port = port
        self.setting = setting
        super().__init__(f"This user may not listen on port {port}.", fix=f"Choose a port above 1023 with {setting}.")


class AddressNotOurs(CannotStart):
    """The address to listen on is not one of this machine's."""

    code: ClassVar[str] = "ADDRESS_NOT_OURS"

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"Cannot listen on {host} port {port}: {reason}.",
            fix="Use 0.0.0.0 for all addresses of this machine, or 127.0.0.1 for programs on it only.",
        )


class CertificateUnusable(CannotStart):
    """A certificate or key cannot be used."""

    code: ClassVar[str] = "CERTIFICATE_UNUSABLE"

    def __init__(self, *, path: Path, reason: str, fix: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}.", fix=fix)


class CertificateMissing(CertificateUnusable):
    """The file of a certificate or key is not there or not readable."""

    code: ClassVar[str] = "CERTIFICATE_MISSING"


class CertificateExpired(CertificateUnusable):
    """The certificate is past its time, or not yet in it."""

    code: ClassVar[str] = "CERTIFICATE_EXPIRED"


class CertificateKeyMismatch(CertificateUnusable):
    """The key does not belong to the certificate."""

    code: ClassVar[str] = "CERTIFICATE_KEY_MISMATCH"
