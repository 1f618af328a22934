"""What can go wrong between a command and a control plane, and the status that each ends a program with."""

from typing import Final

from pilothouse.base.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPermitted,
    NotSignedIn,
    PilothouseError,
    TooManyAttempts,
    Unavailable,
)

FAILED: Final = 1
USAGE: Final = 2
NOT_SIGNED_IN: Final = 3
NOT_PERMITTED: Final = 4
NOT_FOUND: Final = 5
CONFLICT: Final = 6
UNAVAILABLE: Final = 7
TIMED_OUT: Final = 8
CHANGES: Final = 9
"""What `diff` ends with when there is something to change."""

_BY_CODE: Final = {
    "NOT_SIGNED_IN": NOT_SIGNED_IN,
    "SESSION_EXPIRED": NOT_SIGNED_IN,
    "SIGN_IN_REFUSED": NOT_SIGNED_IN,
    "REFRESH_REFUSED": NOT_SIGNED_IN,
    "REFRESH_REUSED": NOT_SIGNED_IN,
    "OIDC_REFUSED": NOT_SIGNED_IN,
    "NOT_ADMITTED": NOT_SIGNED_IN,
    "NAME_TAKEN": NOT_SIGNED_IN,
    "USER_DISABLED": NOT_SIGNED_IN,
    "PASSWORD_CHANGE_REQUIRED": NOT_PERMITTED,
    "NOT_PERMITTED": NOT_PERMITTED,
    "CROSS_ORIGIN": NOT_PERMITTED,
    "PERSISTED_QUERY_ONLY": NOT_PERMITTED,
    "NOT_FOUND": NOT_FOUND,
    "PERSISTED_QUERY_NOT_FOUND": NOT_FOUND,
    "CONFLICT": CONFLICT,
    "IN_USE": CONFLICT,
    "LIMIT_REACHED": CONFLICT,
    "BUILT_IN": CONFLICT,
    "LAST_SUPER_ADMIN": CONFLICT,
    "ONESELF": CONFLICT,
    "RUNTIME_NOT_RUNNING": CONFLICT,
    "CAPABILITY_MISSING": CONFLICT,
    "REFRESH_RACED": CONFLICT,
    "UNAVAILABLE": UNAVAILABLE,
    "PROVIDER_UNAVAILABLE": UNAVAILABLE,
    "STORAGE_UNAVAILABLE": UNAVAILABLE,
    "STORAGE_FULL": UNAVAILABLE,
    "STORAGE_REFUSED": UNAVAILABLE,
    "TELEMETRY_BUSY": UNAVAILABLE,
    "TELEMETRY_DOWN": UNAVAILABLE,
    "TELEMETRY_TIMEOUT": UNAVAILABLE,
    "TRY_IT_ADDRESS_REFUSED": NOT_PERMITTED,
    "TRY_IT_OFF": NOT_PERMITTED,
    "TRY_IT_NOT_RUNNING": CONFLICT,
    "TRY_IT_NO_SUCH_PORT": NOT_FOUND,
}
"""Within GraphQL an error has a code and no status of HTTP."""
_BY_STATUS: Final = {
    401: NOT_SIGNED_IN,
    403: NOT_PERMITTED,
    404: NOT_FOUND,
    409: CONFLICT,
    429: UNAVAILABLE,
    500: UNAVAILABLE,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}
_BY_KIND: Final[tuple[tuple[type[PilothouseError], int], ...]] = (
    (NotSignedIn, NOT_SIGNED_IN),
    (NotPermitted, NOT_PERMITTED),
    (NotFound, NOT_FOUND),
    (Conflict, CONFLICT),
    (TooManyAttempts, UNAVAILABLE),
    (Unavailable, UNAVAILABLE),
)


class ControlPlaneRefused(PilothouseError):
    """The control plane refused, in its own words."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        fix: str = "",
        field: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s
        self.request_id = request_id
        """Under which the control plane's log tells of the request; None where a proxy or an older release answered."""
        super().__init__(message, fix=fix, field=field)


class Unreachable(Unavailable):
    """The control plane cannot be reached."""

    code = "UNREACHABLE"


class CertificateNotTrusted(Unavailable):
    """The control plane's certificate is not trusted here."""

    code = "CERTIFICATE_NOT_TRUSTED"


class NotAControlPlane(Unavailable):
    """Something answers there, but not as a control plane does."""

    code = "NOT_A_CONTROL_PLANE"


class CredentialsUnsafe(PilothouseError):
    """The file of credentials can be read by others, or is not what it should be."""

    code = "CREDENTIALS_UNSAFE"


class NoContext(NotSignedIn):
    """No control plane is named, and none is signed in to."""

    code = "NO_CONTEXT"


class WaitedTooLong(PilothouseError):
    """The outcome was not known in time."""

    code = "TIMED_OUT"


class Misused(PilothouseError):
    """The command line itself is wrong."""

    code = "USAGE"


class Failed(PilothouseError):
    """What was asked for did not happen."""

    code = "FAILED"


class FileInvalid(InvalidInput):
    """A file does not describe an organization."""

    code = "FILE_INVALID"


def status_of(error: PilothouseError) -> int:
    """Tell the status that a program ends with for an error."""
    match error:
        case ControlPlaneRefused():
            return _BY_CODE.get(error.code) or _BY_STATUS.get(error.status or 0, FAILED)
        case WaitedTooLong():
            return TIMED_OUT
        case Misused():
            return USAGE
        case _:
            return next((status for kind, status in _BY_KIND if isinstance(error, kind)), FAILED)
