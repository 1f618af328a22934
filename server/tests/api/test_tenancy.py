"""Projects, integrations, environments: made, listed page by page, found, refused when they collide."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.access.places import Place, Reach

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

CREATE = "mutation ($name: String!, $handle: String) { createProject(input: {displayName: $name, handle: $handle}) { handle displayName createdBy } }"
PAGE = "query ($first: Int, $after: String, $search: String) { projects(first: $first, after: $after, search: $search) { totalCount nodes { handle } pageInfo { endCursor hasNextPage } } }"
AVAILABILITY = "query ($k: HandleKind!, $h: String!, $p: String) { handleAvailability(kind: $k, handle: $h, project: $p) { available reason suggestion } }"


async def refused(admin, query: str, **variables) -> dict:
    answer = await admin.try_asking(query, **variables)
    return answer["errors"][0]["extensions"]


async def test_a_new_control_plane_has_dev_and_prod(admin) -> None:
    data = await admin.ask(
        "{ environments { nodes { handle critical runtimes { total } } } organization { projectCount } }"
    )
    assert data["environments"]["nodes"] == [
        {"handle": "dev", "critical": False, "runtimes": {"total": 0}},
        {"handle": "prod", "critical": True, "runtimes": {"total": 0}},
    ]
    assert data["organization"]["projectCount"] == 0


async def test_a_project_derives_its_handle_from_its_name(admin) -> None:
    made = (await admin.ask(CREATE, name="  Order Service (EU) "))["createProject"]
    assert made == {"handle": "order-service-eu", "displayName": "Order Service (EU)", "createdBy": "admin"}


@pytest.mark.parametrize(
    ("variables", "code", "field"),
    [
        ({"name": "  "}, "INVALID_INPUT", "displayName"),
        ({"name": "x" * 101}, "INVALID_INPUT", "displayName"),
        ({"name": "日本"}, "INVALID_INPUT", "handle"),
        ({"name": "ok", "handle": "Not A Handle"}, "INVALID_INPUT", "handle"),
        ({"name": "ok", "handle": "x" * 65}, "INVALID_INPUT", "handle"),
        ({"name": "a\nb"}, "INVALID_INPUT", "displayName"),
    ],
)
async def test_bad_names_are_refused_by_field(admin, variables: dict, code: str, field: str) -> None:
    error = await refused(admin, CREATE, **variables)
    assert (error["code"], error["field"]) == (code, field)
    assert error["fix"]


async def test_of_two_who_want_one_handle_at_once_one_gets_it(admin) -> None:
    answers = await asyncio.gather(*(admin.try_asking(CREATE, name="Shop") for _ in range(5)))
    assert sum("errors" not in answer for answer in answers) == 1
    codes = {answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer}
    assert codes == {"CONFLICT"}


async def test_pages_neither_skip_nor_repeat(admin) -> None:
    for number in range(7):
        await admin.ask(CREATE, name=f"Project {number}")
    seen, after = [], None
    while True:
        page = (await admin.ask(PAGE, first=3, after=after))["projects"]
        assert page["totalCount"] == 7
        seen += [node["handle"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [f"project-{number}" for number in range(7)]


async def test_a_search_takes_its_signs_literally(admin) -> None:
    await admin.ask(CREATE, name="100% sure")
    await admin.ask(CREATE, name="something else")
    assert [n["handle"] for n in (await admin.ask(PAGE, search="100%"))["projects"]["nodes"]] == ["100-sure"]
    assert [n["handle"] for n in (await admin.ask(PAGE, search="ELSE"))["projects"]["nodes"]] == ["something-else"]
    assert (await admin.ask(PAGE, search="_"))["projects"]["nodes"] == []


@pytest.mark.parametrize(
    "variables", [{"first": 0}, {"first": 501}, {"first": -1}, {"after": "junk"}, {"after": "W10"}]
)
async def test_pages_and_cursors_are_checked(admin, variables: dict) -> None:
    error = await refused(admin, PAGE, **variables)
    assert error["code"] == "INVALID_INPUT"
    assert error["field"] in ("first", "after")


async def test_a_cursor_of_another_list_is_refused(admin) -> None:
    data = await admin.ask("{ environments(first: 1) { pageInfo { endCursor } } }")
    error = await refused(admin, PAGE, after=data["environments"]["pageInfo"]["endCursor"])
    assert error["field"] == "after"


async def test_availability_tells_why_not_and_what_instead(admin) -> None:
    await admin.ask(CREATE, name="Shop")
    taken = (await admin.ask(AVAILABILITY, k="PROJECT", h="shop"))["handleAvailability"]
    assert (taken["available"], taken["suggestion"]) == (False, "shop-2")
    malformed = (await admin.ask(AVAILABILITY, k="PROJECT", h="My Shop"))["handleAvailability"]
    assert (malformed["available"], malformed["suggestion"]) == (False, "my-shop")
    assert (await admin.ask(AVAILABILITY, k="ENVIRONMENT", h="staging"))["handleAvailability"]["available"] is True
    assert (await refused(admin, AVAILABILITY, k="INTEGRATION", h="x"))["field"] == "project"


async def test_an_integration_lives_in_its_project(admin) -> None:
    create = 'mutation ($p: String!) { createIntegration(input: {project: $p, displayName: "Order create", runtimeType: PY}) { handle project { handle } runtimeType } }'
    assert (await refused(admin, create, p="nowhere"))["code"] == "NOT_FOUND"
    await admin.ask(CREATE, name="Shop")
    made = (await admin.ask(create, p="shop"))["createIntegration"]
    assert made == {"handle": "order-create", "project": {"handle": "shop"}, "runtimeType": "PY"}
    assert (await refused(admin, create, p="shop"))["code"] == "CONFLICT"
    listed = await admin.ask(
        '{ integrations(project: "shop") { nodes { handle } } project(handle: "shop") { integrationCount } }'
    )
    assert listed == {"integrations": {"nodes": [{"handle": "order-create"}]}, "project": {"integrationCount": 1}}


async def test_an_environment_is_made(admin) -> None:
    made = await admin.ask(
        'mutation { createEnvironment(input: {displayName: "Staging", critical: false}) { handle } }'
    )
    assert made == {"createEnvironment": {"handle": "staging"}}


async def test_a_defect_of_ours_tells_nothing_of_the_inside(admin, monkeypatch: pytest.MonkeyPatch) -> None:
    from pilothouse.storage import tenancy

    def explode(*_: object) -> None:
        raise ValueError("an inner secret")

    monkeypatch.setattr(tenancy, "list_projects", explode)
    error = (await admin.try_asking(PAGE))["errors"][0]
    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert error["extensions"]["requestId"]
    assert "inner secret" not in str(error)


UPDATE = "mutation ($h: String!, $i: UpdateProjectInput!) { updateProject(handle: $h, input: $i) { handle displayName description } }"
UPDATE_ENVIRONMENT = "mutation ($h: String!, $i: UpdateEnvironmentInput!) { updateEnvironment(handle: $h, input: $i) { displayName critical } }"
GROUPS = '{ groups(search: "admins") { nodes { name project { handle } members { nodes { user { username } } } mappings { nodes { role { name } scope { project { handle } environment { handle } } } } } } }'


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def admins_of(admin, project: str) -> dict:
    nodes = (await admin.ask(GROUPS))["groups"]["nodes"]
    return next(node for node in nodes if node["project"] == {"handle": project})


async def test_a_project_has_admins_and_its_creator_is_one_of_them(admin) -> None:
    await admin.ask(CREATE, name="Shop")
    await admin.ask(CREATE, name="Shop", handle="shop-again")
    group = await admins_of(admin, "shop")
    assert group["name"] == "Shop Admins"
    assert [member["user"]["username"] for member in group["members"]["nodes"]] == ["admin"]
    (mapping,) = group["mappings"]["nodes"]
    assert mapping == {"role": {"name": "Project Admin"}, "scope": {"project": {"handle": "shop"}, "environment": None}}
    assert (await admins_of(admin, "shop-again"))["name"] == "Shop Admins 2"


async def test_a_project_that_a_runtime_announced_has_admins_who_are_nobody(admin, runtime) -> None:
    await runtime.full()
    group = await admins_of(admin, "retail-core")
    assert (group["name"], group["members"]["nodes"]) == ("retail-core Admins", [])


async def test_names_change_handles_stay_and_the_admins_follow(admin, staff) -> None:
    await admin.ask(CREATE, name="Shop")
    changed = (await admin.ask(UPDATE, h="shop", i={"displayName": " Store ", "description": "Sells"}))["updateProject"]
    assert changed == {"handle": "shop", "displayName": "Store", "description": "Sells"}
    assert (await admins_of(admin, "shop"))["name"] == "Store Admins"
    assert (await admin.ask(UPDATE, h="shop", i={"description": None}))["updateProject"] == changed
    records = [record for record in await staff.audit() if record["action"] == "project.update"]
    assert [(json.loads(each["before"]), json.loads(each["after"])) for each in records] == [
        ({"description": "", "displayName": "Shop"}, {"description": "Sells", "displayName": "Store"})
    ]
    assert (await refused(admin, UPDATE, h="shop", i={"displayName": ""}))["field"] == "displayName"
    assert (await refused(admin, UPDATE, h="nowhere", i={}))["code"] == "NOT_FOUND"


async def test_who_changes_whether_it_is_critical_must_manage_both(admin, staff) -> None:
    await staff.holder("dev", "ENVIRONMENT_MGT_MANAGE_NONPROD")
    async with staff.signed_in("dev") as person:
        renamed = await person.ask(UPDATE_ENVIRONMENT, h="dev", i={"displayName": "Try it"})
        assert renamed["updateEnvironment"] == {"displayName": "Try it", "critical": False}
        for handle, wanted in (
            ("dev", {"critical": True}),
            ("prod", {"critical": False}),
            ("prod", {"displayName": "P"}),
        ):
            assert (await staff.refusal(person, UPDATE_ENVIRONMENT, h=handle, i=wanted))[0] == "NOT_PERMITTED"
    made = await admin.ask(UPDATE_ENVIRONMENT, h="prod", i={"critical": False})
    assert made["updateEnvironment"] == {"displayName": "Production", "critical": False}


async def test_a_handle_that_was_taken_after_it_was_found_free_is_a_conflict(admin, monkeypatch) -> None:
    from pilothouse.storage import tenancy

    await admin.ask(CREATE, name="Shop")
    monkeypatch.setattr(
        tenancy, "find_project", lambda *_args: None
    )  # as another process's uncommitted row is not seen
    assert (await refused(admin, CREATE, name="Shop"))["code"] == "CONFLICT"


async def test_every_place_tells_what_the_caller_may_do_there(admin, staff) -> None:
    await staff.project("Shop", "One")
    await staff.project("Other", "Two")
    await staff.holder("lead", "PROJECT_MGT_MANAGE", "INTEGRATION_MGT_EDIT", project="shop")
    query = """{ organization { permissions } projects { nodes { handle permissions } }
        integrations { nodes { handle permissions } } environments { nodes { handle permissions } } }"""
    manage = ["PROJECT_MGT_EDIT", "PROJECT_MGT_MANAGE", "PROJECT_MGT_VIEW"]
    held = sorted(["INTEGRATION_MGT_EDIT", "INTEGRATION_MGT_VIEW", *manage])
    async with staff.signed_in("lead") as person:
        seen = await person.ask(query)
        assert seen["organization"]["permissions"] == []
        assert seen["projects"]["nodes"] == [{"handle": "shop", "permissions": held}]
        assert seen["integrations"]["nodes"] == [{"handle": "one", "permissions": held}]
        assert [node["permissions"] for node in seen["environments"]["nodes"]] == [[], []]
    everything = (await admin.ask(query))["organization"]["permissions"]
    assert len(everything) == 22


IDS = st.sampled_from(["a", "b", None])
PLACES = st.builds(Place, project_id=IDS, integration_id=IDS, environment_id=IDS).filter(
    lambda place: place.project_id is not None or place.integration_id is None
)


@given(st.lists(PLACES, max_size=4), PLACES)
def test_the_quick_look_up_of_a_place_tells_what_covers_it(scopes: list, place: Place) -> None:
    reach = Reach(scopes)
    ids = (place.project_id or "", place.integration_id or "", place.environment_id or "")
    assert reach.holds(*ids) == reach.covers(place)
