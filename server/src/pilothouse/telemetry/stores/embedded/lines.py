"""Questions about log lines, as SQL over one source after the other."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
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
from pilothouse.telemetry.stores.embedded.index import BLOCK_BITS, NO_TOKEN, TOKEN, blocks_sql, hash_of
from pilothouse.telemetry.stores.embedded.shelf import Shelf
from pilothouse.telemetry.stores.embedded.sorts import Label

_COLUMNS = "number, at_ns, label, severity, message, logger, trace_id, span_id, attributes"
_LEVEL = "((severity - 1) // 4) * 4 + 1"
_WINDOW_NS_MIN = 60 * NS_A_SECOND
_WINDOWS, _WIDER = 64, 4
_RANGES_MAX = 32
_WORDS_MAX = 4
"""Of a phrase, looked up in the index: each costs a look, and a few say where it can be."""
_WORD = re.compile(TOKEN + r"\Z")
_WHOLE_WORD = re.compile(f"(?<={NO_TOKEN}){TOKEN}(?={NO_TOKEN})")
"""A word of a phrase that ends within it, and so is a word of every message that has the phrase."""
_NO_ID = "00"
"""An id that no line has."""
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
        conditions.add("trace_id = unhex(?)", _hex(filter_.trace_id))
    if filter_.token:
        within = rf"(^|[^A-Za-z0-9_-]){re.escape(filter_.token)}($|[^A-Za-z0-9_-])"
        conditions.add(
            "((contains(message, ?) AND regexp_matches(message, ?)) OR trace_id = unhex(?))",
            filter_.token,
            within,
            _hex(filter_.token),
        )
    if filter_.logger:
        conditions.add("logger = ?", filter_.logger)
    if filter_.phrase:
        conditions.add(
            "contains(lower(message), lower(?))" if filter_.ignore_case else "contains(message, ?)", filter_.phrase
        )
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


def _hex(told: str) -> str:
    lower = told.lower()
    return lower if len(lower) == 32 and all(digit in "0123456789abcdef" for digit in lower) else _NO_ID  # noqa: PLR2004 - a trace id's digits


def hashes_of(filter_: LogFilter) -> list[frozenset[int]]:
    """Tell what the index must have for a line to match: one of each set."""
    hashes: list[frozenset[int]] = []
    for word in (filter_.token, filter_.trace_id.lower()):
        if word and _WORD.match(word):
            as_word = {hash_of(word.encode())} if word == filter_.token else set[int]()
            id_ = _hex(word)
            hashes.append(frozenset(as_word if as_word and id_ == _NO_ID else as_word | {hash_of(bytes.fromhex(id_))}))
    if not filter_.ignore_case:
        hashes += [frozenset({hash_of(word.encode())}) for word in _whole_words(filter_.phrase)]
    return hashes


def _whole_words(phrase: str) -> list[str]:
    """List the longest of the words that every message with a phrase has: they are in the fewest."""
    return sorted(_WHOLE_WORD.findall(phrase), key=len, reverse=True)[:_WORDS_MAX]


def indexed(asking: Asking, source: Source, filter_: LogFilter) -> Conditions | None:
    """Narrow a part to where its index says that a token is; None when it is nowhere in it."""
    return narrowed(asking, source, hashes_of(filter_))


def narrowed(asking: Asking, source: Source, tokens: Sequence[frozenset[int]]) -> Conditions | None:
    """Narrow a part to where its index has one of each set; None when it has none of one of them."""
    narrow = Conditions()
    if source.part is None or not source.indexed:
        return narrow
    for hashes in tokens:
        rows = asking.run(blocks_sql(source.part.schema, source.part.layout, hashes))
        ranges = list(_ranges([block for (block,) in rows]))
        if not ranges:
            return None
        if len(ranges) > _RANGES_MAX:
            ranges = [(ranges[0][0], ranges[-1][1])]
        narrow.add(f"({' OR '.join(f'number BETWEEN {low} AND {high}' for low, high in ranges)})")
        narrow.add(f"number BETWEEN {ranges[0][0]} AND {ranges[-1][1]}")
    return narrow


def _ranges(blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(blocks), key=lambda pair: pair[1] - pair[0]):
        near = [block for _, block in run]
        yield near[0] << BLOCK_BITS, ((near[-1] + 1) << BLOCK_BITS) - 1


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
            narrow = indexed(asking, source, question.filter)
            if narrow is None:
                continue
            conditions = source.conditions.with_also(wanted).with_also(narrow)
            found += _first(asking, source, conditions, question, limit + 1)
            found = sorted(found, key=place)[: limit + 1]
    return LogPage(lines=found[:limit], more=len(found) > limit)


def _first(
    asking: Asking, source: Source, conditions: Conditions, question: LogQuestion, limit: int
) -> Iterator[LogLine]:
    """Read the first lines of a source, window after window of time, each wider than the one before."""
    scope, after, newest_first = question.scope, question.after, question.newest_first
    low = max(source.oldest_ns, scope.from_ns if scope.from_ns is not None else source.oldest_ns)
    high = min(source.newest_ns, scope.to_ns - 1 if scope.to_ns is not None else source.newest_ns)
    everything = conditions
    if after is not None:
        everything = conditions.with_also(_behind(after, newest_first=newest_first))
        low, high = (low, min(high, after.at_ns)) if newest_first else (max(low, after.at_ns), high)
    direction = "DESC" if newest_first else "ASC"
    width = max((high - low) // _WINDOWS, _WINDOW_NS_MIN)
    # Memory and what an index has narrowed are read at once.
    whole = source.part is None or bool(question.filter.token or question.filter.trace_id)
    read = 0
    while low <= high and read < limit:
        since, until = (
            (low, high) if whole else (max(low, high - width), high) if newest_first else (low, min(high, low + width))
        )
        window = Conditions()
        window.add("at_ns BETWEEN ? AND ?", since, until)
        both = everything.with_also(window)
        rows = asking.run(
            f"SELECT {_COLUMNS} FROM {source.table}{both.where}"
            f" ORDER BY at_ns {direction}, number {direction} LIMIT {limit - read}",
            both.values,
        )
        yield from (_line(row, source.labels) for row in rows)
        read += len(rows)
        width *= _WIDER
        low, high = (low, since - 1) if newest_first else (until + 1, high)


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
            narrow = indexed(asking, source, filter_)
            if narrow is None:
                continue
            both = source.conditions.with_also(wanted).with_also(narrow)
            yield take(asking.run(sql.format(table=source.table, where=both.where), both.values))
