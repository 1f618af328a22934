"""Which status a runtime gets for which error: the only place on this edge that knows.

400, 401 and 409 make a Micro Integrator stop for good: they are for what an operator must mend, never for our own trouble.
Source: reference/runtime-protocol.md section 0.3.
"""

from pilothouse.base.errors import PilothouseError, Unavailable
from pilothouse.domain import refusals
from pilothouse.protocol.token import TokenError
from pilothouse.protocol.wire import WireError
from pilothouse.protocol.wire_commands import InvalidResult

ACKNOWLEDGED_FALSE = 200
UNAVAILABLE = 503
RETRY_AFTER_S = 5

_STATUS: dict[type[PilothouseError], int] = {
    TokenError: 401,
    WireError: 400,
    InvalidResult: 400,
    refusals.RuntimeNotRegistered: 404,
    refusals.KeyUnknown: 400,
    refusals.KeyRevoked: 400,
    refusals.KeyRevoking: UNAVAILABLE,  # not our trouble, but a Micro Integrator must outlive a mistaken revocation
    refusals.KeyExpired: 400,
    refusals.EnvironmentUnknown: ACKNOWLEDGED_FALSE,
    refusals.PlaceUnknown: ACKNOWLEDGED_FALSE,
    refusals.EnvironmentMismatch: 409,
    refusals.TypeMismatch: 409,
    refusals.ProjectNameInvalid: 400,
    refusals.IntegrationNameInvalid: 400,
    Unavailable: UNAVAILABLE,
}


def status_of(error: PilothouseError) -> int:
    """Tell the status for an error; what is not named is our own trouble."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return UNAVAILABLE
