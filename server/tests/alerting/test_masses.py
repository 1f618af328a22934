"""What many runtimes cause at once is written a part in each transaction, so that others have their turn."""

from dataclasses import replace

import pytest
from pilothouse.alerting import worker
from pilothouse.app import control_plane
from pilothouse.domain.liveness import Status
from sqlalchemy import event

pytestmark = pytest.mark.anyio
SILENT = 5


def transactions(plane) -> list[list[str]]:
    """What is said to the database from now on, by transaction."""
    said: list[list[str]] = []

    def note(*told: object) -> None:
        statement = str(told[2])
        if statement.startswith("BEGIN"):
            said.append([])
        else:
            said[-1].append(statement)

    event.listen(plane.store.writer_engine, "before_cursor_execute", note)
    return said


def added(said: list[list[str]], table: str) -> list[int]:
    """Statements that add rows to a table, by transaction; those that add none are left out."""
    counts = [sum(f"INSERT INTO {table} " in statement for statement in some) for some in said]
    return [count for count in counts if count]


async def beaten(alerts, runtime) -> None:
    await alerts.beats(*(replace(runtime, runtime_id=f"runtime-{n}", name=f"node-{n}") for n in range(SILENT)))


async def test_alerts_of_many_runtimes_are_kept_in_parts_and_all_of_them(alerts, runtime, monkeypatch) -> None:
    monkeypatch.setattr(worker, "KEPT_AT_ONCE", 2)
    await alerts.rule()
    await beaten(alerts, runtime)
    await alerts.pass_time(40)
    said = transactions(alerts.plane)
    found = await alerts.look()
    assert [one["state"] for one in found] == ["FIRING"] * SILENT
    assert sorted(added(said, "alerts")) == [1, 2, 2]


async def test_verdicts_on_many_runtimes_are_announced_in_parts_and_all_of_them(alerts, runtime, monkeypatch) -> None:
    monkeypatch.setattr(control_plane, "ANNOUNCED_AT_ONCE", 2)
    await beaten(alerts, runtime)
    said = transactions(alerts.plane)
    await alerts.pass_time(40)
    await alerts.plane.watch()
    assert {one.status for one in alerts.plane.board.list_all()} == {Status.OFFLINE}
    assert max(added(said, "events")) == 2
    assert sum(added(said, "events")) == SILENT, "each is announced once"


async def test_where_verdicts_cannot_be_stored_the_rest_waits_for_the_next_look(alerts, runtime, monkeypatch) -> None:
    monkeypatch.setattr(control_plane, "ANNOUNCED_AT_ONCE", 2)
    await beaten(alerts, runtime)
    await alerts.pass_time(28)
    asked: list[int] = []

    async def refuse(turns) -> bool:
        asked.append(len(turns))
        return False

    with monkeypatch.context() as patched:
        patched.setattr(alerts.plane.announcing, "write", refuse)
        await alerts.pass_time(4)
    assert asked == [2]
    said = transactions(alerts.plane)
    await alerts.plane.watch()
    assert sum(added(said, "events")) == SILENT - 2
