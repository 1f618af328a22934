"""The runtimes of secrets: however many secrets a query lists, they are read together."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import msgspec

from pilothouse.access.grants import Reach
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.pages import Page, PageRequest, slice_of
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.storage import events, runtime_rows, secrets
from pilothouse.storage.runtime_rows import Elsewhere, Elsewheres, RuntimeScope
from pilothouse.storage.unit import Connection

_AT_ONCE = 5_000
"""Runtimes read by one statement."""
_NAMELESS = "\uffff"
"""Sorts those without a name last."""


class _Using(msgspec.Struct, frozen=True):
    """A runtime that used a secret last, with its place in the order."""

    key: int
    order: tuple[str, ...]


class _Wish(msgspec.Struct, frozen=True, eq=False):
    """A page of one secret's runtimes that is waited for."""

    key_id: str
    page: PageRequest
    answer: asyncio.Future[Row]


_waiting: WeakKeyDictionary[GraphQLRequest, list[_Wish]] = WeakKeyDictionary()


async def runtimes_of(request: GraphQLRequest, key_id: str, page: PageRequest) -> Row:
    """List the runtimes that used a secret last: running ones first, then by name, those without one last, then by id."""
    loop = asyncio.get_running_loop()
    wish = _Wish(key_id, page, loop.create_future())
    wishes = _waiting.setdefault(request, [])
    wishes.append(wish)
    if len(wishes) == 1:
        loop.call_soon(lambda: asyncio.ensure_future(_answer(request)))
    return await wish.answer


async def _answer(request: GraphQLRequest) -> None:
    wishes = _waiting.pop(request)
    try:
        answers = await _read(request, wishes)
    except Exception as error:  # noqa: BLE001 - handed to every field that waits
        for wish in wishes:
            if not wish.answer.done():  # whoever waited may have gone
                wish.answer.set_exception(error)
        return
    for wish, answer in zip(wishes, answers, strict=True):
        if not wish.answer.done():
            wish.answer.set_result(answer)


async def _read(request: GraphQLRequest, wishes: Sequence[_Wish]) -> list[Row]:
    store, reach = request.services.store, request.reach(Permission.INTEGRATION_MGT_VIEW)
    key_ids = sorted({wish.key_id for wish in wishes})
    found = await store.read(lambda connection: secrets.list_runtimes(connection, reach, key_ids))
    using: defaultdict[str, list[_Using]] = defaultdict(list)
    for key_id, key, name, id_ in found:
        silent = "0" if _is_running(request, key) else "1"
        using[key_id].append(_Using(key, (silent, _NAMELESS if name is None else name.lower(), id_)))
    pages = [_page(using[wish.key_id], wish.page) for wish in wishes]
    keys = sorted({node.key for page in pages for node in page.nodes})
    rows, elsewhere, newest = await store.read(lambda connection: _read_rows(connection, reach, keys))
    return [
        views.connection(_with_rows(page, rows).map(lambda row: RuntimeView(request, row, elsewhere)), sequence=newest)
        for page in pages
    ]


def _read_rows(
    connection: Connection, reach: Reach, keys: Sequence[int]
) -> tuple[dict[int, RuntimeRow], Elsewheres, int]:
    _, newest = events.bounds(connection)
    rows: dict[int, RuntimeRow] = {}
    elsewhere: dict[str, Sequence[Elsewhere]] = {}
    for start in range(0, len(keys), _AT_ONCE):
        part = runtime_rows.list_by_keys(connection, reach, keys[start : start + _AT_ONCE], RuntimeScope())
        elsewhere |= runtime_rows.list_elsewhere(connection, reach, list(part.values()))
        rows |= part
    return rows, elsewhere, newest


def _page(using: list[_Using], page: PageRequest) -> Page[_Using]:
    return slice_of("secretRuntimes", sorted(using, key=lambda one: one.order), page, lambda one: one.order)


def _with_rows(page: Page[_Using], rows: dict[int, RuntimeRow]) -> Page[RuntimeRow]:
    """Put the rows into a page; one that was deleted between the two reads is left out."""
    return Page(
        nodes=[rows[node.key] for node in page.nodes if node.key in rows],
        end_cursor=page.end_cursor,
        has_next=page.has_next,
        total=page.total,
    )


def _is_running(request: GraphQLRequest, key: int) -> bool:
    board = request.services.board
    entry = board.find_key(key)
    return entry is not None and board.judge(entry, request.now).status is Status.RUNNING
