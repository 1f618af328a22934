# graphql-core leaves its callbacks' types open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Running an operation: one result, or a subscription's results as they come."""

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import msgspec
from graphql import ExecutionResult, GraphQLSchema, execute, subscribe

from pilothouse.api.graphql.answers import Shaped
from pilothouse.api.graphql.preparing import Prepared
from pilothouse.api.graphql.request import GraphQLRequest


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
                result, pending = pending.result(), None
                yield result
            else:
                yield None
    except StopAsyncIteration:
        return
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
