"""Questions about log lines, as SQL over one source after the other."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from pilothouse.telemetry.model import NS_A_SECOND, Attributes, Level, LogLine, LogRecord, Position, level_of
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    Arrivals,
    LogFilter,
    LogPage,
    LogQuestion,
    Scope,
    bounds_ns,
    check_limit,
    check_regex,
)
from pilothouse.telemetry.statuses import LINE_KEYS, Answered
from pilothouse.telemetry.stores.embedded.asking import Asking, Conditions, Source, sources
from pilothouse.telemetry.stores.embedded.frames import LevelCounts, Sort
from pilothouse.telemetry.stores.embedded.narrowing import (
    FEW_BLOCKS,
    blocks_of,
    blocks_with,
    hashes_of,
    hex_of,
    piece_of,
    rarest_end,
    within,
)
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import Label

_COLUMNS = "number, at_ns, label, severity, message, logger, trace_id, span_id, attributes"
_LEVEL = "((severity - 1) // 4) * 4 + 1"
_WINDOW_NS_MIN = 60 * NS_A_SECOND
_WINDOWS, _WIDER = 64, 4
_SELDOM = 8
"""Where a first window has fewer of the lines that are wanted, one in so many, words are looked through."""
_NARROW = 8
"""Words are looked through where at least such a part of a file's time is asked for."""
_decode = msgspec.json.Decoder(Attributes).decode


def matching(filter_: LogFilter) -> Conditions:
    """Turn a filter into conditions.

    Raises: InvalidInput
    """
    check_regex(filter_)
    conditions = Conditions()
    if filter_.levels:
        ranges = " OR ".join(
            f"severity BETWEEN {level.value} AND {level.value + 3}" for level in sorted(filter_.levels)
        )
        conditions.add(f"({ranges})")
    if filter_.trace_id:
        conditions.add("trace_id = unhex(?)", hex_of(filter_.trace_id))
    if filter_.token:
        within = rf"(^|[^A-Za-z0-9_-]){re.escape(filter_.token)}($|[^A-Za-z0-9_-])"
        conditions.add(
            "((contains(message, ?) AND regexp_matches(message, ?)) OR trace_id = unhex(?))",
            filter_.token,
            within,
            hex_of(filter_.token),
        )
    if filter_.logger:
        conditions.add("logger = ?", filter_.logger)
    if filter_.phrase:
        message, told = ("lower(message)", "lower(?)") if filter_.ignore_case else ("message", "?")
        end = rarest_end(filter_.phrase)
        for text in {end: None, filter_.phrase: None}:
            conditions.add(f"contains({message}, {told})", text)
    if filter_.regex:
        conditions.add("regexp_matches(message, ?)", filter_.regex)
    for key, value in filter_.attributes:
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        conditions.add(
            "contains(attributes, ?) AND json_extract_string(nullif(attributes, ''), ?) = ?",
            _quoted(key),
            pointer,
            value,
        )
    if filter_.answered is not None:
        conditions.add(*_answered(filter_.answered))
    return conditions


def _answered(answered: Answered) -> tuple[str, *tuple[list[str], ...]]:
    codes = [list(answered.codes)] * len(LINE_KEYS)
    # Nothing is no JSON, and what stands beside a condition may be tried before it.
    json = "CASE WHEN contains(attributes, 'status_code') THEN attributes END"
    own = " OR ".join(f"list_contains(?::VARCHAR[], json_extract_string({json}, '/{key}'))" for key in LINE_KEYS)
    return f"(trace_id IN (SELECT unhex(unnest(?::VARCHAR[]))) OR {own})", list(answered.trace_ids), *codes


def _quoted(key: str) -> str:
    return msgspec.json.encode(key).decode()


