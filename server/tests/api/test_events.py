"""What happened, as people read it: every kind has a sentence, and each is told to who sees its place."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.access.grants import Subject
from pilothouse.api.graphql.events import event_happened
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.app.services import services_of
from pilothouse.domain.events import EventKind, NewEvent, kinds_of, message_of
from pilothouse.storage import people

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

EVENTS = """query ($f: EventFilter, $n: Int, $a: String) { events(filter: $f, first: $n, after: $a) {
    totalCount pageInfo { endCursor hasNextPage } nodes { sequence kind message secretKeyId
    runtime { name status } project { handle } integration { handle } environment { handle critical } } } }"""


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@given(st.sampled_from(EventKind), st.text(max_size=80), st.none() | st.just("orders"), st.none() | st.just("00ff00ff"))
def test_every_kind_has_a_sentence_whatever_its_detail(kind, detail, runtime, key_id) -> None:
    told = message_of(NewEvent(kind=kind, at=0.0, detail=detail, key_id=key_id), runtime)
    assert told[0].isupper()
    assert told.endswith(".")
    assert "\n" not in told
    assert "None" not in told.replace(detail, "")
    assert len(told) > 10


@pytest.mark.parametrize("kind", EventKind)
def test_a_kind_is_meant_by_its_name_and_by_its_thing(kind: EventKind) -> None:
    thing = kind.value.partition(".")[0]
    assert kinds_of(kind.value) == (kind,)
    assert kind in kinds_of(f"{thing}.")
    assert all(each.value.startswith(f"{thing}.") for each in kinds_of(f"{thing}."))
    assert kinds_of(thing) == kinds_of(kind.value[:-1]) == ()


async def kinds(person, **wanted) -> list[str]:
    found = (await person.ask(EVENTS, f=wanted, n=500))["events"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["kind"] for node in found["nodes"]]


@pytest.mark.anyio
async def test_events_tell_of_what_they_are_about(admin, runtime, clock, plane) -> None:
    await runtime.full()
    clock.advance(120)
    plane._watched_at = clock.now()
    await plane.watch()
    nodes = (await admin.ask(EVENTS, f={"kinds": ["runtime."]}))["events"]["nodes"]
    assert [node["kind"] for node in nodes] == ["runtime.offline", "runtime.registered"]
    offline = nodes[0]
    assert offline["message"].startswith("The runtime orders-node-1 is offline: ")
    assert offline["runtime"] == {"name": "orders-node-1", "status": "OFFLINE"}
    assert (offline["project"], offline["integration"]) == ({"handle": "retail-core"}, {"handle": "order-intake"})
    assert offline["environment"] == {"handle": "dev", "critical": False}
    (bound,) = (await admin.ask(EVENTS, f={"kinds": ["secret.bound"]}))["events"]["nodes"]
    key_id = runtime.secret.partition(".")[0]
    assert bound["message"] == f"The secret {key_id} was bound to retail-core/order-intake."
    assert bound["secretKeyId"] == key_id


@pytest.mark.anyio
async def test_what_is_gone_is_told_without_it(admin, runtime) -> None:
    await runtime.full()
    await admin.ask(
        'mutation { deleteProject(handle: "retail-core", cascade: true, confirm: "retail-core") { deleted } }'
    )
    nodes = (await admin.ask(EVENTS, f={"kinds": ["runtime.", "project.deleted"]}))["events"]["nodes"]
    assert [(node["kind"], node["message"]) for node in nodes] == [
        ("project.deleted", "The project retail-core was deleted."),
        ("runtime.removed", "A runtime was removed."),
        ("runtime.registered", "A runtime registered."),
    ]
    assert all(node["runtime"] is None and node["project"] is None for node in nodes)


@pytest.mark.anyio
async def test_filters_of_events_hold_together_and_pages_neither_skip_nor_repeat(admin, staff, runtime, clock) -> None:
    await staff.project("Shop", "One", "Two")
    clock.advance(10)
    await runtime.full()
    everything = await kinds(admin)
    assert await kinds(admin, project="shop") == ["integration.created", "integration.created", "project.created"]
    assert await kinds(admin, project="shop", integration="two") == ["integration.created"]
    assert await kinds(admin, project="nowhere") == []
    assert await kinds(admin, environment="dev", kinds=["runtime.registered"]) == ["runtime.registered"]
    runtime_id = (await admin.ask("{ runtimes { nodes { id } } }"))["runtimes"]["nodes"][0]["id"]
    assert await kinds(admin, runtime=runtime_id) == ["runtime.registered"]
    assert "project.created" in await kinds(admin, **{"from": "2026-09-21T14:13:20Z", "to": "2026-09-21T14:13:25Z"})
    assert "runtime.registered" not in await kinds(admin, to="2026-09-21T14:13:25Z")
    seen, after = [], None
    while True:
        page = (await admin.ask(EVENTS, n=3, a=after))["events"]
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [node["kind"] for node in seen] == everything
    assert [node["sequence"] for node in seen] == sorted({node["sequence"] for node in seen}, reverse=True)
    assert await staff.refusal(admin, EVENTS, f={"project": "shop"}, a=after) == ("INVALID_INPUT", "after")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"integration": "x"}, "project"),
        ({"kinds": ["runtime"]}, "kinds"),
        ({"kinds": ["."]}, "kinds"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-09-21T14:13:25"}, "to"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(admin, staff, wanted: dict, field: str) -> None:
    assert await staff.refusal(admin, EVENTS, f=wanted) == ("INVALID_INPUT", field)


@pytest.mark.anyio
async def test_events_are_told_to_who_sees_their_place(admin, staff, runtime) -> None:
    await staff.project("Shop", "One", "Two")
    await runtime.full()  # retail-core/order-intake in dev
    await staff.holder("shopper", "INTEGRATION_MGT_VIEW", "PROJECT_MGT_VIEW", project="shop")
    await staff.holder("one", "INTEGRATION_MGT_VIEW", "PROJECT_MGT_VIEW", project="shop", integration="one")
    await staff.holder("prod", "INTEGRATION_MGT_VIEW", "PROJECT_MGT_VIEW", environment="prod")
    await staff.holder("all", "INTEGRATION_MGT_VIEW", "PROJECT_MGT_VIEW")
    await staff.holder("inner", "INTEGRATION_MGT_VIEW", project="shop")

    async def seen(username: str) -> list[dict]:
        async with staff.signed_in(username) as person:
            page = (await person.ask(EVENTS, n=500))["events"]
            assert page["totalCount"] == len(page["nodes"])
            return page["nodes"]

    def told(nodes: list[dict], thing: str) -> list[str | None]:
        return [(node["project"] or {}).get("handle") for node in nodes if node["kind"].startswith(thing)]

    shopper, one, prod, everybody, inner = [await seen(who) for who in ("shopper", "one", "prod", "all", "inner")]
    assert told(shopper, "project.") == told(one, "project.") == ["shop"]
    assert (told(shopper, "integration."), told(one, "integration.")) == (["shop", "shop"], ["shop"])
    assert told(shopper, "runtime.") == told(one, "runtime.") == told(prod, "runtime.") == []
    assert sorted(told(prod, "project.")) == ["retail-core", "shop"]  # it sees them, though none of their runtimes
    assert told(inner, "project.") == []  # the integrations only
    assert told(everybody, "runtime.") == ["retail-core"]
    assert told(everybody, "access.")
    assert not any(told(nodes, "access.") for nodes in (shopper, one, prod, inner))
    assert not any(node["environment"] and node["environment"]["handle"] == "dev" for node in prod)


@pytest.mark.anyio
async def test_a_page_of_events_costs_the_same_however_long_it_is(admin, staff, runtime) -> None:
    await runtime.full()
    costs = []
    for count in (1, 8):
        for number in range(count):
            await staff.project(f"P {count} {number}", "One")
        await admin.ask(EVENTS)
        with staff.counted() as statements:
            assert (await admin.ask(EVENTS, n=500))["events"]["nodes"]
        costs.append(len([each for each in statements if each.startswith("SELECT")]))
    assert costs[0] == costs[1] <= 9  # two of them ask who the caller is


@asynccontextmanager
async def following(plane, admin, *, username: str = "admin", **variables) -> AsyncIterator[AsyncIterator[dict]]:
    """Follow as the administrator or another, from the resolver's own source of changes."""
    await admin.ask("{ viewer { username } }")
    services = services_of(plane, await plane.organization())
    user_id = await plane.store.read(lambda connection: people.find_by_name(connection, username).id)
    holdings = await services.access.holdings(user_id)
    caller = Subject(id=user_id, username=username, display_name=username, holdings=holdings)
    source = event_happened(None, SimpleNamespace(context=GraphQLRequest(services, caller)), **variables)
    try:
        yield source
    finally:
        await source.aclose()


