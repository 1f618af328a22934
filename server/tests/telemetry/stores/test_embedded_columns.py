"""Lines as columns, from the journal to their file, and the index of their words."""

import re
import time
from array import array
from collections.abc import Sequence

import duckdb
import msgspec
import pytest
from conftest_stores import small
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.access.places import EVERYTHING
from pilothouse.telemetry.model import LogBatch, LogRecord, Origin
from pilothouse.telemetry.questions import LogFilter, LogQuestion, Scope
from pilothouse.telemetry.side_by_side import Lines
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.columns import Column, Octets, Table
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import BLOCK_BITS, TOKEN, hash_of, index_of
from pilothouse.telemetry.stores.embedded.journal import JournalWriter
from pilothouse.telemetry.stores.embedded.keeper import Keeper
from pilothouse.telemetry.stores.embedded.packed import Run, pack, unpack
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import TABLES
from pilothouse.telemetry.stores.embedded.words import Words

WORDS = Words(duckdb.connect())
T0 = 1_790_000_000_000_000_000
ALL = Scope.within(EVERYTHING)
TEXT = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.from_regex(TOKEN, fullmatch=True))
RECORDS = st.builds(
    LogRecord,
    at_ns=st.integers(0, 2**63 - 1),
    message=st.lists(TEXT, max_size=4).map(" ".join),
    severity=st.integers(1, 24),
    logger=TEXT,
    trace_id=st.one_of(st.just(""), st.binary(min_size=16, max_size=16).map(bytes.hex)),
    span_id=st.one_of(st.just(""), st.binary(min_size=8, max_size=8).map(bytes.hex)),
    attributes=st.dictionaries(TEXT, TEXT, max_size=2),
)
BATCHES = st.lists(
    st.builds(
        LogBatch,
        st.sampled_from(["dev", "prod", None]).map(lambda id_: Origin(project_id="p", environment_id=id_)),
        st.lists(RECORDS, max_size=5),
    ),
    max_size=4,
)


def texts(column: Octets) -> list[bytes]:
    at, found = 0, []
    for length in column.lengths:
        found.append(column.octets[at : at + length])
        at += length
    return found


def rows(runs: list[Run]) -> list[tuple]:
    """What lies in some runs, line by line."""
    found = []
    for run in runs:
        at_ns, severity, *others = run.columns
        origins = [origin for origin, count in run.origins for _ in range(count)]
        numbers = range(run.first, run.first + run.count)
        found += zip(numbers, origins, at_ns, severity, *map(texts, others), strict=True)
    return found


def expected(batches: list[LogBatch], first: int) -> list[tuple]:
    told = [(batch.origin, one) for batch in batches for one in batch.records]
    return [
        (
            number,
            origin,
            one.at_ns,
            one.severity,
            one.message.encode(),
            one.logger.encode(),
            bytes.fromhex(one.trace_id),
            bytes.fromhex(one.span_id),
            msgspec.json.encode(one.attributes) if one.attributes else b"",
        )
        for number, (origin, one) in enumerate(told, first)
    ]


@settings(deadline=None)
@given(BATCHES, st.integers(0, 2**40))
def test_what_is_packed_is_unpacked_as_it_was(batches, first):
    assert rows(list(unpack(pack(batches), first))) == expected(batches, first)


def side_by_side(records: Sequence[LogRecord]) -> Lines:
    lines = Lines()
    for one in records:
        lines.add(
            one.at_ns,
            one.severity,
            one.message.encode(),
            one.logger.encode(),
            bytes.fromhex(one.trace_id),
            bytes.fromhex(one.span_id),
            msgspec.json.encode(one.attributes) if one.attributes else b"",
        )
    return lines


@settings(deadline=None)
@given(BATCHES)
def test_lines_side_by_side_are_packed_as_records_are(batches):
    lines = [LogBatch(batch.origin, side_by_side(batch.records)) for batch in batches]
    mixed = [*lines[:1], *batches[1:]]
    assert pack(lines) == pack(mixed) == pack(batches)


@settings(deadline=None)
@given(BATCHES, st.integers(0, 2**40))
def test_lines_of_a_journal_from_before_they_were_packed_are_read(batches, first):
    assert rows(list(unpack(msgspec.msgpack.encode(batches), first))) == expected(batches, first)


