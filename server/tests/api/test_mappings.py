"""Mappings: nobody grants what they do not hold there, each exists once, and what makes Super Admins stays."""

import asyncio
import sys
from pathlib import Path

import pytest
from pilothouse.operations import mappings as operations

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

MAP = """mutation ($i: MapRoleInput!) { mapRole(input: $i) { id removable createdBy group { name } role { name }
    scope { project { handle } integration { handle } environment { handle critical } } } }"""
UNMAP = "mutation ($id: ID!) { unmapRole(id: $id) }"
LISTED = "{ groups { nodes { name mappings { totalCount nodes { id removable role { name } scope { project { handle } environment { handle } } } } } } }"
SSO = "mutation ($i: SsoGroupMappingInput!) { createSsoGroupMapping(input: $i) { id value group { name } createdBy } }"
SSO_LIST = "query ($n: Int, $a: String) { ssoGroupMappings(first: $n, after: $a) { totalCount pageInfo { endCursor hasNextPage } nodes { id issuer claim value group { name } } } }"
SSO_DELETE = "mutation ($id: ID!) { deleteSsoGroupMapping(id: $id) }"
ISSUER = {"issuer": "https://id.example.com", "claim": "groups"}


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_a_role_is_mapped_within_a_scope_and_unmapped_and_audited_in_its_place(staff, admin) -> None:
    project = await staff.project("Retail", "Orders")
    group, viewer = await staff.group("Ops"), await staff.built_in("roles", "Viewer")
    scope = {"project": project, "integration": "orders", "environment": "prod"}
    made = (await admin.ask(MAP, i={"group": group, "role": viewer, "scope": scope}))["mapRole"]
    mapping = made.pop("id")
    assert made == {
        "removable": True,
        "createdBy": "admin",
        "group": {"name": "Ops"},
        "role": {"name": "Viewer"},
        "scope": {
            "project": {"handle": "retail"},
            "integration": {"handle": "orders"},
            "environment": {"handle": "prod", "critical": True},
        },
    }
    record = (await staff.audit())[-1]
    assert (record["action"], record["target"]) == ("role.map", "Ops: Viewer in retail/orders/prod")
    assert all(record[name] for name in ("project_id", "integration_id", "environment_id"))
    assert (await admin.ask(UNMAP, id=mapping))["unmapRole"] is True
    for gone in (mapping, "0", "-1", "x", "9" * 40):
        assert await staff.refusal(admin, UNMAP, id=gone) == ("NOT_FOUND", "id")


async def test_the_same_mapping_exists_once_even_when_two_come_at_the_same_time(staff, admin) -> None:
    project = await staff.project("Retail")
    group, viewer = await staff.group("Ops"), await staff.built_in("roles", "Viewer")
    for scope in ({}, {"project": project}, {"environment": "dev"}):
        wish = {"group": group, "role": viewer, "scope": scope}
        answers = await asyncio.gather(*(admin.try_asking(MAP, i=wish) for _ in range(4)))
        codes = [answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer]
        assert codes == ["CONFLICT"] * 3


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"group": "nowhere"}, "NOT_FOUND", "group"),
        ({"role": "nothing"}, "NOT_FOUND", "role"),
        ({"scope": {"project": "nowhere"}}, "NOT_FOUND", "project"),
        ({"scope": {"environment": "nowhere"}}, "NOT_FOUND", "environment"),
        ({"scope": {"project": "retail", "integration": "nothing"}}, "NOT_FOUND", "integration"),
        ({"scope": {"integration": "orders"}}, "INVALID_INPUT", "project"),
    ],
)
async def test_what_is_not_there_is_not_mapped(staff, admin, wish: dict, code: str, field: str) -> None:
    await staff.project("Retail", "Orders")
    whole = {"group": await staff.group("Ops"), "role": await staff.built_in("roles", "Viewer"), **wish}
    assert await staff.refusal(admin, MAP, i=whole) == (code, field)


async def test_what_makes_super_admins_stays(staff, admin) -> None:
    groups = (await admin.ask(LISTED))["groups"]["nodes"]
    mapping = next(node["mappings"]["nodes"][0] for node in groups if node["name"] == "Super Admins")
    assert mapping["removable"] is False
    assert await staff.refusal(admin, UNMAP, id=mapping["id"]) == ("BUILT_IN", "id")


