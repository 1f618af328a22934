"""The pace of a fleet: Python runtimes are told to beat more slowly when all together would ask too much."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A server that bears two beats a second."""
    return msgspec.structs.replace(settings, beats_per_s_max=2.0)


def member(runtime: Any, number: int, **changes: Any) -> Any:
    own = {
        "type": "PY", "runtime_id": f"py-{number}", "name": f"py-{number}",
        "extra": {"heartbeatIntervalSeconds": 10}, "artifacts": {},
    }  # fmt: skip
    return replace(runtime, **(own | changes))


async def fleet(runtime: Any, count: int) -> list[Any]:
    members = [member(runtime, number) for number in range(count)]
    for each in members:
        await each.full()
    return members


async def told(sender: Any, *, full: bool = False) -> int | None:
    status, answer = await (sender.full() if full else sender.delta())
    assert (status, answer["acknowledged"]) == (200, True)
    return answer.get("nextHeartbeatInSeconds")


async def test_a_fleet_within_bounds_is_told_nothing(runtime, plane: ControlPlane) -> None:
    members = await fleet(runtime, 20)
    await plane.expire()
    assert [await told(each) for each in members] == [None] * 20


@pytest.mark.parametrize("full", [False, True])
async def test_a_fleet_that_asks_too_much_is_told_to_come_less_often(runtime, plane: ControlPlane, full: bool) -> None:
    members = await fleet(runtime, 50)
    await plane.expire()
    assert [await told(each, full=full) for each in members] == [25] * 50


async def test_who_is_told_to_report_in_full_is_told_the_pace_as_well(runtime, plane: ControlPlane) -> None:
    members = await fleet(runtime, 50)
    await plane.expire()
    members[0].hash = "another"
    _, answer = await members[0].delta()
    assert (answer["fullHeartbeatRequired"], answer["nextHeartbeatInSeconds"]) == (True, 25)


async def test_who_keeps_the_pace_is_never_called_offline_and_who_stops_is(
    runtime, plane: ControlPlane, clock: FakeClock
) -> None:
    members = await fleet(runtime, 50)
    dead = members.pop()
    for _ in range(3):
        await plane.expire()
        for each in members:
            await told(each)
        for _ in range(25):
            clock.advance(1)
            await plane.watch()
        assert {plane.board.find_key(key).status.value for key in range(1, 50)} == {"RUNNING"}
    entry = plane.board.find(*_place(plane), dead.runtime_id)
    assert entry.status.value == "OFFLINE"  # it was told nothing yet: thirty seconds, as ever


def _place(plane: ControlPlane) -> tuple[str, str]:
    entry = plane.board.find_key(1)
    return entry.integration_id, entry.environment_id


async def test_the_own_pace_is_back_when_the_crowd_is_gone(runtime, plane: ControlPlane, clock: FakeClock) -> None:
    members = await fleet(runtime, 50)
    await plane.expire()
    first = members[0]
    assert await told(first) == 25
    for key in range(2, 51):
        plane.board.take_down(key)
    await plane.expire()
    assert await told(first) is None
    clock.advance(31)
    plane._watched_at = clock.now()
    await plane.watch()
    assert plane.board.find_key(1).status.value == "OFFLINE"


async def test_ballerina_and_micro_integrator_are_never_slowed(runtime, plane: ControlPlane, admin) -> None:
    await fleet(runtime, 50)
    ballerina = replace(runtime, secret=await admin.secret(), integration="bi", runtime_id="bi")
    integrator = replace(
        runtime, secret=await admin.secret(), integration="mi", runtime_id="mi", type="MI", artifacts={}
    )
    for each in (ballerina, integrator):
        await each.full()
        await plane.expire()
        assert plane.board.pace.is_slower
        assert await told(each) is None
        assert await told(each, full=True) is None


async def test_a_person_who_waits_is_served_before_the_pace(runtime, plane: ControlPlane, admin, clock) -> None:
    members = await fleet(runtime, 50)
    await plane.expire()
    plane.agenda.boost(1, clock.now())
    assert await told(members[0]) == 1
    clock.advance(25)
    assert await told(members[0]) == 10
    clock.advance(10)
    assert await told(members[0]) == 25
