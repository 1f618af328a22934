"""Whoever waits for the database waits for so long and no longer, and what was given up is not done later behind their back."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pilothouse.api import application
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.errors import StorageUnavailable
from pilothouse.storage.dialects.kind import CONNECT_S
from pilothouse.storage.unit import Connection, Store, Transaction
from sqlalchemy import text

pytestmark = pytest.mark.anyio

WAIT_S = 0.5
RUNTIMES = "{ runtimes { totalCount } }"


@contextmanager
def busy_connections(store: Store) -> Iterator[None]:
    """Every connection that reads is held by a question that takes long."""
    release, held = threading.Event(), threading.Semaphore(0)

    def hold(connection: Connection) -> None:
        connection.execute(text("select 1"))
        held.release()
        assert release.wait(60)

    size = store._readers._max_workers
    asked = [asyncio.ensure_future(store.read(hold)) for _ in range(size)]
    try:
        yield
        assert all(held.acquire(timeout=20) for _ in range(size))
        assert not any(each.done() for each in asked)
    finally:
        release.set()


@contextmanager
def busy_writer(store: Store) -> Iterator[threading.Event]:
    """The writer is at a transaction that takes long; ends with the block, or when the event is set."""
    release, begun = threading.Event(), threading.Event()

    def hold(_tx: Transaction) -> None:
        begun.set()
        assert release.wait(60)

    task = asyncio.ensure_future(store.write(hold))
    try:
        yield begun
        assert begun.wait(20)
        assert not task.done()
    finally:
        release.set()


async def until(question) -> None:
    async with asyncio.timeout(20):
        while not question():
            await asyncio.sleep(0.01)


async def test_with_all_connections_busy_a_question_is_refused_in_time_as_our_own_trouble(
    plane: ControlPlane, admin
) -> None:
    assert plane.store.free_within_s == CONNECT_S
    plane.store.free_within_s = WAIT_S
    with busy_connections(plane.store):
        await asyncio.sleep(0)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable, match=r"connections to the database were busy for 0\.5 s"):
            await plane.store.read(lambda c: c.execute(text("select 1")).scalar_one())
        assert WAIT_S * 0.9 <= time.monotonic() - began < CONNECT_S  # a timer may come a tick early
        answer = await admin.client.post("/graphql", json={"query": RUNTIMES})
        assert answer.status_code == 503
        told = answer.json()
        assert told.get("code", "") == "STORAGE_UNAVAILABLE"
        assert answer.headers["retry-after"] == "5"
        ready = await admin.client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["database.read"]["ready"]) == (503, False)
    await until(lambda: plane.store.asking == 0)
    assert (await admin.ask(RUNTIMES))["runtimes"]["totalCount"] == 0
    assert (await admin.client.get("/readyz")).status_code == 200


async def test_what_the_writer_does_not_come_to_in_time_is_refused_and_never_done(plane: ControlPlane) -> None:
    assert plane.store.turn_within_s == plane.settings.database_timeout_s
    plane.store.turn_within_s = WAIT_S
    done: list[str] = []
    with busy_writer(plane.store) as begun:
        await until(begun.is_set)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable, match=r"did not come to this within 0\.5 s; nothing of it was done"):
            await plane.store.write(lambda _: done.append("late"))
        assert WAIT_S * 0.9 <= time.monotonic() - began < CONNECT_S  # a timer may come a tick early
        assert plane.store.writing_s >= WAIT_S
    await plane.store.write(lambda _: done.append("after"))
    assert done == ["after"]
    await until(lambda: plane.store.writing_s == 0.0)


async def test_an_operation_whose_asker_has_gone_before_it_began_is_not_done(plane: ControlPlane) -> None:
    done: list[str] = []
    with busy_writer(plane.store) as begun:
        await until(begun.is_set)
        gone = asyncio.ensure_future(plane.store.write(lambda _: done.append("gone")))
        await asyncio.sleep(0.05)
        gone.cancel()
    await plane.store.write(lambda _: done.append("after"))
    assert done == ["after"]


async def test_a_write_that_hangs_is_named_by_readyz(
    plane: ControlPlane, admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.app.health.WRITE_S", WAIT_S)
    with busy_writer(plane.store) as begun:
        await until(begun.is_set)
        await until(lambda: plane.store.writing_s > WAIT_S)
        answer = await admin.client.get("/readyz")
        part = answer.json()["parts"]["database.write"]
        assert (answer.status_code, part["ready"], part["figures"]["under_way_s"] > 0) == (503, False, True)
        assert "taking a write for too long" in part["detail"]
    await until(lambda: plane.store.writing_s == 0.0)
    assert (await admin.client.get("/readyz")).status_code == 200


async def test_an_answer_that_people_wait_for_too_long_becomes_503(
    plane: ControlPlane, admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert application.ANSWER_WITHIN_S == 60
    monkeypatch.setattr(application, "ANSWER_WITHIN_S", WAIT_S)
    with busy_connections(plane.store):
        await asyncio.sleep(0)
        answer = await admin.client.post("/graphql", json={"query": RUNTIMES})
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert "within 0.5 s" in answer.json()["message"]
    await until(lambda: plane.store.asking == 0)
