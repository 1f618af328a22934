"""Which places are not as wanted, over the API: replicas that differ, artifacts that failed, changes not carried out."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pilothouse.storage.tables import artifact_sets
from sqlalchemy import func, select, update

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

ASK = """query ($f: NotAsWantedFilter, $n: Int, $a: String) { notAsWanted(filter: $f, first: $n, after: $a) {
  totalCount places differing failed unreached pageInfo { endCursor hasNextPage }
  nodes { project { handle } integration { handle } environment { handle critical } running forms failed unreached } } }"""
CHANGE = """mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting } }"""
Report = Callable[..., Awaitable[Any]]


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
def report(plane, admin, runtime) -> Report:
    """Let a Python runtime of any place tell what it hosts."""
    secrets: dict[tuple[str, str], str] = {}

    async def tell(name: str, integration: str = "orders", environment: str = "dev", **listener: Any) -> Any:
        place = (integration, environment)
        if place not in secrets:
            secrets[place] = await admin.secret(environment)
        hosted = {"name": "http-8090", "package": "uvicorn", "state": "enabled", "port": 8090, **listener}
        told = replace(
            runtime,
            type="PY",
            name=name,
            runtime_id=name,
            hash=str(listener),
            project="Shop",
            integration=integration,
            environment=environment,
            secret=secrets[place],
            extra={"capabilities": ["START", "STOP"]},
            artifacts={"listeners": [hosted]},
        )
        assert (await told.full())[0] == 200
        return told

    return tell


async def ask(person: Any, first: int | None = None, after: str | None = None, **wanted: str) -> Any:
    return (await person.ask(ASK, f=wanted, n=first, a=after))["notAsWanted"]


def places(found: Any) -> list[tuple[str, str]]:
    return [(node["integration"]["handle"], node["environment"]["handle"]) for node in found["nodes"]]


async def test_replicas_that_are_alike_are_not_told_of(report, admin) -> None:
    await report("a-1")
    await report("a-2")
    assert await ask(admin) == {
        "totalCount": 0,
        "places": 0,
        "differing": 0,
        "failed": 0,
        "unreached": 0,
        "nodes": [],
        "pageInfo": {"endCursor": None, "hasNextPage": False},
    }


async def test_replicas_that_differ_and_artifacts_that_failed_are_told_by_place(report, admin) -> None:
    await report("a-1")
    await report("a-2", port=9999)
    await report("b-1", "billing", state="failed", stateReason="port taken")
    found = await ask(admin)
    assert {name: found[name] for name in ("totalCount", "places", "differing", "failed", "unreached")} == {
        "totalCount": 2,
        "places": 2,
        "differing": 1,
        "failed": 1,
        "unreached": 0,
    }
    told = {node["integration"]["handle"]: (node["running"], node["forms"], node["failed"]) for node in found["nodes"]}
    assert told == {"billing": (1, 1, 1), "orders": (2, 2, 0)}


async def test_each_trouble_project_and_environment_narrows_the_list_and_not_the_counts(report, admin) -> None:
    await report("a-1")
    await report("a-2", port=9999)
    await report("b-1", "billing", state="failed")
    for wanted, expected in (
        ({"trouble": "DIFFERING"}, [("orders", "dev")]),
        ({"trouble": "FAILED"}, [("billing", "dev")]),
        ({"trouble": "UNREACHED"}, []),
    ):
        found = await ask(admin, **wanted)
        assert (places(found), found["totalCount"], found["places"]) == (expected, len(expected), 2)
    counts = "query ($f: NotAsWantedFilter) { notAsWanted(filter: $f) { totalCount places differing failed } }"
    for wanted, total in (({}, 2), ({"trouble": "FAILED"}, 1), ({"project": "other"}, 0)):
        everywhere = 0 if "project" in wanted else 1
        alone = (await admin.ask(counts, f=wanted))["notAsWanted"]  # with no place named
        assert alone == {"totalCount": total, "places": 2 * everywhere, "differing": everywhere, "failed": everywhere}
    assert (await ask(admin, project="shop"))["totalCount"] == 2
    assert (await ask(admin, project="other"))["places"] == 0
    assert (await ask(admin, environment="prod"))["places"] == 0


async def test_a_silent_runtime_differs_from_nobody(report, plane, admin, clock) -> None:
    await report("a-1")
    kept = await report("a-2", port=9999)
    for _ in range(40):
        clock.advance(5)
        await kept.full()
        await plane.watch()
    await plane.flush()
    assert (await ask(admin))["places"] == 0


async def test_a_wish_counts_when_its_command_has_waited_for_a_minute(report, admin, clock) -> None:
    beating = await report("a-1")
    await admin.ask(
        CHANGE,
        input={
            "project": "shop",
            "integration": "orders",
            "environment": "dev",
            "kind": "LISTENER",
            "name": "http-8090",
            "aspect": "STATE",
            "value": "DISABLED",
        },
    )
    assert (await ask(admin))["unreached"] == 0
    for _ in range(5):
        clock.advance(20)
        await beating.full()
    found = await ask(admin)
    assert (found["unreached"], [node["unreached"] for node in found["nodes"]]) == (1, [1])


async def test_pages_hold_every_place_once_and_critical_environments_come_first(report, admin, staff) -> None:
    for integration in ("zinc", "amber", "coral"):
        await report(f"{integration}-1", integration, state="failed")
    await report("prod-1", "zinc", "prod", state="failed")
    seen, after = [], None
    for _ in range(4):
        page = await ask(admin, first=1, after=after)
        assert page["totalCount"] == 4
        seen += places(page)
        after = page["pageInfo"]["endCursor"]
    assert seen == [("zinc", "prod"), ("amber", "dev"), ("coral", "dev"), ("zinc", "dev")]
    assert not page["pageInfo"]["hasNextPage"]
    assert await staff.refusal(admin, ASK, f={"trouble": "FAILED"}, a=after) == ("INVALID_INPUT", "after")


async def test_nobody_is_told_of_places_that_they_do_not_see(report, staff) -> None:
    await report("a-1", state="failed")
    await report("a-2", "orders", "prod", state="failed")
    await staff.holder("prod", "INTEGRATION_MGT_VIEW", environment="prod")
    async with staff.signed_in("prod") as person:
        found = await ask(person)
    assert (places(found), found["places"]) == ([("orders", "prod")], 1)


async def test_it_costs_the_same_however_many_places_there_are(report, admin, staff) -> None:
    costs = []
    for integrations in (("one",), ("two", "three", "four", "five")):
        for each in integrations:
            await report(f"{each}-1", each, state="failed")
        with staff.counted() as statements:
            await ask(admin)
        costs.append(len([each for each in statements if each.lstrip().startswith("SELECT")]))
    assert costs[0] == costs[1] <= 5  # two of them ask who the caller is


async def test_where_nothing_is_suspect_one_question_finds_it_out(report, admin, staff) -> None:
    await report("a-1")
    await report("a-2")
    with staff.counted() as statements:
        assert (await ask(admin))["places"] == 0
    assert len([each for each in statements if "runtimes" in each]) == 1


async def test_sets_from_before_are_summed_up_by_housekeeping(report, plane, admin) -> None:
    await report("a-1")
    await report("a-2", port=9999)
    await plane.store.write(
        lambda tx: tx.connection.execute(update(artifact_sets).values(likeness=None, failed_count=None))
    )
    assert (await ask(admin))["places"] == 0
    await plane.tidy()
    assert (await ask(admin))["differing"] == 1
    missing = select(func.count()).where(artifact_sets.c.likeness.is_(None))
    assert await plane.store.read(lambda c: c.execute(missing).scalar_one()) == 0
