"""Lists in every order and under every filter: nothing skipped, nothing twice, counts right, cursors bound to what was asked."""

import base64
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pilothouse.api.graphql.subscriptions import runtime_changed
from pilothouse.base.errors import InvalidInput
from pilothouse.base.ids import new_id

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

PROJECTS = """query ($s: Sort, $q: String, $n: Int, $a: String) { projects(sort: $s, search: $q, first: $n, after: $a) {
    totalCount nodes { handle displayName } pageInfo { endCursor hasNextPage } } }"""
INTEGRATIONS = """query ($p: String, $t: RuntimeType, $s: Sort, $n: Int, $a: String) {
    integrations(project: $p, runtimeType: $t, sort: $s, first: $n, after: $a) {
    totalCount nodes { handle } pageInfo { endCursor hasNextPage } } }"""
RUNTIMES = """query ($f: RuntimeFilter, $s: RuntimeSort, $n: Int, $a: String) {
    runtimes(filter: $f, sort: $s, first: $n, after: $a) {
    totalCount nodes { name status } pageInfo { endCursor hasNextPage } } }"""
# Letters that Python and the database lower differently, names that differ in case alone, and one name twice.
NAMES = ["Änderung", "apple", "Apple", "Çelik", "änder", "İstanbul", "Zoo", "same", "same", "ß", "Éclair", "éclair"]


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def walk(admin, query: str, *, size: int, **variables) -> tuple[list, int]:
    """Read a list page by page."""
    seen: list = []
    after = None
    while True:
        (page,) = (await admin.ask(query, n=size, a=after, **variables)).values()
        seen += page["nodes"]
        assert page["totalCount"] >= len(seen)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return seen, page["totalCount"]


async def refused_cursor(admin, query: str, **variables) -> bool:
    answer = await admin.try_asking(query, **variables)
    return "errors" in answer and answer["errors"][0]["extensions"]["field"] == "after"


async def test_pages_of_projects_neither_skip_nor_repeat_in_any_order(admin, clock) -> None:
    create = "mutation ($n: String!, $h: String!) { createProject(input: {displayName: $n, handle: $h}) { handle } }"
    for number, name in enumerate(NAMES):
        clock.advance(number % 2)  # some are of the same instant
        await admin.ask(create, n=name, h=f"p-{number:02}")
    everything = {f"p-{number:02}" for number in range(len(NAMES))}
    orders: dict[str, list[str]] = {}
    for sort in ("NAME", "NAME_DESCENDING", "NEWEST", "OLDEST"):
        whole, _ = await walk(admin, PROJECTS, size=500, s=sort)
        orders[sort] = [node["handle"] for node in whole]
        for size in (1, 5):
            seen, total = await walk(admin, PROJECTS, size=size, s=sort)
            assert seen == whole
            assert (total, {node["handle"] for node in seen}) == (len(NAMES), everything)
    assert orders["NAME_DESCENDING"] == orders["NAME"][::-1]
    assert orders["OLDEST"] == orders["NEWEST"][::-1]
    assert orders["NAME"].index("p-01") < orders["NAME"].index("p-06")
    assert orders["OLDEST"][0] in ("p-00", "p-01")


async def test_a_cursor_belongs_to_its_sort_and_its_filter(admin, staff) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        await staff.project(name, "one", "two")
    cursor = (await admin.ask(PROJECTS, n=1))["projects"]["pageInfo"]["endCursor"]
    assert not await refused_cursor(admin, PROJECTS, s="NAME", a=cursor)  # the order that it has unless told
    assert await refused_cursor(admin, PROJECTS, s="NAME_DESCENDING", a=cursor)
    assert await refused_cursor(admin, PROJECTS, s="NEWEST", a=cursor)
    assert await refused_cursor(admin, PROJECTS, q="a", a=cursor)
    assert await refused_cursor(admin, INTEGRATIONS, a=cursor)
    cursor = (await admin.ask(INTEGRATIONS, p="beta", n=1))["integrations"]["pageInfo"]["endCursor"]
    assert await refused_cursor(admin, INTEGRATIONS, p="alpha", a=cursor)
    assert await refused_cursor(admin, INTEGRATIONS, p="beta", t="BI", a=cursor)


