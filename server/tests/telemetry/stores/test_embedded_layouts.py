"""Answers are the same from memory, from a file, and from a file of the layout before."""

import random
from collections import defaultdict
from pathlib import Path

import duckdb
import msgspec
import pytest
from conftest_stores import small
from pilothouse.access.places import EVERYTHING
from pilothouse.telemetry.histogram import Histogram, of_values
from pilothouse.telemetry.model import (
    NS_A_SECOND,
    LogBatch,
    LogRecord,
    MetricBatch,
    MetricPoint,
    Origin,
    SpanBatch,
    SpanKind,
    SpanRecord,
)
from pilothouse.telemetry.questions import Dimension, LogFilter, LogQuestion, MetricQuestion, Scope, Series
from pilothouse.telemetry.stores.embedded import parts
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import SHARDS, blocks_sql, hash_of, sorting_in_sql
from pilothouse.telemetry.stores.embedded.keeper import open_database
from pilothouse.telemetry.stores.embedded.packed import pack, unpack
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import Grain, Label

pytestmark = pytest.mark.anyio

HOUR_S = 3_600
T0_S = 497_222 * HOUR_S
BY = [(), (Dimension.INTEGRATION,), (Dimension.SERVICE, Dimension.RUNTIME), (Dimension.RESOURCE,)]
STEPS_S = [None, 60, 300, 900, HOUR_S]
ALL = Scope.within(EVERYTHING)
LONGEST = "a" * 40


def origin(integration: str, runtime: str = "r") -> Origin:
    return Origin(project_id="p", integration_id=integration, environment_id="prod", runtime_id=runtime)


def points(dice: random.Random) -> list[MetricBatch]:
    return [
        MetricBatch(
            origin(integration, runtime),
            [
                MetricPoint(
                    at_ns=(T0_S + dice.randrange(1, 4 * HOUR_S)) * NS_A_SECOND,
                    name="duration",
                    values=of_values([2.0 ** dice.randrange(-6, 6) for _ in range(3)])
                    if dice.random() < 0.8
                    else Histogram(count=2, sum=1.0, buckets={-17: 2}),
                    service=dice.choice(["/a", "/b"]),
                    resource=dice.choice(["GET /x", "GET /y"]),
                    status="500" if failed else "200",
                    failed=failed,
                )
                for _ in range(30)
                for failed in (False, True)
            ],
        )
        for integration in ("orders", "bills")
        for runtime in ("r1", "r2")
    ]