@settings(deadline=None)
@given(BATCHES, st.integers(0, 20))
def test_lines_that_a_file_has_already_are_left_out(batches, skip):
    for run in unpack(pack(batches), 7):
        part = min(skip, run.count)
        assert rows([run.after(part)]) == rows([run])[part:]
        assert rows([run.until(part)]) == rows([run])[:part]


@settings(deadline=None)
@given(BATCHES, st.integers(0, 2**30))
def test_the_index_has_each_word_of_six_characters_and_each_trace_in_its_block_and_nothing_else(batches, first):
    for run in unpack(pack(batches), first):
        columns = run.numbered(lambda _: 0)
        apart = WORDS.told_apart(columns[0], columns[4])
        assert apart is not None
        wanted = set()
        for number, _, _, _, message, _, trace_id, *_ in rows([run]):
            for word in [*re.findall(TOKEN.encode(), message), *([trace_id] if trace_id else [])]:
                wanted.add((hash_of(word), number >> BLOCK_BITS))
        for index in (TABLES[Sort.LOGS].index(columns, told) for told in (None, apart)):
            assert sorted(zip(index.entries.hashes, index.entries.blocks, strict=True)) == sorted(wanted)
            assert set().union(*index.hashes) == {hash_ for hash_, _ in wanted}


@pytest.mark.parametrize("odd", [b"", b"short"])
def test_each_of_many_traces_is_in_its_block_also_where_one_is_no_usual_id(odd):
    ids = [bytes([n % 5, n >> 8, n & 0xFF]) * 5 + b"!" if n % 3 else odd for n in range(5_000)]
    first = (1 << BLOCK_BITS) - 700
    index = index_of(array("q", range(first, first + len(ids))), Octets(array("I", map(len, ids)), b"".join(ids)))
    wanted = {(hash_of(id_), number >> BLOCK_BITS) for number, id_ in enumerate(ids, first) if id_}
    assert sorted(zip(index.entries.hashes, index.entries.blocks, strict=True)) == sorted(wanted)


def test_rows_that_wait_become_a_batch_only_when_they_are_read():
    table = Table("numbers", (Column("number", "int64"),))
    made = []

    def batches():
        made.append(table.batch([(7,), (8,)]))
        return made[-1:]

    with duckdb.connect() as database:
        database.register("numbers", table.source_of(batches))
        assert database.execute("EXPLAIN SELECT number FROM numbers").fetchall()
        assert made == []
        assert database.execute("SELECT number FROM numbers").fetchall() == [(7,), (8,)]
        assert len(made) == 1


def test_words_are_told_apart_again_after_other_files_came_and_went(tmp_path):
    with duckdb.connect() as database:
        words = Words(database)
        for number in range(3):
            text = f"another number-{number}".encode()
            told = words.told_apart(array("q", [number << BLOCK_BITS]), Octets(array("I", [len(text)]), text))
            assert {block: set(found.split()) for block, found in told.items()} == {number: set(text.split())}
            database.execute(f"ATTACH '{tmp_path / str(number)}' AS part{number}")
            database.execute(f"CREATE TABLE part{number}.told (number BIGINT, message VARCHAR)")
            if number:
                database.execute(f"DETACH part{number - 1}")


def test_words_are_left_to_us_where_duckdb_has_no_memory_for_them():
    texts = [f"word-{n}-{'x' * 900}".encode() for n in range(8_000)]
    messages = Octets(array("I", map(len, texts)), b"".join(texts))
    with duckdb.connect(config={"memory_limit": "4MB", "max_temp_directory_size": "0KiB"}) as database:
        words = Words(database)
        assert words.told_apart(array("q", range(8_000)), messages) is None
        assert words.told_apart(array("q", [5]), Octets(array("I", [12]), b"another time")) == {0: b"another"}
        assert database.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("bad", [{"severity": 300}, {"trace_id": "xy"}, {"trace_id": "abc"}, {"at_ns": 2**70}])
def test_what_can_be_no_line_is_refused_before_it_is_in_the_journal(bad):
    with pytest.raises((ValueError, OverflowError)):
        pack([LogBatch(Origin(), [LogRecord(**{"at_ns": T0, "message": "m"} | bad)])])


