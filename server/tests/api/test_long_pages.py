"""A long page is made in slices: heartbeats get through meanwhile, and what its rows need is still read together."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pilothouse.api.graphql.batch import Batch
from pilothouse.api.graphql.views import in_slices
from sqlalchemy import event

pytestmark = pytest.mark.anyio

RUNTIMES = """query ($first: Int) { runtimes(first: $first, sort: NAME) {
  nodes { name changes { state } node { hostname } } } }"""


@contextmanager
def turns() -> Iterator[list[int]]:
    """Count how often somebody else gets the event loop."""
    counted = [0]

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            counted[0] += 1

    task = asyncio.create_task(count())
    yield counted
    task.cancel()


async def test_others_get_the_loop_between_slices_and_nothing_is_lost() -> None:
    rows = list(range(100))
    with turns() as counted:
        assert [row async for row in in_slices(rows)] == rows
    assert counted[0] >= 3


async def test_what_many_rows_ask_for_is_read_once_and_told_in_slices() -> None:
    asked: list[Sequence[int]] = []

    async def load(keys: Sequence[int]) -> dict[int, int]:
        asked.append(keys)
        return {key: key * 2 for key in keys if key != 7}

    batch = Batch(load)
    with turns() as counted:
        found = await asyncio.gather(*map(batch.get, range(100)))
    assert found == [None if key == 7 else key * 2 for key in range(100)]
    assert len(asked) == 1
    assert counted[0] >= 3


async def test_what_cannot_be_read_is_told_to_all_who_wait() -> None:
    async def load(keys: Sequence[int]) -> dict[int, int]:
        raise LookupError(len(keys))

    batch = Batch(load)
    found = await asyncio.gather(*map(batch.get, range(30)), return_exceptions=True)
    assert [str(each) for each in found] == ["30"] * 30


async def test_a_long_page_costs_as_many_statements_as_a_short_one_and_keeps_its_order(plane, runtime, admin) -> None:
    for number in range(45):
        await replace(runtime, runtime_id=f"r-{number}", name=f"node-{number:02}").full()
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(plane.store.reader_engine, "before_cursor_execute", note)
    counts: list[int] = []
    names: list[str] = []
    for first in (5, 45):
        statements.clear()
        names = [each["name"] for each in (await admin.ask(RUNTIMES, first=first))["runtimes"]["nodes"]]
        counts.append(len(statements))
    event.remove(plane.store.reader_engine, "before_cursor_execute", note)
    assert names == [f"node-{number:02}" for number in range(45)]
    assert counts[0] == counts[1]
