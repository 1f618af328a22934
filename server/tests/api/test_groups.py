"""Groups: made, renamed, deleted; who is in them, and who may see and change that."""

import sys
from pathlib import Path

import pytest
from pilothouse.operations import groups as operations
from pilothouse.storage.tables import groups as groups_table
from pilothouse.storage.tables import projects
from sqlalchemy import select, text, update

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

CREATE = "mutation ($i: GroupInput!) { createGroup(input: $i) { id name description builtIn memberCount createdBy } }"
UPDATE = "mutation ($id: ID!, $i: GroupInput!) { updateGroup(id: $id, input: $i) { name description } }"
DELETE = "mutation ($id: ID!, $c: Boolean) { deleteGroup(id: $id, cascade: $c) }"
ADD = "mutation ($g: ID!, $u: [ID!]!) { addGroupMembers(group: $g, users: $u) { memberCount members { nodes { user { username } fromSso } } } }"
REMOVE = "mutation ($g: ID!, $u: [ID!]!) { removeGroupMembers(group: $g, users: $u) { memberCount } }"
MEMBERS = """query ($id: ID!, $s: String, $n: Int, $a: String) { group(id: $id) {
    members(search: $s, first: $n, after: $a) { totalCount pageInfo { endCursor hasNextPage } nodes { user { username } } } } }"""
LIST = "query ($s: Sort, $n: Int, $a: String, $q: String) { groups(sort: $s, first: $n, after: $a, search: $q) { totalCount pageInfo { endCursor hasNextPage } nodes { name } } }"


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_a_group_is_made_changed_and_deleted_and_audited(staff, admin) -> None:
    made = (await admin.ask(CREATE, i={"name": " Ops ", "description": "At night."}))["createGroup"]
    group = made.pop("id")
    assert made == {
        "name": "Ops",
        "description": "At night.",
        "builtIn": False,
        "memberCount": 0,
        "createdBy": "admin",
    }
    changed = (await admin.ask(UPDATE, id=group, i={"name": "Operations"}))["updateGroup"]
    assert changed == {"name": "Operations", "description": "At night."}
    assert (await admin.ask(DELETE, id=group))["deleteGroup"] is True
    assert await staff.refusal(admin, DELETE, id=group) == ("NOT_FOUND", "id")
    assert [row["action"] for row in await staff.audit()][-3:] == ["group.create", "group.update", "group.delete"]


async def test_a_name_is_taken_once_in_whatever_case(staff, admin) -> None:
    ops = await staff.group("Ops")
    assert await staff.refusal(admin, CREATE, i={"name": "oPS"}) == ("CONFLICT", "name")
    other = await staff.group("Other")
    assert await staff.refusal(admin, UPDATE, id=other, i={"name": "OPS"}) == ("CONFLICT", "name")
    assert (await admin.ask(UPDATE, id=ops, i={"name": "OPS"}))["updateGroup"]["name"] == "OPS"


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\tb", "a\u202eb"])
async def test_what_is_no_name_is_refused(staff, admin, name: str) -> None:
    assert await staff.refusal(admin, CREATE, i={"name": name}) == ("INVALID_INPUT", "name")
    assert await staff.refusal(admin, CREATE, i={"name": "ok", "description": "a" * 1001}) == (
        "INVALID_INPUT",
        "description",
    )


async def test_groups_of_the_beginning_keep_name_and_life_but_not_their_description(staff, admin) -> None:
    for name in ("Super Admins", "Administrators", "Developers"):
        group = await staff.built_in("groups", name)
        assert await staff.refusal(admin, UPDATE, id=group, i={"name": "Mine"}) == ("BUILT_IN", "id")
        assert await staff.refusal(admin, DELETE, id=group, c=True) == ("BUILT_IN", "id")
        shown = await admin.ask(UPDATE, id=group, i={"name": name, "description": "Ours."})
        assert shown["updateGroup"]["description"] == "Ours."


async def test_a_group_that_is_only_called_like_one_of_the_beginning_is_an_ordinary_one(staff, admin) -> None:
    group = await staff.group("Super  Admins")
    assert (await admin.ask(DELETE, id=group))["deleteGroup"] is True


async def test_a_group_with_roles_is_deleted_only_with_them(staff, admin) -> None:
    group = await staff.group("Ops")
    await staff.mapped(group, await staff.built_in("roles", "Viewer"))
    assert await staff.refusal(admin, DELETE, id=group) == ("IN_USE", "id")
    assert (await admin.ask(DELETE, id=group, c=True))["deleteGroup"] is True
    assert [row["action"] for row in await staff.audit()][-2:] == ["role.unmap", "group.delete"]


