"""Which answer people get for which error: the only place on this edge that knows."""

from typing import Any, Final

import structlog

from pilothouse.base import errors
from pilothouse.observe.often import Allowance
from pilothouse.observe.requests import current_id
from pilothouse.telemetry.errors import QuestionTimeout

_log = structlog.get_logger(__name__)
_lines: Final = Allowance(20)
"""A reference that somebody reads out leads to a line of the log, unless strangers make us refuse more than this a second."""
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
    """Describe an error for the outside: code, message, fix, the field if there is one, and the request's id."""
    problem = {"code": error.code, "message": error.message, "fix": error.fix}
    if error.field is not None:
        problem["field"] = error.field
    left_out = _lines.take()
    if left_out is not None:
        more = {"left_out": left_out} if left_out else {}
        _log.info("request.refused", code=error.code, field=error.field, **more)
    return with_request_id(problem)


def with_request_id(problem: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    """Name the request in the description of an error, so that it can be found in the log."""
    request_id = current_id()
    return problem if request_id is None else problem | {"requestId": request_id}


def defect() -> errors.Unavailable:
    """Make the error that stands for a defect of ours: it tells nothing of the inside."""
    return errors.Unavailable(
        "Something went wrong inside the control plane.",
        fix="Try again; if it stays, look into the server's log for this request's id.",
    )