async def test_another_role_of_the_super_admins_and_their_role_elsewhere_go_as_they_came(staff, admin) -> None:
    supers, role = await staff.built_in("groups", "Super Admins"), await staff.built_in("roles", "Super Admin")
    for mapping in (
        await staff.mapped(supers, await staff.built_in("roles", "Viewer")),
        await staff.mapped(supers, role, environment="dev"),
        await staff.mapped(await staff.group("Ops"), role),
    ):
        assert (await admin.ask(UNMAP, id=mapping))["unmapRole"] is True


async def test_a_project_admin_maps_within_the_project_what_they_hold_and_sees_no_other_mappings(staff, admin) -> None:
    one, two = await staff.project("One", "Orders"), await staff.project("Two")
    leads, others = await staff.group("Leads"), await staff.group("Others")
    project_admin, viewer = await staff.built_in("roles", "Project Admin"), await staff.built_in("roles", "Viewer")
    developer = await staff.built_in("roles", "Developer")
    await staff.mapped(leads, project_admin, project=one)
    elsewhere = await staff.mapped(others, viewer, project=two)
    everywhere = await staff.mapped(others, viewer)
    await staff.user("lead", leads)
    looks = await staff.role("Looks", "PROJECT_MGT_VIEW", "INTEGRATION_MGT_VIEW")
    async with staff.signed_in("lead") as lead:
        mapped = await lead.ask(
            MAP, i={"group": others, "role": looks, "scope": {"project": one, "environment": "dev"}}
        )
        await lead.ask(MAP, i={"group": others, "role": looks, "scope": {"project": one, "integration": "orders"}})
        wishes = {
            "environments are not theirs": ({"role": developer, "scope": {"project": one}}, "NOT_PERMITTED"),
            "not everywhere": ({"role": looks}, "NOT_PERMITTED"),
            "not in all environments' one": ({"role": looks, "scope": {"environment": "dev"}}, "NOT_PERMITTED"),
            "not in a project they do not see": ({"role": looks, "scope": {"project": two}}, "NOT_FOUND"),
        }
        for name, (wish, code) in wishes.items():
            assert (await staff.refusal(lead, MAP, i={"group": others, **wish}))[0] == code, name
        listed = (await lead.ask(LISTED))["groups"]["nodes"]
        seen = {node["id"]: node["removable"] for group in listed for node in group["mappings"]["nodes"]}
        assert elsewhere not in seen
        assert seen[everywhere] is False
        assert seen[mapped["mapRole"]["id"]] is True
        counted = (await lead.ask("{ roles { nodes { name groupCount } } }"))["roles"]["nodes"]
        assert {node["name"]: node["groupCount"] for node in counted}["Viewer"] == 1
        assert await staff.refusal(lead, UNMAP, id=elsewhere) == ("NOT_FOUND", "id")
        assert await staff.refusal(lead, UNMAP, id=everywhere) == ("NOT_PERMITTED", None)
        assert (await lead.ask(UNMAP, id=mapped["mapRole"]["id"]))["unmapRole"] is True
        assert (await staff.refusal(lead, 'mutation { createGroup(input: {name: "x"}) { id } }'))[0] == "NOT_PERMITTED"


async def test_a_change_counts_at_once_even_within_the_same_request(staff, admin) -> None:
    await staff.user("lead", group := await staff.group("Leads"))
    role = await staff.role("Maps", "USER_MGT_UPDATE_GROUP_ROLES", "PROJECT_MGT_VIEW")
    mapping = await staff.mapped(group, role)
    looks, others = await staff.role("Looks", "PROJECT_MGT_VIEW"), await staff.group("Others")
    async with staff.signed_in("lead") as lead:
        both = """mutation ($m: ID!, $g: ID!, $r: ID!) { unmapRole(id: $m)
            mapRole(input: {group: $g, role: $r}) { id } }"""
        assert (await staff.refusal(lead, both, m=mapping, g=others, r=looks))[0] == "NOT_PERMITTED"
    listed = (await admin.ask(LISTED))["groups"]["nodes"]
    assert {node["name"]: node["mappings"]["totalCount"] for node in listed if node["name"] in ("Leads", "Others")} == {
        "Leads": 0,
        "Others": 0,
    }


