"""Whatever is done to secrets, in whatever order and at whatever time: no heartbeat is accepted after a secret's end."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pilothouse.access.grants import EVERYTHING
from pilothouse.access.secrets import SecretReach
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.people import LOCAL
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import Refused
from pilothouse.config import Settings
from pilothouse.operations import secrets as operations
from pilothouse.operations.sealed_material import destroy_revoked
from pilothouse.storage.secrets import find_row
from sqlalchemy import text

from server.tests.conftest import Runtime

DAY_S = 86_400
PICK = st.integers(0, 4)
STEPS = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([1, 59, 60, 3600, 7 * DAY_S, 40 * DAY_S])),
    st.tuples(st.just("rotate"), PICK, st.sampled_from([None, 0, 1, 60, 3600, 90 * DAY_S])),
    st.tuples(st.just("expire"), PICK, st.sampled_from([None, 1, 60, 3600, 8 * DAY_S])),
    st.tuples(st.just("revoke"), PICK, st.sampled_from([None, 0, 1, 60, 30 * DAY_S])),
    st.tuples(st.just("restore"), PICK),
    st.tuples(st.just("tidy")),
)


class Model(msgspec.Struct):
    """What a secret should be, told independently of the code under test."""

    expires_at: float | None = None
    revoked_from: float | None = None
    gone: bool = False
    """Revoked for good once, which nothing takes back."""

    def status(self, now: float) -> int:
        self.look(now)
        if self.gone:
            return 400
        if self.revoked_from is not None:
            return 503
        return 400 if self.expires_at is not None and now >= self.expires_at else 200

    def state(self, now: float) -> str:
        status = self.status(now)
        if self.gone:
            return "REVOKED"
        if status == 503:
            return "REVOKING"
        if status == 400:
            return "EXPIRED"
        near = self.expires_at is not None and now >= self.expires_at - 7 * DAY_S
        return "EXPIRING" if near else "ACTIVE"

    def look(self, now: float) -> None:
        self.gone = self.gone or (self.revoked_from is not None and now >= self.revoked_from)


class Story:
    """A control plane with some secrets of one integration, and what should be of each."""

    def __init__(self, plane: ControlPlane, clock: FakeClock) -> None:
        self.plane = plane
        self.clock = clock
        self.secrets: list[str] = []
        self.models: list[Model] = []
        self.runtime = Runtime(plane, "")

    async def begin(self) -> None:
        made = await self.plane.store.write(
            partial(
                operations.generate,
                subject=LOCAL,
                organization=await self.plane.organization(),
                vault=self.plane.vault,
                environment_handle="dev",
                project_handle=None,
                integration_handle=None,
                now=self.clock.now(),
            )
        )
        self.add(made.secret)
        await self.check()  # the first heartbeat binds it

    def add(self, secret: str) -> None:
        self.secrets.append(secret)
        self.models.append(Model())

    async def take(self, step: tuple[Any, ...]) -> None:
        name, *arguments = step
        if name == "advance":
            self.clock.advance(arguments[0])
        elif name == "tidy":
            await self.plane.store.write(lambda tx: destroy_revoked(tx, self.clock.now()))
        else:
            number = arguments[0] % len(self.secrets)
            with contextlib.suppress(Refused):  # then nothing may have changed, which the checks tell
                await getattr(self, name)(number, *arguments[1:])

    async def rotate(self, number: int, overlap_s: int | None) -> None:
        now = self.clock.now()
        rotated = await self.plane.store.write(
            lambda tx: operations.rotate(tx, LOCAL, self.plane.vault, self.key_id(number), overlap_s=overlap_s, now=now)
        )
        model, ends_at = self.models[number], now + (7 * DAY_S if overlap_s is None else overlap_s)
        model.expires_at = ends_at if model.expires_at is None else min(ends_at, model.expires_at)
        self.add(rotated.generated.secret)

    async def expire(self, number: int, in_s: int | None) -> None:
        now = self.clock.now()
        end = None if in_s is None else now + in_s
        await self.plane.store.write(lambda tx: operations.set_expiry(tx, LOCAL, self.key_id(number), end, now=now))
        self.models[number].expires_at = end

    async def revoke(self, number: int, grace_s: int | None) -> None:
        now = self.clock.now()
        await self.plane.store.write(
            lambda tx: operations.revoke(tx, LOCAL, self.key_id(number), now=now, grace_s=grace_s)
        )
        self.models[number].revoked_from = now + (grace_s or 0)

    async def restore(self, number: int) -> None:
        await self.plane.store.write(
            lambda tx: operations.restore(tx, LOCAL, self.key_id(number), now=self.clock.now())
        )
        self.models[number].revoked_from = None

    def key_id(self, number: int) -> str:
        return self.secrets[number].partition(".")[0]

    async def check(self) -> None:
        now = self.clock.now()
        for number, (secret, model) in enumerate(zip(self.secrets, self.models, strict=True)):
            self.runtime.secret = secret
            expected = model.status(now)
            full, delta = (await self.runtime.full())[0], (await self.runtime.delta())[0]
            assert (full, delta) == (expected, expected), model
            key_id = self.key_id(number)
            row = await self.plane.store.read(lambda c, key_id=key_id: find_row(c, SecretReach(all=EVERYTHING), key_id))
            assert row is not None
            assert row.life.state_at(now) == model.state(now)

    async def check_stored(self, read_files: Callable[[], bytes]) -> None:
        """After housekeeping nothing that ended for good can be opened, and nothing at all can be read."""
        await self.plane.store.write(lambda tx: destroy_revoked(tx, self.clock.now()))
        rows = await self.plane.store.read(lambda c: c.execute(text("select * from secrets")).mappings().all())
        sealed = {row["key_id"]: row["sealed_material"] for row in rows}
        files = read_files()
        for number, (secret, model) in enumerate(zip(self.secrets, self.models, strict=True)):
            model.look(self.clock.now())
            assert (sealed[self.key_id(number)] is None) == model.gone
            assert secret.partition(".")[2].encode() not in files


async def live_through(home: Path, steps: list[tuple[Any, ...]]) -> None:
    clock = FakeClock()
    plane = await open_control_plane(Settings(home=home), clock)
    try:
        story = Story(plane, clock)
        await story.begin()
        for step in steps:
            await story.take(step)
            await story.check()
        await story.check_stored(lambda: b"".join(path.read_bytes() for path in home.glob("pilothouse.db*")))
    finally:
        await plane.stop()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEPS, max_size=14))
@pytest.mark.slow
def test_no_interleaving_lets_a_secret_outlive_its_end(first_start: Path, steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(shutil.copytree(first_start, Path(scratch) / "home"))
        asyncio.run(live_through(home, steps))
