"""How the telemetry store does, as people see it: what is full, what is wrong, who lost records."""

import sys
from pathlib import Path

import pytest
from pilothouse.telemetry.errors import StoreBusy, StoreDown

sys.path.insert(0, str(Path(__file__).parent))

from telemetry_world import INSIGHTS, LOGS, World, in_memory, line, make_world, span

pytestmark = pytest.mark.anyio

STATE = """{ telemetry { store degraded bytesOnDisk accepted refused
    parts { sort environment { handle } records oldest newest }
    drops { origin { unclaimed runtimeId integration { handle } } refused droppedBySender lastReason lastAt } } }"""


@pytest.fixture
def settings(settings):
    return in_memory(settings)


@pytest.fixture
async def world(plane, admin, runtime) -> World:
    return await make_world(plane, admin, runtime)


def lose(world: World, of: str, **lost: int) -> None:
    world.plane.intake.note_loss(world.origins[of], "too many", **lost)


async def test_the_state_tells_what_is_kept_and_what_was_lost(world, admin) -> None:
    await world.logs("orders", line(60), line(30))
    await world.logs("lost", line(10))
    lose(world, "bills", refused=3)
    lose(world, "orders", refused=1, dropped_by_sender=9)
    found = (await admin.ask(STATE))["telemetry"]
    assert (found["store"], found["degraded"], found["accepted"], found["refused"]) == ("memory", None, 0, 4)
    parts = {
        (one["sort"], one["environment"] and one["environment"]["handle"]): one["records"] for one in found["parts"]
    }
    assert parts == {("logs", "dev"): 2, ("logs", None): 1}
    assert [(one["origin"]["runtimeId"], one["refused"], one["droppedBySender"]) for one in found["drops"]] == [
        ("orders", 1, 9),
        ("bills", 3, 0),
    ]
    assert (found["drops"][0]["lastReason"], found["drops"][0]["lastAt"]) == ("too many", "2026-09-21T14:13:20.000Z")


async def test_a_store_that_is_down_is_told_as_such(world, admin, monkeypatch) -> None:
    async def fail(*_: object) -> None:
        raise StoreDown

    monkeypatch.setattr(world.plane.telemetry, "usage", fail)
    found = (await admin.ask(STATE))["telemetry"]
    assert (found["degraded"], found["bytesOnDisk"]) == ("The telemetry store is being started again.", None)
    world.plane.intake.degraded = StoreBusy(wait_s=1).message
    assert (await admin.ask(STATE))["telemetry"]["degraded"] == "More telemetry arrives than can be stored."


@pytest.mark.parametrize(
    ("permission", "scope", "parts", "drops", "whole"),
    [
        (LOGS, {}, {("logs", "dev"), ("logs", "prod"), ("logs", None)}, ["bills", None, "orders"], True),
        (INSIGHTS, {}, set(), ["bills", None, "orders"], True),
        (LOGS, {"environment": "prod"}, {("logs", "prod")}, [], False),
        (LOGS, {"project": "shop"}, set(), ["orders"], False),
        (INSIGHTS, {"project": "money"}, set(), ["bills"], False),
    ],
)
async def test_everybody_is_told_of_what_they_see_all_of(world, permission, scope, parts, drops, whole) -> None:
    for of in ("orders", "orders-prod", "lost"):
        await world.logs(of, line(60))
    for of, refused in (("orders", 1), ("bills", 5), ("lost", 3)):
        lose(world, of, refused=refused)
    await world.staff.holder("olga", permission, **scope)
    async with world.staff.signed_in("olga") as olga:
        found = (await olga.ask(STATE))["telemetry"]
    told = {(one["sort"], one["environment"] and one["environment"]["handle"]) for one in found["parts"]}
    assert {part for part in told if part[0] == "logs"} == parts
    assert [one["origin"]["runtimeId"] for one in found["drops"]] == drops
    assert (found["accepted"] is not None) is (found["bytesOnDisk"] is not None) is whole
    assert found["refused"] == sum(one["refused"] for one in found["drops"])


ASKED = {
    "logs { nodes { message } }": LOGS,
    "logs { totalCount }": LOGS,
    "logLevels { steps { levels { count } } }": LOGS,
    "metrics { series { key } }": INSIGHTS,
    "metricNames": INSIGHTS,
    "traces { nodes { traceId } }": INSIGHTS,
    f'trace(id: "{1:032x}") {{ id }}': INSIGHTS,
    "serviceMap { nodes { id } }": INSIGHTS,
    "telemetry { drops { refused } }": LOGS,
}


async def test_a_developer_sees_nothing_of_another_project_whatever_they_ask(world, admin) -> None:
    await world.logs("bills", line(60))
    await world.logs("lost", line(60))
    await world.spans("bills", span(60, 1, 1))
    lose(world, "bills", refused=1)
    await world.staff.holder("olga", LOGS, INSIGHTS, project="shop")
    await world.staff.holder("otto", LOGS, INSIGHTS)
    async with world.staff.signed_in("olga") as olga, world.staff.signed_in("otto") as otto:
        for text in ASKED:
            (found,), (all_,) = (await olga.ask(f"{{ {text} }}")).values(), (await otto.ask(f"{{ {text} }}")).values()
            assert not _numbers_and_texts(found), text
            assert _numbers_and_texts(all_) or text.startswith("metric"), text


async def test_each_permission_opens_its_own_fields(world) -> None:
    for name, permission in (("lena", LOGS), ("ida", INSIGHTS)):
        await world.staff.holder(name, permission)
        async with world.staff.signed_in(name) as person:
            for text, needed in ASKED.items():
                answer = await person.try_asking(f"{{ {text} }}")
                is_open = needed == permission or text.startswith("telemetry")
                assert ("errors" not in answer) is is_open, text
                if not is_open:
                    assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"


def _numbers_and_texts(value: object) -> list[object]:
    match value:
        case dict():
            return [leaf for part in value.values() for leaf in _numbers_and_texts(part)]
        case list():
            return [leaf for part in value for leaf in _numbers_and_texts(part)]
        case None | 0:
            return []
        case _:
            return [value]