async def soon(source) -> dict:
    return await asyncio.wait_for(anext(source), 20)


@pytest.mark.anyio
async def test_events_are_followed_as_they_happen_and_after_a_gap(admin, staff, plane) -> None:
    async with following(plane, admin, filter={"kinds": ["project."]}) as live:
        first = asyncio.ensure_future(soon(live))
        while not len(plane.bus):
            await asyncio.sleep(0.01)
        await staff.project("Shop", "One")
        change = await first
        assert (change["resync"], change["event"]["message"]) == (False, "The project shop was created.")
        assert change["event"]["project"]["handle"] == "shop"
        last = change["sequence"]
    await staff.project("Later")
    await staff.project("Last")
    async with following(plane, admin, filter={"kinds": ["project."]}, after=last) as resumed:
        told = [await soon(resumed), await soon(resumed)]
        assert [each["event"]["project"]["handle"] for each in told] == ["later", "last"]
    async with following(plane, admin, after=10**9) as lost:
        assert await soon(lost) == {"sequence": told[-1]["sequence"] + 1, "resync": True, "event": None}
    assert len(plane.bus) == 0


@pytest.mark.anyio
async def test_who_is_let_out_hears_no_more(admin, staff, plane) -> None:
    await staff.project("Shop")
    user_id = await staff.holder("shopper", "INTEGRATION_MGT_VIEW", "PROJECT_MGT_VIEW", project="shop")
    services = services_of(plane, await plane.organization())
    holdings = await services.access.holdings(user_id)
    caller = Subject(id=user_id, username="shopper", display_name="S", holdings=holdings)
    source = event_happened(None, SimpleNamespace(context=GraphQLRequest(services, caller)))
    heard = asyncio.ensure_future(soon(source))
    while not len(plane.bus):
        await asyncio.sleep(0.01)
    rename = 'mutation { updateProject(handle: "shop", input: {description: "x"}) { handle } }'
    await admin.ask(rename)
    assert (await heard)["event"]["kind"] == "project.changed"
    await admin.ask("mutation ($u: ID!) { setUserGroups(user: $u, groups: []) { id } }", u=user_id)
    assert (await soon(source))["resync"] is True
    await admin.ask(rename.replace('"x"', '"y"'))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(source), 0.5)


