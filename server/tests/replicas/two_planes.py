"""Two control planes over one database server, in one process: their periodic work is in the test's hands."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import msgspec
from argon2 import PasswordHasher
from database_servers import running
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import Clock
from pilothouse.config import Settings
from pilothouse.identity.passwords import Passwords
from pilothouse.operations.sign_in import create_first_administrator
from pilothouse.storage import commands

sys.path.insert(0, str(Path(__file__).parent.parent / "identity"))
sys.path.insert(0, str(Path(__file__).parent.parent / "management"))

PASSWORD = "correct horse battery staple"


@dataclass
class Two:
    """Two replicas, and how one comes to know what the other did."""

    one: ControlPlane
    other: ControlPlane

    async def catch_up(self) -> None:
        """Let each hear what was committed."""
        for plane in (self.one, self.other):
            await plane.replicas.look()
            await plane.following.look(plane.store)


@asynccontextmanager
async def two_planes(folder: Path, clock: Clock, kind: str = "postgresql", **settings: object) -> AsyncIterator[Two]:
    database = running(kind).fresh(name="two")
    wanted = msgspec.structs.replace(
        Settings(home=folder / "one", database_url=database.url, follow_events_s=0.2, telemetry_store="memory"),
        **settings,
    )
    one = await open_control_plane(wanted, clock, quick_passwords())
    await add_administrator(one)
    shutil.copytree(folder / "one" / "keys", folder / "other" / "keys")
    other = await open_control_plane(msgspec.structs.replace(wanted, home=folder / "other"), clock, quick_passwords())
    for plane in (one, other):
        await plane.following.begin(plane.store)
        await plane.replicas.begin()
    try:
        yield Two(one, other)
    finally:
        await one.stop()
        await other.stop()


async def start_knowing(plane: ControlPlane) -> None:
    """Let a replica read what is known of runtimes and commands, as each does when it starts."""
    await plane.replicas.look()
    await plane.following.look(plane.store)
    plane.agenda.load(await plane.store.read(commands.list_agenda))


async def add_administrator(plane: ControlPlane) -> None:
    organization = await plane.organization()
    hashed = plane.passwords.hash(PASSWORD)
    await plane.store.write(
        partial(
            create_first_administrator,
            organization_id=organization.id,
            password_hash=hashed,
            now=plane.clock.now(),
        )
    )


@asynccontextmanager
async def browser(
    plane: ControlPlane, address: str = "10.0.0.7", host: str = "testserver"
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=await plane.console_application(), client=(address, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"https://{host}") as client:
        yield client


async def sign_in(client: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/auth/sign-in", json={"username": "admin", "password": password})


def quick_passwords() -> Passwords:
    """Argon2 with the least memory."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
