# graphql-core leaves its callbacks' types open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""POST /graphql: one operation a request, as JSON, or as server-sent events for a subscription."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec
import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    subscribe,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pilothouse.api.bodies import read_json
from pilothouse.api.context import Caller, Services
from pilothouse.api.graphql.limits import measure
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.schema import load_schema
from pilothouse.api.problems import defect, problem_of
from pilothouse.api.sessions import address_of, caller_of, refuse_cross_origin
from pilothouse.base.errors import InvalidInput, PilothouseError, Unavailable
from pilothouse.base.ids import new_id
from pilothouse.operations.sign_in import subject_of

KEEP_ALIVE_S = 15.0
"""A comment is sent this often on a quiet stream; the session is looked at anew each time."""
DOCUMENTS_KEPT = 500
"""Queries that are parsed and validated already; the one used longest ago goes first."""
_TOKENS_MAX = 10_000
_STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_log = structlog.get_logger(__name__)


class Body(msgspec.Struct, frozen=True):
    """What a client sends."""

    query: str
    variables: dict[str, Any] | None = None  # Any: JSON values
    operationName: str | None = None  # noqa: N815 - GraphQL's word


class Prepared(msgspec.Struct, frozen=True):
    """A query that may run."""

    document: DocumentNode
    operation: OperationDefinitionNode


class GraphQLEndpoint:
    """The endpoint, with its schema and its parsed queries."""

    def __init__(self, services: Services) -> None:
        self._schema: GraphQLSchema = load_schema(services.schema_path)
        self._parse = lru_cache(DOCUMENTS_KEPT)(self._parse_anew)
        self._streams = 0
        services.figures.gauge("pilothouse_subscriptions", "Subscriptions that are open.", lambda: self._streams)

    async def answer(self, request: Request, services: Services) -> Response:
        """Answer a request."""
        refuse_cross_origin(request)
        caller = await caller_of(request, services)
        body = await read_json(request, Body, services.settings.body_limit_bytes)
        prepared = self._prepare(body, services)
        if isinstance(prepared, list):
            return _answer({"errors": [_formatted(error) for error in prepared]}, 400)
        context = GraphQLRequest(services, caller.subject)
        variables = body.variables or {}
        if "text/event-stream" in request.headers.get("accept", ""):
            if self._streams >= services.settings.streams_max:
                raise Unavailable(f"{self._streams} subscriptions are open already.", fix="Try again later.")
            stream = self._stream(request, services, caller, prepared, variables, context)
            return StreamingResponse(stream, media_type="text/event-stream", headers=_STREAM_HEADERS)
        if prepared.operation.operation is OperationType.SUBSCRIPTION:
            raise InvalidInput(
                "A subscription is answered as a stream of events.", fix="Send `Accept: text/event-stream`."
            )
        result = await self._execute(prepared, variables, context)
        return _answer(_shaped(result))

    def _prepare(self, body: Body, services: Services) -> Prepared | list[GraphQLError]:
        settings = services.settings
        if len(body.query) > settings.query_length_max:
            raise InvalidInput(
                f"A query has at most {settings.query_length_max} characters.",
                field="query",
                fix="Ask for less at once.",
            )
        document = self._parse(body.query)
        if isinstance(document, list):
            return document
        operation = get_operation_ast(document, body.operationName)
        if operation is None:
            return [GraphQLError("Name the one operation to run in `operationName`.")]
        measure(
            document,
            operation,
            body.variables or {},
            depth_max=settings.query_depth_max,
            cost_max=settings.query_cost_max,
        )
        return Prepared(document, operation)

    def _parse_anew(self, query: str) -> DocumentNode | list[GraphQLError]:
        try:
            document = parse(query, max_tokens=_TOKENS_MAX)
            errors = validate(self._schema, document, max_errors=20)
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("The query nests too deeply to be read.", extensions={"code": "QUERY_TOO_DEEP"})]
        return errors or document

    async def _execute(
        self, prepared: Prepared, variables: Mapping[str, Any], context: GraphQLRequest
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            prepared.document,
            context_value=context,
            variable_values=dict(variables),
            operation_name=prepared.operation.name.value if prepared.operation.name else None,
        )
        return result if isinstance(result, ExecutionResult) else await result

    async def _stream(
        self,
        request: Request,
        services: Services,
        caller: Caller,
        prepared: Prepared,
        variables: Mapping[str, Any],
        context: GraphQLRequest,
    ) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            async for result in self._results(prepared, variables, context, request, services, caller):
                yield b": still here\n\n" if result is None else _event(_shaped(result))
            yield b"event: complete\ndata: \n\n"
        finally:
            self._streams -= 1

    async def _results(
        self,
        prepared: Prepared,
        variables: Mapping[str, Any],
        context: GraphQLRequest,
        request: Request,
        services: Services,
        caller: Caller,
    ) -> AsyncIterator[ExecutionResult | None]:
        """Give results as they come; None each time that it was quiet for a while. Ends with the session."""
        if prepared.operation.operation is not OperationType.SUBSCRIPTION:
            yield await self._execute(prepared, variables, context)
            return
        source = subscribe(
            self._schema,
            prepared.document,
            context_value=context,
            variable_values=dict(variables),
            operation_name=prepared.operation.name.value if prepared.operation.name else None,
        )
        opened = await source if asyncio.iscoroutine(source) else source
        if isinstance(opened, ExecutionResult):
            yield opened
            return
        feed = cast("AsyncGenerator[ExecutionResult, None]", opened)
        yield None  # the headers and a first byte leave at once: the client knows that it is connected
        pending: asyncio.Task[ExecutionResult] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(anext(feed))
                done, _ = await asyncio.wait({pending}, timeout=KEEP_ALIVE_S)
                if done:
                    result, pending = pending.result(), None
                    yield result
                    continue
                if not await _still_signed_in(request, services, caller):
                    return
                yield None
        except StopAsyncIteration:
            return
        finally:
            if pending is not None:
                pending.cancel()
            await asyncio.gather(*([pending] if pending else []), return_exceptions=True)
            await feed.aclose()


async def _still_signed_in(request: Request, services: Services, caller: Caller) -> bool:
    now = services.clock.now()
    found = await services.store.read(lambda connection: subject_of(connection, caller.token, address_of(request), now))
    return found is not None


def _shaped(result: ExecutionResult) -> dict[str, Any]:
    shaped: dict[str, Any] = {"data": result.data}
    if result.errors:
        shaped["errors"] = [_formatted(error) for error in result.errors]
    return shaped


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """Describe an error for the outside; a defect tells its request id and nothing of the inside."""
    formatted: dict[str, Any] = dict(error.formatted)
    original = error.original_error
    if error.path is None or original is None:  # about the request itself: nothing of ours has run
        extensions = {
            "code": "INVALID_QUERY",
            "fix": "See the schema for what can be asked.",
            **(error.extensions or {}),
        }
    elif isinstance(original, PilothouseError):
        extensions = problem_of(original)
        formatted["message"] = original.message
    else:
        request_id = new_id()
        _log.error("graphql.defect", request_id=request_id, path=error.path, exc_info=original)
        extensions = {**problem_of(defect()), "requestId": request_id}
        formatted["message"] = defect().message
    formatted["extensions"] = extensions
    return formatted


def _event(shaped: Mapping[str, Any]) -> bytes:
    return b"event: next\ndata: " + msgspec.json.encode(shaped) + b"\n\n"


def _answer(shaped: Mapping[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(shaped), status_code=status, media_type="application/json")
