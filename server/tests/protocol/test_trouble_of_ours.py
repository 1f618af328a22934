"""Our own trouble is 503, never blamed on the runtime, and leaves nothing half-written."""

import asyncio
import threading

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import PilothouseError
from pilothouse.protocol.statuses import status_of
from sqlalchemy import text

pytestmark = pytest.mark.anyio

TABLES = ("projects", "integrations", "runtimes", "runtime_reports", "runtime_presence", "artifact_sets", "events")


async def rows(plane: ControlPlane) -> dict[str, int]:
    def count(connection) -> dict[str, int]:
        return {name: connection.execute(text(f"select count(*) from {name}")).scalar_one() for name in TABLES}

    return await plane.store.read(count)


async def limit_pages(plane: ControlPlane, more: int) -> None:
    def limit(tx) -> None:
        used = tx.connection.exec_driver_sql("pragma page_count").scalar_one()
        tx.connection.exec_driver_sql(f"pragma max_page_count = {used + more}")

    await plane.store.write(limit)


def set_read_only(plane: ControlPlane, value: str) -> None:
    """Have SQLite refuse writes, as it does on a file system that is mounted read-only."""
    connection = plane.store.writer_engine.raw_connection()
    connection.cursor().execute(f"pragma query_only = {value}")
    connection.close()


@pytest.mark.embedded
async def test_a_full_disk_is_503_and_the_same_heartbeat_succeeds_when_there_is_room(runtime, plane, admin) -> None:
    runtime.artifacts["services"][0]["resources"] = [
        {"methods": ["get"], "url": f"/{number:05}-{number * 7919 % 10007}"} for number in range(5_000)
    ]
    before = await rows(plane)
    await limit_pages(plane, 1)
    status, answer = await runtime.full()
    assert (status, answer["code"]) == (503, "UNAVAILABLE")
    assert await rows(plane) == before
    assert (await admin.ask("{ secrets { nodes { bound } } }"))["secrets"]["nodes"] == [{"bound": False}]
    ready = await admin.client.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["database.write"]["ready"]) == (503, False)
    await limit_pages(plane, 100_000)
    assert (await runtime.full())[1]["acknowledged"] is True
    assert (await admin.client.get("/readyz")).status_code == 200


@pytest.mark.embedded
async def test_a_read_only_database_is_503_for_runtimes_and_people_and_reading_goes_on(
    runtime, plane: ControlPlane, admin
) -> None:
    await runtime.full()
    set_read_only(plane, "on")
    runtime.hash = "hash-2"
    assert (await runtime.full())[0] == 503
    assert (await runtime.delta())[0] == 200  # answered from memory
    made = await admin.try_asking('mutation { createProject(input: {displayName: "P"}) { handle } }')
    assert made["errors"][0]["extensions"]["code"] == "STORAGE_FULL"
    assert (await admin.ask("{ runtimes { totalCount } }"))["runtimes"]["totalCount"] == 1


@pytest.mark.embedded
async def test_what_could_not_be_flushed_is_flushed_later(runtime, plane: ControlPlane, clock: FakeClock) -> None:
    await runtime.full()
    await plane.flush()
    clock.advance(5)
    await runtime.delta()
    set_read_only(plane, "on")
    with pytest.raises(PilothouseError):
        await plane.flush()
    assert plane.figures.flush_failures == 1
    engine_connection = text("select seen_at from runtime_presence")
    stale = await plane.store.read(lambda c: c.execute(engine_connection).scalar_one())
    set_read_only(plane, "off")
    await plane.flush()
    fresh = await plane.store.read(lambda c: c.execute(engine_connection).scalar_one())
    assert fresh == stale + 5_000