@pytest.mark.anyio
async def test_a_page_tells_where_following_goes_on_even_when_it_is_empty(admin, staff) -> None:
    await staff.project("Shop", "One")
    page = "query ($f: EventFilter) { events(filter: $f, first: 1) { totalCount sequence nodes { sequence } } }"
    everything = (await admin.ask(page))["events"]
    assert everything["sequence"] == everything["nodes"][0]["sequence"]
    nothing = (await admin.ask(page, f={"kinds": ["runtime."]}))["events"]
    assert (nothing["totalCount"], nothing["sequence"]) == (0, everything["sequence"])


@pytest.mark.anyio
async def test_whose_rights_change_is_told_to_read_again(plane, staff, admin) -> None:
    group = await staff.group("Lookers")
    viewer = await staff.built_in("roles", "Viewer")
    one = await staff.project("One", "Orders")
    mapping = await staff.mapped(group, viewer)
    await staff.mapped(group, viewer, project=one)
    await staff.user("ann", group)
    async with following(plane, admin, username="ann") as feed:
        told = asyncio.ensure_future(soon(feed))
        while not len(plane.bus):
            await asyncio.sleep(0.01)
        await admin.ask("mutation ($id: ID!) { unmapRole(id: $id) }", id=mapping)
        assert (await told)["resync"] is True
