"""Beside a telemetry store that is slow, full or gone, heartbeats pass as ever, and everybody is told what is wrong."""

import asyncio
import json
import sys
import time
from pathlib import Path

import msgspec
import pytest
from pilothouse.base.errors import CannotStart, StorageFull
from pilothouse.config import Settings
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.opening import OpenedOnUse
from pilothouse.telemetry.stores.memory import MemoryStore

sys.path.insert(0, str(Path(__file__).parent))

from test_telemetry import logs, post

pytestmark = pytest.mark.anyio

STATE = "{ telemetry { store degraded accepted } }"
HEARTBEAT_S = 0.25
"""What a heartbeat may take at most, on a machine that has other things to do; the store's slowness is seconds."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, telemetry_store="memory")


@pytest.fixture
async def known(runtime):
    assert (await runtime.full())[0] == 200
    return runtime


class Slow(MemoryStore):
    """Keeps everything, in its own time."""

    def __init__(self, takes_s: float) -> None:
        super().__init__()
        self.takes_s = takes_s

    async def append_logs(self, batches):
        await asyncio.sleep(self.takes_s)
        await super().append_logs(batches)

    async def usage(self):
        await asyncio.sleep(self.takes_s)
        return await super().usage()


async def slowest_heartbeat_s(runtime, how_many: int) -> float:
    slowest = 0.0
    for _ in range(how_many):
        began_s = time.perf_counter()
        status, _ = await runtime.delta()
        slowest = max(slowest, time.perf_counter() - began_s)
        assert status == 200
        await asyncio.sleep(0)
    return slowest


async def test_heartbeats_pass_while_the_store_holds_all_that_it_is_given(known) -> None:
    edge = known.plane.edge.telemetry
    edge._limits = msgspec.structs.replace(edge._limits, queue_bytes_max=400_000, answer_s=1.0)
    known.plane.intake._store = Slow(60.0)
    sent = [asyncio.create_task(post(known, "logs", logs(known, "x" * 40_000))) for _ in range(40)]
    slowest_s = await slowest_heartbeat_s(known, 50)
    answers = await asyncio.gather(*sent)
    assert slowest_s < HEARTBEAT_S
    told = {(answer.status, answer.headers["retry-after"]) for answer in answers}
    assert told == {(429, "1"), (503, "5")}
    assert edge.queue_bytes == 0


async def test_a_store_that_does_not_answer_is_told_to_senders_and_to_people_until_it_does(known, admin) -> None:
    edge = known.plane.edge.telemetry
    edge._limits = msgspec.structs.replace(edge._limits, answer_s=0.2)
    store = known.plane.intake._store = Slow(5.0)
    answer = await post(known, "logs", logs(known, "x"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "did not answer within 0.2 s" in answer.told["message"]
    assert "did not answer" in (await admin.ask(STATE))["telemetry"]["degraded"]
    store.takes_s = 0.0
    assert (await post(known, "logs", logs(known, "x"))).status == 200
    assert (await admin.ask(STATE))["telemetry"]["degraded"] is None


async def test_a_full_store_takes_no_heartbeat_with_it_and_is_told(known, admin) -> None:
    class Full(MemoryStore):
        async def append_logs(self, _batches):
            raise StorageFull

    known.plane.intake._store = Full()
    for _ in range(3):
        assert (await post(known, "logs", logs(known, "x"))).headers["retry-after"] == "60"
    assert await slowest_heartbeat_s(known, 20) < HEARTBEAT_S
    assert (await admin.ask(STATE))["telemetry"]["degraded"] == StorageFull().message


async def test_a_store_that_cannot_be_opened_is_told_with_its_reason(known, admin) -> None:
    async def fail() -> MemoryStore:
        raise CannotStart("Another control plane uses the telemetry store.", fix="Stop it.")

    store = OpenedOnUse(fail)
    known.plane.intake._store = store
    known.plane.telemetry.usage = store.usage
    answer = await post(known, "logs", logs(known, "x"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert json.loads(answer.body)["message"].endswith("Another control plane uses the telemetry store. Stop it.")
    assert (await admin.ask(STATE))["telemetry"]["degraded"] == "Another control plane uses the telemetry store."
    assert (await known.delta())[0] == 200


async def test_who_waits_for_a_store_that_does_not_open_waits_no_longer_for_those_before() -> None:
    attempts = 0

    async def open_slowly() -> MemoryStore:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(0.2)
        if attempts == 1:
            raise StoreDown
        return MemoryStore()

    store = OpenedOnUse(open_slowly)
    began_s = time.perf_counter()
    told = await asyncio.gather(*(store.usage() for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in told} == {StoreDown}
    assert (attempts, time.perf_counter() - began_s < 20 * 0.2) == (1, True)
    asked = asyncio.create_task(store.usage())
    await asyncio.sleep(0.05)
    asked.cancel()  # who asked first and left takes nothing from the others
    await store.usage()
    assert (attempts, store.is_open) == (2, True)
    await store.close()