@pytest.mark.embedded
async def test_a_verdict_that_cannot_be_stored_is_still_told(
    runtime, plane: ControlPlane, clock: FakeClock, admin
) -> None:
    await runtime.full()
    feed = plane.bus.subscribe()
    set_read_only(plane, "on")
    clock.advance(200)
    plane._watched_at = clock.now()
    await plane.watch()
    happened, missed = await feed.take(0)
    assert (list(happened), missed) == ([], True)  # "read your page again"
    status = (await admin.ask("{ runtimes { nodes { status } } }"))["runtimes"]["nodes"]
    assert status == [{"status": "OFFLINE"}]
    await plane.watch()
    with pytest.raises(TimeoutError):  # nothing is new: nobody reads again for each attempt
        async with asyncio.timeout(0.1):
            await feed.take(0)


@pytest.mark.embedded
async def test_a_verdict_that_could_not_be_stored_is_announced_once_when_it_can(
    runtime, plane: ControlPlane, clock: FakeClock
) -> None:
    await runtime.full()
    told: list[str] = []
    plane.bus.follow(lambda event: told.append(event.kind.value))
    set_read_only(plane, "on")
    clock.advance(200)
    plane._watched_at = clock.now()
    await plane.watch()
    set_read_only(plane, "off")
    for _ in range(3):
        await plane.watch()
    assert told == ["runtime.offline"]
    set_read_only(plane, "on")
    clock.advance(1)
    await runtime.delta()
    await plane.announcing.close()  # that it is back, could not be stored
    set_read_only(plane, "off")
    for _ in range(3):
        await plane.watch()
    assert told == ["runtime.offline", "runtime.running"]
    stored = text("select kind from events where kind in ('runtime.offline', 'runtime.running') order by sequence")
    assert (await plane.store.read(lambda c: list(c.execute(stored).scalars())))[-2:] == told


@pytest.mark.embedded
async def test_a_stop_lets_a_verdict_be_stored_that_is_on_its_way(
    runtime, plane: ControlPlane, clock: FakeClock
) -> None:
    await runtime.full()
    told: list[str] = []
    plane.bus.follow(lambda event: told.append(event.kind.value))
    clock.advance(200)
    plane._watched_at = clock.now()
    let_go = threading.Event()
    busy = asyncio.ensure_future(plane.store.write(lambda _: let_go.wait(30)))
    look = asyncio.ensure_future(plane.watch())
    async with asyncio.timeout(10):
        while not plane.announcing._under_way:
            await asyncio.sleep(0)
    look.cancel()
    closing = asyncio.ensure_future(plane.announcing.close())
    await asyncio.sleep(0)
    let_go.set()
    await closing
    await busy
    assert told == ["runtime.offline"]


async def test_a_stall_of_ours_marks_nobody_offline(runtime, plane: ControlPlane, clock: FakeClock, admin) -> None:
    await runtime.full()
    clock.advance(10)
    await runtime.delta()
    await plane.watch()
    clock.advance(600)  # the process was suspended: nobody could have been heard
    await plane.watch()
    (node,) = (await admin.ask("{ runtimes { nodes { status statusReason } } }"))["runtimes"]["nodes"]
    assert node["status"] == "UNKNOWN"
    assert "began to listen" in node["statusReason"]
    clock.advance(3)
    await runtime.delta()
    assert (await admin.ask("{ runtimes { nodes { status } } }"))["runtimes"]["nodes"] == [{"status": "RUNNING"}]


async def test_a_heartbeat_is_stored_when_it_is_acknowledged_however_many_come_at_once(runtime, plane, admin) -> None:
    others = [type(runtime)(plane, runtime.secret, runtime_id=f"r{number}", name=None) for number in range(200)]
    answers = await asyncio.gather(*(other.full() for other in others))
    assert {answer[0] for answer in answers} == {200}
    assert (await rows(plane))["runtimes"] == 200
    assert (await rows(plane))["artifact_sets"] == 1  # replicas share what they report alike


