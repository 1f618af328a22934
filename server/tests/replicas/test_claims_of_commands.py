"""Commands of one runtime that reaches now this process and now that one: each leaves once, is called once, and ends once."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.domain.commands import READ_AGAIN_S
from pilothouse.domain.events import EventKind
from pilothouse.management.worker import BEGIN_S
from pilothouse.storage.tables import events
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).parent))

from two_planes import Two, browser, sign_in, start_knowing, two_planes

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.xdist_group("postgresql"),
    pytest.mark.xdist_group("replicas"),
    pytest.mark.timeout(180),
]

LISTENERS = 5
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting commands { id } } }"
TRIGGER = "mutation ($input: TriggerArtifactInput!) { triggerArtifact(input: $input) { id } }"
ASK = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id } }"
COMMANDS = "{ commands { nodes { id state reason attempts result } } }"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(float(int(time.time())))


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def two(tmp_path: Path, clock: FakeClock, authority: trustme.CA) -> AsyncIterator[Two]:
    trusted = tmp_path / "mi-ca.pem"
    trusted.write_bytes(authority.cert_pem.bytes())
    async with two_planes(tmp_path, clock, mi_ca_file=trusted) as opened:
        yield opened


@pytest.fixture
async def admin(two: Two, people: Any) -> AsyncIterator[Any]:
    async with browser(two.one) as client:
        assert (await sign_in(client)).status_code == 200
        yield people(client)


@pytest.fixture
def people(pytestconfig: pytest.Config) -> Any:
    return _shared(pytestconfig).Person


@pytest.fixture
def runtimes(pytestconfig: pytest.Config) -> Any:
    return _shared(pytestconfig).Runtime


def _shared(config: pytest.Config) -> Any:
    return config.pluginmanager.getplugin(str(Path(__file__).parent.parent / "conftest.py"))


def ballerina(count: int = LISTENERS) -> dict[str, Any]:
    listeners = [{"name": f"listener_{n}", "package": "ballerina/http:2", "state": "enabled"} for n in range(count)]
    return {"listeners": listeners}


async def both(two: Two, made: Any, secret: str, **more: Any) -> tuple[Any, Any]:
    """A runtime that has reported to one replica, as it reaches each of the two."""
    here, there = (made(plane, secret, **more) for plane in (two.one, two.other))
    assert (await here.full())[0] == 200
    await two.one.flush()
    await start_knowing(two.other)
    return here, there


async def id_of(admin: Any) -> str:
    return (await admin.ask("{ runtimes { nodes { id } } }"))["runtimes"]["nodes"][0]["id"]


async def commands(admin: Any) -> list[dict[str, Any]]:
    return (await admin.ask(COMMANDS))["commands"]["nodes"]


async def count_of(two: Two, kind: EventKind) -> int:
    asked = select(func.count()).select_from(events).where(events.c.kind == kind.value)
    return await two.one.store.read(lambda c: c.execute(asked).scalar_one())


async def stop_all(admin: Any) -> None:
    place = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
    for number in range(LISTENERS):
        steered = {"kind": "LISTENER", "name": f"listener_{number}", "aspect": "STATE", "value": "DISABLED"}
        await admin.ask(CHANGE, input=place | steered)


async def test_two_replicas_that_look_at_once_hand_each_command_over_once(two: Two, admin: Any, runtimes: Any) -> None:
    here, there = await both(two, runtimes, await admin.secret(), artifacts=ballerina())
    await stop_all(admin)
    await two.catch_up()
    answers = await asyncio.gather(*(one.delta() for one in (here, there, here, there)))
    told = [command["commandId"] for _, answer in answers for command in answer["commands"]]
    assert (len(told), len(set(told))) == (LISTENERS, LISTENERS)
    assert {(command["state"], command["attempts"]) for command in await commands(admin)} == {("DELIVERED", 1)}


async def test_what_was_lost_with_an_answer_of_one_replica_is_offered_by_the_other(
    two: Two, admin: Any, runtimes: Any, clock: FakeClock
) -> None:
    here, there = await both(two, runtimes, await admin.secret(), artifacts=ballerina())
    await stop_all(admin)
    await two.catch_up()
    _, lost = await here.delta()
    clock.advance(1)
    _, again = await there.delta()
    assert [c["commandId"] for c in lost["commands"]] == [c["commandId"] for c in again["commands"]]
    assert len(again["commands"]) == LISTENERS


async def test_that_a_person_waits_is_known_at_the_replica_that_nobody_asked(
    two: Two, admin: Any, runtimes: Any, clock: FakeClock
) -> None:
    here, there = await both(two, runtimes, await admin.secret(), artifacts=ballerina())
    _, idle = await there.delta()
    assert "nextHeartbeatInSeconds" not in idle
    await stop_all(admin)
    await two.catch_up()
    _, first = await here.delta()
    clock.advance(1)
    _, second = await there.delta()
    assert (first["nextHeartbeatInSeconds"], second["nextHeartbeatInSeconds"]) == (1, 1)
    clock.advance(15)
    _, later = await there.delta()
    assert later["nextHeartbeatInSeconds"] == 5
    clock.advance(15)
    _, late = await there.delta()
    assert "nextHeartbeatInSeconds" not in late


async def test_a_result_that_is_posted_to_both_replicas_ends_its_command_once(
    two: Two, admin: Any, runtimes: Any
) -> None:
    artifacts = {"schedules": [{"name": "nightly", "package": "apscheduler", "state": "enabled"}]}
    able = {"type": "PY", "runtime_id": "py-1", "extra": {"capabilities": ["TRIGGER"]}, "artifacts": artifacts}
    here, there = await both(two, runtimes, await admin.secret(), **able)
    asked = {"runtime": await id_of(admin), "kind": "SCHEDULE", "name": "nightly"}
    command_id = (await admin.ask(TRIGGER, input=asked))["triggerArtifact"]["id"]
    await two.catch_up()
    _, answer = await there.delta()
    assert [command["commandId"] for command in answer["commands"]] == [command_id]
    result = {"runtimeId": "py-1", "commandId": command_id, "status": "COMPLETED", "httpStatus": 200}
    bodies = [{"message": f"told {number}"} for number in range(4)]
    statuses = await asyncio.gather(
        *(
            one.send("/icp/commandResult", {**result, "body": body})
            for one, body in zip((here, there, here, there), bodies, strict=True)
        )
    )
    assert [status for status, _ in statuses] == [202] * 4
    assert await count_of(two, EventKind.COMMAND_ENDED) == 1
    (command,) = await commands(admin)
    assert command["state"] == "CONFIRMED"
    assert json.loads(command["result"]) == {"message": command["reason"]}, "reason and result are of the same answer"


class Integrator:
    """A Micro Integrator with a management API, and both replicas' work of calling it."""

    def __init__(self, two: Two, mi: Any) -> None:
        self.two, self.mi = two, mi
        self.work = [asyncio.create_task(plane.management.run()) for plane in (two.one, two.other)]

    async def carried_out(self) -> None:
        await asyncio.sleep(0.01)
        while any(plane.management._serving or plane.management._woken for plane in (self.two.one, self.two.other)):
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        for task in self.work:
            task.cancel()
        await asyncio.gather(*self.work, return_exceptions=True)
        self.mi.stop()