async def test_members_come_and_go_and_who_is_inside_already_does_not_matter(staff, admin) -> None:
    group = await staff.group("Ops")
    anna, bob = await staff.user("anna"), await staff.user("bob")
    added = (await admin.ask(ADD, g=group, u=[bob, anna, bob]))["addGroupMembers"]
    assert [node["user"]["username"] for node in added["members"]["nodes"]] == ["anna", "bob"]
    assert (await admin.ask(ADD, g=group, u=[anna]))["addGroupMembers"]["memberCount"] == 2
    assert (await admin.ask(REMOVE, g=group, u=[anna]))["removeGroupMembers"]["memberCount"] == 1
    assert (await admin.ask(REMOVE, g=group, u=[anna]))["removeGroupMembers"]["memberCount"] == 1
    assert await staff.refusal(admin, ADD, g=group, u=[anna, "nobody"]) == ("NOT_FOUND", "users")
    assert await staff.refusal(admin, ADD, g="nowhere", u=[anna]) == ("NOT_FOUND", "group")
    records = [row for row in await staff.audit() if row["action"].startswith("group.") and "member" in row["action"]]
    assert [(row["action"], row["after"] or row["before"]) for row in records] == [
        ("group.add-member", '{"members":["anna","bob"]}'),
        ("group.remove-member", '{"members":["anna"]}'),
    ]


async def test_who_came_by_the_identity_provider_stays_once_a_person_adds_them(staff, admin) -> None:
    group, anna = await staff.group("Ops"), await staff.user("anna")
    await staff.plane.store.write(
        lambda tx: tx.connection.execute(
            text("INSERT INTO group_members (group_id, user_id, source, added_at) VALUES (:group, :anna, 'sso', 0)"),
            {"group": group, "anna": anna},
        )
    )
    show = "query ($id: ID!) { group(id: $id) { members { nodes { fromSso } } } }"
    assert (await admin.ask(show, id=group))["group"]["members"]["nodes"] == [{"fromSso": True}]
    added = (await admin.ask(ADD, g=group, u=[anna]))["addGroupMembers"]
    assert added["members"]["nodes"] == [{"user": {"username": "anna"}, "fromSso": False}]


