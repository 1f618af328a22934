"""Small writes a second on each database: operations under the writers' turn, together and one by one; a ratio in one run.

Method: the control plane's own store in this process over a real database whose writes are synced. An operation changes one row
and lets one event happen, as most of ours do. `together` are so many asked at once, which share commits; `one by one` waits for each.
The reference is the same two statements in a transaction each through the driver alone, without anything of ours.
CPU is this process's and the server's together; the best of several rounds, since neighbours only ever add.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

from pilothouse.base.place import Database
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.storage.engine import kind_of
from pilothouse.storage.tables import organizations
from pilothouse.storage.unit import Store, Transaction
from real_databases import KINDS, Running, installed, running
from sqlalchemy import event, insert, update

_CHANGE = update(organizations).where(organizations.c.id == "one")


def small(number: int) -> Callable[[Transaction], None]:
    """Make an operation: a row is changed, and an event tells of it."""

    def operation(tx: Transaction) -> None:
        tx.connection.execute(_CHANGE.values(display_name=f"changed {number}"))
        tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=1.0, detail=str(number)))

    return operation


class Cost:
    """What so many operations cost."""

    def __init__(self, count: int, took_s: float, ours_s: float, server_s: float) -> None:
        self.per_s = count / took_s
        self.cpu_us = (ours_s + server_s) / count * 1e6
        self.ours_us = ours_s / count * 1e6


async def measure(run: Running, work: Callable[[], Awaitable[object]], count: int, rounds: int) -> Cost:
    """Take the cheapest of several rounds."""
    costs: list[Cost] = []
    for _ in range(rounds):
        server_s, ours_s, began = run.cpu_s(), time.process_time(), time.perf_counter()
        await work()
        took_s = time.perf_counter() - began
        costs.append(Cost(count, took_s, time.process_time() - ours_s, run.cpu_s() - server_s))
    return min(costs, key=lambda cost: cost.cpu_us)


def reference(database: Database, count: int) -> None:
    """Do the same through the driver alone, a transaction for each."""
    engine = kind_of(database).engine(database, read_only=False, size=1)
    mark = "?" if database.is_embedded else "%s"
    raw = engine.raw_connection()
    cursor = raw.cursor()
    change = f"UPDATE organizations SET display_name = {mark} WHERE id = {mark}"  # noqa: S608
    tell = f"INSERT INTO events (kind, at, detail) VALUES ({mark}, {mark}, {mark})"  # noqa: S608
    for number in range(count):
        if database.is_embedded:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(change, (f"changed {number}", "one"))
        cursor.execute(tell, ("PROJECT_CREATED", 1_000_000, str(number)))
        raw.commit()
    cursor.close()
    raw.close()
    engine.dispose()


async def measure_kind(kind: str, count: int, rounds: int) -> None:
    """Print the rows of a database."""
    with running(kind) as run:
        database = run.fresh()
        store = Store(database, lambda _events: None)
        asked = [0]

        @event.listens_for(store.writer_engine, "before_cursor_execute")
        def note(*_: object) -> None:
            asked[0] += 1

        await store.write(
            lambda tx: tx.connection.execute(insert(organizations).values(id="one", handle="one", display_name="-"))
        )

        async def together() -> None:
            await asyncio.gather(*(store.write(small(number)) for number in range(count)))

        async def one_by_one() -> None:
            for number in range(count):
                await store.write(small(number))

        await together()  # warm: statements are written once
        alone = await measure(run, lambda: asyncio.to_thread(reference, database, count), count, rounds)
        for name, work in (("together", together), ("one by one", one_by_one)):
            asked[0] = 0
            cost = await measure(run, work, count, rounds)
            print(
                f"| {kind} | {name} | {cost.per_s:,.0f} | {cost.cpu_us:,.0f} | {cost.ours_us:,.0f} | "
                f"{asked[0] / rounds / count:.1f} | {alone.per_s:,.0f} | {alone.cpu_us:,.0f} | **{alone.cpu_us / cost.cpu_us:.2f}** |",
                flush=True,
            )
        store.close()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    print(
        "| database | asked | operations/s | CPU µs each | of it this process | statements each | reference/s | its CPU µs | "
        "reference's CPU in ours |\n|---|---|---|---|---|---|---|---|---|"
    )
    for kind in installed(wanted.database):
        asyncio.run(measure_kind(kind, wanted.count, wanted.rounds))


if __name__ == "__main__":
    main()