async def test_limits_are_refused(staff, admin, monkeypatch: pytest.MonkeyPatch) -> None:
    group, viewer = await staff.group("Ops"), await staff.built_in("roles", "Viewer")
    monkeypatch.setattr(operations, "MAPPINGS_MAX", 3)
    assert await staff.refusal(admin, MAP, i={"group": group, "role": viewer}) == ("LIMIT_REACHED", None)
    monkeypatch.setattr(operations, "SSO_MAPPINGS_MAX", 0)
    assert await staff.refusal(admin, SSO, i={**ISSUER, "value": "v", "group": group}) == ("LIMIT_REACHED", None)


async def test_groups_of_an_identity_provider_lead_into_groups_here(staff, admin) -> None:
    group = await staff.group("Ops")
    wish = {**ISSUER, "value": "CN=Ops,DC=example", "group": group}
    made = (await admin.ask(SSO, i=wish))["createSsoGroupMapping"]
    assert made == {"id": made["id"], "value": wish["value"], "group": {"name": "Ops"}, "createdBy": "admin"}
    assert await staff.refusal(admin, SSO, i=wish) == ("CONFLICT", "value")
    await admin.ask(SSO, i={**wish, "value": "another"})
    first = (await admin.ask(SSO_LIST, n=1))["ssoGroupMappings"]
    assert (first["totalCount"], first["nodes"][0]["value"]) == (2, "CN=Ops,DC=example")
    second = (await admin.ask(SSO_LIST, n=1, a=first["pageInfo"]["endCursor"]))["ssoGroupMappings"]
    assert ([node["value"] for node in second["nodes"]], second["pageInfo"]["hasNextPage"]) == (["another"], False)
    assert (await admin.ask(SSO_DELETE, id=made["id"]))["deleteSsoGroupMapping"] is True
    assert await staff.refusal(admin, SSO_DELETE, id=made["id"]) == ("NOT_FOUND", "id")
    for bad, field in (({"value": " "}, "value"), ({"issuer": "a\nb"}, "issuer"), ({"claim": "c" * 129}, "claim")):
        assert await staff.refusal(admin, SSO, i={**wish, **bad}) == ("INVALID_INPUT", field)
    assert await staff.refusal(admin, SSO, i={**wish, "group": "nowhere"}) == ("NOT_FOUND", "group")


async def test_who_leads_others_into_a_group_must_hold_all_that_it_gives(staff, admin) -> None:
    await staff.holder("mapper", "USER_MGT_UPDATE_GROUP_ROLES", "USER_MGT_UPDATE_USERS")
    empty, developers = await staff.group("Empty"), await staff.built_in("groups", "Developers")
    async with staff.signed_in("mapper") as mapper:
        await mapper.ask(SSO, i={**ISSUER, "value": "v", "group": empty})
        refused = await staff.refusal(mapper, SSO, i={**ISSUER, "value": "v", "group": developers})
        assert refused == ("NOT_PERMITTED", None)


async def test_who_may_put_nobody_into_a_group_lets_nobody_in_by_the_identity_provider_either(staff, admin) -> None:
    """It would let in people who are unknown yet: a Project Admin decides what a group may, not who is in it."""
    await staff.project("Shop")
    own = await staff.built_in("groups", "Shop Admins")
    await staff.user("paula", own)
    async with staff.signed_in("paula") as paula:
        refused = await paula.try_asking(SSO, i={**ISSUER, "value": "everybody", "group": own})
    assert refused["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    assert "user_mgt:update_users" in refused["errors"][0]["message"]
    assert (await admin.ask(SSO_LIST, n=5))["ssoGroupMappings"]["totalCount"] == 0


async def test_only_super_admins_end_what_makes_super_admins(staff, admin) -> None:
    supers = await staff.built_in("groups", "Super Admins")
    made = (await admin.ask(SSO, i={**ISSUER, "value": "root", "group": supers}))["createSsoGroupMapping"]
    await staff.holder("mapper", "USER_MGT_UPDATE_GROUP_ROLES", "USER_MGT_UPDATE_USERS")
    async with staff.signed_in("mapper") as mapper:
        assert await staff.refusal(mapper, SSO_DELETE, id=made["id"]) == ("NOT_PERMITTED", None)
    assert (await admin.ask(SSO_DELETE, id=made["id"]))["deleteSsoGroupMapping"] is True
