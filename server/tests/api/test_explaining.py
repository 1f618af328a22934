"""Why somebody may, or may not; and everybody who may."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

GRANT = "{ mapping group { name } role { name } by scope { project { handle } integration { handle } environment { handle } } }"
ACCESS = f"""query ($p: Permission!, $at: PlaceInput, $u: ID) {{ access(permission: $p, place: $at, user: $u) {{
    allowed reason user {{ username kind }} permission place {{ project {{ handle }} integration {{ handle }} environment {{ handle }} }}
    through {GRANT} elsewhere {GRANT} }} }}"""
WHO = f"""query ($p: Permission!, $at: PlaceInput, $n: Int, $a: String) {{ whoMay(permission: $p, place: $at, first: $n, after: $a) {{
    totalCount pageInfo {{ endCursor hasNextPage }} nodes {{ allowed user {{ username }} through {GRANT} elsewhere {GRANT} }} }} }}"""


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_a_decision_names_the_mapping_the_container_and_what_holds_elsewhere(staff, admin) -> None:
    project = await staff.project("Retail", "Orders")
    group = await staff.group("Ops")
    mapping = await staff.mapped(group, await staff.role("Makes", "INTEGRATION_MGT_MANAGE"), project=project)
    far = await staff.mapped(group, await staff.role("Looks", "INTEGRATION_MGT_VIEW"), environment="prod")
    anna = await staff.user("anna", group)
    at = {"project": project, "integration": "orders"}
    told = (await admin.ask(ACCESS, p="INTEGRATION_MGT_VIEW", at=at, u=anna))["access"]
    assert told["allowed"] is True
    assert told["reason"] == (
        "The role Makes of the group Ops grants integration_mgt:view by integration_mgt:manage, which contains it."
    )
    assert told["user"] == {"username": "anna", "kind": "PERSON"}
    assert told["place"] == {"project": {"handle": "retail"}, "integration": {"handle": "orders"}, "environment": None}
    assert told["through"] == [
        {
            "mapping": mapping,
            "group": {"name": "Ops"},
            "role": {"name": "Makes"},
            "by": "INTEGRATION_MGT_MANAGE",
            "scope": {"project": {"handle": "retail"}, "integration": None, "environment": None},
        }
    ]
    assert [(grant["mapping"], grant["scope"]["environment"]) for grant in told["elsewhere"]] == [
        (far, {"handle": "prod"})
    ]
    told = (await admin.ask(ACCESS, p="INTEGRATION_MGT_VIEW", u=anna))["access"]
    assert (told["allowed"], told["through"], len(told["elsewhere"])) == (False, [], 2)
    assert told["reason"] == "anna holds integration_mgt:view, but not in all of this place."
    told = (await admin.ask(ACCESS, p="AUDIT_MGT_VIEW", u=anna))["access"]
    assert (told["allowed"], told["reason"]) == (False, "No role of anna grants audit_mgt:view.")


async def test_who_is_disabled_may_nothing(staff, admin) -> None:
    anna = await staff.user("anna", await staff.built_in("groups", "Administrators"))
    await admin.ask("mutation ($id: ID!) { updateUser(id: $id, input: {disabled: true}) { id } }", id=anna)
    told = (await admin.ask(ACCESS, p="PROJECT_MGT_VIEW", u=anna))["access"]
    assert (told["allowed"], told["reason"]) == (False, "anna is disabled, and may do nothing.")
    assert (await admin.ask(WHO, p="PROJECT_MGT_VIEW"))["whoMay"]["totalCount"] == 1


async def test_of_oneself_everybody_may_ask_and_of_others_only_who_holds_something_on_users(staff, admin) -> None:
    anna = await staff.user("anna", await staff.built_in("groups", "Developers"))
    bob = await staff.user("bob")
    async with staff.signed_in("anna") as person:
        assert (await person.ask(ACCESS, p="INTEGRATION_MGT_EDIT"))["access"]["allowed"] is True
        assert (await person.ask(ACCESS, p="INTEGRATION_MGT_EDIT", u=anna))["access"]["allowed"] is True
        assert (await staff.refusal(person, ACCESS, p="INTEGRATION_MGT_EDIT", u=bob))[0] == "NOT_PERMITTED"
        assert (await staff.refusal(person, ACCESS, p="INTEGRATION_MGT_EDIT", u="nobody"))[0] == "NOT_PERMITTED"
        assert (await staff.refusal(person, WHO, p="INTEGRATION_MGT_EDIT"))[0] == "NOT_PERMITTED"
    async with staff.signed_in("bob") as person:
        short = "{ access(permission: PROJECT_MGT_VIEW) { allowed reason through { by } elsewhere { by } } }"
        told = (await person.ask(short))["access"]
        assert (told["allowed"], told["through"], told["elsewhere"]) == (False, [], [])
        assert told["reason"] == "No role of bob grants project_mgt:view."
    assert await staff.refusal(admin, ACCESS, p="INTEGRATION_MGT_EDIT", u="nobody") == ("NOT_FOUND", "user")
    assert await staff.refusal(admin, ACCESS, p="SIGNED_IN") == ("INVALID_INPUT", "permission")


async def test_a_place_that_is_not_there_and_one_that_is_not_to_be_seen_are_the_same(staff, admin) -> None:
    one, two = await staff.project("One", "Orders"), await staff.project("Two", "Orders")
    await staff.holder("anna", "INTEGRATION_MGT_VIEW", "USER_MGT_UPDATE_USERS", project=one, environment="dev")
    async with staff.signed_in("anna") as anna:
        assert (await anna.ask(ACCESS, p="INTEGRATION_MGT_VIEW", at={"project": one, "environment": "dev"}))["access"][
            "allowed"
        ]
        assert not (await anna.ask(ACCESS, p="INTEGRATION_MGT_VIEW", at={"project": one}))["access"]["allowed"]
        for query in (ACCESS, WHO):
            for place, field in (
                ({"project": two}, "project"),
                ({"project": "nowhere"}, "project"),
                ({"project": two, "integration": "orders"}, "project"),
                ({"project": one, "integration": "nothing"}, "integration"),
                ({"environment": "prod"}, "environment"),
                ({"environment": "nowhere"}, "environment"),
            ):
                refused = await staff.refusal(anna, query, p="INTEGRATION_MGT_VIEW", at=place)
                assert refused == ("NOT_FOUND", field), place
        messages = [
            (await anna.try_asking(ACCESS, p="INTEGRATION_MGT_VIEW", at={"project": name}))["errors"][0]["message"]
            for name in (two, "nowhere")
        ]
        assert messages[0].replace(two, "nowhere") == messages[1]
    assert await staff.refusal(admin, ACCESS, p="INTEGRATION_MGT_VIEW", at={"integration": "x"}) == (
        "INVALID_INPUT",
        "project",
    )


async def test_everybody_who_may_is_listed_by_name_with_their_mappings_and_nobody_else(staff, admin) -> None:
    project = await staff.project("Retail")
    manages, looks = await staff.role("Manages", "PROJECT_MGT_MANAGE"), await staff.role("Looks", "PROJECT_MGT_VIEW")
    here, dev = await staff.group("Here"), await staff.group("In dev")
    await staff.mapped(here, manages, project=project)
    await staff.mapped(dev, looks, project=project, environment="dev")
    for name in ("dora", "anna", "carl"):
        await staff.user(name, here)
    await staff.user("bob", dev)
    await staff.user("robot", here, kind="SERVICE")
    seen, after = [], None
    while True:
        page = (await admin.ask(WHO, p="PROJECT_MGT_VIEW", at={"project": project}, n=2, a=after))["whoMay"]
        assert page["totalCount"] == 5
        assert all(node["allowed"] and node["through"] for node in page["nodes"])
        seen += [node["user"]["username"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["admin", "anna", "carl", "dora", "robot"]
    in_dev = (await admin.ask(WHO, p="PROJECT_MGT_VIEW", at={"project": project, "environment": "dev"}))["whoMay"]
    assert [node["user"]["username"] for node in in_dev["nodes"]] == ["admin", "anna", "bob", "carl", "dora", "robot"]
    assert [node["user"]["username"] for node in (await admin.ask(WHO, p="PROJECT_MGT_VIEW"))["whoMay"]["nodes"]] == [
        "admin"
    ]


async def test_who_manages_people_in_one_project_is_told_about_that_one(staff, admin) -> None:
    one, two = await staff.project("One"), await staff.project("Two")
    group = await staff.group("Leads")
    manages = await staff.role("Manages", "USER_MGT_UPDATE_USERS", "PROJECT_MGT_VIEW")
    await staff.mapped(group, manages, project=one)
    await staff.mapped(group, await staff.role("Looks", "INTEGRATION_MGT_VIEW"), project=two)
    await staff.user("lead", group)
    bob = await staff.user("bob", await staff.built_in("groups", "Developers"))
    async with staff.signed_in("lead") as lead:
        told = (await lead.ask(WHO, p="PROJECT_MGT_VIEW", at={"project": one}))["whoMay"]["nodes"]
        assert [node["user"]["username"] for node in told] == ["admin", "bob", "lead"]
        assert (await lead.ask(ACCESS, p="PROJECT_MGT_VIEW", at={"project": one}, u=bob))["access"]["allowed"] is True
        for place in ({}, {"project": two}):
            assert (await staff.refusal(lead, WHO, p="PROJECT_MGT_VIEW", at=place))[0] == "NOT_PERMITTED"
            assert (await staff.refusal(lead, ACCESS, p="PROJECT_MGT_VIEW", at=place, u=bob))[0] == "NOT_PERMITTED"


async def test_who_may_costs_the_same_number_of_statements_however_many_may(staff, admin) -> None:
    async def cost() -> int:
        with staff.counted() as statements:
            await admin.ask(WHO, p="PROJECT_MGT_VIEW")
        return len(statements)

    group = await staff.built_in("groups", "Administrators")
    await cost()
    few = await cost()
    for number in range(10):
        await staff.user(f"user-{number}", group)
    assert await cost() == few
    assert few <= 13
