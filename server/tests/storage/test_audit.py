"""The audit as it is stored: chained in groups, cut by retention, and every single change of the table found."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import msgspec
import pytest
from database_servers import SERVED, running
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.base.errors import Conflict
from pilothouse.base.place import Database
from pilothouse.domain.audit import AuditRecord, Outcome
from pilothouse.operations.auditing import AuditBroken, AuditChecker, AuditVerdict, verify
from pilothouse.operations.housekeeping import Retention, forget_audit
from pilothouse.storage import audit, migrate
from pilothouse.storage.engine import open_writer
from pilothouse.storage.tables import audit_records
from pilothouse.storage.unit import Connection, Store, Transaction
from sqlalchemy import Engine, func, insert, select, text, update

NOW = 1_790_000_000.0
COLUMNS = tuple(audit_records.c.keys())
_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_maybe = st.none() | _words
_records = st.lists(
    st.builds(
        AuditRecord,
        at=st.integers(0, 4_000).map(lambda ms: NOW + ms / 1000),
        organization_id=_words,
        actor=_words,
        actor_id=_maybe,
        via=st.sampled_from(["session", "token", "local", "heartbeat"]),
        credential_id=_maybe,
        action=st.sampled_from(["project.create", "secret.revoke", "audit.export"]),
        target=_words,
        outcome=st.sampled_from(Outcome),
        address=_maybe,
        detail=_words,
        before=_maybe,
        after=_maybe,
        project_id=_maybe,
        integration_id=_maybe,
        environment_id=_maybe,
    ),
    min_size=2,
    max_size=12,
)


def record(target: str = "t", at: float = NOW) -> AuditRecord:
    return AuditRecord(at=at, organization_id="o", actor="user:ann", via="session", action="a.b", target=target)


@cache
def engine_of_tests() -> Engine:
    """One migrated database for all examples; each works in a transaction that is rolled back."""
    engine = open_writer(Path(tempfile.mkdtemp()) / "audit.db")
    migrate.upgrade(engine)
    return engine


@cache
def engine_on(kind: str) -> Engine:
    """The same on a server."""
    server = running(kind)
    return open_writer(server.fresh(name="audit"))


@contextmanager
def connected(engine: Engine | None = None) -> Iterator[Connection]:
    with (engine or engine_of_tests()).connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def fill(connection: Connection, history: list[AuditRecord]) -> AuditVerdict:
    for one in history:
        audit.append(connection, one)
    return verify(connection)


@given(history=_records, data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_single_change_of_the_table_is_found(history: list[AuditRecord], data: st.DataObject) -> None:
    change_and_look(engine_of_tests(), history, data)


@pytest.mark.parametrize("kind", SERVED)
@given(history=_records, data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_single_change_is_found_on_a_server_too(kind: str, history: list[AuditRecord], data: st.DataObject) -> None:
    change_and_look(engine_on(kind), history, data)


def change_and_look(engine: Engine, history: list[AuditRecord], data: st.DataObject) -> None:
    with connected(engine) as connection:
        count = len(history)
        assert (fill(connection, history).intact, verify(connection).checked) == (True, count)
        change = data.draw(st.sampled_from(["update", "delete", "delete newest", "swap", "insert", "copy"]))
        number = data.draw(st.integers(1, count))
        if change == "update":
            mutate(connection, number, data.draw(st.sampled_from(COLUMNS)), data)
        elif change == "delete":
            connection.execute(audit_records.delete().where(audit_records.c.number == min(number, count - 1)))
        elif change == "delete newest":
            connection.execute(audit_records.delete().where(audit_records.c.number == count))
        elif change == "swap":
            swap(connection, number, number % count + 1)
        else:
            add(connection, number, count + 1 if change == "copy" else count + 5)
        assert not verify(connection).intact


def mutate(connection: Connection, number: int, column: str, data: st.DataObject) -> None:
    row = connection.execute(select(audit_records).where(audit_records.c.number == number)).mappings().one()
    old = row[column]
    if column == "number":
        new = data.draw(st.integers(1_000, 2_000))
    elif column == "at":
        new = old + data.draw(st.sampled_from([0.001, -0.001, 5.0]))
    else:
        new = data.draw(_words.filter(lambda word: word != old))
    connection.execute(update(audit_records).where(audit_records.c.number == number).values({column: new}))


def swap(connection: Connection, one: int, other: int) -> None:
    for old, new in ((one, 99_999), (other, one), (99_999, other)):
        connection.execute(update(audit_records).where(audit_records.c.number == old).values(number=new))


def add(connection: Connection, like: int, number: int) -> None:
    row = connection.execute(select(audit_records).where(audit_records.c.number == like)).mappings().one()
    connection.execute(insert(audit_records).values({**row, "number": number}))


@given(history=_records, data=st.data())
@settings(max_examples=60, deadline=None)
def test_after_retention_every_change_is_still_found(history: list[AuditRecord], data: st.DataObject) -> None:
    with connected() as connection:
        ordered = sorted(history, key=lambda one: one.at)
        fill(connection, ordered)
        cut_at = data.draw(st.sampled_from([one.at for one in ordered])) + 0.001
        gone = forget_audit(Transaction(connection), Retention(audit_s=10.0), cut_at + 10.0)
        verdict = verify(connection)
        assert gone == sum(one.at < cut_at for one in ordered)
        assert (verdict.intact, verdict.begins_at, verdict.checked) == (True, gone + 1, len(ordered) - gone + 1)
        for change in (
            "DELETE FROM audit_anchors",
            "UPDATE audit_anchors SET digest = 'x'",
            "UPDATE audit_anchors SET number = number + 1",
            f"DELETE FROM audit_records WHERE number = {gone + 1}",
        ):
            with connection.begin_nested() as point:
                connection.execute(text(change))
                assert not verify(connection).intact, change
                point.rollback()
        assert verify(connection).intact


def test_a_forged_beginning_is_not_believed() -> None:
    with connected() as connection:
        fill(connection, [record(str(number)) for number in range(6)])
        digest = audit.digest_at(connection, 3)
        connection.execute(text("DELETE FROM audit_records WHERE number <= 3"))
        connection.execute(text("INSERT INTO audit_anchors VALUES (3, :digest, 0)"), {"digest": digest})
        verdict = verify(connection)
    assert (verdict.intact, verdict.broken_at) == (False, 3)


def test_a_record_after_removed_ones_does_not_hide_that_they_are_missing() -> None:
    with connected() as connection:
        fill(connection, [record(str(number)) for number in range(5)])
        connection.execute(text("DELETE FROM audit_records WHERE number > 3"))
        assert verify(connection).message == "The newest records are missing: 2 after 3."
        audit.append(connection, record("later"))
        verdict = verify(connection)
    assert (verdict.intact, verdict.broken_at) == (False, 3)


def test_a_record_that_was_noted_elsewhere_must_still_be_there() -> None:
    with connected() as connection:
        noted = fill(connection, [record(str(number)) for number in range(3)]).head
        audit.append(connection, record("later"))
        assert verify(connection, noted).intact
        connection.execute(text("DELETE FROM audit_records"))
        connection.execute(text("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'audit_records'"))
        fill(connection, [record(f"other {number}") for number in range(4)])
        assert verify(connection).intact, "a chain that was written anew from the beginning fits together"
        with pytest.raises(AuditBroken, match="Record 3 has another digest"):
            verify(connection, noted)


def test_retention_deletes_a_round_at_most_and_only_what_is_oldest_in_the_chain() -> None:
    with connected() as connection:
        fill(connection, [record("a", NOW), record("set back", NOW + 50), record("b", NOW), record("c", NOW + 60)])
        assert forget_audit(Transaction(connection), Retention(audit_s=10), NOW + 30) == 1
        assert forget_audit(Transaction(connection), Retention(audit_s=None), NOW + 10_000) == 0
        assert verify(connection).intact
        assert forget_audit(Transaction(connection), Retention(audit_s=10), NOW + 10_000) == 4
        newest = connection.execute(select(audit_records.c.action, audit_records.c.actor, audit_records.c.via)).one()
        assert (verify(connection).intact, tuple(newest)) == (True, ("audit.forget", "housekeeping", "local"))


@pytest.mark.anyio
async def test_many_audits_in_one_commit_leave_no_gap_where_one_is_refused(database: Database) -> None:
    store = Store(database, lambda _events: None)

    def write(tx: Transaction, number: int) -> None:
        audit.append(tx.connection, record(str(number)))
        if number % 7 == 3:
            audit.append(tx.connection, record(f"{number} again"))
            raise Conflict("no")
        if number % 11 == 5:
            raise ValueError("a defect")

    try:
        jobs = [store.write(partial(write, number=number)) for number in range(400)]
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        done = sum(outcome is None for outcome in outcomes)
        count = await store.read(lambda c: c.execute(select(func.count(), func.max(audit_records.c.number))).one())
        verdict = await AuditChecker(store).check()
    finally:
        store.close()
    assert 0 < done < 400
    assert tuple(count) == (done, done)
    assert (verdict.intact, verdict.checked) == (True, done)


@pytest.mark.anyio
async def test_a_check_that_takes_long_tells_how_far_it_is_and_goes_on(
    database: Database, writer: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writer.connect() as connection, connection.begin():
        fill(connection, [record(str(number)) for number in range(40)])
    monkeypatch.setattr("pilothouse.operations.auditing.AT_ONCE", 4)
    store = Store(database, lambda _events: None)
    checker = AuditChecker(store)
    try:
        first = await checker.check(wait_s=0.0)
        assert (first.intact, first.complete) == (True, False)
        assert "goes on" in first.message
        last = await checker.check()
        assert (last.complete, last.checked, last.head.number) == (True, 40, 40)
        again = await checker.check()
        assert msgspec.structs.replace(again, head=last.head) == last
        await store.write(
            lambda tx: tx.connection.execute(text("UPDATE audit_records SET target = 'x' WHERE number = 9"))
        )
        async with asyncio.timeout(60):
            while (found := await checker.check()).intact:  # within its rest it tells what it found before
                await asyncio.sleep(0.01)
        assert found.broken_at == 9
    finally:
        store.close()
