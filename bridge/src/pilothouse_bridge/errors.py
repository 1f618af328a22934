"""Everything that can go wrong in the bridge.

BridgeError
├── ConfigurationError             the settings cannot be used; raised by ``connect()``, logged by the blank import
│   ├── FieldMissingError
│   ├── FieldInvalidError
│   └── ConfigFileUnusableError
└── DeliveryError                  a heartbeat did not get through; never raised into the program, see ``Bridge.status``
    ├── ServerUnreachableError
    ├── ServerTooSlowError
    ├── CertificateRefusedError
    ├── AnswerNotUnderstoodError
    ├── ServerBusyError
    └── HeartbeatRejectedError

Each carries a stable ``code``, what happened (``message``) and what to do about it (``fix``). None ever holds a secret.
Messages are built from attributes and not from docstrings, because ``python -OO`` removes docstrings.
"""

from typing import ClassVar


class BridgeError(Exception):
    """The bridge cannot do what it is asked to."""

    code: ClassVar[str] = "BRIDGE_ERROR"

    def __init__(self, message: str, fix: str) -> None:
        """Keep what happened apart from what to do about it."""
        self.message = message
        self.fix = fix
        super().__init__(message, fix)

    def __str__(self) -> str:
        return f"{self.message.rstrip('.')}. Fix: {self.fix} [{self.code}]"


class ConfigurationError(BridgeError):
    """The settings cannot be used as they stand."""

    code = "CONFIGURATION_UNUSABLE"


class FieldMissingError(ConfigurationError):
    """A required setting is nowhere to be found."""

    code = "FIELD_MISSING"

    def __init__(self, field: str, searched: str, fix: str) -> None:
        """Name the field and where it was looked for."""
        self.field = field
        super().__init__(f"The setting '{field}' is missing; looked in {searched}", fix)


class FieldInvalidError(ConfigurationError):
    """A setting has a value that cannot be used."""

    code = "FIELD_INVALID"

    def __init__(self, field: str, origin: str, problem: str, fix: str) -> None:
        """Name the field, where its value came from, and what is wrong with it."""
        self.field = field
        self.origin = origin
        super().__init__(f"The setting '{field}' (from {origin}) {problem}", fix)


class ConfigFileUnusableError(ConfigurationError):
    """A configuration file or data variable cannot be read as TOML."""

    code = "CONFIG_FILE_UNUSABLE"

    def __init__(self, origin: str, problem: str, fix: str) -> None:
        """Name the file or variable and what is wrong with it."""
        self.origin = origin
        super().__init__(f"{origin} {problem}", fix)


class DeliveryError(BridgeError):
    """A heartbeat did not get through; the bridge tries again."""

    code = "NOT_DELIVERED"


class ServerUnreachableError(DeliveryError):
    """No connection to the server could be made or kept."""

    code = "SERVER_UNREACHABLE"

    def __init__(self, host: str, port: int, cause: str) -> None:
        """Name the address that was tried."""
        self.host = host
        self.port = port
        super().__init__(
            f"Cannot reach the ICP server at {host} port {port}: {cause}",
            f"check that the server runs, that serverUrl names the right host and port, "
            f"and that no firewall stands between this machine and {host}:{port}",
        )


class ServerTooSlowError(DeliveryError):
    """The server took the connection and did not answer in time."""

    code = "SERVER_TOO_SLOW"

    def __init__(self, host: str, port: int, waited_s: float) -> None:
        """Name the address and how long we waited."""
        self.host = host
        self.port = port
        super().__init__(
            f"The ICP server at {host} port {port} did not answer within {waited_s:g} s",
            "check the server's health and load, and that serverUrl names its runtime port (9445 by default)",
        )


class CertificateRefusedError(DeliveryError):
    """The TLS handshake failed: the server's certificate is not trusted, or it does not speak TLS."""

    code = "CERTIFICATE_REFUSED"

    def __init__(self, host: str, port: int, cause: str) -> None:
        """Name the address and the verifier's reason."""
        self.host = host
        self.port = port
        super().__init__(
            f"TLS with the ICP server at {host} port {port} failed: {cause}",
            "set 'cert' to the PEM file of the CA that signed the server's certificate (and use the host name it was "
            "issued for), or, for non-production only, set enableSSL = false and no cert",
        )


class AnswerNotUnderstoodError(DeliveryError):
    """The answer is not one that a control plane gives."""

    code = "ANSWER_NOT_UNDERSTOOD"

    def __init__(self, problem: str) -> None:
        """Say what is odd about the answer."""
        super().__init__(
            f"The answer is not that of an ICP server: {problem}",
            "check that serverUrl names the server's runtime port (9445 by default) and that no proxy answers there",
        )


class ServerBusyError(DeliveryError):
    """The server has trouble of its own and asks for patience."""

    code = "SERVER_BUSY"

    def __init__(self, status: int, message: str, retry_after_s: float | None, fix: str = "") -> None:
        """Keep the status, the server's wish when to come again, and what somebody has to do, if it says so."""
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(
            f"The ICP server answered {status}: {message}",
            fix or "nothing to do on this side; the bridge tries again by itself. See the server's log",
        )


class HeartbeatRejectedError(DeliveryError):
    """The server understood the heartbeat and refused it for a reason that an operator must mend."""

    code = "HEARTBEAT_REJECTED"

    def __init__(self, status: int, server_code: str, message: str, fix: str) -> None:
        """Keep the server's own words."""
        self.status = status
        self.server_code = server_code
        super().__init__(message, fix)

    @property
    def is_not_yet(self) -> bool:
        """Whether the server took the message and waits for someone to create the environment."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers
