"""What can go wrong between the control plane and a management API.

PilothouseError
├── InvalidInput
│   └── CallNotSupported        there is no such call
└── ManagementFailure           a call that did not succeed; `failure` says how
"""

from enum import StrEnum, unique
from typing import Final, final

from pilothouse.base.errors import InvalidInput, PilothouseError
from pilothouse.domain.mi_users import FIXES as USER_FIXES
from pilothouse.domain.mi_users import UserRefusal

CA_FILE_VARIABLE: Final = "PILOTHOUSE_MI_CA_FILE"
INSECURE_VARIABLE: Final = "PILOTHOUSE_MI_INSECURE"
ALLOW_VARIABLE: Final = "PILOTHOUSE_MI_ALLOW"


@final
class CallNotSupported(InvalidInput):
    """Micro Integrator's management API has no such call."""

    code = "NOT_SUPPORTED"


@unique
class Failure(StrEnum):
    """How a call failed; the values are stable codes."""

    ADDRESS_MISSING = "MI_ADDRESS_MISSING"
    ADDRESS_INVALID = "MI_ADDRESS_INVALID"
    ADDRESS_REFUSED = "MI_ADDRESS_REFUSED"
    BUSY = "MI_BUSY"
    UNREACHABLE = "MI_UNREACHABLE"
    BROKE_OFF = "MI_BROKE_OFF"
    TLS_NOT_TRUSTED = "MI_TLS_NOT_TRUSTED"
    TIMEOUT = "MI_TIMEOUT"
    TOKEN_REFUSED = "MI_TOKEN_REFUSED"  # noqa: S105 - a code
    FORBIDDEN = "MI_FORBIDDEN"
    NOT_FOUND = "MI_NOT_FOUND"
    REFUSED = "MI_REFUSED"
    FAILED = "MI_FAILED"
    REDIRECTED = "MI_REDIRECTED"
    ANSWER_TOO_LARGE = "MI_ANSWER_TOO_LARGE"
    ANSWER_NOT_JSON = "MI_ANSWER_NOT_JSON"
    USER_EXISTS = UserRefusal.EXISTS.value
    USER_NOT_FOUND = UserRefusal.NOT_FOUND.value
    USER_PROTECTED = UserRefusal.PROTECTED.value
    USERS_FIXED = UserRefusal.STORE_FIXED.value


_SET_ADDRESS: Final = (
    "set `hostname` under `[server]` in its deployment.toml (newer releases: `management_url` under `[icp_config]`) "
    "to what the control plane can reach it by, and restart it."
)
_FIXES: Final[dict[Failure, str]] = {
    Failure.ADDRESS_MISSING: _SET_ADDRESS[0].upper() + _SET_ADDRESS[1:],
    Failure.ADDRESS_INVALID: _SET_ADDRESS[0].upper() + _SET_ADDRESS[1:],
    Failure.ADDRESS_REFUSED: (
        f"If the address is right, put its host or its network into {ALLOW_VARIABLE}; otherwise {_SET_ADDRESS}"
    ),
    Failure.BUSY: "Try again in a moment.",
    Failure.UNREACHABLE: "Check that its management port is open to the control plane and that its name can be resolved.",
    Failure.BROKE_OFF: "Look at its log: it, or a proxy before it, closed the connection.",
    Failure.TLS_NOT_TRUSTED: (
        f"Put its certificate, or that of the authority that signed it, into the file that {CA_FILE_VARIABLE} names; "
        f"the certificate must name the host. {INSECURE_VARIABLE}=on gives up the check."
    ),
    Failure.TIMEOUT: "Look at its log and at its load, then try again.",
    Failure.TOKEN_REFUSED: (
        "Check that `enabled = true` stands in `[icp_config]` of its deployment.toml, that it was restarted since its "
        "secret was changed, and that both clocks are right (NTP)."
    ),
    Failure.FORBIDDEN: "Check `enabled = true` in `[icp_config]` of its deployment.toml; it is what opens this call to the control plane.",
    Failure.NOT_FOUND: "Wait for its next full heartbeat: the artifact may have gone.",
    Failure.REFUSED: "Its own words say what it did not like.",
    Failure.FAILED: "Look at its log.",
    Failure.REDIRECTED: "Let its address be that of the management API itself: redirects are not followed.",
    Failure.ANSWER_TOO_LARGE: "Ask for less, with a text that names must hold.",
    Failure.ANSWER_NOT_JSON: "Check that nothing but Micro Integrator answers at its management address.",
    **{Failure(refusal.value): fix for refusal, fix in USER_FIXES.items()},
}


@final
class ManagementFailure(PilothouseError):
    """A call of a management API did not succeed."""

    code = "MI_CALL_FAILED"

    def __init__(
        self,
        failure: Failure,
        message: str,
        *,
        status: int | None = None,
        may_have_happened: bool = False,
        fix: str | None = None,
    ) -> None:
        self.failure = failure
        self.code = failure.value
        self.status = status
        """What the other side answered, where it did."""
        self.may_have_happened = may_have_happened
        """True if a change was sent and nobody knows whether it was made; the next full heartbeat tells."""
        super().__init__(message, fix=_FIXES[failure] if fix is None else fix)
