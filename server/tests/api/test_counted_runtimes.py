"""How many runtimes a list has: what memory tells of long ones is what the database counts, for whoever asks."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pilothouse.storage import runtime_rows

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

ASK = """query ($f: RuntimeFilter, $n: Int) { runtimes(filter: $f, first: $n) {
  totalCount pageInfo { hasNextPage } nodes { name status } } }"""
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"environment": "dev"},
    {"project": "shop"},
    {"project": "shop", "integration": "orders"},
    {"project": "shop", "integration": "orders", "environment": "prod"},
    {"type": "BI"},
    {"type": "MI"},
    {"statuses": ["RUNNING"]},
    {"statuses": ["OFFLINE", "UNKNOWN"]},
    {"statuses": ["OFFLINE"], "environment": "dev"},
    {"statuses": [], "environment": "dev"},
    {"environment": "nowhere"},
    {"project": "nowhere", "integration": "orders"},
)


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
async def fleet(plane, admin, runtime, clock) -> Callable[[], Awaitable[None]]:
    """Nine runtimes in six places, a third of them silent by now."""
    told = []
    for environment in ("dev", "prod"):
        for number, (project, integration) in enumerate([("Shop", "orders"), ("Shop", "stock"), ("Depot", "orders")]):
            secret = await admin.secret(environment)
            for copy in range(2 if environment == "dev" else 1):
                name = f"{environment}-{number}-{copy}"
                one = replace(
                    runtime, name=name, runtime_id=name, project=project, integration=integration,
                    environment=environment, secret=secret,
                )  # fmt: skip
                assert (await one.full())[0] == 200
                told.append(one)

    async def beat() -> None:
        clock.advance(100)
        for number, one in enumerate(told):
            if number % 3:
                await one.full()

    return beat


async def counts(person: Any, first: int) -> list[int]:
    return [(await person.ask(ASK, f=wanted, n=first))["runtimes"]["totalCount"] for wanted in FILTERS]


async def test_memory_and_the_database_count_alike_for_whoever_asks(fleet, staff, admin, monkeypatch) -> None:
    await fleet()
    await staff.holder("dev", "INTEGRATION_MGT_VIEW", environment="dev")
    await staff.holder("shop", "INTEGRATION_MGT_VIEW", project="shop")
    async with staff.signed_in("dev") as in_dev, staff.signed_in("shop") as of_shop:
        people = (admin, in_dev, of_shop)
        whole = [await counts(person, 500) for person in people]
        assert whole[0][:9] == [9, 6, 6, 3, 1, 9, 0, 6, 3]
        assert [told[0] for told in whole] == [9, 6, 6]
        by_database = [await counts(person, 1) for person in people]
        monkeypatch.setattr(runtime_rows, "COUNTED_MAX", 0)
        assert [await counts(person, 1) for person in people] == by_database == whole


async def test_a_runtime_that_is_gone_is_counted_no_more(fleet, admin, monkeypatch) -> None:
    await fleet()
    monkeypatch.setattr(runtime_rows, "COUNTED_MAX", 0)
    found = (await admin.ask("{ runtimes(first: 1) { nodes { id } } }"))["runtimes"]["nodes"][0]["id"]
    before = await counts(admin, 1)
    await admin.ask("mutation ($id: ID!) { deleteRuntime(id: $id) { __typename } }", id=found)
    after = await counts(admin, 1)
    assert (before[0] - after[0], before[1] - after[1]) == (1, 1)
