"""Several control planes over one database server, in one process, with all periodic work in the test's hands."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import msgspec
from argon2 import PasswordHasher
from database_servers import running
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import Clock, FakeClock
from pilothouse.config import Settings
from pilothouse.domain.liveness import Status
from pilothouse.identity.passwords import Passwords
from pilothouse.operations.sign_in import create_first_administrator
from pilothouse.storage import commands, desired
from pilothouse.storage.unit import Store

from server.tests.conftest import PASSWORD, Person, Runtime


@dataclass
class Group:
    """Replicas."""

    folder: Path
    settings: Settings
    clock: FakeClock
    planes: list[ControlPlane] = field(default_factory=list)
    secret: str = ""
    ticks: float = 0.0
    """What all measure spans by."""

    async def add(self, clock: Clock | None = None) -> ControlPlane:
        """Start another replica."""
        home = self.folder / f"home{len(list(self.folder.glob('home*')))}"
        first = next(iter(sorted(self.folder.glob("home*"))), None)
        if first is not None:
            shutil.copytree(first / "keys", home / "keys")
        opened = await open_control_plane(
            msgspec.structs.replace(self.settings, home=home),
            clock or self.clock,
            Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
        )
        opened.replicas.ticks = lambda: self.ticks
        if first is None:
            await self._begin(opened)
        await opened.following.begin(opened.store)
        await opened.replicas.begin()
        opened._watched_at = opened.clock.now()
        opened.agenda.load(await opened.store.read(commands.list_agenda))
        for place in await opened.store.read(desired.list_places):
            opened._places.add((place.integration_id, place.environment_id))
        self.planes.append(opened)
        return opened

    async def _begin(self, plane: ControlPlane) -> None:
        organization = await plane.organization()
        await plane.store.write(
            partial(
                create_first_administrator,
                organization_id=organization.id,
                password_hash=plane.passwords.hash(PASSWORD),
                now=plane.clock.now(),
            )
        )
        async with self.admin(plane) as person:
            self.secret = await person.secret()

    @asynccontextmanager
    async def admin(self, plane: ControlPlane) -> AsyncIterator[Person]:
        """Sign in at a replica."""
        transport = httpx.ASGITransport(app=await plane.console_application(), client=("127.0.0.1", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            person = Person(client)
            assert (await person.sign_in()).status_code == 200
            yield person

    def runtime(self, plane: ControlPlane, number: int = 1, **more: object) -> Runtime:
        """Make a runtime that talks to a replica."""
        return Runtime(
            plane,
            self.secret,
            **({"runtime_id": f"6f1d2c9a-0b7e-4a55-9c1e-{number:012d}", "name": f"node-{number}"} | more),
        )

    async def flush(self) -> None:
        for plane in self.planes:
            await plane.flush()

    async def look(self) -> None:
        """Let each replica look, and judge."""
        self.ticks += 0.5
        for plane in self.planes:
            await plane.following.look(plane.store)
            await plane.watch()

    async def catch_up(self) -> None:
        """Let everybody know everything."""
        await self.flush()
        await self.look()
        await self.look()

    async def pass_time(self, seconds: float, step_s: float = 4.0) -> None:
        """Let time pass, with the periodic work in it."""
        ends_at = self.clock.now() + seconds
        while self.clock.now() < ends_at:
            self.clock.advance(min(step_s, ends_at - self.clock.now()))
            self.ticks += step_s - 0.5
            await self.catch_up()

    async def kill(self, plane: ControlPlane) -> None:
        """End a replica as SIGKILL does: nothing is flushed, nothing said."""
        self.planes.remove(plane)
        plane.replicas._started_at = 0.0
        await plane.stop()

    async def stop(self, plane: ControlPlane) -> None:
        """End a replica in order."""
        self.planes.remove(plane)
        await plane.stop()

    def cut(self, plane: ControlPlane) -> None:
        """Take the database away from one replica."""
        plane.store._reader_engine.dispose()
        plane.store._writer_engine.dispose()

    def status(self, plane: ControlPlane, number: int = 1) -> Status:
        """Tell what a replica says of a runtime."""
        (entry,) = plane.board.list_called(f"6f1d2c9a-0b7e-4a55-9c1e-{number:012d}")
        return plane.board.judge(entry, plane.clock.now()).status

    def statuses(self, number: int = 1) -> set[Status]:
        """Tell what all of them say."""
        return {self.status(plane, number) for plane in self.planes}


@asynccontextmanager
async def group(folder: Path, clock: FakeClock, count: int = 3, kind: str = "postgresql") -> AsyncIterator[Group]:
    database = running(kind).fresh(name="group")
    made = Group(
        folder,
        Settings(
            home=folder, database_url=database.url, follow_events_s=0.5, telemetry_store="memory", database_pool=2
        ),
        clock,
    )
    try:
        for _ in range(count):
            await made.add()
        yield made
    finally:
        for plane in list(made.planes):
            await plane.stop()


async def kinds_of(store: Store) -> list[str]:
    """List what was told of runtimes' lives, in order."""
    from pilothouse.storage.tables import events
    from sqlalchemy import select

    wanted = ("runtime.running", "runtime.offline", "runtime.registered", "runtime.retired")
    found = await store.read(lambda c: c.execute(select(events.c.kind).order_by(events.c.sequence)).scalars().all())
    return [kind.removeprefix("runtime.") for kind in found if kind in wanted]
