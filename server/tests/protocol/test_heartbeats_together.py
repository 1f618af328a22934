"""Full heartbeats that wait together are one to the database, and to everybody as if each had come alone."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.people import LOCAL
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings
from pilothouse.operations.secrets import generate
from pilothouse.storage.unit import Store, Transaction
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000.0
RUNTIMES = text(
    "SELECT r.runtime_id, r.name, r.runtime_type, r.runtime_hash, r.version, r.retired_at, r.artifact_digest, i.handle AS place,"
    " d.document, p.status, p.interval_s, p.address, r.tunnel_probed_at FROM runtimes r JOIN integrations i ON i.id = r.integration_id"
    " JOIN runtime_reports d ON d.runtime_key = r.key JOIN runtime_presence p ON p.runtime_key = r.key ORDER BY i.handle, r.runtime_id"
)
EVENTS = text(
    "SELECT e.kind, r.runtime_id, i.handle FROM events e JOIN runtimes r ON r.key = e.runtime_key"
    " JOIN integrations i ON i.id = r.integration_id ORDER BY i.handle, r.runtime_id, e.sequence"
)
COMMANDS = text(
    "SELECT r.runtime_id, c.action, c.state, c.route, c.attempts FROM commands c JOIN runtimes r ON r.key = c.runtime_key"
    " ORDER BY r.runtime_id, c.number"
)
SETS = text("SELECT digest, likeness, service_count, failed_count FROM artifact_sets ORDER BY digest")


async def send_together(store: Store, sends: list[Awaitable[Any]]) -> list[Any]:
    """Have requests wait for the writer until all of them do."""
    go_on, waits = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        waits.set()
        assert go_on.wait(30)

    held = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(waits.wait)
    asked = [asyncio.ensure_future(each) for each in sends]
    while store.waiting < len(asked) and not all(each.done() for each in asked):
        await asyncio.sleep(0.005)
        if sum(each.done() for each in asked) + store.waiting >= len(asked):
            break
    go_on.set()
    await held
    return await asyncio.gather(*asked)


async def send_one_by_one(_: Store, sends: list[Awaitable[Any]]) -> list[Any]:
    return [await each for each in sends]


Way = Callable[[Store, list[Awaitable[Any]]], Awaitable[list[Any]]]


@asynccontextmanager
async def opened(home: Path, clock: FakeClock) -> AsyncIterator[ControlPlane]:
    plane = await open_control_plane(Settings(home=home), clock)
    try:
        yield plane
    finally:
        await plane.stop()


async def secret_of(plane: ControlPlane, integration: str | None) -> str:
    made = await plane.store.write(
        partial(
            generate,
            subject=LOCAL,
            organization=await plane.organization(),
            vault=plane.vault,
            environment_handle="dev",
            project_handle=None,
            integration_handle=None,
            now=plane.clock.now(),
        )
    )
    return made.secret


def rounds_of(dice: random.Random) -> list[list[dict[str, Any]]]:
    """Make up what a small fleet says: newcomers, namesakes, changes, what is refused, and what is said twice."""
    rounds: list[list[dict[str, Any]]] = []
    for _ in range(4):
        said: dict[tuple[str, str], dict[str, Any]] = {}
        for _ in range(dice.randint(1, 12)):
            place, runtime_id = dice.choice(("orders", "bills", "mediator")), f"runtime-{dice.randint(1, 6)}"
            is_wrong = dice.random() < 0.1
            said[place, runtime_id] = {
                "place": place,
                "runtime_id": runtime_id,
                "name": dice.choice((f"{runtime_id}-name", f"{runtime_id}-name", None)),
                "type": ("BI" if place == "mediator" else "MI")
                if is_wrong
                else ("MI" if place == "mediator" else "BI"),
                "hash": f"hash-{dice.randint(1, 3)}",
                "extra": {"heartbeatInterval": dice.choice((10, 20))} if dice.random() < 0.3 else {},
                "artifacts": {"services": [], "listeners": [], "main": {"packageName": f"v{dice.randint(1, 3)}"}},
            }
        rounds.append(list(said.values()))
    return rounds


async def story(home: Path, kind: Any, rounds: list[list[dict[str, Any]]], way: Way) -> dict[str, Any]:
    """Tell what a fresh control plane stored and answered when rounds were said to it in a way."""
    clock = FakeClock(NOW)
    async with opened(home, clock) as plane:
        secrets = {place: await secret_of(plane, None) for place in ("orders", "bills", "mediator")}
        for place, secret in secrets.items():
            first = kind(plane, secret, runtime_id="first", name="first", integration=place)
            first.type = "MI" if place == "mediator" else "BI"
            assert (await first.full())[0] == 200
        answers: list[Any] = []
        for said in rounds:
            clock.advance(20)
            runtimes = [
                kind(
                    plane,
                    secrets[one["place"]],
                    integration=one["place"],
                    **{name: value for name, value in one.items() if name != "place"},
                )
                for one in said
            ]
            told = await way(plane.store, [runtime.full() for runtime in runtimes])
            answers.append([(status, answer.get("acknowledged"), answer.get("code")) for status, answer in told])
        return {
            "answers": answers,
            **{
                name: [tuple(row) for row in await plane.store.read(lambda c, query=query: c.execute(query).all())]
                for name, query in (("runtimes", RUNTIMES), ("events", EVENTS), ("commands", COMMANDS), ("sets", SETS))
            },
        }


@pytest.mark.parametrize("seed", range(12))
async def test_what_comes_together_ends_as_if_it_had_come_one_by_one(seed: int, runtime, tmp_path: Path) -> None:
    rounds = rounds_of(random.Random(seed))  # noqa: S311 - repeatable, nothing secret
    alone = await story(tmp_path / "alone", type(runtime), rounds, send_one_by_one)
    together = await story(tmp_path / "together", type(runtime), rounds, send_together)
    assert together == alone
    assert len(alone["runtimes"]) > 3


async def test_many_take_as_many_statements_as_few(runtime, plane: ControlPlane) -> None:
    await runtime.full()
    counted: list[str] = []
    event.listen(plane.store.writer_engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    spent: list[int] = []
    for count in (25, 100):
        counted.clear()
        fleet = [
            type(runtime)(plane, runtime.secret, runtime_id=f"{count}-{number}", name=f"{count}-{number}")
            for number in range(count)
        ]
        answers = await send_together(plane.store, [each.full() for each in fleet])
        assert all(answer["acknowledged"] for _, answer in answers)
        spent.append(len(counted))
    assert spent[1] <= spent[0] + 2, "one more where a question is asked in parts"


async def test_who_is_refused_takes_nobody_along(runtime, plane: ControlPlane, admin) -> None:
    await runtime.full()
    fleet = [type(runtime)(plane, runtime.secret, runtime_id=f"r{number}", name=f"n{number}") for number in range(5)]
    fleet[2].type = "MI"
    answers = await send_together(plane.store, [each.full() for each in fleet])
    assert [status for status, _ in answers] == [200, 200, 409, 200, 200]
    listed = await admin.ask("{ runtimes { nodes { runtimeId } } }")
    assert {row["runtimeId"] for row in listed["runtimes"]["nodes"]} == {runtime.runtime_id, "r0", "r1", "r3", "r4"}


async def test_one_that_cannot_be_stored_takes_nobody_along(
    runtime, plane: ControlPlane, admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pilothouse.operations import heartbeats

    await runtime.full()
    inner = heartbeats.likeness

    def fail_for_one(runtime_type: Any, artifacts: Any) -> str:
        if artifacts.services and artifacts.services[0].name == "broken":
            raise ZeroDivisionError
        return inner(runtime_type, artifacts)

    monkeypatch.setattr(heartbeats, "likeness", fail_for_one)
    fleet = [type(runtime)(plane, runtime.secret, runtime_id=f"r{number}", name=f"n{number}") for number in range(5)]
    fleet[3].artifacts["services"][0]["name"] = "broken"

    async def full(number: int) -> Any:
        try:
            return (await fleet[number].full())[0]
        except ZeroDivisionError:
            return "broken"

    assert await send_together(plane.store, [full(number) for number in range(5)]) == [200, 200, 200, "broken", 200]
    listed = await admin.ask("{ runtimes { nodes { runtimeId } } }")
    assert {row["runtimeId"] for row in listed["runtimes"]["nodes"]} == {runtime.runtime_id, "r0", "r1", "r2", "r4"}


async def test_newcomers_of_one_name_that_come_together_stay_both(runtime, plane: ControlPlane, admin) -> None:
    await runtime.full()
    fleet = [type(runtime)(plane, runtime.secret, runtime_id=f"r{number}", name="node") for number in range(3)]
    await send_together(plane.store, [each.full() for each in fleet])
    listed = await admin.ask("{ runtimes { nodes { runtimeId name } } }")
    names = [row["name"] for row in listed["runtimes"]["nodes"]]
    assert names.count("node") == 3


async def test_a_process_that_lost_its_identity_takes_over_its_name_among_others(
    runtime, plane: ControlPlane, admin, clock: FakeClock
) -> None:
    await runtime.full()
    clock.advance(300)
    again = type(runtime)(plane, runtime.secret, runtime_id="again", name=runtime.name)
    others = [type(runtime)(plane, runtime.secret, runtime_id=f"r{number}", name=f"n{number}") for number in range(3)]
    await send_together(plane.store, [each.full() for each in (*others[:1], again, *others[1:])])
    listed = await admin.ask("{ runtimes { nodes { runtimeId name } } }")
    assert sorted(row["runtimeId"] for row in listed["runtimes"]["nodes"]) == ["again", "r0", "r1", "r2"]


async def test_of_a_runtime_that_reports_twice_at_once_the_later_report_stands(runtime, plane: ControlPlane) -> None:
    await runtime.full()
    second = type(runtime)(plane, runtime.secret, hash="hash-3")
    other = type(runtime)(plane, runtime.secret, runtime_id="other", name="other")
    runtime.hash = "hash-2"
    answers = await send_together(plane.store, [runtime.full(), other.full(), second.full()])
    assert all(answer["acknowledged"] for _, answer in answers)
    stored = await plane.store.read(
        lambda c: dict(c.execute(text("SELECT runtime_id, runtime_hash FROM runtimes")).all())
    )
    assert stored == {runtime.runtime_id: "hash-3", "other": "hash-1"}


async def test_each_micro_integrator_is_asked_once_and_told_nothing_of_the_others(plane: ControlPlane, runtime) -> None:
    fleet = [
        type(runtime)(plane, runtime.secret, runtime_id=f"mi{number}", name=f"mi{number}", type="MI")
        for number in range(4)
    ]
    assert (await fleet[0].full())[1]["acknowledged"]
    answers = await send_together(plane.store, [each.full() for each in fleet[1:]])
    asked = await plane.store.read(
        lambda c: c.execute(
            text("SELECT r.runtime_id, c.id FROM commands c JOIN runtimes r ON r.key = c.runtime_key")
        ).all()
    )
    assert sorted(row[0] for row in asked) == ["mi0", "mi1", "mi2", "mi3"]
    ids = {row[0]: row[1] for row in asked}
    for number, (_, answer) in enumerate(answers, start=1):
        assert [each["commandId"] for each in answer["commands"]] == [ids[f"mi{number}"]]
