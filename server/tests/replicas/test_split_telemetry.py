"""Machines that keep telemetry each by itself beside one database say so, wherever one looks, for as long as it is so."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from pilothouse.app.home_id import SORT, Homes, home_id
from pilothouse.base.clock import FakeClock
from pilothouse.observe.health import State
from pilothouse.storage import replicas, tellings
from pilothouse.storage.replicas import ReplicaRow

sys.path.insert(0, str(Path(__file__).parent))

from group import Group, group

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("postgresql"),
    pytest.mark.xdist_group("replicas"),
]


@pytest.fixture(params=["embedded", "memory"])
async def alone(tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest) -> AsyncIterator[Group]:
    async with group(tmp_path, clock, 0) as made:
        made.settings = msgspec.structs.replace(made.settings, telemetry_store=request.param)
        await made.add()
        yield made


def beside(group: Group, host: str, id_: str) -> ReplicaRow:
    (plane,) = group.planes
    now = group.clock.now()
    return ReplicaRow(
        id=id_, host=host, process=7, release="1", key_number=plane.vault.number, started_at=now, beat=0,
        flushed_at=now, ended_at=None,
    )  # fmt: skip


async def test_another_home_on_a_machine_of_the_same_name_is_told_apart_once_it_has_told(
    alone: Group, capsys: pytest.CaptureFixture[str]
) -> None:
    (plane,) = alone.planes
    plane.tellings.every_s = 0.0
    await plane.telemetry_parts.begin()
    own = plane.telemetry_parts.homes.tell()
    is_embedded = alone.settings.telemetry_store == "embedded"
    assert bool(own) == is_embedded, "nobody asks where telemetry is not kept in homes"
    for name, home in (("worker", own), ("twin", b"another-home")):
        row = beside(alone, plane.replicas.host, name)
        await plane.store.write(lambda tx, row=row: replicas.add(tx.connection, row))
        await plane.store.write(lambda tx, name=name, home=home: tellings.save(tx.connection, name, SORT, home))
        assert await shown(alone) == (State.READY, None), "nothing was heard of it yet"
        await plane.flush()
        state, told = await shown(alone)
        assert (state, told is None) == (
            (State.DEGRADED, False) if is_embedded and name == "twin" else (State.READY, True)
        ), name
    said = capsys.readouterr()
    assert (said.out + said.err).count("telemetry.split") == is_embedded
    later = Homes()
    later.own = home_id(plane.settings.home)
    assert later.tell() == own or not is_embedded, "a home keeps its number"


async def shown(group: Group) -> tuple[State, str | None]:
    (plane,) = group.planes
    await plane.watch()
    parts = await plane.health.look()
    async with group.admin(plane) as person:
        told = (await person.ask("{ telemetry { degraded } }"))["telemetry"]["degraded"]
    return parts["telemetry"].look.state, told


async def test_other_machines_beside_an_embedded_store_are_told_of_until_they_are_gone(
    alone: Group, capsys: pytest.CaptureFixture[str]
) -> None:
    (plane,) = alone.planes
    assert await shown(alone) == (State.READY, None)
    worker = beside(alone, plane.replicas.host, "worker-of-this-machine")
    await plane.store.write(lambda tx: replicas.add(tx.connection, worker))
    assert await shown(alone) == (State.READY, None), "workers of one machine share its store"
    other = beside(alone, "another-machine", "another")
    await plane.store.write(lambda tx: replicas.add(tx.connection, other))
    state, told = await shown(alone)
    if alone.settings.telemetry_store == "memory":
        assert (state, told) == (State.READY, None)
        return
    assert state is State.DEGRADED
    assert told is not None
    assert "2 machines" in told
    assert "PILOTHOUSE_TELEMETRY_STORE=opensearch" in told
    assert "another-machine" not in told, "names of machines are for who reads the log"
    await shown(alone)
    said = capsys.readouterr()
    assert (said.out + said.err).count("telemetry.split") == 1, "once, not at every look"
    assert "another-machine" in said.out + said.err
    await plane.store.write(lambda tx: replicas.renew(tx.connection, "another", alone.clock.now(), alone.clock.now()))
    assert await shown(alone) == (State.READY, None)
