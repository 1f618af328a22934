"""Roles: built-in ones stay, one's own are made, changed only by who holds them wherever they are mapped, and deleted."""

import sys
from pathlib import Path

import pytest
from pilothouse.access.permissions import CONTAINED, GRANTABLE, MEANINGS, Permission
from pilothouse.operations import roles as operations

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

CREATE = "mutation ($i: RoleInput!) { createRole(input: $i) { id name description builtIn permissions groupCount } }"
UPDATE = "mutation ($id: ID!, $i: RoleInput!) { updateRole(id: $id, input: $i) { name permissions } }"
DELETE = "mutation ($id: ID!) { deleteRole(id: $id) }"
VIEW = ["PROJECT_MGT_VIEW"]


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_every_permission_is_told_with_its_meaning_and_contents(admin) -> None:
    told = (await admin.ask("{ permissions { permission name meaning contains } }"))["permissions"]
    assert {one["name"]: one["meaning"] for one in told} == {p.value: meaning for p, meaning in MEANINGS.items()}
    for one in told:
        inside = CONTAINED[Permission[one["permission"]]]
        assert {Permission[name] for name in one["contains"]} == inside - {Permission[one["permission"]]}
    assert {Permission[one["permission"]] for one in told} == GRANTABLE


async def test_a_role_is_made_changed_and_deleted_and_audited(staff, admin) -> None:
    made = (await admin.ask(CREATE, i={"name": " Looks ", "permissions": VIEW}))["createRole"]
    role = made.pop("id")
    assert made == {"name": "Looks", "description": "", "builtIn": False, "permissions": VIEW, "groupCount": 0}
    changed = await admin.ask(UPDATE, id=role, i={"name": "Looks on", "permissions": ["INTEGRATION_MGT_VIEW", *VIEW]})
    assert changed["updateRole"] == {"name": "Looks on", "permissions": ["INTEGRATION_MGT_VIEW", "PROJECT_MGT_VIEW"]}
    record = (await staff.audit())[-1]
    assert record["after"] == '{"name":"Looks on","permissions":["integration_mgt:view","project_mgt:view"]}'
    assert (await admin.ask(DELETE, id=role))["deleteRole"] is True
    assert await staff.refusal(admin, DELETE, id=role) == ("NOT_FOUND", "id")


@pytest.mark.parametrize("name", ["Super Admin", "Admin", "Developer", "Project Admin", "Viewer"])
async def test_built_in_roles_stay_as_they_are(staff, admin, name: str) -> None:
    role = await staff.built_in("roles", name)
    assert await staff.refusal(admin, UPDATE, id=role, i={"name": name, "permissions": VIEW}) == ("BUILT_IN", "id")
    assert await staff.refusal(admin, DELETE, id=role) == ("BUILT_IN", "id")


@pytest.mark.parametrize(
    ("wish", "field"),
    [({"permissions": []}, "permissions"), ({"permissions": ["SIGNED_IN"]}, "permissions"), ({"name": " "}, "name")],
)
async def test_what_is_no_role_is_refused(staff, admin, wish: dict, field: str) -> None:
    assert await staff.refusal(admin, CREATE, i={"name": "x", "permissions": VIEW, **wish}) == ("INVALID_INPUT", field)


async def test_a_name_is_taken_once_and_limits_hold(staff, admin, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await staff.refusal(admin, CREATE, i={"name": "viewer", "permissions": VIEW}) == ("CONFLICT", "name")
    role = await staff.role("Mine", *VIEW)
    assert await staff.refusal(admin, UPDATE, id=role, i={"name": "VIEWER", "permissions": VIEW}) == (
        "CONFLICT",
        "name",
    )
    monkeypatch.setattr(operations, "ROLES_MAX", 6)
    assert await staff.refusal(admin, CREATE, i={"name": "More", "permissions": VIEW}) == ("LIMIT_REACHED", None)


async def test_a_role_that_is_mapped_is_not_deleted(staff, admin) -> None:
    role, group = await staff.role("Looks", *VIEW), await staff.group("Ops")
    mapping = await staff.mapped(group, role)
    assert await staff.refusal(admin, DELETE, id=role) == ("IN_USE", "id")
    await admin.ask("mutation ($id: ID!) { unmapRole(id: $id) }", id=mapping)
    assert (await admin.ask(DELETE, id=role))["deleteRole"] is True


async def test_what_a_mapped_role_grants_is_changed_only_by_who_holds_it_there(staff, admin) -> None:
    project = await staff.project("One")
    group = await staff.group("Makers of roles")
    await staff.mapped(group, await staff.role("Makes roles", "USER_MGT_MANAGE_ROLES"))
    await staff.mapped(group, await staff.role("Edits one", "PROJECT_MGT_EDIT"), project=project)
    await staff.user("maker", group)
    inside, outside = await staff.role("Inside", *VIEW), await staff.role("Outside", *VIEW)
    ops = await staff.group("Ops")
    await staff.mapped(ops, inside, project=project)
    await staff.mapped(ops, outside)
    async with staff.signed_in("maker") as maker:
        edit = ["PROJECT_MGT_EDIT"]
        assert (await maker.ask(UPDATE, id=inside, i={"name": "Inside", "permissions": edit}))["updateRole"][
            "permissions"
        ] == edit
        for role, wanted in ((inside, ["PROJECT_MGT_MANAGE"]), (outside, edit)):
            refused = await staff.refusal(maker, UPDATE, id=role, i={"name": "X", "permissions": wanted})
            assert refused == ("NOT_PERMITTED", None)
        assert (await maker.ask(UPDATE, id=outside, i={"name": "Renamed", "permissions": VIEW}))["updateRole"][
            "name"
        ] == "Renamed"
        assert (await maker.ask(CREATE, i={"name": "All", "permissions": ["USER_MGT_MANAGE_USERS"]}))["createRole"][
            "groupCount"
        ] == 0


async def test_a_page_of_roles_costs_the_same_number_of_statements_however_long_it_is(staff, admin) -> None:
    query = "{ roles { totalCount nodes { groupCount permissions mappings(first: 3) { totalCount nodes { group { name } removable } } } } }"

    async def cost() -> int:
        with staff.counted() as statements:
            await admin.ask(query)
        return len(statements)

    await cost()
    few = await cost()
    group = await staff.group("Ops")
    for number in range(10):
        await staff.mapped(group, await staff.role(f"Role {number}", *VIEW))
    assert await cost() == few
    assert few <= 12
