"""What questions about logs, metrics and traces share: their scope, their instants, their places in lists."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant
from pilothouse.base.pages import PageRequest, not_of_this_list, page_of
from pilothouse.operations import telemetry_scopes
from pilothouse.operations.telemetry_scopes import AskedScope
from pilothouse.telemetry.model import NS_A_SECOND, Position
from pilothouse.telemetry.questions import LogFilter, Scope

TEXT_CHARACTERS_MAX = 1_000
ATTRIBUTES_MAX = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_MAX = 2200
"""Nanoseconds since the epoch are counted in 64 bits."""
_INT64 = 2**63
_WHOLE = re.compile(r"-?[0-9]{1,19}\Z")
_LINE = re.compile(r"(-?[0-9a-f]{1,16})\.(-?[0-9a-f]{1,16})\Z")


def asked_scope(wanted: Row | None) -> AskedScope:
    """Read a `TelemetryScope` as it came from outside.

    Raises: InvalidInput
    """
    told = wanted or {}
    return AskedScope(
        project=told.get("project"),
        integrations=tuple(told.get("integrations") or ()),
        environments=tuple(told.get("environments") or ()),
        runtimes=tuple(told.get("runtimes") or ()),
        runtime_ids=tuple(told.get("runtime_ids") or ()),
        unclaimed=told.get("unclaimed"),
        from_ns=read_ns(told.get("from"), "from"),
        to_ns=read_ns(told.get("to"), "to"),
    )


async def scope_of(
    request: GraphQLRequest, permission: Permission, asked: AskedScope, span: tuple[int, int] | None
) -> Scope:
    """Make the scope of a question within the caller's reach; None as time asks for all of it."""
    reach = request.reach(permission)
    if not asked.names_something:
        return telemetry_scopes.plain_scope(reach, asked, span)
    return await request.services.store.read(
        lambda connection: telemetry_scopes.find_scope(connection, reach, asked, span)
    )


async def bounded_scope(request: GraphQLRequest, permission: Permission, wanted: Row | None) -> tuple[Scope, int, int]:
    """Make the scope of a question about a time, and tell that time.

    Raises: InvalidInput
    """
    asked = asked_scope(wanted)
    from_ns, to_ns = span = telemetry_scopes.span_of(asked, request.now)
    return await scope_of(request, permission, asked, span), from_ns, to_ns


def read_ns(value: object, field: str) -> int | None:
    """Read an instant. Units: ns since the epoch.

    Raises: InvalidInput
    """
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is not None and read.tzinfo is not None and _EPOCH.year <= read.astimezone(UTC).year <= _YEAR_MAX:
            return (read - _EPOCH) // timedelta(microseconds=1) * 1_000
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"'{str(value)[:40]}' is not an instant between {_EPOCH.year} and {_YEAR_MAX}.",
        field=field,
        fix='Write RFC 3339 with an offset, such as "2030-01-31T12:00:00Z".',
    )


def instant_of(at_ns: int) -> Instant:
    """Turn the time of a record into an instant."""
    return at_ns / NS_A_SECOND


def read_log_filter(wanted: Row) -> LogFilter:
    """Read which lines are meant, as it came from outside.

    Raises: InvalidInput
    """
    attributes: Sequence[Row] = wanted.get("attributes") or ()
    if len(attributes) > ATTRIBUTES_MAX:
        raise InvalidInput(f"A filter has at most {ATTRIBUTES_MAX} attributes.", field="attributes", fix="Name fewer.")
    return LogFilter(
        levels=tuple(sorted(set(wanted.get("levels") or ()))),
        phrase=_text(wanted.get("phrase"), "phrase"),
        ignore_case=wanted.get("ignore_case") is not False,
        token=_text(wanted.get("token"), "token"),
        regex=_text(wanted.get("regex"), "regex"),
        trace_id=_text(wanted.get("trace_id"), "traceId"),
        logger=_text(wanted.get("logger"), "logger"),
        attributes=tuple((_text(one["key"], "attributes"), _text(one["value"], "attributes")) for one in attributes),
    )


def check_texts(texts: Sequence[str] | None, field: str) -> tuple[str, ...]:
    """Return what a filter names, if it is not too much.

    Raises: InvalidInput
    """
    asked = tuple(texts or ())
    if len(asked) > telemetry_scopes.NAMES_MAX:
        raise InvalidInput(
            f"At most {telemetry_scopes.NAMES_MAX} of them can be named at once.", field=field, fix="Name fewer."
        )
    return tuple(_text(one, field) for one in asked)


def _text(told: str | None, field: str) -> str:
    if told is not None and len(told) > TEXT_CHARACTERS_MAX:
        raise InvalidInput(f"This has at most {TEXT_CHARACTERS_MAX} characters.", field=field, fix="Name a part of it.")
    return told or ""


def span_and_place(page: PageRequest) -> tuple[tuple[int, int], Position] | None:
    """Read where a list of records goes on, and the time that its first page was about; None at its beginning.

    Raises: InvalidInput
    """
    if page.after is None:
        return None
    if len(page.after) != 4 or not all(_WHOLE.match(part) for part in page.after):  # noqa: PLR2004 - written by `records_page`
        raise not_of_this_list()
    from_ns, to_ns, at_ns, number = (int(part) for part in page.after)
    if any(not -_INT64 <= part < _INT64 for part in (from_ns, to_ns, at_ns, number)):
        raise not_of_this_list()
    return (from_ns, to_ns), Position(at_ns, number)


def records_page(of: str, nodes: Sequence[Any], scope: Scope, end: Position | None, *, more: bool) -> Row:
    """Show a part of a list of records. Any: nodes of any type."""
    key = [] if end is None else [scope.from_ns, scope.to_ns, end.at_ns, end.number]
    # One row more than the page has tells that the list goes on.
    rows = [*nodes, nodes[-1]] if more and nodes else nodes
    page = page_of(of, rows, PageRequest(first=max(len(nodes), 1)), 0, lambda _: tuple(map(str, key)))
    return {"nodes": nodes, "page_info": {"end_cursor": page.end_cursor, "has_next_page": page.has_next}}


def line_id(position: Position) -> str:
    """Write the id of a line: its place among all lines, which never changes."""
    return f"{position.at_ns:x}.{position.number:x}"


def read_line_id(told: str) -> Position | None:
    """Read the id of a line; None for what is none."""
    parts = _LINE.match(told)
    if parts is None:
        return None
    at_ns, number = (int(part, 16) for part in parts.groups())
    return Position(at_ns, number) if max(abs(at_ns), abs(number)) < _INT64 else None
