"""Keys that are asked for together are read together, and nobody is told anything older than if they had asked alone."""

import asyncio
import os
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.people import LOCAL
from pilothouse.domain.events import Event, EventKind
from pilothouse.domain.refusals import KeyRevoked, KeyUnknown
from pilothouse.operations.secrets import generate
from pilothouse.protocol.keyring import READ_AT_ONCE, Key, Keyring
from pilothouse.storage import secrets
from pilothouse.storage.sealing import KEY_BYTES, CannotUnseal, Vault
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio


class Reads:
    """What is asked of the database; the first question may be held after it was answered."""

    def __init__(self, plane: ControlPlane) -> None:
        self.statements: list[str] = []
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        event.listen(plane.store.reader_engine, "before_cursor_execute", self._count)
        event.listen(plane.store.reader_engine, "after_cursor_execute", self._hold)

    def hold_next(self) -> None:
        self.go_on.clear()
        self.held.clear()

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            self.statements.append(statement)

    def _hold(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT") and not self.go_on.is_set() and not self.held.is_set():
            self.held.set()
            assert self.go_on.wait(30)


@pytest.fixture
def reads(plane: ControlPlane) -> Iterator[Reads]:
    made = Reads(plane)
    yield made
    made.go_on.set()


@pytest.fixture
def cold(plane: ControlPlane) -> Keyring:
    """As of a process that has just started."""
    return Keyring(plane.store, plane.vault)


async def make(plane: ControlPlane, count: int) -> list[str]:
    """Make secrets, and tell their key ids."""
    making = partial(
        generate,
        subject=LOCAL,
        organization=await plane.organization(),
        vault=plane.vault,
        environment_handle="dev",
        project_handle=None,
        integration_handle=None,
        now=plane.clock.now(),
    )
    made = await asyncio.gather(*(plane.store.write(making) for _ in range(count)))
    return [each.secret.partition(".")[0] for each in made]


def revoke(key_id: str, plane: ControlPlane) -> Any:
    return plane.store.write(lambda tx: secrets.destroy(tx.connection, key_id, plane.clock.now()))


async def test_a_fleet_that_comes_to_a_cold_process_costs_a_statement_for_many(plane, cold, reads) -> None:
    key_ids = await make(plane, READ_AT_ONCE + 44)
    reads.statements.clear()
    keys = await asyncio.gather(*(cold.load(key_id) for key_id in key_ids))
    assert [key.facts.key_id for key in keys] == key_ids
    assert len(reads.statements) == 2
    assert all(cold.peek(key_id) is not None for key_id in key_ids)


async def test_however_many_share_a_key_it_is_read_once(plane, cold, reads) -> None:
    (key_id,) = await make(plane, 1)
    reads.statements.clear()
    keys = await asyncio.gather(*(cold.load(key_id) for _ in range(100)))
    assert all(key is keys[0] for key in keys)
    assert len(reads.statements) == 1


async def test_each_has_its_own_answer_and_what_is_refused_takes_nobody_along_and_is_not_remembered(
    plane, cold, reads
) -> None:
    good, revoked, unreadable = await make(plane, 3)
    await revoke(revoked, plane)
    sealed = Vault(os.urandom(KEY_BYTES)).seal("material", key_id=unreadable)
    spoil = text("UPDATE secrets SET sealed_material = :sealed WHERE key_id = :key_id")
    await plane.store.write(lambda tx: tx.connection.execute(spoil, {"sealed": sealed, "key_id": unreadable}))
    reads.statements.clear()
    for times in (1, 2):
        told = await asyncio.gather(
            *(cold.load(key_id) for key_id in (revoked, good, "unknown", unreadable)), return_exceptions=True
        )
        assert [type(each) for each in told] == [KeyRevoked, Key, KeyUnknown, CannotUnseal]
        assert len(reads.statements) == times


async def test_who_asks_after_a_revocation_is_refused_though_an_older_read_is_under_way(plane, cold, reads) -> None:
    (key_id,) = await make(plane, 1)
    reads.hold_next()
    before = asyncio.create_task(cold.load(key_id))
    await asyncio.to_thread(reads.held.wait, 30)
    await revoke(key_id, plane)
    after = asyncio.create_task(cold.load(key_id))
    await asyncio.sleep(0.05)
    reads.go_on.set()
    assert (await before).facts.key_id == key_id
    with pytest.raises(KeyRevoked):
        await after
    assert cold.peek(key_id) is None


async def test_what_changed_while_it_was_read_is_used_once_and_the_others_are_kept(plane, cold, reads) -> None:
    changed, other = await make(plane, 2)
    reads.hold_next()
    both = asyncio.gather(cold.load(changed), cold.load(other))
    await asyncio.to_thread(reads.held.wait, 30)
    cold.follow(Event(sequence=1, kind=EventKind.SECRET_REVOKED, at=plane.clock.now(), key_id=changed))
    reads.go_on.set()
    assert [key.facts.key_id for key in await both] == [changed, other]
    assert cold.peek(changed) is None
    assert cold.peek(other) is not None


async def test_who_gives_up_takes_nobody_along(plane, cold, reads) -> None:
    (key_id,) = await make(plane, 1)
    reads.hold_next()
    first, second = (asyncio.create_task(cold.load(key_id)) for _ in range(2))
    await asyncio.to_thread(reads.held.wait, 30)
    first.cancel()
    await asyncio.wait((first,))
    reads.go_on.set()
    assert first.cancelled()
    assert (await second).facts.key_id == key_id


async def test_a_read_that_is_not_answered_holds_up_nobody_else(plane, cold, reads) -> None:
    slow, other = await make(plane, 2)
    reads.hold_next()
    held = asyncio.create_task(cold.load(slow))
    await asyncio.to_thread(reads.held.wait, 30)
    assert (await cold.load(other)).facts.key_id == other
    assert not held.done()
    reads.go_on.set()
    assert (await held).facts.key_id == slow
