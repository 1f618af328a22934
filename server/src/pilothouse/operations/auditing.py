"""Reading the audit: pages, an export of any size, and the check of the chain."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from pilothouse.access.grants import Reach
from pilothouse.base.errors import InvalidInput, NotFound, Refused
from pilothouse.base.instants import read_instant, to_rfc3339
from pilothouse.domain.audit import BEGINNING, Link, Outcome, StoredRecord, Walk
from pilothouse.storage import audit as records
from pilothouse.storage import audit_rows
from pilothouse.storage.audit_rows import AuditScope
from pilothouse.storage.unit import Connection, Store

AT_ONCE = 2_000
"""Records read at a time: a few hundredths of a second, then others have their turn."""
CHECK_WAIT_S = 5.0
"""How long who asks for a check waits; it goes on without them."""
_REST = 10.0
"""A check rests ten times as long as it took: whoever asks meanwhile is told its result, and what was added since is checked."""


_TEXT_MAX = 200


class AuditBroken(Refused):
    """The chain of the audit records does not hold."""

    code = "AUDIT_BROKEN"


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the chain came to."""

    intact: bool
    checked: int
    """Units: records."""
    broken_at: int | None = None
    message: str
    begins_at: int | None = None
    """Retention deleted what came before this number."""
    head: Link = BEGINNING
    """The newest record that was checked."""
    complete: bool = True
    """False when it goes on."""


class _Pass(msgspec.Struct, eq=False):
    """One walk along the whole chain."""

    walk: Walk
    up_to: int
    took_s: float = 0.0
    ended_at: float = 0.0


class AuditChecker:
    """Checks the chain of one database, one walk at a time, in parts and outside of the loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: asyncio.Task[_Pass] | None = None
        self._latest: _Pass | None = None
        self._last: _Pass | None = None

    async def check(self, wait_s: float = CHECK_WAIT_S) -> AuditVerdict:
        """Walk along the chain from its beginning, or tell how far a long walk has come.

        Raises: Unavailable
        """
        last, fresh = self._last, False
        if last is not None and last.walk.found is None:
            fresh = time.monotonic() - last.ended_at < last.took_s * _REST
        if self._running is None:
            self._running = asyncio.create_task(self._go_on(last) if fresh and last else self._begin())
        task = self._running
        done, _ = await asyncio.wait((task,), timeout=wait_s)
        if not done:
            return _so_far(self._latest)
        if self._running is task:
            self._running = None
        self._last = task.result()
        return _verdict(self._last.walk)

    async def _begin(self) -> _Pass:
        began = time.monotonic()
        anchor, up_to = await self._store.read(_start)
        walked = await self._walk(_Pass(walk=Walk(anchor), up_to=up_to))
        walked.ended_at = time.monotonic()
        walked.took_s = walked.ended_at - began
        return walked

    async def _go_on(self, last: _Pass) -> _Pass:
        anchor, last.up_to = await self._store.read(_start)
        if anchor != last.walk.anchor:
            return await self._begin()
        return await self._walk(last)

    async def _walk(self, going: _Pass) -> _Pass:
        self._latest = going
        while await self._store.read(partial(walk_on, walk=going.walk, up_to=going.up_to)):
            pass
        if going.walk.found is not None and await self._store.read(records.anchor) != going.walk.anchor:
            return await self._begin()  # retention cut under our feet
        return going


_checkers: WeakKeyDictionary[Store, AuditChecker] = WeakKeyDictionary()


def checker_of(store: Store) -> AuditChecker:
    """Find the checker of a database: everybody who asks shares one walk."""
    if store not in _checkers:
        _checkers[store] = AuditChecker(store)
    return _checkers[store]


def walk_on(connection: Connection, walk: Walk, up_to: int) -> bool:
    """Check the next part of the chain; False when the end is reached, or something does not fit."""
    rows = records.list_links(connection, walk.reached.number, up_to, AT_ONCE)
    for row in rows:
        if not walk.step(row[0], row[1], row[2], row[3:]):
            return False
    if len(rows) == AT_ONCE:
        return True
    walk.finish(up_to)
    return False


def verify(connection: Connection, expect: Link | None = None) -> AuditVerdict:
    """Walk along the whole chain at once: for the command line.

    expect: a record as it was noted elsewhere; it must still be there
    Raises: AuditBroken when it is not, NotFound when retention deleted it
    """
    anchor, up_to = _start(connection)
    walk = Walk(anchor)
    while walk_on(connection, walk, up_to):
        pass
    if expect is not None:
        _compare(connection, anchor, expect)
    return _verdict(walk)


def _compare(connection: Connection, anchor: Link, expect: Link) -> None:
    if expect.number < anchor.number:
        raise NotFound(
            f"Retention deleted record {expect.number}; the chain begins after {anchor.number}.",
            fix="Compare with a newer record that was noted.",
        )
    stored = anchor.digest if expect.number == anchor.number else records.digest_at(connection, expect.number)
    if stored != expect.digest:
        what = "is not there" if stored is None else "has another digest"
        raise AuditBroken(
            f"Record {expect.number} {what}: the records are not those that were there when it was noted.",
            fix="Compare the database with a backup from that time.",
        )


def _start(connection: Connection) -> tuple[Link, int]:
    return records.anchor(connection), records.head(connection)[1]


def _so_far(going: _Pass | None) -> AuditVerdict:
    walk, up_to = (Walk(), 0) if going is None else (going.walk, going.up_to)
    return AuditVerdict(
        intact=True,
        checked=walk.checked,
        message=f"Intact as far as number {walk.reached.number} of {up_to}; the check goes on: ask again in a few seconds.",
        begins_at=_begins_at(walk),
        head=walk.reached,
        complete=False,
    )


def _verdict(walk: Walk) -> AuditVerdict:
    found = walk.found
    start = f", from number {walk.anchor.number + 1} on, where retention cut" if walk.anchor.number else ""
    return AuditVerdict(
        intact=found is None,
        checked=walk.checked,
        broken_at=None if found is None else found.at,
        message=f"All {walk.checked} records fit together{start}." if found is None else found.message,
        begins_at=_begins_at(walk),
        head=walk.reached,
    )


def _begins_at(walk: Walk) -> int | None:
    return walk.anchor.number + 1 if walk.anchor.number else None


class ExportedRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A record as a line of an export."""

    number: int
    at: str
    """RFC 3339"""
    actor: str
    actor_id: str | None
    via: str
    credential_id: str | None
    action: str
    target: str
    outcome: str
    address: str | None
    detail: str
    before: msgspec.Raw | None
    """JSON objects, as they are."""
    after: msgspec.Raw | None
    project_id: str | None
    integration_id: str | None
    environment_id: str | None
    digest: str


