"""A heartbeat whose commands the database does not give out in time is acknowledged all the same, and they leave later, once."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.protocol.handing_over import LATE_S, LOOK_S

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { commands { id } } }"
COMMANDS = "{ commands { nodes { state attempts } } }"
WISH = {
    "project": "retail-core", "integration": "order-intake", "environment": "dev",
    "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": "DISABLED",
}  # fmt: skip


@pytest.fixture
async def asked(plane: ControlPlane, runtime: Any, admin: Any) -> Any:
    """A runtime with a command that is due."""
    await runtime.full()
    await admin.ask(CHANGE, input=WISH)
    plane.handing_over.look_s = 0.1
    return runtime


@contextmanager
def stuck(plane: ControlPlane) -> Iterator[None]:
    """Keep the database from taking writes."""
    let_go = threading.Event()
    task = asyncio.ensure_future(plane.store.write(lambda _: let_go.wait(30)))
    try:
        yield
    finally:
        let_go.set()
        del task


async def until(plane: ControlPlane, runtime: Any) -> None:
    """Wait until the look that was begun has ended."""
    (look,) = plane.handing_over._looks.values()
    await asyncio.wait({look.handover}, timeout=20)
    assert look.handover.done(), runtime.runtime_id


async def delivered(admin: Any) -> list[tuple[str, int]]:
    return [(one["state"], one["attempts"]) for one in (await admin.ask(COMMANDS))["commands"]["nodes"]]


async def test_a_heartbeat_is_acknowledged_in_time_and_its_command_leaves_once_with_a_later_one(
    plane: ControlPlane, asked: Any, admin: Any, clock: FakeClock
) -> None:
    assert LOOK_S <= 2.0
    with stuck(plane):
        for _ in range(3):
            began_s = time.monotonic()
            status, answer = await asked.delta()
            assert time.monotonic() - began_s < 5
            assert (status, answer["acknowledged"], answer["fullHeartbeatRequired"]) == (200, True, False)
            assert not answer.get("commands")
            assert plane.store.waiting <= 1, "a look that is under way is not asked for again"
            clock.advance(5)
    await until(plane, asked)
    _, answer = await asked.delta()
    assert [command["action"] for command in answer["commands"]] == ["STOP"]
    _, answer = await asked.delta()
    assert not answer.get("commands")
    assert await delivered(admin) == [("DELIVERED", 1)]


async def test_a_full_heartbeat_brings_what_an_earlier_one_did_not_wait_for(
    plane: ControlPlane, asked: Any, admin: Any
) -> None:
    with stuck(plane):
        await asked.delta()
    await until(plane, asked)
    _, answer = await asked.full()
    assert [command["action"] for command in answer["commands"]] == ["STOP"]
    _, answer = await asked.full()
    assert not answer.get("commands")


async def test_what_nobody_came_for_is_offered_again_when_its_time_has_come_and_not_before(
    plane: ControlPlane, asked: Any, admin: Any, clock: FakeClock
) -> None:
    with stuck(plane):
        await asked.delta()
    await until(plane, asked)
    clock.advance(LATE_S + 1)
    await plane.steer()
    assert not plane.handing_over._looks
    _, answer = await asked.delta()
    assert [command["action"] for command in answer["commands"]] == ["STOP"]
    assert await delivered(admin) == [("DELIVERED", 2)]


async def test_a_stop_does_not_wait_for_looks(plane: ControlPlane, asked: Any) -> None:
    with stuck(plane):
        await asked.delta()
        began_s = time.monotonic()
        await plane.handing_over.close()
        assert time.monotonic() - began_s < 5
    assert not plane.handing_over._looks