async def test_members_are_searched_and_paged(staff, admin) -> None:
    group = await staff.group("Ops")
    users = [await staff.user(name) for name in ("anna", "bob", "carl", "dora", "emil")]
    await admin.ask(ADD, g=group, u=users)
    seen, after = [], None
    while True:
        page = (await admin.ask(MEMBERS, id=group, n=2, a=after))["group"]["members"]
        assert page["totalCount"] == 5
        seen += [node["user"]["username"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["anna", "bob", "carl", "dora", "emil"]
    found = (await admin.ask(MEMBERS, id=group, s="AR"))["group"]["members"]
    assert (found["totalCount"], found["nodes"]) == (1, [{"user": {"username": "carl"}}])


async def test_groups_are_searched_sorted_and_paged(staff, admin) -> None:
    await staff.group("alpha")
    await staff.group("Zeta 100%")

    async def walk(sort: str) -> list[str]:
        seen, after = [], None
        while True:
            page = (await admin.ask(LIST, s=sort, n=2, a=after))["groups"]
            seen += [node["name"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return seen

    by_name = ["Administrators", "alpha", "Developers", "Super Admins", "Zeta 100%"]
    assert await walk("NAME") == by_name
    assert await walk("NAME_DESCENDING") == by_name[::-1]
    assert sorted(await walk("NEWEST")) == sorted(by_name)
    found = (await admin.ask(LIST, q="0%"))["groups"]
    assert (found["totalCount"], found["nodes"]) == (1, [{"name": "Zeta 100%"}])


async def test_who_adds_to_a_group_must_hold_all_that_it_gives(staff, admin) -> None:
    await staff.holder("desk", "USER_MGT_UPDATE_USERS", "PROJECT_MGT_VIEW")
    anna = await staff.user("anna")
    viewers, developers = await staff.group("Lookers"), await staff.built_in("groups", "Developers")
    await staff.mapped(viewers, await staff.role("Looks", "PROJECT_MGT_VIEW"))
    async with staff.signed_in("desk") as desk:
        assert (await desk.ask(ADD, g=viewers, u=[anna]))["addGroupMembers"]["memberCount"] == 1
        answer = await desk.try_asking(ADD, g=developers, u=[anna])
        assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
        assert "environment_mgt:manage_nonprod" in answer["errors"][0]["message"]
        assert (await staff.refusal(desk, CREATE, i={"name": "mine"}))[0] == "NOT_PERMITTED"


async def test_a_group_whose_place_is_a_project_is_changed_by_who_manages_members_there(staff, admin) -> None:
    one, two = await staff.project("One"), await staff.project("Two")
    groups = [await staff.group("Admins of one"), await staff.group("Admins of two")]
    for handle, group in zip((one, two), groups, strict=True):
        await staff.plane.store.write(
            lambda tx, handle=handle, group=group: tx.connection.execute(
                update(groups_table)
                .values(project_id=select(projects.c.id).where(projects.c.handle == handle).scalar_subquery())
                .where(groups_table.c.id == group)
            )
        )
    await staff.holder("lead", "USER_MGT_UPDATE_USERS", project=one)
    anna = await staff.user("anna")
    async with staff.signed_in("lead") as lead:
        assert (await lead.ask(ADD, g=groups[0], u=[anna]))["addGroupMembers"]["memberCount"] == 1
        assert await staff.refusal(lead, ADD, g=groups[1], u=[anna]) == ("NOT_FOUND", "group")
        put = "mutation ($u: ID!, $g: [ID!]!) { setUserGroups(user: $u, groups: $g) { groups { name } } }"
        assert await staff.refusal(lead, put, u=anna, g=[groups[1]]) == ("NOT_FOUND", "groups")
        seen = [node["name"] for node in (await lead.ask(LIST))["groups"]["nodes"]]
        assert "Admins of one" in seen
        assert not [name for name in seen if "two" in name.lower()]
        assert (await lead.ask("query ($id: ID!) { group(id: $id) { id } }", id=groups[1]))["group"] is None
        await admin.ask(ADD, g=groups[1], u=[anna])
        shown = await lead.ask("query ($id: ID!) { user(id: $id) { groups { name } } }", id=anna)
        assert shown["user"]["groups"] == [{"name": "Admins of one"}]
        assert (await staff.refusal(lead, REMOVE, g=await staff.built_in("groups", "Developers"), u=[anna]))[
            0
        ] == "NOT_PERMITTED"


async def test_members_are_shown_only_to_who_holds_something_on_users_or_groups(staff, admin) -> None:
    project = await staff.project("One")
    await staff.user("lead", group := await staff.group("Leads"))
    await staff.mapped(group, await staff.built_in("roles", "Project Admin"), project=project)
    async with staff.signed_in("lead") as lead:
        shown = await lead.ask("{ groups { nodes { name memberCount members { totalCount } } } }")
        assert {node["name"]: node["members"] for node in shown["groups"]["nodes"]} == {
            "Administrators": None,
            "Developers": None,
            "Leads": None,
            "Super Admins": None,
            **{node["name"]: None for node in shown["groups"]["nodes"] if node["name"].startswith("One")},
        }
        assert (await staff.refusal(lead, "{ users { totalCount } }"))[0] == "NOT_PERMITTED"


async def test_limits_are_refused(staff, admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "GROUPS_MAX", 3)
    assert await staff.refusal(admin, CREATE, i={"name": "One more"}) == ("LIMIT_REACHED", None)
    users = [f"u{number}" for number in range(operations.MEMBERS_AT_ONCE_MAX + 1)]
    group = await staff.built_in("groups", "Developers")
    assert await staff.refusal(admin, ADD, g=group, u=users) == ("INVALID_INPUT", "users")


async def test_a_page_of_groups_costs_the_same_number_of_statements_however_long_it_is(staff, admin) -> None:
    query = """{ groups { totalCount nodes { memberCount project { handle } members(first: 2) { totalCount nodes { user { username } } }
        mappings(first: 2) { totalCount nodes { removable role { name } scope { project { handle } } } } } } }"""

    async def cost() -> int:
        with staff.counted() as statements:
            await admin.ask(query)
        return len(statements)

    await cost()
    few = await cost()
    viewer = await staff.built_in("roles", "Viewer")
    for number in range(10):
        group = await staff.group(f"Group {number}")
        await staff.mapped(group, viewer)
        await staff.user(f"user-{number}", group)
    assert await cost() == few
    assert few <= 14