async def export(store: Store, reach: Reach, scope: AuditScope) -> AsyncIterator[bytes]:
    """Read records oldest first, as lines of JSON, in parts; those that are written meanwhile are left out.

    Raises: Unavailable
    """
    low, up_to = await store.read(audit_rows.bounds)
    after = low - 1
    while after < up_to:
        lines, after = await store.read(partial(_lines, reach=reach, scope=scope, after=after, up_to=up_to))
        if lines:
            yield lines


def _lines(connection: Connection, reach: Reach, scope: AuditScope, after: int, up_to: int) -> tuple[bytes, int]:
    found, end = audit_rows.list_after(connection, reach, scope, after, up_to, AT_ONCE)
    return b"".join(msgspec.json.encode(_exported(record)) + b"\n" for record in found), end


def _exported(record: StoredRecord) -> ExportedRecord:
    return ExportedRecord(
        number=record.number,
        at=to_rfc3339(record.at),
        actor=record.actor,
        actor_id=record.actor_id,
        via=record.via,
        credential_id=record.credential_id,
        action=record.action,
        target=record.target,
        outcome=record.outcome.value,
        address=record.address,
        detail=record.detail,
        before=_raw(record.before),
        after=_raw(record.after),
        project_id=record.project_id,
        integration_id=record.integration_id,
        environment_id=record.environment_id,
        digest=record.digest,
    )


def _raw(stored: str | None) -> msgspec.Raw | None:
    return None if stored is None else msgspec.Raw(stored.encode())


def audit_scope(wanted: Mapping[str, Any]) -> AuditScope:  # Any: values as they came from outside
    """Check a filter: actor, action, outcome, search, project, integration, environment, from, to.

    Raises: InvalidInput
    """
    texts: dict[str, str | None] = {}
    for name in ("actor", "action", "search", "project", "integration", "environment"):
        text = wanted.get(name)
        if text is not None and len(text) > _TEXT_MAX:
            raise InvalidInput(
                f"A filter has at most {_TEXT_MAX} characters.", field=name, fix="Filter by the exact name."
            )
        texts[name] = text or None
    if texts["integration"] is not None and texts["project"] is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project beside the integration.",
        )
    return AuditScope(
        **texts,
        outcome=_outcome(wanted.get("outcome")),
        since=read_instant(wanted.get("from"), "from"),
        until=read_instant(wanted.get("to"), "to"),
    )


def _outcome(value: object) -> Outcome | None:
    if value is None or isinstance(value, Outcome):
        return value
    try:
        return Outcome(str(value).lower())
    except ValueError:
        raise InvalidInput(
            f"'{str(value)[:40]}' is not an outcome.", field="outcome", fix="Write `done` or `refused`."
        ) from None
