"""What people keep for themselves: named queries that nobody else sees."""

import sys
from pathlib import Path

import pytest
from pilothouse.operations import keeping

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

LIST = "{ kept(kind: LOG_QUERY) { id name value changedAt } }"
KEEP = "mutation ($n: String!, $v: String!) { keep(input: {kind: LOG_QUERY, name: $n, value: $v}) { id name value } }"
FORGET = "mutation ($id: ID!) { forgetKept(id: $id) }"


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_what_is_kept_is_listed_by_name_and_replaced_under_its_name(admin, clock) -> None:
    await admin.ask(KEEP, n="Slow warehouse", v="?search=slowly")
    first = (await admin.ask(KEEP, n=" Errors ", v="?level=ERROR"))["keep"]
    clock.advance(5)
    again = (await admin.ask(KEEP, n="Errors", v="?level=FATAL"))["keep"]
    assert again["id"] == first["id"]
    found = (await admin.ask(LIST))["kept"]
    assert [(one["name"], one["value"]) for one in found] == [
        ("Errors", "?level=FATAL"),
        ("Slow warehouse", "?search=slowly"),
    ]
    assert found[0]["changedAt"] == "2026-09-21T14:13:25.000Z"
    assert (await admin.ask(FORGET, id=first["id"]))["forgetKept"]
    assert [one["name"] for one in (await admin.ask(LIST))["kept"]] == ["Slow warehouse"]


async def test_nobody_sees_or_forgets_what_another_one_keeps(staff, admin) -> None:
    mine = (await admin.ask(KEEP, n="Errors", v="?level=ERROR"))["keep"]
    await staff.user("ann")
    async with staff.signed_in("ann") as ann:
        assert (await ann.ask(LIST))["kept"] == []
        assert await staff.refusal(ann, FORGET, id=mine["id"]) == ("NOT_FOUND", "id")
        await ann.ask(KEEP, n="Errors", v="?level=WARN")
    assert [one["value"] for one in (await admin.ask(LIST))["kept"]] == ["?level=ERROR"]


@pytest.mark.parametrize(
    ("name", "value", "field"), [("", "?", "name"), ("a\nb", "?", "name"), ("x" * 101, "?", "name"), ("n", "", "value"), ("n", "x" * 4001, "value")]
)  # fmt: skip
async def test_what_cannot_be_kept_says_which_part_is_wrong(staff, admin, name: str, value: str, field: str) -> None:
    assert await staff.refusal(admin, KEEP, n=name, v=value) == ("INVALID_INPUT", field)


async def test_nobody_keeps_without_end(staff, admin, monkeypatch) -> None:
    monkeypatch.setattr(keeping, "KEPT_MAX", 2)
    for name in ("one", "two", "two"):
        await admin.ask(KEEP, n=name, v="?")
    assert await staff.refusal(admin, KEEP, n="three", v="?") == ("CONFLICT", "name")


async def test_what_somebody_kept_goes_with_them_and_every_change_is_audited(staff, admin) -> None:
    ann = await staff.user("ann")
    async with staff.signed_in("ann") as person:
        await person.ask(KEEP, n="Errors", v="?level=ERROR")
    records = (await admin.ask('{ auditRecords(filter: {actor: "user:ann"}) { nodes { action detail } } }'))[
        "auditRecords"
    ]
    assert {"action": "kept.save", "detail": "log-query Errors"} in records["nodes"]
    await admin.ask("mutation ($id: ID!) { deleteUser(id: $id) }", id=ann)
    left = await staff.plane.store.read(lambda c: c.exec_driver_sql("SELECT COUNT(*) FROM kept_items").scalar_one())
    assert left == 0