async def test_an_idle_beat_costs_no_sql_at_all(runtime, plane: ControlPlane) -> None:
    from sqlalchemy import event

    await runtime.full()
    await runtime.delta()
    statements: list[str] = []
    for engine in (plane.store.reader_engine, plane.store.writer_engine):
        event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for _ in range(100):
        await runtime.delta()
    assert statements == []


async def test_saying_in_full_what_is_known_costs_no_sql_and_anything_new_is_stored(
    runtime, plane: ControlPlane, admin, clock: FakeClock
) -> None:
    from sqlalchemy import event

    await runtime.full()
    await runtime.full()  # the first one bound the secret; by now it is loaded
    statements: list[str] = []
    for engine in (plane.store.reader_engine, plane.store.writer_engine):
        event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for _ in range(20):
        clock.advance(10)
        assert (await runtime.full())[1]["acknowledged"] is True
    assert statements == []

    changes = (
        {"version": "2.0"},
        {"version": "2.0", "logLevels": {"a": "DEBUG"}},
        {"version": "2.0", "logLevels": {"a": "DEBUG"}, "openApiDefinitions": {"o.json": {"openapi": "3.0.1"}}},
        {"version": "2.0", "logLevels": {"a": "DEBUG"}, "timestamp": [int(clock.now()) - 45, 0]},
    )
    for extra in changes:  # though the sender's own hash stays the same
        runtime.extra = extra
        statements.clear()
        assert (await runtime.full())[0] == 200
        assert any(statement.startswith("UPDATE") for statement in statements), extra
    (node,) = (await admin.ask("{ runtimes { nodes { version warnings { code } } } }"))["runtimes"]["nodes"]
    assert node == {"version": "2.0", "warnings": [{"code": "CLOCK_SKEW"}]}


async def test_a_runtime_that_was_offline_comes_back_by_a_full_heartbeat_that_says_nothing_new(
    runtime, plane: ControlPlane, clock: FakeClock
) -> None:
    await runtime.full()
    await runtime.full()
    for announced in (True, False):
        clock.advance(200)
        if announced:
            plane._watched_at = clock.now()
            await plane.watch()
        feed = plane.bus.subscribe()
        await runtime.full()
        happened, _ = await feed.take(0.05)
        assert [event.kind.value for event in happened] == ["runtime.running"]
        plane.bus.unsubscribe(feed)


async def test_a_page_of_runtimes_costs_the_same_few_statements_however_long_it_is(runtime, plane, admin) -> None:
    from sqlalchemy import event

    query = "{ runtimes(first: 200) { totalCount nodes { name status services { nodes { basePath } } environment { handle } } } }"
    counts: list[int] = []
    statements: list[str] = []
    event.listen(plane.store.reader_engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for batch in range(2):
        for number in range(20):
            runtime.runtime_id = f"r{batch}-{number}"
            runtime.artifacts = {"services": [{"name": f"s{batch}{number}", "package": "p", "basePath": "/"}]}
            await runtime.full()
        statements.clear()
        assert len((await admin.ask(query))["runtimes"]["nodes"]) == 20 * (batch + 1)
        counts.append(sum(statement != "BEGIN" for statement in statements))
    assert counts[0] == counts[1] <= 8


def test_every_error_has_a_status_on_this_edge() -> None:
    def family(kind: type[PilothouseError]) -> set[type[PilothouseError]]:
        return {kind}.union(*(family(child) for child in kind.__subclasses__()))

    from pilothouse.domain.refusals import RuntimeRefused
    from pilothouse.protocol.wire import WireError

    for kind in (family(RuntimeRefused) - {RuntimeRefused}) | family(WireError):
        # A channel before the first full heartbeat is 404; a secret in its grace, or that we cannot read, 503: Micro Integrator survives.
        others = {"RuntimeNotRegistered": (404,), "KeyRevoking": (503,), "KeyUnreadable": (503,)}
        expected = others.get(kind.__name__, (200, 400, 401, 409))
        assert status_of(kind.__new__(kind)) in expected, kind
