"""What the embedded store keeps beyond the contract: through crashes, on a full disk, within its budget."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest_stores import small
from pilothouse.access.places import EVERYTHING
from pilothouse.base.errors import CannotStart, StorageFull
from pilothouse.telemetry.errors import QuestionTimeout, StoreBusy
from pilothouse.telemetry.model import NS_A_SECOND, LogBatch, LogRecord, Origin
from pilothouse.telemetry.questions import LogFilter, LogQuestion, Scope
from pilothouse.telemetry.store import Retention, Retentions
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.journal import JournalReader, JournalWriter, journal_files
from pilothouse.telemetry.stores.embedded.settings import MIB

pytestmark = pytest.mark.anyio

ALL = Scope.within(EVERYTHING)
T0 = 1_790_000_000 * NS_A_SECOND


def batch(first: int, count: int, environment: str = "prod", text: str = "") -> LogBatch:
    origin = Origin(project_id="p", integration_id="i", environment_id=environment, runtime_id="r")
    return LogBatch(origin, [LogRecord(at_ns=T0 + n, message=f"m{n} {text}") for n in range(first, first + count)])


async def said(store: EmbeddedStore) -> list[int]:
    pieces = store.export_logs(LogQuestion(scope=ALL, newest_first=False, limit=5_000))
    return [int(one.record.message.split()[0][1:]) async for piece in pieces for one in piece]


@pytest.mark.slow
async def test_killed_in_the_middle_of_appends_it_has_all_that_was_acknowledged_once(tmp_path):
    store = await EmbeddedStore.open(small(tmp_path, flush_rows=700, flush_s=0.05))
    acknowledged, dice = 0, random.Random(7)  # noqa: S311
    for round_ in range(4):
        for _ in range(30):
            count = dice.randrange(1, 200)
            await store.append_logs([batch(acknowledged, count, f"env-{dice.randrange(3)}")])
            acknowledged += count
        await asyncio.sleep(dice.random() * 0.2)
        while (process_id := store.process_id) is None:
            await asyncio.sleep(0.01)
        os.kill(process_id, signal.SIGKILL)
        await store.append_logs([batch(acknowledged, 10)])  # while nobody is there
        acknowledged += 10
        if round_ % 2:
            assert await said(store) == list(range(acknowledged))
        await asyncio.sleep(0.5)
    assert await said(store) == list(range(acknowledged))
    await store.close()
    store = await EmbeddedStore.open(small(tmp_path))
    assert await said(store) == list(range(acknowledged))
    assert (await store.usage()).restarts == 0
    await store.close()


WRITER = """
import asyncio, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_embedded import batch, small
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore

async def main():
    store = await EmbeddedStore.open(small(Path(sys.argv[1]), flush_rows=470))
    number = int(sys.argv[2])
    while True:
        await store.append_logs([batch(number, 50)])
        number += 50
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_control_plane_that_is_killed_loses_nothing_it_acknowledged(tmp_path):
    acknowledged = 0
    program = WRITER.format(paths=[str(Path(__file__).parent), *sys.path])
    for _ in range(2):
        with subprocess.Popen(  # noqa: ASYNC220, S603 - it is to be killed
            [sys.executable, "-c", program, str(tmp_path), str(acknowledged)], stdout=subprocess.PIPE, text=True
        ) as writer:
            for _ in range(60):
                acknowledged = int(await asyncio.to_thread(writer.stdout.readline))
            writer.kill()
        for _ in range(100):
            try:
                store = await EmbeddedStore.open(small(tmp_path))
                break
            except CannotStart:
                await asyncio.sleep(0.1)
        found = await said(store)
        assert found[:acknowledged] == list(range(acknowledged))
        assert found == list(range(len(found)))
        acknowledged = len(found)
        await store.close()


