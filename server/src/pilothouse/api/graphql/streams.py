# graphql-core leaves its callbacks' types open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Running an operation: one result, or a subscription's results as they come."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar, cast

import msgspec
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execute, subscribe

from pilothouse.api.graphql.answers import Shaped
from pilothouse.api.graphql.preparing import Prepared
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.base.errors import PilothouseError

PATIENCE_S = 0.25
"""A question that is answered sooner is not watched: most are."""
_Answer = TypeVar("_Answer")


class AskerLeft(Exception):
    """The client closed the connection before it was answered."""


async def unless_left(
    receive: Callable[[], Awaitable[Mapping[str, Any]]],  # Any: ASGI's events
    work: Coroutine[Any, Any, _Answer],
) -> _Answer:
    """Do what was asked, and stop when nobody waits for the answer any more.

    Raises: AskerLeft; what the work raises
    """
    task = asyncio.ensure_future(work)
    leaving: asyncio.Task[None] | None = None
    try:
        await asyncio.wait({task}, timeout=PATIENCE_S)
        if not task.done():
            leaving = asyncio.ensure_future(_left(receive))
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise AskerLeft
        return task.result()
    finally:
        for each in (task, leaving):
            if each is not None:
                each.cancel()
        await asyncio.gather(task, *([leaving] if leaving else []), return_exceptions=True)


async def _left(receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:  # Any: ASGI's events
    while (await receive())["type"] != "http.disconnect":
        pass


async def run_once(schema: GraphQLSchema, prepared: Prepared, context: GraphQLRequest) -> ExecutionResult:
    """Run a query or a mutation."""
    result = execute(
        schema,
        prepared.document,
        context_value=context,
        variable_values=prepared.variables,
        operation_name=prepared.operation_name,
    )
    return result if isinstance(result, ExecutionResult) else await result


async def results(
    schema: GraphQLSchema, prepared: Prepared, context: GraphQLRequest, quiet_s: float | None = None
) -> AsyncGenerator[ExecutionResult | None, None]:
    """Give an operation's results as they come; None as soon as a stream is open, and each time it was quiet for a while."""
    if not prepared.is_subscription:
        yield await run_once(schema, prepared, context)
        return
    source = subscribe(
        schema,
        prepared.document,
        context_value=context,
        variable_values=prepared.variables,
        operation_name=prepared.operation_name,
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
            done, _ = await asyncio.wait({pending}, timeout=quiet_s)
            if done:
                settled, pending = pending, None
                yield settled.result()
            else:
                yield None
    except StopAsyncIteration:
        return
    except PilothouseError as error:  # raised by the source: said as every other refusal, and the end of the stream
        yield ExecutionResult(errors=[GraphQLError(error.message, original_error=error)])
    finally:
        if pending is not None:
            pending.cancel()
        await asyncio.gather(*([pending] if pending else []), return_exceptions=True)
        await feed.aclose()


def server_sent(answer: Shaped) -> bytes:
    """Write a result as a server-sent event."""
    return b"event: next\ndata: " + msgspec.json.encode(answer) + b"\n\n"


STILL_HERE = b": still here\n\n"
COMPLETE = b"event: complete\ndata: \n\n"
