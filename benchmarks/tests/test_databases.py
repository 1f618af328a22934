"""The benchmarks of databases run, and measure what they say: short, and without a look at the clock."""

import gc
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import database_beats
import database_flush
import query_plans
import small_writes
from console_pages import measure_database
from pilothouse.app import control_plane
from pilothouse.storage import tables
from pilothouse.storage.engine import open_readers, open_writer
from real_databases import Running, installed, running
from sqlalchemy import insert, select, text

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
SERVED = [pytest.param(kind, marks=pytest.mark.xdist_group(f"bench-{kind}")) for kind in ("postgresql", "mariadb")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", *SERVED])
def run(request: pytest.FixtureRequest) -> Iterator[Running]:
    if not installed([request.param]):
        pytest.skip(f"{request.param} is not installed")
    with running(request.param) as made:
        yield made


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt-get install wrk")
def test_heartbeats_and_their_reference_are_measured(run: Running) -> None:
    reference = database_beats.Reference(run, 20)
    cost = reference.measure(40)
    reference.close()
    own = database_beats.ours(run, 20, 1, connections=4, settle_s=0.0)
    for one in (cost, own):
        assert one.per_s > 0
        assert one.cpu_us > 0


def test_each_heartbeat_of_the_reference_is_an_update_and_a_record(run: Running) -> None:
    reference = database_beats.Reference(run, 7)
    reference.measure(20)
    with reference._engine.connect() as connection:
        count, changed = (connection.execute(text(f"select count(*) from {of}")).scalar_one() for of in ("told", "seen where last_seen > 0"))  # fmt: skip
    reference.close()
    assert (count, changed) == (20, 7)


async def test_a_flush_is_measured_while_heartbeats_come(run: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert await database_flush.measure(run, 300, 1) > 0
    row = capsys.readouterr().out.split("|")
    assert [one.strip() for one in row[1:3]] == [run.kind, "300"]


async def test_small_writes_are_measured(run: Running, capsys: pytest.CaptureFixture[str]) -> None:
    await small_writes.measure_kind(run.kind, 10, 1)
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [row[2].strip() for row in rows] == ["together", "one by one"]
    assert rows[1][6].strip() == "3.0", "the row, the event, and what begins the writers' turn"


async def test_pages_are_measured_and_their_plans_are_asked_for(
    run: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    await measure_database(run, query_plans.LARGE, 1, plans=True)
    told = capsys.readouterr().out
    for page in ("Projects", "Runtimes", "RuntimePage"):
        assert f"| root | {page} |" in told
    assert "reads whole" in told
    assert control_plane.WATCH_EVERY_S < 1, "what comes after it in this process would not be looked after"
    assert gc.get_freeze_count() == 0


def test_a_statement_that_reads_a_large_table_whole_is_found_and_one_that_does_not_is_none(run: Running) -> None:
    database = run.fresh()
    writer = open_writer(database)
    with writer.begin() as connection:
        connection.execute(
            insert(tables.organizations),
            [{"id": f"o{n}", "handle": f"o-{n}", "display_name": f"O {n}"} for n in range(query_plans.LARGE)],
        )
    with writer.begin() as connection:
        query_plans.prepare(connection)
    writer.dispose()
    o = tables.organizations.c
    reader = open_readers(database)
    seen = query_plans.Seen(reader)
    with reader.connect() as connection:
        connection.execute(select(o.handle).where(o.id == "before")).all()
        seen.page = "a page"
        connection.execute(select(o.handle).where(o.id == "o7")).all()
        connection.execute(select(o.handle).where(o.display_name == "O 7")).all()
        seen.enough()
        large = query_plans.large_tables(connection)
        by_key, by_name = (query_plans.read_whole(connection, asked, large) for asked in seen.all.values())
    reader.dispose()
    assert by_key == []
    assert [whole.table for whole in by_name] == ["organizations"]