def _narrowed(asking: Asking, source: Source, filter_: LogFilter, scope: Scope) -> Conditions | None:
    """Narrow a part to where its index, and its words, say that lines can be; None when they are nowhere in it."""
    blocks = blocks_of(asking, source, hashes_of(filter_))
    low, high = _bounds(source, scope)
    return within(_with_piece(asking, source, filter_, blocks, high - low))


def _with_piece(
    asking: Asking, source: Source, filter_: LogFilter, blocks: Sequence[int] | None, width_ns: int
) -> Sequence[int] | None:
    """Leave out the blocks without a word that has a piece of the phrase, where to look for that costs less than to read."""
    piece = piece_of(filter_)
    wide = width_ns > (source.newest_ns - source.oldest_ns) // _NARROW
    if piece is None or not wide or _few(blocks):
        return blocks
    found = blocks_with(asking, source, piece, blocks)
    return blocks if found is None else found


def _bounds(source: Source, scope: Scope) -> tuple[int, int]:
    low = max(source.oldest_ns, scope.from_ns if scope.from_ns is not None else source.oldest_ns)
    high = min(source.newest_ns, scope.to_ns - 1 if scope.to_ns is not None else source.newest_ns)
    return low, high


def _line(row: tuple[Any, ...], labels: Sequence[Label]) -> LogLine:
    number, at_ns, label, severity, message, logger, trace_id, span_id, attributes = row
    record = LogRecord(
        at_ns=at_ns,
        message=message,
        severity=severity,
        logger=logger,
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        attributes=_decode(attributes) if attributes else {},
    )
    return LogLine(record=record, origin=labels[int(label)].origin, number=number)


def list_lines(asking: Asking, shelves: Sequence[Shelf], question: LogQuestion) -> LogPage:
    """Answer `TelemetryStore.logs`: the source that lies first in the list's direction first, until no other can add to it."""
    limit = check_limit(question.limit)
    wanted = matching(question.filter)
    newest_first = question.newest_first
    found: list[LogLine] = []
    sign = -1 if newest_first else 1

    def place(line: LogLine) -> tuple[int, int]:
        return sign * line.record.at_ns, sign * line.number

    with sources(asking, question.scope, Sort.LOGS, shelves, hashes_of(question.filter)) as all_:
        ordered = sorted(all_, key=lambda one: -one.newest_ns if newest_first else one.oldest_ns)
        for source in ordered:
            if len(found) > limit:
                bound = found[limit].record.at_ns
                if (source.newest_ns < bound) if newest_first else (source.oldest_ns > bound):
                    break
            found += _first(asking, source, wanted, question, limit + 1)
            found = sorted(found, key=place)[: limit + 1]
    return LogPage(lines=found[:limit], more=len(found) > limit)


