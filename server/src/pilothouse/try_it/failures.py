"""What can go wrong on the way to a runtime's service and back; each has a code that stays."""

from typing import Final

from pilothouse.base.errors import NotPermitted, PilothouseError, TooManyAttempts

ALLOW_VARIABLE: Final = "PILOTHOUSE_TRY_IT_ALLOW"
CA_FILE_VARIABLE: Final = "PILOTHOUSE_TRY_IT_CA_FILE"
INSECURE_VARIABLE: Final = "PILOTHOUSE_TRY_IT_INSECURE"


class AddressRefused(NotPermitted):
    """The control plane does not call this address."""

    code = "TRY_IT_ADDRESS_REFUSED"


class TooManyRequests(TooManyAttempts):
    """Too many requests are tried out."""

    code = "TRY_IT_BUSY"

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(wait_s=wait_s)
        self.message = message


class NoAnswer(PilothouseError):
    """The service did not answer, and the fault is not the control plane's: 502."""

    code = "TRY_IT_NO_ANSWER"


class Unreachable(NoAnswer):
    """Nobody took the connection: nothing was sent."""

    code = "TRY_IT_UNREACHABLE"


class NotTrusted(NoAnswer):
    """The service's certificate is not trusted: nothing was sent."""

    code = "TRY_IT_TLS_NOT_TRUSTED"


class BrokeOff(NoAnswer):
    """The connection ended before there was an answer, or what came was no HTTP; the request may have been carried out."""

    code = "TRY_IT_BROKE_OFF"


class TooSlow(NoAnswer):
    """The service did not answer in time; the request may have been carried out: 504."""

    code = "TRY_IT_TIMEOUT"
