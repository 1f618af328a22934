"""The channel's desk by a clock that moves when it is told to, and what leaves over it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.protocol.channel import LIFE_S, PING_EVERY_S

pytestmark = pytest.mark.anyio

ABLE = ["START", "STOP", "SET_LOGGER_LEVEL", "TRIGGER", "RESTART", "channel"]
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting } }"
COMMANDS = "{ commands { nodes { state route attempts action runtime { runtimeId } } } }"
RETRY = "mutation ($id: ID!) { restartRuntime(id: $id) { id } }"


@dataclass(eq=False)
class Socket:
    """The open end of a channel, as the desk sees it; the test is the peer."""

    sent: list[bytes] = field(default_factory=list)
    ended: bool = False
    reads: bool = True
    peer_is_gone: Callable[[], None] = lambda: None

    def send(self, data: bytes) -> bool:
        if self.reads and not self.ended:
            self.sent.append(data)
            return True
        self.ended = True
        return False

    def hang_up(self) -> None:
        if not self.ended:
            self.ended = True
            self.peer_is_gone()  # its transport reports the end, whoever made it

    @property
    def events(self) -> list[str]:
        return [raw.decode().split("\n")[0].removeprefix("event: ") for raw in self.sent]

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [
            json.loads(raw.decode().split("\n")[1].removeprefix("data: "))
            for raw in self.sent
            if raw.startswith(b"event: command")
        ]


@pytest.fixture
async def plane(plane: ControlPlane) -> AsyncIterator[ControlPlane]:
    """Commands are pushed as they come; all other periodic work is in the test's hands."""
    work = asyncio.create_task(plane.handing_over.push_wanted())
    yield plane
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
async def python(runtime) -> Any:
    made = replace(runtime, type="PY", runtime_id="py-1", name="py-1", extra={"capabilities": ABLE})
    await made.full()
    return made


def open_channel(plane: ControlPlane, runtime: Any, key: int = 1) -> Socket:
    entry = plane.board.find_key(key)
    assert entry is not None
    socket = Socket()
    socket.peer_is_gone = plane.desk.answer(entry, runtime.secret[:8]).opened(socket)
    return socket


