"""Several real processes over one database: nothing is found or told twice, and who was killed is replaced."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from alert_helpers import SAVE, quick_passwords
from alert_process import LEASE_S
from database_servers import running
from pilothouse.alerting.worker import JUDGING
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings
from pilothouse.operations.chores import LASTS_S, RENEW_S
from pilothouse.operations.sign_in import create_first_administrator
from pilothouse.storage.alert_tables import alert_notifications, alert_rules, alerts
from pilothouse.storage.claim_tables import chores
from sqlalchemy import delete, func, select

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.xdist_group("postgresql"),
    pytest.mark.xdist_group("workers"),
    pytest.mark.timeout(300),
]

RUNTIMES = 5
CHANNELS = 2
PATIENCE_S = 60.0
PASSWORD = "correct horse battery staple"


class Receiver:
    """A webhook receiver on loopback: keeps what came; while it is told to, it answers nothing."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.is_silent = False
        self.begun = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            headers = {name: value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.begun += 1
            if self.is_silent:
                await reader.read()  # until the sender is gone
                return
            self.keys.append(headers["idempotency-key"])
            self.bodies.append(body)
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Stage:
    """A database with runtimes that fell silent, each in an integration of its own, and channels to tell."""

    def __init__(self, folder: Path, plane: ControlPlane, admin: Any, channels: list[str], receiver: Receiver) -> None:
        self.folder, self.plane, self.admin, self.channels = folder, plane, admin, channels
        self.receiver = receiver
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def rule(self, name: str) -> None:
        wanted = {"name": name, "condition": "REPLICAS_BELOW", "threshold": 1, "channels": self.channels}
        await self.admin.ask(SAVE, input=wanted)

    async def begin(self, count: int) -> None:
        for number in range(count):
            home = self.folder / f"home-{number}"
            shutil.copytree(self.folder / "home" / "keys", home / "keys")
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(Path(__file__).parent / "alert_process.py"),
                str(home),
                self.plane.settings.database_url,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            self.processes[str(number)] = process
        for number, process in list(self.processes.items()):
            async with asyncio.timeout(120):
                while not (line := await process.stdout.readline()).startswith(b"ready "):
                    assert line, "the process ended"
            del self.processes[number]
            self.processes[line.split()[1].decode()] = process
        for process in self.processes.values():
            process.stdin.write(b"\n")

    async def judge(self) -> str:
        """Find whose work it is to judge."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                owner = await self.plane.store.read(
                    lambda c: c.execute(select(chores.c.owner).where(chores.c.name == JUDGING)).scalar()
                )
                if owner in self.processes:
                    return owner
                await asyncio.sleep(0.1)

    async def kill(self, owner: str) -> None:
        process = self.processes.pop(owner)
        process.kill()
        await process.communicate()

    async def came(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.receiver.keys) < count:
                await asyncio.sleep(0.05)
        await asyncio.sleep(3)  # what would be said twice is said by now

    async def kept(self) -> tuple[int, list[tuple[str, int]]]:
        """Count the alerts, and give state and attempts of what was said."""
        n = alert_notifications.c
        return await self.plane.store.read(
            lambda c: (
                c.execute(select(func.count()).select_from(alerts)).scalar_one(),
                [tuple(row) for row in c.execute(select(n.state, n.attempts).order_by(n.number))],
            )
        )


@pytest.fixture
async def stage(tmp_path: Path, pytestconfig: pytest.Config) -> AsyncIterator[Stage]:
    shared = pytestconfig.pluginmanager.getplugin(str(Path(__file__).parent.parent / "conftest.py"))
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    database = running("postgresql").fresh(name="alerts")
    settings = Settings(home=tmp_path / "home", database_url=database.url, telemetry_store="memory")
    wanted = msgspec.structs.replace(settings, notify_allow="127.0.0.0/8")
    clock = FakeClock(time.time() - 3_600)
    plane = await open_control_plane(wanted, clock, quick_passwords())
    organization, hashed = await plane.organization(), plane.passwords.hash(PASSWORD)
    await plane.store.write(lambda tx: create_first_administrator(tx, organization.id, hashed, plane.clock.now()))
    await plane.store.write(lambda tx: tx.connection.execute(delete(alert_rules)))
    transport = httpx.ASGITransport(app=await plane.console_application(), client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        admin = shared.Person(client)
        await admin.sign_in()
        channels = []
        for number in range(CHANNELS):
            saved = await admin.ask(
                "mutation ($i: AlertChannelInput!) { saveAlertChannel(input: $i) { channel { id } } }",
                i={"name": f"hook {number}", "kind": "WEBHOOK", "url": f"{url}{number}"},
            )
            channels.append(saved["saveAlertChannel"]["channel"]["id"])
        await plane.replicas.begin()
        made_by = [
            shared.Runtime(plane, await admin.secret(), runtime_id=f"r-{n}", integration=f"i{n}")
            for n in range(RUNTIMES)
        ]
        for runtime in made_by:
            assert (await runtime.full())[0] == 200
        for _ in range(3):  # so that its interval is known, and its silence with it
            clock.advance(1)
            for runtime in made_by:
                assert (await runtime.delta())[0] == 200
        await plane.flush(is_end=True)  # it serves no more: the others judge without it
        made = Stage(tmp_path, plane, admin, channels, receiver)
        try:
            yield made
        finally:
            for owner in list(made.processes):
                await made.kill(owner)
            await plane.stop()
            server.close()
            await server.wait_closed()


async def test_processes_that_judge_and_send_at_once_say_everything_once(stage: Stage) -> None:
    await stage.rule("few")
    await stage.begin(3)
    await stage.came(CHANNELS)
    assert len(stage.receiver.keys) == len(set(stage.receiver.keys)) == CHANNELS
    assert {len(body["alerts"]) for body in stage.receiver.bodies} == {RUNTIMES}
    assert await stage.kept() == (RUNTIMES, [("SENT", 1)] * CHANNELS)


@pytest.mark.slow
async def test_when_the_one_that_judges_is_killed_another_goes_on_and_says_nothing_again(stage: Stage) -> None:
    await stage.rule("few")
    await stage.begin(2)
    await stage.came(CHANNELS)
    judge = await stage.judge()
    await stage.kill(judge)
    killed_s = time.monotonic()
    await stage.rule("few, too")
    await stage.came(2 * CHANNELS)
    assert await stage.judge() != judge
    took_s = time.monotonic() - killed_s
    assert took_s < LASTS_S + RENEW_S + 25.0, "generous: the machine may be busy"
    assert len(stage.receiver.keys) == len(set(stage.receiver.keys)) == 2 * CHANNELS
    assert await stage.kept() == (2 * RUNTIMES, [("SENT", 1)] * 2 * CHANNELS)


@pytest.mark.slow
async def test_what_a_process_was_sending_when_it_was_killed_is_sent_by_another_under_the_same_id(stage: Stage) -> None:
    stage.receiver.is_silent = True
    await stage.rule("few")
    await stage.begin(1)
    async with asyncio.timeout(PATIENCE_S):
        while stage.receiver.begun < CHANNELS:
            await asyncio.sleep(0.05)
    (owner,) = stage.processes
    await stage.kill(owner)
    stage.receiver.is_silent = False
    for number in range(2):
        shutil.rmtree(stage.folder / f"home-{number}", ignore_errors=True)
    await stage.begin(2)
    began_s = time.monotonic()
    await stage.came(CHANNELS)
    assert time.monotonic() - began_s < LEASE_S + 30.0
    assert len(stage.receiver.keys) == len(set(stage.receiver.keys)) == CHANNELS
    assert await stage.kept() == (RUNTIMES, [("SENT", 2)] * CHANNELS)