def _first(asking: Asking, source: Source, wanted: Conditions, question: LogQuestion, limit: int) -> Iterator[LogLine]:
    """Read the first lines of a source, window after window of time, each wider than the one before."""
    after, newest_first = question.after, question.newest_first
    low, high = _bounds(source, question.scope)
    everything = source.conditions.with_also(wanted)
    if after is not None:
        everything = everything.with_also(_behind(after, newest_first=newest_first))
        low, high = (low, min(high, after.at_ns)) if newest_first else (max(low, after.at_ns), high)
    blocks = blocks_of(asking, source, hashes_of(question.filter))
    direction = "DESC" if newest_first else "ASC"
    width = max((high - low) // _WINDOWS, _WINDOW_NS_MIN)
    # Memory and what an index has narrowed are read at once.
    whole = source.part is None or bool(question.filter.token or question.filter.trace_id) or _few(blocks)
    read, looked = 0, whole or piece_of(question.filter) is None
    begun = False
    while low <= high and read < limit:
        if begun and not looked and read * _SELDOM < limit:  # what is in many lines has been found by now
            looked = True
            blocks = _with_piece(asking, source, question.filter, blocks, high - low)
            whole = _few(blocks)
        narrow = within(blocks)
        if narrow is None:
            return
        since, until = (
            (low, high) if whole else (max(low, high - width), high) if newest_first else (low, min(high, low + width))
        )
        both = everything.with_also(narrow)
        both.add("at_ns BETWEEN ? AND ?", since, until)
        rows = asking.run(
            f"SELECT {_COLUMNS} FROM {source.table}{both.where}"
            f" ORDER BY at_ns {direction}, number {direction} LIMIT {limit - read}",
            both.values,
        )
        yield from (_line(row, source.labels) for row in rows)
        read, begun = read + len(rows), True
        width *= _WIDER
        low, high = (low, since - 1) if newest_first else (until + 1, high)


def _few(blocks: Sequence[int] | None) -> bool:
    return blocks is not None and len(blocks) <= FEW_BLOCKS


def _behind(after: Position, *, newest_first: bool) -> Conditions:
    conditions = Conditions()
    compare = "<" if newest_first else ">"
    conditions.add(f"(at_ns {compare} ? OR (at_ns = ? AND number {compare} ?))", after.at_ns, after.at_ns, after.number)
    return conditions


def list_arrivals(asking: Asking, shelves: Sequence[Shelf], question: ArrivalQuestion, seen: int) -> Arrivals:
    """Answer `TelemetryStore.arrivals`; `seen` is the number before which everything can be looked at."""
    limit = check_limit(question.limit)
    wanted = matching(question.filter)
    found: list[LogLine] = []
    with sources(asking, question.scope, Sort.LOGS, shelves) as all_:
        for source in all_:
            if source.part is not None and source.part.applied <= question.after + 1:
                continue
            narrow = Conditions()
            narrow.add("number > ? AND number < ?", question.after, seen)
            both = source.conditions.with_also(wanted).with_also(narrow)
            rows = asking.run(
                f"SELECT {_COLUMNS} FROM {source.table}{both.where} ORDER BY number LIMIT {limit}", both.values
            )
            found += [_line(row, source.labels) for row in rows]
    found = sorted(found, key=lambda line: line.number)[:limit]
    until = found[-1].number if len(found) == limit else max(seen - 1, question.after)
    return Arrivals(lines=found, looked_until=until)


def count_lines(asking: Asking, shelves: Sequence[Shelf], scope: Scope, filter_: LogFilter) -> int:
    """Answer `TelemetryStore.count_logs`."""
    return sum(_over(asking, shelves, scope, filter_, "SELECT count(*) FROM {table}{where}", lambda rows: rows[0][0]))


def count_levels(
    asking: Asking, shelves: Sequence[Shelf], scope: Scope, filter_: LogFilter, step_s: int
) -> LevelCounts:
    """Answer `TelemetryStore.levels`."""
    step_ns = max(1, step_s) * NS_A_SECOND
    bounds_ns(scope, step_ns)
    sql = f"SELECT at_ns // {step_ns} AS step, severity, count(*) FROM {{table}}{{where}} GROUP BY step, severity"
    counts: dict[tuple[int, Level], int] = defaultdict(int)
    for rows in _over(asking, shelves, scope, filter_, sql, lambda rows: rows):
        for step, severity, count in rows:
            counts[step * max(1, step_s), level_of(severity)] += count
    return [(begin_s, level, count) for (begin_s, level), count in sorted(counts.items())]


def _over(
    asking: Asking,
    shelves: Sequence[Shelf],
    scope: Scope,
    filter_: LogFilter,
    sql: str,
    take: Callable[[list[tuple[Any, ...]]], Any],
) -> Iterator[Any]:
    wanted = matching(filter_)
    with sources(asking, scope, Sort.LOGS, shelves, hashes_of(filter_)) as all_:
        for source in all_:
            narrow = _narrowed(asking, source, filter_, scope)
            if narrow is None:
                continue
            both = source.conditions.with_also(wanted).with_also(narrow)
            yield take(asking.run(sql.format(table=source.table, where=both.where), both.values))