async def wish(admin, value: str = "DISABLED") -> None:
    await admin.ask(
        CHANGE, input={**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": value}
    )


async def states(admin) -> list[tuple[str, str | None, int]]:
    nodes = (await admin.ask(COMMANDS))["commands"]["nodes"]
    return [(node["state"], node["route"], node["attempts"]) for node in nodes]


async def pushed(plane: ControlPlane) -> None:
    for _ in range(3):
        await asyncio.sleep(0.02)
        while plane.handing_over._wanted or plane.store.waiting:
            await asyncio.sleep(0.01)


def status(plane: ControlPlane, clock: FakeClock, key: int = 1) -> str:
    entry = plane.board.find_key(key)
    assert entry is not None
    return plane.board.judge(entry, clock.now()).status.value


async def test_a_ping_goes_out_every_fifteen_seconds(plane, python, clock: FakeClock) -> None:
    socket = open_channel(plane, python)
    for _ in range(40):
        clock.advance(1)
        plane.desk.tick()
    assert socket.sent == [b":\n\n", b":\n\n"]


async def test_a_channel_is_renewed_within_the_hour_and_its_runtime_is_not_judged_by_that(
    plane, python, clock: FakeClock
) -> None:
    socket = open_channel(plane, python)
    lived_s = 0.0
    while not socket.ended:
        clock.advance(PING_EVERY_S)
        lived_s += PING_EVERY_S
        if lived_s % 30 == 0:
            await python.delta()
        plane.desk.tick()
    assert 0.89 * LIFE_S <= lived_s <= LIFE_S + PING_EVERY_S
    assert socket.events[-1] == "renew"
    assert len(plane.desk) == 0
    clock.advance(5)
    assert status(plane, clock) == "RUNNING"
    assert open_channel(plane, python).sent == []


async def test_lives_differ_so_that_not_all_come_at_once(plane, python, clock: FakeClock) -> None:
    ends = set()
    for _ in range(20):
        open_channel(plane, python)
        ends.add(plane.desk._channels[1].ends_at)
    assert len(ends) == 20


async def test_the_channel_of_a_secret_that_came_to_its_end_is_closed(plane, python, admin, clock: FakeClock) -> None:
    socket = open_channel(plane, python)
    expire = "mutation ($id: String!, $at: DateTime) { setSecretExpiry(keyId: $id, expiresAt: $at) { keyId } }"
    import datetime as dt

    at = dt.datetime.fromtimestamp(clock.now() + 100, dt.UTC).isoformat()
    await admin.ask(expire, id=python.secret[:8], at=at)
    for _ in range(18):
        clock.advance(5)
        await python.delta()
        plane.desk.tick()
    assert not socket.ended
    for _ in range(6):
        clock.advance(5)
        await python.delta()
        plane.desk.tick()
    assert socket.ended


async def test_what_was_handed_to_a_dead_channel_is_offered_by_heartbeat_after_the_patience(
    plane, python, admin, clock: FakeClock
) -> None:
    socket = open_channel(plane, python)
    await wish(admin)
    await pushed(plane)
    async with asyncio.timeout(20):
        while not socket.commands:
            await asyncio.sleep(0.01)
    assert len(socket.commands) == 1  # nobody read it: the process was cut off from the network
    assert await states(admin) == [("DELIVERED", "CHANNEL", 1)]
    offered: list[float] = []
    for second in range(1, 61):
        clock.advance(1)
        if second % 5 == 0:
            _, answer = await python.delta()
            if answer["commands"]:
                offered.append(second)
                assert answer["commands"][0]["commandId"] == socket.commands[0]["commandId"]
                break
    assert offered == [35]
    assert await states(admin) == [("DELIVERED", "HEARTBEAT", 2)]


async def test_a_channel_that_ends_before_its_command_could_leave_costs_no_patience(
    plane, python, admin, clock: FakeClock
) -> None:
    socket = open_channel(plane, python)
    plane.handing_over.push(1)
    socket.peer_is_gone()
    await wish(admin)
    await pushed(plane)
    _, answer = await python.delta()
    assert [command["action"] for command in answer["commands"]] == ["STOP"]


async def test_a_secret_that_cannot_be_opened_keeps_nobody_elses_commands(plane, python, runtime, admin) -> None:
    other = replace(python, secret=await admin.secret(), runtime_id="py-2", name="py-2")
    await other.full()
    first, second = open_channel(plane, python, 1), open_channel(plane, other, 2)
    revoked = plane.desk._channels[1]
    revoked.key_id = "00000000"
    await wish(admin)
    await pushed(plane)
    assert first.commands == []
    assert [command["action"] for command in second.commands] == ["STOP"]


async def test_who_reads_nothing_is_let_go_and_not_called_offline(plane, python, clock: FakeClock) -> None:
    socket = open_channel(plane, python)
    socket.reads = False
    clock.advance(PING_EVERY_S)
    plane.desk.tick()
    assert len(plane.desk) == 0
    clock.advance(5)
    assert status(plane, clock) == "RUNNING"
    socket.peer_is_gone()
    clock.advance(5)
    assert status(plane, clock) == "RUNNING"


async def test_no_channel_opens_while_we_stop(plane, python, clock: FakeClock) -> None:
    before = open_channel(plane, python)
    plane.let_go()
    assert before.ended
    late = open_channel(plane, python)
    assert (late.ended, len(plane.desk)) == (True, 0)
    clock.advance(5)
    assert status(plane, clock) == "RUNNING"


async def test_the_end_of_a_replaced_channel_says_nothing_of_the_new_one(plane, python, clock: FakeClock) -> None:
    before = open_channel(plane, python)
    after = open_channel(plane, python)
    assert before.events == ["replaced"]
    before.peer_is_gone()
    clock.advance(2)
    assert (status(plane, clock), len(plane.desk), after.ended) == ("RUNNING", 1, False)


async def test_a_process_that_is_killed_while_its_report_is_stored_is_offline_all_the_same(
    plane, python, clock: FakeClock
) -> None:
    socket = open_channel(plane, python)
    await python.delta()
    python.hash = "another"
    python.artifacts["listeners"][0]["port"] = 9_999
    reporting = asyncio.create_task(python.full())
    await asyncio.sleep(0)
    clock.advance(0.01)
    socket.peer_is_gone()
    await reporting
    clock.advance(1)
    assert status(plane, clock) == "OFFLINE"


async def test_a_report_after_the_end_of_a_channel_is_a_return(plane, python, clock: FakeClock) -> None:
    socket = open_channel(plane, python)
    socket.peer_is_gone()
    clock.advance(0.1)
    python.hash = "another"
    python.artifacts["listeners"][0]["port"] = 9_999
    await python.full()
    clock.advance(5)
    assert status(plane, clock) == "RUNNING"


async def test_each_of_many_runtimes_gets_its_own_command(plane, python, admin) -> None:
    sockets = {}
    for number in range(2, 152):
        member = replace(python, runtime_id=f"py-{number}", name=f"py-{number}")
        await member.full()
        sockets[f"py-{number}"] = open_channel(plane, member, number)
    await wish(admin)
    async with asyncio.timeout(30):
        while not all(socket.commands for socket in sockets.values()):
            await asyncio.sleep(0.02)
    await pushed(plane)
    for runtime_id, socket in sockets.items():
        assert [command["runtimeId"] for command in socket.commands] == [runtime_id]