async def test_integrations_are_filtered_by_type_and_counted(admin, staff) -> None:
    await staff.project("Shop", "b", "a", "c")
    await admin.ask(
        'mutation { createIntegration(input: {project: "shop", displayName: "py", runtimeType: PY}) { handle } }'
    )
    seen, total = await walk(admin, INTEGRATIONS, size=2, p="shop", t="BI", s="NAME_DESCENDING")
    assert ([node["handle"] for node in seen], total) == (["c", "b", "a"], 3)
    seen, total = await walk(admin, INTEGRATIONS, size=2, t="PY")
    assert ([node["handle"] for node in seen], total) == (["py"], 1)


@pytest.fixture
async def fleet(admin, runtime, clock) -> None:
    """Seven runtimes: `node-0` to `node-4` and one without a name, of which two fell silent, and one of another type."""
    for number in range(6):
        runtime.runtime_id = f"6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a1{number}"
        runtime.name = f"Node-{number}" if number < 5 else None
        assert (await runtime.full())[0] == 200
        clock.advance(1)
    clock.advance(100)
    for number in (0, 1, 2, 5):
        runtime.runtime_id = f"6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a1{number}"
        runtime.name = f"Node-{number}" if number < 5 else None
        assert (await runtime.full())[0] == 200
    runtime.secret, runtime.type, runtime.integration = await admin.secret(), "PY", "py"
    runtime.runtime_id, runtime.name, runtime.artifacts = new_id(), "a-python", {}
    status, answer = await runtime.full()
    assert status == 200, answer


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["OFFLINE"], ["Node-3", "Node-4"]),
        (["RUNNING"], ["a-python", "Node-0", "Node-1", "Node-2", None]),
        (["UNKNOWN"], []),
        ([], []),
        (["RUNNING", "OFFLINE", "UNKNOWN"], ["a-python", "Node-0", "Node-1", "Node-2", "Node-3", "Node-4", None]),
    ],
)
async def test_runtimes_are_filtered_by_the_state_of_this_moment(admin, fleet, statuses: list, expected: list) -> None:
    for size in (1, 2, 500):
        seen, total = await walk(admin, RUNTIMES, size=size, f={"statuses": statuses})
        assert ([node["name"] for node in seen], total) == (expected, len(expected))
        assert {node["status"] for node in seen} <= set(statuses)


async def test_filters_of_runtimes_hold_together_and_count_right(admin, fleet) -> None:
    async def names(**wanted) -> list:
        seen, total = await walk(admin, RUNTIMES, size=2, f=wanted)
        assert total == len(seen)
        return [node["name"] for node in seen]

    assert await names(type="PY") == ["a-python"]
    assert await names(search="NODE-") == [f"Node-{number}" for number in range(5)]
    assert await names(search="7a13") == ["Node-3"]
    assert await names(search="%") == []
    assert await names(search="node-", statuses=["OFFLINE"], type="BI") == ["Node-3", "Node-4"]
    assert await names(search="node-", statuses=["OFFLINE"], type="PY") == []
    assert await names(project="retail-core", integration="py", statuses=["RUNNING"]) == ["a-python"]


async def test_runtimes_are_found_by_the_name_of_their_host(admin, runtime) -> None:
    runtime.extra = {"nodeInfo": {"platformName": "py", "hostname": "Büro-17.example.test"}}
    await runtime.full()
    seen, _ = await walk(admin, RUNTIMES, size=5, f={})
    assert await walk(admin, RUNTIMES, size=5, f={"search": "-17.EXAMPLE"}) == (seen, 1)
    assert await walk(admin, RUNTIMES, size=5, f={"search": "büro"}) == (seen, 1)
    assert await walk(admin, RUNTIMES, size=5, f={"search": "example.org"}) == ([], 0)


async def test_runtimes_in_the_order_in_which_they_came(admin, fleet) -> None:
    oldest, _ = await walk(admin, RUNTIMES, size=3, s="OLDEST")
    assert [node["name"] for node in oldest] == ["Node-0", "Node-1", "Node-2", "Node-3", "Node-4", None, "a-python"]
    newest, _ = await walk(admin, RUNTIMES, size=2, s="NEWEST")
    assert newest == oldest[::-1]
    cursor = (await admin.ask(RUNTIMES, n=1, s="OLDEST"))["runtimes"]["pageInfo"]["endCursor"]
    assert await refused_cursor(admin, RUNTIMES, s="NEWEST", a=cursor)
    assert await refused_cursor(admin, RUNTIMES, s="OLDEST", f={"statuses": ["RUNNING"]}, a=cursor)
    assert not await refused_cursor(admin, RUNTIMES, s="OLDEST", a=cursor)