async def test_a_torn_frame_is_cut_off_and_writing_goes_on(tmp_path):
    def opened() -> JournalWriter:
        return JournalWriter(tmp_path, file_bytes=100, bytes_max=10**6, free_bytes_min=0, advanced=lambda _: None)

    journal = opened()
    for number in range(5):
        journal.append(b"frame %d" % number * 5, 2).result(5)
    journal.close()
    last = journal_files(tmp_path)[-1][1]
    with last.open("ab") as file:
        file.write(last.read_bytes()[:30])
    journal = opened()
    journal.append(b"after", 1).result(5)
    journal.close()
    frames = list(JournalReader(tmp_path, 0).frames(11))
    assert [(one.first_number, one.count) for one in frames] == [(0, 2), (2, 2), (4, 2), (6, 2), (8, 2), (10, 1)]
    assert [one.first_number for one in JournalReader(tmp_path, 5).frames(9)] == [4, 6, 8]


async def test_a_question_that_runs_away_ends_in_time_and_appends_go_on(tmp_path):
    store = await EmbeddedStore.open(small(tmp_path))
    dice = random.Random(3)  # noqa: S311
    text = "".join(dice.choice("xy") for _ in range(300))
    for first in range(0, 60_000, 20_000):
        await store.append_logs([batch(first, 20_000, text=text)])
    assert await store.count_logs(ALL, LogFilter()) == 60_000
    slow = LogFilter(regex="(?i)(x[xy]{0,99}){9}z")
    asking = asyncio.create_task(store.count_logs(ALL, slow, timeout_s=0.05))
    begun = time.monotonic()
    await store.append_logs([batch(60_000, 10)])
    with pytest.raises(QuestionTimeout):
        await asking
    assert time.monotonic() - begun < 5
    cancelled = asyncio.create_task(store.count_logs(ALL, slow))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await store.count_logs(ALL, LogFilter()) == 60_010
    await store.close()


def size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


async def test_the_budget_is_never_exceeded_and_the_newest_stays(tmp_path):
    budget = 32 * MIB
    store = await EmbeddedStore.open(small(tmp_path, budget_bytes=budget, part_bytes=2 * MIB, journal_file_bytes=MIB, journal_bytes_max=4 * MIB, flush_rows=5_000))  # fmt: skip
    dice, number, worst = random.Random(1), 0, 0  # noqa: S311
    while number < 60_000:
        try:
            records = [
                LogRecord(at_ns=T0 + n, message=f"m{n} {dice.randbytes(300).hex()}")
                for n in range(number, number + 1_000)
            ]
            await store.append_logs([LogBatch(batch(0, 0).origin, records)])
        except StoreBusy as busy:
            await asyncio.sleep(busy.wait_s / 10)
            continue
        number += 1_000
        # Files come and go during one look: what moved is seen in both of its places.
        worst = max(worst, min(size_of(tmp_path) for _ in range(3)))
    assert worst <= budget
    usage = await store.usage()
    assert usage.bytes_on_disk <= budget
    assert usage.removed_early > 0
    newest = (await store.logs(LogQuestion(scope=ALL, limit=1))).lines[0]
    assert newest.record.message.startswith("m59999 ")
    await store.close()


async def test_an_environment_has_no_more_than_its_own_size(tmp_path):
    store = await EmbeddedStore.open(small(tmp_path, part_bytes=MIB, flush_rows=2_000))
    dice = random.Random(2)  # noqa: S311
    for first in range(0, 20_000, 1_000):
        for environment in ("dev", "prod"):
            one = batch(first, 0, environment)
            records = [LogRecord(at_ns=T0 + n, message=dice.randbytes(200).hex()) for n in range(first, first + 1_000)]
            await store.append_logs([LogBatch(one.origin, records)])
    await store.retain(T0, Retentions(by_environment={"dev": {"logs": Retention(size_bytes=3 * MIB)}}))
    sizes = {one.environment_id: one.bytes_on_disk for one in (await store.usage()).parts}
    assert sizes["dev"] <= 3 * MIB < sizes["prod"]
    await store.close()


async def test_a_full_disk_is_said_and_nothing_acknowledged_is_lost(tmp_path):
    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_logs([batch(0, 10)])
    await store.close()
    store = await EmbeddedStore.open(small(tmp_path, free_bytes_min=1 << 60))
    with pytest.raises(StorageFull):
        await store.append_logs([batch(10, 10)])
    assert await said(store) == list(range(10))
    await store.close()


async def test_one_folder_has_one_owner(tmp_path):
    store = await EmbeddedStore.open(small(tmp_path))
    with pytest.raises(CannotStart):
        await EmbeddedStore.open(small(tmp_path))
    await store.close()
