"""What each process knows alone is shown as one, whichever of them is asked: refused senders, and telemetry that was lost."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pilothouse.base.clock import FakeClock
from pilothouse.operations.replicas import FORGET_S
from pilothouse.storage.replica_tables import tellings
from pilothouse.telemetry.model import Origin
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).parent))

from group import Group, group

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300), pytest.mark.xdist_group("replicas")]
EVERYWHERE = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=[pytest.mark.xdist_group("mariadb"), pytest.mark.slow]),
    ],
)

ASKED = "{ refusals { code count runtimeId } telemetry { accepted refused drops { refused droppedBySender } } }"
LOST = Origin(project_id="p", integration_id="i", environment_id="e", runtime_id="r", runtime_key=1)


@pytest.fixture
async def pair(tmp_path: Path, clock: FakeClock, kind: str) -> AsyncIterator[Group]:
    async with group(tmp_path, clock, 2, kind) as made:
        for plane in made.planes:
            plane.tellings.every_s = 0.0
        yield made


async def told(group: Group) -> list[dict[str, Any]]:
    """What the pages of each replica show, once everybody told and heard."""
    for _ in range(2):
        for plane in group.planes:
            await plane.flush()
    found = []
    for plane in group.planes:
        async with group.admin(plane) as person:
            found.append(await person.ask(ASKED))
    return found


@EVERYWHERE
async def test_refused_senders_and_lost_telemetry_are_summed_over_all_processes(pair: Group) -> None:
    here, there = pair.planes
    for plane in (here, here, there):
        status, _ = await pair.runtime(plane, environment="nowhere").full()
        assert status != 500
    here.intake.accepted, there.intake.accepted = 10, 5
    here.intake.note_loss(LOST, "too many", refused=3)
    there.intake.note_loss(LOST, "still too many", refused=1, dropped_by_sender=7)
    for shown in await told(pair):
        assert [one["count"] for one in shown["refusals"]] == [3]
        assert shown["telemetry"] == {
            "accepted": 15,
            "refused": 4,
            "drops": [{"refused": 4, "droppedBySender": 7}],
        }
    assert (await pair.runtime(there).full())[0] == 200
    for shown in await told(pair):
        assert shown["refusals"] == [], "it was accepted by one of them"


@EVERYWHERE
async def test_nothing_is_written_while_nothing_changes_and_what_ended_long_ago_is_forgotten(pair: Group) -> None:
    here, there = pair.planes
    await pair.runtime(here, environment="nowhere").full()
    await told(pair)

    async def stored() -> list[int]:
        return sorted(await here.store.read(lambda c: c.execute(select(tellings.c.version)).scalars().all()))

    before = await stored()
    await told(pair)
    assert await stored() == before
    await pair.stop(here)
    assert [one["count"] for one in (await told(pair))[0]["refusals"]] == [1], "what it refused counts for a while"
    pair.clock.advance(FORGET_S + 60)
    await there.tidy()
    assert (await told(pair))[0]["refusals"] == []
    assert await there.store.read(lambda c: c.execute(select(func.count()).select_from(tellings)).scalar_one()) <= 1
