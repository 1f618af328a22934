"""Results of commands that wait together are one to the database, and to everybody as if each had come alone."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

STANDING = text(
    "SELECT r.runtime_id, c.action, c.state, c.reason, c.result, c.next_attempt_at, c.ended_at, r.tunnel_proved_at"
    " FROM commands c JOIN runtimes r ON r.key = c.runtime_key WHERE r.runtime_id LIKE :whose ORDER BY c.number"
)
HAPPENED = text(
    "SELECT r.runtime_id, e.kind FROM events e JOIN runtimes r ON r.key = e.runtime_key"
    " WHERE r.runtime_id LIKE :whose ORDER BY r.runtime_id, e.sequence"
)
ASK = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id } }"
TAKEN = (202, {"accepted": True})


class Fleet:
    """Micro Integrators, each with commands that left and wait for their results."""

    def __init__(self, runtime: Any, name: str, size: int) -> None:
        self.runtimes = [
            type(runtime)(
                runtime.plane,
                runtime.secret,
                type="MI",
                integration="mediator",
                runtime_id=f"{name}-{number:03}",
                name=f"{name}-{number:03}",
                artifacts={"apis": [{"name": "a", "state": "enabled", "tracing": "disabled"}]},
            )
            for number in range(size)
        ]
        self.commands: list[list[str]] = [[] for _ in self.runtimes]

    async def begin(self, admin: Any, questions: int = 0) -> None:
        for runtime, commands in zip(self.runtimes, self.commands, strict=True):
            _, answer = await runtime.full()
            commands += [command["commandId"] for command in answer["commands"]]
            assert commands, "each is asked whether the tunnel works"
        if not questions:
            return
        await asyncio.gather(*(self.post(number, 0) for number in range(len(self.runtimes))))
        rows = (await admin.ask("{ runtimes(first: 200) { nodes { id runtimeId } } }"))["runtimes"]["nodes"]
        ids = {row["runtimeId"]: row["id"] for row in rows}
        for runtime, commands in zip(self.runtimes, self.commands, strict=True):
            for _ in range(questions):
                await admin.ask(ASK, input={"runtime": ids[runtime.runtime_id], "question": "LOGGERS"})
            _, answer = await runtime.delta()
            commands += [command["commandId"] for command in answer["commands"]]

    def post(self, number: int, which: int, **said: Any) -> Awaitable[Any]:
        runtime = self.runtimes[number]
        result = {
            "runtimeId": runtime.runtime_id,
            "commandId": self.commands[number][which],
            "status": "COMPLETED",
            "httpStatus": 200,
            "body": {"n": number},
            **said,
        }
        return runtime.send("/icp/commandResult", result)

    async def standing(self, plane: ControlPlane) -> list[list[tuple[Any, ...]]]:
        whose = {"whose": f"{self.runtimes[0].runtime_id[:-3]}%"}

        def ask(connection: Any) -> list[list[tuple[Any, ...]]]:
            return [
                [(row[0][-3:], *row[1:]) for row in connection.execute(query, whose)] for query in (STANDING, HAPPENED)
            ]

        return await plane.store.read(ask)


@asynccontextmanager
async def busy(plane: ControlPlane, until: int) -> AsyncIterator[None]:
    """Keep the writer busy until so many operations wait: what it finds then is all of them, however slow this machine is."""
    began, let_go = threading.Event(), threading.Event()

    def keep(_: Any) -> None:
        began.set()
        let_go.wait(30)

    kept = asyncio.ensure_future(plane.store.write(keep))
    async with asyncio.timeout(30):
        while not began.is_set():
            await asyncio.sleep(0.001)
        yield
        while plane.store.waiting < until:
            await asyncio.sleep(0.001)
    let_go.set()
    await kept


def posts_of(fleet: Fleet, seed: int) -> list[Awaitable[Any]]:
    """Make up what is posted: good, failed, busy, unknown, foreign and repeated results."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    posted: list[Awaitable[Any]] = []
    for _ in range(20):
        number, which = dice.randrange(len(fleet.runtimes)), dice.randrange(3)
        said: dict[str, Any] = dice.choice(
            [
                {},
                {"status": "FAILED", "httpStatus": 500, "body": {"message": "It broke.", "code": "BROKEN"}},
                {"httpStatus": 404, "body": {"message": "It is busy.", "code": "BUSY"}},
                {"commandId": "nobody-knows"},
                {"runtimeId": fleet.runtimes[number - 1].runtime_id},
                {"body": "no words"},
            ]
        )
        posted.append(fleet.post(number, which, **said))
    return posted


@pytest.mark.parametrize("seed", range(6))
async def test_what_comes_together_ends_as_if_it_had_come_one_by_one(
    seed: int, runtime, plane: ControlPlane, admin
) -> None:
    alone, together = Fleet(runtime, "alone", 5), Fleet(runtime, "together", 5)
    for fleet in (alone, together):
        await fleet.begin(admin, questions=2)
    one_by_one = [await post for post in posts_of(alone, seed)]
    assert await asyncio.gather(*posts_of(together, seed)) == one_by_one == [TAKEN] * 20
    standing = await together.standing(plane)
    assert standing == await alone.standing(plane)
    assert {row[2] for row in standing[0]} > {"confirmed"}


async def test_many_take_as_many_statements_as_few_and_one_commit(runtime, plane: ControlPlane, admin) -> None:
    counted: list[str] = []
    event.listen(plane.store.writer_engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    event.listen(plane.store.writer_engine, "commit", lambda _: counted.append("COMMIT"))
    spent: list[list[str]] = []
    for count in (20, 80):
        fleet = Fleet(runtime, f"of-{count}", count)
        await fleet.begin(admin)
        async with busy(plane, count):
            counted.clear()
            posts = asyncio.gather(*(fleet.post(number, 0) for number in range(count)))
        assert await posts == [TAKEN] * count
        spent.append(list(counted))
        assert all(row[2] == "confirmed" for row in (await fleet.standing(plane))[0])
    assert len(spent[0]) == len(spent[1])
    assert spent[1].count("COMMIT") == 2, "that of what kept the writer busy, and theirs"


async def test_one_that_cannot_be_taken_takes_nobody_along(runtime, plane: ControlPlane, admin) -> None:
    fleet = Fleet(runtime, "mi", 5)
    await fleet.begin(admin)
    break_it = text("UPDATE commands SET action = 'NONSENSE' WHERE id = :id")
    await plane.store.write(lambda tx: tx.connection.execute(break_it, {"id": fleet.commands[3][0]}))

    async def post(number: int) -> Any:
        try:
            return await fleet.post(number, 0)
        except ValueError:
            return "broken"

    assert await asyncio.gather(*(post(number) for number in range(5))) == [*[TAKEN] * 3, "broken", TAKEN]
    states = [row[2] for row in (await fleet.standing(plane))[0]]
    assert states == ["confirmed", "confirmed", "confirmed", "delivered", "confirmed"]


async def test_of_a_command_that_is_answered_twice_at_once_the_first_answer_stands(runtime, plane, admin) -> None:
    fleet = Fleet(runtime, "mi", 2)
    await fleet.begin(admin, questions=1)
    failed = {"status": "FAILED", "httpStatus": 500, "body": {"message": "It broke."}}
    await asyncio.gather(fleet.post(0, 1), fleet.post(0, 1, **failed), fleet.post(1, 1, **failed), fleet.post(1, 1))
    rows, _ = await fleet.standing(plane)
    assert [row[2] for row in rows if row[1] != "probe"] == ["confirmed", "failed"]