@pytest.mark.anyio
async def test_a_word_is_found_in_memory_and_in_a_file_and_a_word_within_a_word_is_not(tmp_path):
    origin = Origin(project_id="p", integration_id="i", environment_id="prod", runtime_id="r")
    trace = "ab" * 16

    async def found(**filter_: str) -> list[str]:
        page = await store.logs(LogQuestion(scope=ALL, filter=LogFilter(**filter_)))
        return [line.record.message for line in page.lines]

    for again in range(2):
        store = await EmbeddedStore.open(small(tmp_path))
        if not again:
            plain = [LogRecord(at_ns=T0 + number, message=f"line number-{number}") for number in range(5_000)]
            last = LogRecord(at_ns=T0 + 9_000, message="of order-77-é, late", trace_id=trace)
            await store.append_logs([LogBatch(origin, [*plain, last])])
        assert await found(token="number-4321") == ["line number-4321"]
        assert await found(token="order-77-") == ["of order-77-é, late"]
        assert await found(token=trace) == await found(trace_id=trace.upper()) == ["of order-77-é, late"]
        assert await found(token="number") == await found(token="umber-4321") == await found(trace_id="cd" * 16) == []
        await store.close()  # writes what waits: the second time it is asked of a file


def test_a_file_gets_lines_in_whole_pieces_however_they_came_and_its_journal_is_forgotten(tmp_path):
    told: list[int] = []
    keeper = Keeper(small(tmp_path, flush_rows=100), lambda _, number: told.append(number))
    writer = JournalWriter(
        tmp_path / "logs" / "journal",
        file_bytes=2_000,
        bytes_max=10**6,
        free_bytes_min=0,
        advanced=lambda number: keeper.advance(Sort.LOGS, number),
    )
    origins = [Origin(project_id="p", environment_id=id_) for id_ in ("dev", "prod")]
    for first in range(0, 1_360, 34):
        lines = [LogRecord(at_ns=T0 + first + number, message=f"m{first + number}") for number in range(34)]
        writer.append(pack([LogBatch(origins[0], lines[:17]), LogBatch(origins[1], lines[17:])]), 34).result()
    try:
        assert keeper.wait_for({Sort.LOGS: 1_360}, time.monotonic() + 20)
        shelves = keeper.shelves(Sort.LOGS)
        assert [sum(part.records for part in shelf.view().parts) for shelf in shelves] == [600, 600]
        assert [shelf.waiting_rows for shelf in shelves] == [80, 80]
        assert max(told) <= min(shelf.first_waiting for shelf in shelves)
        assert max(told) >= 1_100
    finally:
        writer.close()
        keeper.stop()


def test_lines_that_lie_in_the_journal_are_no_reason_to_write_a_file_in_small_pieces(tmp_path, monkeypatch):
    pieces: list[int] = []
    flush = Shelf.flush

    def noted(self: Shelf, now_ns: int) -> None:
        pieces.append(self.waiting_rows)
        flush(self, now_ns)

    monkeypatch.setattr(Shelf, "flush", noted)
    writer = JournalWriter(
        tmp_path / "logs" / "journal",
        file_bytes=2_000,
        bytes_max=10**6,
        free_bytes_min=0,
        advanced=lambda _: None,
    )
    origin = Origin(project_id="p", environment_id="dev")
    for first in range(0, 1_360, 34):
        lines = [LogRecord(at_ns=T0 + number, message=f"m{number}") for number in range(first, first + 34)]
        writer.append(pack([LogBatch(origin, lines)]), 34).result()
    waiting_bytes = writer.bytes_on_disk
    settings_ = small(tmp_path, flush_rows=100, journal_bytes_max=waiting_bytes)
    keeper = Keeper(settings_, lambda _, number: writer.forget(number))
    try:
        keeper.advance(Sort.LOGS, 1_360)
        assert keeper.wait_for({Sort.LOGS: 1_360}, time.monotonic() + 20)
        assert pieces == [100] * 13
        assert writer.bytes_on_disk < waiting_bytes // 4
    finally:
        writer.close()
        keeper.stop()


@pytest.mark.anyio
async def test_lines_read_side_by_side_are_found_as_they_were_told(tmp_path):
    origin = Origin(project_id="p", integration_id="i", environment_id="prod", runtime_id="r")
    record = LogRecord(at_ns=T0, message="héllo", logger="a", trace_id="ab" * 16, attributes={"k": "v"})
    store = await EmbeddedStore.open(small(tmp_path))
    await store.append_logs([LogBatch(origin, side_by_side([record] * 3))])
    page = await store.logs(LogQuestion(scope=ALL))
    await store.close()
    assert [line.record for line in page.lines] == [record] * 3
