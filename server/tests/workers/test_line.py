"""The line between parent and worker."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from pilothouse.app.workers.line import Line, LineEnded
from pilothouse.base.errors import InvalidInput, PilothouseError, StorageFull, Unavailable
from pilothouse.observe.together import Family, Sample, text_of
from pilothouse.telemetry.errors import QuestionTimeout, StoreBusy, StoreDown

pytestmark = pytest.mark.anyio

Answer = Callable[[bytes], Awaitable[bytes]]


async def mute(_: bytes) -> bytes:
    raise AssertionError


@asynccontextmanager
async def lines(answer: Answer, other: Answer = mute) -> AsyncIterator[tuple[Line, Line]]:
    one, two = socket.socketpair()
    near, far = await Line.open(one, other), await Line.open(two, answer)
    running = [asyncio.create_task(near.run()), asyncio.create_task(far.run())]
    yield near, far
    near.close()
    far.close()
    await asyncio.gather(*running)


async def test_questions_are_answered_both_ways_and_out_of_order() -> None:
    slow = asyncio.Event()

    async def answer(body: bytes) -> bytes:
        if body == b"slow":
            await slow.wait()
        return body.upper()

    async with lines(answer, answer) as (near, far):
        late = asyncio.create_task(near.ask(b"slow", 20))
        assert await near.ask(b"x" * 1_000_000, 20) == b"X" * 1_000_000
        assert await far.ask(b"y", 20) == b"Y"
        assert not late.done()
        slow.set()
        assert await late == b"SLOW"


@pytest.mark.parametrize(
    "error",
    [
        StoreBusy(wait_s=1.5),
        QuestionTimeout(timeout_s=7),
        StorageFull("The disk is full."),
        StoreDown(),
        InvalidInput("No.", field="regex", fix="Another."),
    ],
)
async def test_an_error_arrives_as_what_it_was(error: PilothouseError) -> None:
    async def answer(_: bytes) -> bytes:
        raise error

    async with lines(answer) as (near, _):
        with pytest.raises(type(error)) as told:
            await near.ask(b"", 20)
    mine, theirs = vars(told.value), vars(error)
    mine.pop("code", None)
    assert mine == theirs
    assert told.value.code == error.code


async def test_a_fault_in_the_answer_is_heard_as_trouble_of_ours() -> None:
    async def answer(_: bytes) -> bytes:
        raise ZeroDivisionError

    async with lines(answer) as (near, _):
        with pytest.raises(Unavailable, match="ZeroDivisionError"):
            await near.ask(b"", 20)


async def test_who_waits_hears_of_the_end_and_nobody_asks_after_it() -> None:
    asked = asyncio.Event()

    async def answer(_: bytes) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    async with lines(answer) as (near, far):
        waiting = asyncio.create_task(near.ask(b"", 20))
        await asked.wait()
        far.close()
        with pytest.raises(LineEnded):
            await waiting
        with pytest.raises(LineEnded):
            await near.ask(b"", 20)


async def test_who_leaves_ends_the_work_for_the_answer() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: bytes) -> bytes:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    async with lines(answer) as (near, _):
        waiting = asyncio.create_task(near.ask(b"", 20))
        await asked.wait()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(20):
            await ended.wait()
        ended.clear()
        with pytest.raises(Unavailable, match=r"within 0\.05 s"):
            await near.ask(b"", 0.05)
        async with asyncio.timeout(20):
            await ended.wait()


def test_figures_of_several_are_told_apart_and_each_metric_is_described_once() -> None:
    def told(count: float) -> list[Family]:
        return [
            Family("pilothouse_x", "Xs.", "counter", [Sample("pilothouse_x_total", {"kind": "a"}, count)]),
            Family("pilothouse_y", "Y.", "gauge", [Sample("pilothouse_y", {}, count)]),
        ]

    text = text_of({"1": told(3), "2": told(4)}).decode().splitlines()
    assert text == [
        "# HELP pilothouse_x_total Xs.",
        "# TYPE pilothouse_x_total counter",
        'pilothouse_x_total{kind="a",worker="1"} 3.0',
        'pilothouse_x_total{kind="a",worker="2"} 4.0',
        "# HELP pilothouse_y Y.",
        "# TYPE pilothouse_y gauge",
        'pilothouse_y{worker="1"} 3.0',
        'pilothouse_y{worker="2"} 4.0',
    ]
