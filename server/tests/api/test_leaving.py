"""A question is given up when nobody waits for its answer; a stream's trouble is told as its last word."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from ariadne import SubscriptionType, make_executable_schema
from graphql import OperationDefinitionNode, parse
from pilothouse.api.graphql import streams
from pilothouse.api.graphql.limits import Measured
from pilothouse.api.graphql.preparing import Prepared
from pilothouse.base.errors import NotFound

pytestmark = pytest.mark.anyio


class Line:
    """A client's connection."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def receive(self) -> Mapping[str, Any]:
        await self.ended.wait()
        return {"type": "http.disconnect"}


async def test_a_question_ends_when_the_asker_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.01)
    line, given_up = Line(), asyncio.Event()

    async def ask() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            given_up.set()
            raise

    answering = asyncio.ensure_future(streams.unless_left(line.receive, ask()))
    await asyncio.sleep(0.05)
    assert not answering.done()
    line.ended.set()
    with pytest.raises(streams.AskerLeft):
        await answering
    assert given_up.is_set()


async def test_a_slow_answer_reaches_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.0)

    async def ask() -> int:
        await asyncio.sleep(0.02)
        return 7

    assert await streams.unless_left(Line().receive, ask()) == 7


async def test_what_a_question_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.0)

    async def ask() -> None:
        await asyncio.sleep(0.01)
        raise NotFound("There is no such thing.")

    with pytest.raises(NotFound):
        await streams.unless_left(Line().receive, ask())


async def test_a_question_is_given_up_with_the_request() -> None:
    begun, given_up = asyncio.Event(), asyncio.Event()

    async def ask() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            given_up.set()

    answering = asyncio.ensure_future(streams.unless_left(Line().receive, ask()))
    await begun.wait()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert given_up.is_set()


async def test_the_trouble_of_a_stream_is_its_last_word() -> None:
    subscription = SubscriptionType()

    @subscription.source("told")
    async def source(*_: Any) -> AsyncGenerator[str, None]:
        yield "once"
        raise NotFound("It is gone.")

    schema = make_executable_schema("type Query { a: Int } type Subscription { told: String }", subscription)
    subscription.set_field("told", lambda told, _info: told)
    subscription.bind_to_schema(schema)
    document = parse("subscription { told }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    prepared = Prepared(document, operation, {}, Measured(1, 1))
    said = [each async for each in streams.results(schema, prepared, None) if each is not None]  # type: ignore[arg-type]
    assert said[0].data == {"told": "once"}
    assert [error.message for error in said[1].errors or ()] == ["It is gone."]
    assert len(said) == 2
