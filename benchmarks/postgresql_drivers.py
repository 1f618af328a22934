"""What drivers of PostgreSQL cost for one small transaction: pg8000 in its own way, pg8000 in one trip a statement (ours), others.

Method: BEGIN, an UPDATE, an INSERT that tells its number, COMMIT, over loopback without TLS to a server whose writes are not synced,
each driver by itself without SQLAlchemy; CPU of this process and of the server, the cheapest of several rounds, in turn.
psycopg (LGPL: not among the licences that this project takes) and asyncpg (Apache) are measured where somebody installed them.
"""

import argparse
import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pg8000.legacy
import psutil
from pilothouse.storage.dialects.one_trip import OneTripConnection
from real_databases import PASSWORD, PostgreSqlServer

CHANGE = "UPDATE one SET told = %s WHERE id = %s"
TELL = "INSERT INTO many (told) VALUES (%s) RETURNING number"
TABLES = (
    "CREATE TABLE one (id BIGINT PRIMARY KEY, told TEXT)",
    "INSERT INTO one VALUES (1, '-')",
    "CREATE TABLE many (number BIGSERIAL PRIMARY KEY, told TEXT)",
)
Work = Callable[[int], Awaitable[None]]


def of_dbapi(connection: Any) -> Work:  # Any, here and below: whatever the driver gives
    """Use a driver with the usual interface."""
    cursor = connection.cursor()

    async def work(count: int) -> None:
        for number in range(count):
            cursor.execute(CHANGE, (str(number), 1))
            cursor.execute(TELL, (str(number),))
            cursor.fetchone()
            connection.commit()

    return work


def of_asyncpg(connection: Any) -> Work:
    """Use asyncpg, whose statements are prepared and kept by itself."""
    change, tell = (text.replace("%s", "$1", 1).replace("%s", "$2") for text in (CHANGE, TELL))

    async def work(count: int) -> None:
        for number in range(count):
            async with connection.transaction():
                await connection.execute(change, str(number), 1)
                await connection.fetchval(tell, str(number))

    return work


async def measure(server: PostgreSqlServer, count: int, rounds: int) -> None:
    """Print the table."""
    server.empty("drivers")
    place: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": "pilot", "password": PASSWORD}
    own, ours = (made(**place, database="drivers") for made in (pg8000.legacy.Connection, OneTripConnection))
    for statement in TABLES:
        own.cursor().execute(statement)
    own.commit()
    works = {"pg8000, its own way": of_dbapi(own), "pg8000, one trip (ours)": of_dbapi(ours)}
    if (psycopg := _installed("psycopg")) is not None:
        works["psycopg 3 (LGPL)"] = of_dbapi(psycopg.connect(**place, dbname="drivers"))
    if (asyncpg := _installed("asyncpg")) is not None:
        works["asyncpg"] = of_asyncpg(await asyncpg.connect(**place, database="drivers", ssl=False))
    best = dict.fromkeys(works, (float("inf"), 0.0, 0.0))
    for _ in range(rounds):
        for name, work in works.items():
            server_s, ours_s, began = _cpu_s(server), time.process_time(), time.perf_counter()
            await work(count)
            took_s = time.perf_counter() - began
            ours_us = (time.process_time() - ours_s) / count * 1e6
            best[name] = min(best[name], (ours_us, (_cpu_s(server) - server_s) / count * 1e6, count / took_s))
    print("| driver | CPU µs of this side | of the server | transactions/s | this side's CPU, of pg8000's own way |")
    print("|---|---|---|---|---|")
    base = best["pg8000, its own way"][0]
    for name, (ours_us, server_us, per_s) in best.items():
        print(f"| {name} | {ours_us:,.0f} | {server_us:,.0f} | {per_s:,.0f} | **{ours_us / base:.2f}** |")


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"({name} is not installed here)")
        return None


def _cpu_s(server: PostgreSqlServer) -> float:
    assert server.process is not None
    first = psutil.Process(server.process.pid)
    return sum(sum(one.cpu_times()[:4]) for one in [first, *first.children(recursive=True)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    server = PostgreSqlServer()
    try:
        asyncio.run(measure(server, wanted.count, wanted.rounds))
    finally:
        server.close()


if __name__ == "__main__":
    main()