async def test_a_page_of_runtimes_costs_the_same_however_it_is_filtered(admin, fleet, staff) -> None:
    await admin.ask(RUNTIMES)  # what the caller holds is known from now on
    costs = []
    for wanted in ({}, {"statuses": ["OFFLINE"]}, {"statuses": ["RUNNING"], "search": "node"}):
        with staff.counted() as statements:
            await admin.ask(RUNTIMES, f=wanted)
        costs.append(len([each for each in statements if each.startswith("SELECT")]))
    assert costs == [costs[0]] * 3


async def test_runtimes_are_counted_for_who_asks_how_many_there_are(admin, fleet, staff) -> None:
    listed = """query ($c: Boolean!) { runtimes(first: 2) { nodes { name } ...Total } }
        fragment Total on RuntimeConnection { totalCount @include(if: $c) }"""
    await admin.ask(listed, c=True)  # what the caller holds is known from now on
    for counts in (True, False):
        with staff.counted() as statements:
            answer = (await admin.ask(listed, c=counts))["runtimes"]
        assert answer.get("totalCount") == (7 if counts else None)
        assert len([each for each in statements if "FROM runtimes" in each and "count(" in each]) == int(counts)


async def test_a_subscription_is_told_that_states_are_no_filter_for_it() -> None:
    source = runtime_changed(None, SimpleNamespace(context=None), filter={"statuses": ["OFFLINE"]})
    with pytest.raises(InvalidInput, match="every state") as refused:
        await anext(source)
    assert refused.value.field == "statuses"


async def test_refusals_are_shown_to_who_manages_their_environment(admin, runtime, staff, plane) -> None:
    for environment, project in (("dev", "日本"), ("Production", "Shop"), ("nowhere", "Shop")):
        runtime.environment, runtime.project = environment, project
        _, answer = await runtime.full()
        assert "code" in answer
    listed = "{ refusals { environment } }"
    seen = [each["environment"] for each in (await admin.ask(listed))["refusals"]]
    assert seen == ["nowhere", "Production", "dev"]
    await staff.holder("dev", "ENVIRONMENT_MGT_MANAGE_NONPROD")
    await staff.holder("prod", "ENVIRONMENT_MGT_MANAGE", environment="prod")
    for username, expected in (("dev", ["dev"]), ("prod", ["Production"])):
        async with staff.signed_in(username) as person:
            shown = [each["environment"] for each in (await person.ask(listed))["refusals"]]
            assert shown == expected
            first = await person.ask("{ refusals(first: 1) { environment } }")
            assert [each["environment"] for each in first["refusals"]] == expected


@pytest.mark.parametrize(
    ("query", "of", "parts"),
    [
        ("query ($a: String) { users(after: $a) { totalCount } }", "users:NAME", ["alone"]),
        ("query ($a: String) { users(sort: NEWEST, after: $a) { totalCount } }", "users:NEWEST", ["no time", "x"]),
        ("query ($a: String) { groups(after: $a) { totalCount } }", "groups:NAME", ["one", "two", "three"]),
        ("query ($a: String) { roles(sort: OLDEST, after: $a) { totalCount } }", "roles:OLDEST", ["1e3", "x"]),
        ("query ($a: String) { sessions(after: $a) { totalCount } }", "sessions", ["9" * 400, "x"]),
        ("query ($a: String) { apiTokens(after: $a) { totalCount } }", "apiTokens", ["\u00b2", "x"]),
        ("query ($a: String) { ssoGroupMappings(after: $a) { totalCount } }", "ssoGroupMappings", ["alone"]),
        ("query ($a: String) { secrets(after: $a) { totalCount } }", "secrets", ["", "x"]),
        ("query ($a: String) { auditRecords(after: $a) { totalCount } }", "auditRecords", ["nine"]),
        ("query ($a: String) { commands(after: $a) { totalCount } }", "commands", ["99999999999999999999"]),
    ],
)
async def test_a_cursor_that_somebody_wrote_by_hand_is_refused_and_is_no_defect(
    admin, query: str, of: str, parts: list[str]
) -> None:
    written = base64.urlsafe_b64encode(json.dumps([of, *parts]).encode()).decode().rstrip("=")
    assert await refused_cursor(admin, query, a=written)
