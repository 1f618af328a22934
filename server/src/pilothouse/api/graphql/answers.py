"""What leaves for a client: results and errors in GraphQL's shape; a defect tells nothing of the inside."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from graphql import ExecutionResult, GraphQLError
from starlette.responses import Response

from pilothouse.api.problems import defect, problem_of, with_request_id
from pilothouse.base.errors import PilothouseError
from pilothouse.observe.requests import current_or_new

_log = structlog.get_logger(__name__)

Shaped = dict[str, Any]
"""A part of an answer, ready for JSON. Any: what resolvers return."""


class QueryInvalid(Exception):
    """A query that cannot run, with everything that is wrong with it."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        self.errors = [formatted(error) for error in errors]
        super().__init__()


def shaped(result: ExecutionResult, extensions: Mapping[str, Any] | None = None) -> Shaped:
    """Shape the result of an operation."""
    answer: Shaped = {"data": result.data}
    if result.errors:
        answer["errors"] = [formatted(error) for error in result.errors]
    if extensions:
        answer["extensions"] = extensions
    return answer


def refusal(error: PilothouseError) -> Shaped:
    """Describe one of our refusals as GraphQL describes errors."""
    described = problem_of(error)
    return {"message": described["message"], "extensions": described}


def defective(cause: BaseException) -> Shaped:
    """Describe a defect of ours by the request's id, under which the log tells the rest."""
    current_or_new()
    _log.error("graphql.defect", exc_info=cause)
    return refusal(defect())


def formatted(error: GraphQLError) -> Shaped:
    """Describe an error for the outside."""
    described: Shaped = dict(error.formatted)
    original = error.original_error
    if isinstance(original, PilothouseError):
        described |= refusal(original)
    elif error.path is None or original is None:  # about the request itself: nothing of ours has run
        described["extensions"] = with_request_id(
            {"code": "INVALID_QUERY", "fix": "See the schema for what can be asked."} | (error.extensions or {})
        )
    else:
        described |= defective(original)
    return described


def json_answer(answer: Shaped, status: int = 200) -> Response:
    """Answer over HTTP."""
    return Response(msgspec.json.encode(answer), status_code=status, media_type="application/json")