@pytest.fixture
async def integrator(
    two: Two, admin: Any, runtimes: Any, clock: FakeClock, authority: trustme.CA
) -> AsyncIterator[Integrator]:
    from fake_mi import FakeMi  # found by two_planes

    mi = FakeMi(await admin.secret(), authority=authority, clock=clock.now)
    mi.start()
    await both(
        two,
        runtimes,
        mi.secret,
        type="MI",
        runtime_id="mi-1",
        integration="quotes",
        address="127.0.0.1",
        extra={"runtimeHostname": "localhost", "runtimePort": str(mi.port)},
        artifacts={"tasks": [{"name": "Nightly", "state": "enabled", "group": "", "class": ""}]},
    )
    made = Integrator(two, mi)
    yield made
    await made.close()


async def test_a_management_api_is_called_once_by_two_replicas_that_are_woken_at_once(
    integrator: Integrator, two: Two, admin: Any
) -> None:
    runtime = await id_of(admin)
    for number in range(4):
        await admin.ask(TRIGGER, input={"runtime": runtime, "kind": "TASK", "name": "Nightly"})
        await admin.ask(ASK, input={"runtime": runtime, "question": "LOGGERS"})
        for plane in (two.one, two.other):
            plane.management.wake(plane.board.list_all()[0].runtime_key)
        await two.catch_up()
        await integrator.carried_out()
        assert len(integrator.mi.calls) == 2 * (number + 1)
    assert {(command["state"], command["attempts"]) for command in await commands(admin)} == {("CONFIRMED", 1)}


async def test_commands_that_wait_together_are_claimed_one_by_one_and_all_carried_out_at_once(
    integrator: Integrator, two: Two, admin: Any
) -> None:
    runtime = await id_of(admin)
    for task in integrator.work:
        task.cancel()
    await asyncio.gather(*integrator.work, return_exceptions=True)
    for _ in range(12):
        await admin.ask(TRIGGER, input={"runtime": runtime, "kind": "TASK", "name": "Nightly"})
    integrator.work = [asyncio.create_task(plane.management.run()) for plane in (two.one, two.other)]
    await two.catch_up()
    await integrator.carried_out()
    assert len(integrator.mi.calls) == 12
    assert {command["attempts"] for command in await commands(admin)} == {1}


class Late:
    """A store whose commits are told of late: the machine slept."""

    def __init__(self, plane: ControlPlane, clock: FakeClock) -> None:
        self._store, self._clock = plane.store, clock

    async def write(self, operation: Any) -> Any:
        result = await self._store.write(operation)
        self._clock.advance(BEGIN_S + 0.1)
        return result


async def test_who_slept_over_its_claim_does_not_call_and_the_other_replica_goes_on(
    integrator: Integrator, two: Two, admin: Any, clock: FakeClock
) -> None:
    runtime = await id_of(admin)
    two.one.management._store = Late(two.one, clock)
    await admin.ask(ASK, input={"runtime": runtime, "question": "LOGGERS"})
    await two.one.following.look(two.one.store)
    await integrator.carried_out()
    assert integrator.mi.calls == []
    await two.catch_up()
    clock.advance(READ_AGAIN_S)
    two.other.management.wake(two.other.board.list_all()[0].runtime_key)
    await integrator.carried_out()
    assert len(integrator.mi.calls) == 1
    (command,) = await commands(admin)
    assert (command["state"], command["attempts"]) == ("CONFIRMED", 2)


async def test_a_change_whose_claimer_died_is_not_called_again_and_ends_as_unanswered(
    integrator: Integrator, two: Two, admin: Any, clock: FakeClock
) -> None:
    runtime = await id_of(admin)
    two.one.management._store = Late(two.one, clock)
    await admin.ask(TRIGGER, input={"runtime": runtime, "kind": "TASK", "name": "Nightly"})
    await two.one.following.look(two.one.store)
    await integrator.carried_out()
    await two.catch_up()
    for _ in range(14):
        clock.advance(10)
        two.other.management.wake(two.other.board.list_all()[0].runtime_key)
        await integrator.carried_out()
        await two.other.expire()
    assert integrator.mi.calls == []
    (command,) = await commands(admin)
    assert (command["state"], command["reason"]) == ("EXPIRED", "The runtime did not answer in time.")