def summed(
    batches: list[MetricBatch], begin_s: int, end_s: int, step_s: int | None
) -> dict[int, tuple[int, dict[int, int]]]:
    """What one should be told without dimensions, added up point by point; an interval's end belongs to its minute."""
    counts: dict[int, int] = defaultdict(int)
    buckets: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for one in (point for batch in batches for point in batch.records):
        minute_s = (one.at_ns // NS_A_SECOND - 1) // 60 * 60
        if begin_s <= minute_s < end_s:
            step = minute_s // step_s * step_s if step_s else begin_s
            counts[step] += one.values.count
            for index, count in one.values.buckets.items():
                buckets[step][index] += count
    return {step: (count, dict(buckets[step])) for step, count in counts.items()}


def plain(answer: list[Series]) -> object:
    """Sums of halves and quarters are exact in any order; the rest is whole numbers."""
    return msgspec.to_builtins(answer)


async def told(store: EmbeddedStore, begin_s: int, end_s: int) -> list[list[Series]]:
    scope = Scope.within(EVERYTHING, from_ns=begin_s * NS_A_SECOND, to_ns=end_s * NS_A_SECOND)
    return [
        await store.metrics(MetricQuestion(scope=scope, name="duration", by=by, step_s=step_s))
        for by in BY
        for step_s in STEPS_S
    ]


def file_of(folder: Path, sort: str) -> Path:
    [path] = (folder / sort / "prod").glob("*.duckdb")
    return path


def without_words(file: duckdb.DuckDBPyConnection) -> None:
    """Write a file as it was before the words of its lines stood in a column."""
    if file.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'logs'").fetchall() == [(1,)]:
        file.execute("ALTER TABLE logs DROP COLUMN words")
    file.execute("UPDATE meta SET engine = 'crc32/16+'")


def as_before(path: Path, *, long: bool = True) -> None:
    """Write a file as it was before: no table of what is fresh.

    And as it was long before: one table of words, and services merged by hours only, among the resources.
    """
    with duckdb.connect(path) as file:
        without_words(file)
        if file.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'fresh'").fetchall() == [(1,)]:
            for statement in sorting_in_sql("main"):
                file.execute(statement)
            file.execute("DROP TABLE fresh")
        if not long:
            file.execute("UPDATE meta SET engine = 'crc32/16'")
            return
        tables = {name for (name,) in file.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if "services" in tables:
            file.execute("INSERT INTO hours SELECT * FROM services ORDER BY at_ns, label")
            file.execute("DROP TABLE services")
            file.execute("DROP TABLE fives")
        else:
            file.execute("CREATE TABLE tokens (hash UINTEGER, block UINTEGER)")
            for shard in range(SHARDS):
                file.execute(f"INSERT INTO tokens SELECT * FROM tokens{shard}")
                file.execute(f"DROP TABLE tokens{shard}")
        file.execute("UPDATE meta SET engine = 'crc32'")


@pytest.mark.parametrize("long", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_figures_are_the_same_from_memory_from_a_file_and_from_one_of_the_layout_before(tmp_path, long):
    dice = random.Random(11)  # noqa: S311
    first, later = points(dice), points(dice)
    begin_s, end_s = T0_S + 7 * 60, T0_S + 3 * HOUR_S + 52 * 60
    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_metrics(first)
    waiting = await told(store, begin_s, end_s)
    for step_s, answer in zip(STEPS_S, waiting, strict=False):
        [all_] = answer
        found = {step: (one.all.count, one.all.buckets) for step, one in all_.steps.items()}
        assert found == summed(first, begin_s, end_s, step_s)
    for before in (False, True):
        await store.close()
        if before:
            as_before(file_of(tmp_path, "metrics"), long=long)
        store = await EmbeddedStore.open(small(tmp_path))
        assert plain(await told(store, begin_s, end_s)) == plain(waiting)
    await store.append_metrics(later)  # and what follows goes to a file of its own
    for _ in range(2):
        for step_s, answer in zip(STEPS_S, await told(store, begin_s, end_s), strict=False):
            [all_] = answer
            found = {step: (one.all.count, one.all.buckets) for step, one in all_.steps.items()}
            assert found == summed([*first, *later], begin_s, end_s, step_s)
        await store.close()
        store = await EmbeddedStore.open(small(tmp_path))
    await store.close()
    assert len(list((tmp_path / "metrics" / "prod").glob("*.duckdb"))) == 2


async def test_whole_hours_and_fives_are_read_from_the_merged_tables_alone(tmp_path):
    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_metrics(points(random.Random(12)))  # noqa: S311
    begin_s, end_s = T0_S + 10 * 60, T0_S + 3 * HOUR_S + 5 * 60
    scope = Scope.within(EVERYTHING, from_ns=begin_s * NS_A_SECOND, to_ns=end_s * NS_A_SECOND)
    questions = [MetricQuestion(scope=scope, name="duration", step_s=step_s) for step_s in (None, 300, 900, HOUR_S)]
    await store.close()
    store = await EmbeddedStore.open(small(tmp_path))
    expected = [await store.metrics(question) for question in questions]
    await store.close()
    path = file_of(tmp_path, "metrics")
    with duckdb.connect(path) as file:
        file.execute(
            "DELETE FROM points WHERE at_ns NOT IN (SELECT min(at_ns) FROM points UNION SELECT max(at_ns) FROM points)"
        )
        labels = [
            msgspec.msgpack.decode(packed, type=Label)
            for (packed,) in file.execute("SELECT label FROM labels").fetchall()
        ]
    assert {label.series.grain for label in labels if label.series} == set(Grain)
    store = await EmbeddedStore.open(small(tmp_path))
    assert [plain(await store.metrics(question)) for question in questions] == [plain(one) for one in expected]
    await store.close()


@pytest.mark.parametrize("long", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_words_and_traces_are_found_in_files_of_the_layout_before_and_after_it(tmp_path, long):
    trace, other = "ab" * 16, "0c" * 16

    def lines(name: str, trace_id: str) -> LogBatch:
        plain = [LogRecord(at_ns=T0_S * NS_A_SECOND + n, message=f"line {name}-{n:06d}") for n in range(3_000)]
        plain[2_500] = msgspec.structs.replace(plain[2_500], trace_id=trace_id)
        return LogBatch(origin("orders"), plain)

    def span(trace_id: str) -> SpanBatch:
        record = SpanRecord(
            at_ns=T0_S * NS_A_SECOND, duration_ns=1, trace_id=trace_id, span_id="01" * 8, name="s", kind=SpanKind.SERVER
        )
        return SpanBatch(origin("orders"), [record])

    async def found(**filter_: str) -> list[str]:
        page = await store.logs(LogQuestion(scope=ALL, filter=LogFilter(**filter_)))
        return [line.record.message for line in page.lines]

    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_logs([lines("before", trace)])
    await store.append_spans([span(trace)])
    await store.close()
    for sort in ("logs", "spans"):
        as_before(file_of(tmp_path, sort), long=long)
    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_logs([lines("after", other)])
    await store.append_spans([span(other)])
    for _ in range(2):
        for name, trace_id in (("before", trace), ("after", other)):
            # Enough of them to be in most of the sixteenths.
            for n in range(0, 3_000, 101):
                assert await found(token=f"{name}-{n:06d}") == [f"line {name}-{n:06d}"]
            assert await found(token=trace_id) == await found(trace_id=trace_id) == [f"line {name}-002500"]
            assert (await store.trace(ALL, trace_id)).count == 1
        assert await found(token="before-003000") == await found(trace_id="01" * 16) == []
        await store.close()
        store = await EmbeddedStore.open(small(tmp_path))
    await store.close()
    assert len(list((tmp_path / "logs" / "prod").glob("*.duckdb"))) == 2


async def test_a_phrase_is_found_by_the_words_within_it_whatever_stands_between_them(tmp_path):
    dice = random.Random(13)  # noqa: S311
    words = ["connect", "connecting", "order-77", "x_y-z", "größer", "Übersicht", "abc", LONGEST]
    between = [" ", "  ", "\t", "\n", ", ", "=", "/", "é", "…", "—", "\u00a0", "'"]
    said = sorted({"".join(dice.choice(words) + dice.choice(between) for _ in range(5)) for _ in range(2_500)})
    phrases = []
    for _ in range(40):
        message = dice.choice(said)
        begin = dice.randrange(len(message))
        phrases.append(message[begin : begin + dice.randrange(8, 30)])
    phrases += [f" {LONGEST} ", " nowhere-to-be-found ", " connect order-77 nowhere "]
    expected = {phrase: sum(phrase in message for message in said) for phrase in phrases}
    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_logs(
        [LogBatch(origin("orders"), [LogRecord(at_ns=n, message=one) for n, one in enumerate(said)])]
    )
    for _ in range(2):  # from memory, and from a file
        assert {one: await store.count_logs(ALL, LogFilter(phrase=one)) for one in phrases} == expected
        page = await store.logs(LogQuestion(scope=ALL, filter=LogFilter(phrase=phrases[0]), limit=500))
        assert [line.record.message for line in page.lines] == [one for one in said if phrases[0] in one][-500:][::-1]
        await store.close()
        store = await EmbeddedStore.open(small(tmp_path))
    await store.close()


def test_words_are_found_while_they_are_fresh_when_they_are_sorted_in_and_in_a_file_that_is_finished(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(parts, "FRESH_MAX", 5_000)
    settings = small(tmp_path)
    database = open_database(settings)

    def shelf() -> Shelf:
        return Shelf(database, Sort.LOGS, tmp_path / "logs", settings)

    def add(to: Shelf, first: int) -> None:
        lines = [LogRecord(at_ns=T0_S * NS_A_SECOND + n, message=f"word-{n:06d}") for n in range(first, first + 2_000)]
        [run] = unpack(pack([LogBatch(origin("orders"), lines)]), first)
        to.take(first, run.count, run.numbered(to.label), 1)
        to.flush(T0_S * NS_A_SECOND)

    def fresh(part: parts.Part) -> int:
        return database.execute(f"SELECT count(*) FROM {part.schema}.fresh").fetchall()[0][0]

    def check(part: parts.Part, until: int) -> None:
        for n in range(0, until, 101):
            rows = database.execute(blocks_sql(part.schema, part.layout, [hash_of(b"word-%06d" % n)])).fetchall()
            assert rows == [(n >> 11,)]
        assert database.execute(blocks_sql(part.schema, part.layout, [hash_of(b"word-%06d" % until)])).fetchall() == []

    one, found = shelf(), []
    for first in range(0, 8_000, 2_000):
        add(one, first)
        [part] = one.view().parts
        found.append(fresh(part))
        check(part, first + 2_000)
    one.close()
    two = shelf()  # knows how much of what is in the file is fresh
    add(two, 8_000)
    [part] = two.view().parts
    found.append(fresh(part))
    check(part, 10_000)
    part.finish()
    found.append(fresh(part))
    check(part, 10_000)
    two.close()
    database.close()
    # An entry a word: sorted in at 5,000, which is at the third, and when the file is finished.
    assert found == [2_000, 4_000, 0, 2_000, 4_000, 0]
