"""Which answer people get for which error: the only place on this edge that knows."""

from pilothouse.base import errors
from pilothouse.telemetry.errors import QuestionTimeout

_STATUS: dict[type[errors.PilothouseError], int] = {
    errors.InvalidInput: 400,
    errors.NotSignedIn: 401,
    errors.NotPermitted: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooManyAttempts: 429,
    errors.Refused: 400,
    errors.Unavailable: 503,
    QuestionTimeout: 504,
}


class CrossOrigin(errors.NotPermitted):
    """The request comes from another site."""

    code = "CROSS_ORIGIN"


class BodyTooLarge(errors.InvalidInput):
    """The request's body is too large."""

    code = "BODY_TOO_LARGE"


def status_of(error: errors.PilothouseError) -> int:
    """Tell the status for an error; what is not named is our own trouble."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 503


def problem_of(error: errors.PilothouseError) -> dict[str, str]:
    """Describe an error for the outside: code, message, fix, and the field if there is one."""
    problem = {"code": error.code, "message": error.message, "fix": error.fix}
    if error.field is not None:
        problem["field"] = error.field
    return problem


def defect() -> errors.Unavailable:
    """Make the error that stands for a defect of ours: it tells nothing of the inside."""
    return errors.Unavailable(
        "Something went wrong inside the control plane.",
        fix="Try again; if it stays, look into the server's log for this request's id.",
    )
