"""People and service accounts: made, changed, disabled, deleted, put into groups; their passwords and locks."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pilothouse.access.rules import GROUPS_PER_USER_MAX
from pilothouse.operations import groups as group_operations
from pilothouse.operations import users as operations
from pilothouse.storage import users as storage
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))

from staff import PASSWORD, Staff

pytestmark = pytest.mark.anyio

CREATE = "mutation ($i: CreateUserInput!) { createUser(input: $i) { oneTimePassword user { id username displayName email kind state issuer groups { name } } } }"
UPDATE = "mutation ($id: ID!, $i: UpdateUserInput!) { updateUser(id: $id, input: $i) { state displayName email } }"
DELETE = "mutation ($id: ID!) { deleteUser(id: $id) }"
RESET = "mutation ($id: ID!) { resetPassword(user: $id) { password } }"
SET_GROUPS = "mutation ($id: ID!, $g: [ID!]!) { setUserGroups(user: $id, groups: $g) { groups { name } isSuperAdmin } }"
LIST = """query ($f: UserFilter, $s: Sort, $n: Int, $a: String) { users(filter: $f, sort: $s, first: $n, after: $a) {
    totalCount pageInfo { endCursor hasNextPage } nodes { id username isSuperAdmin groups { name } mappings { id } } } }"""


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def rows(staff: Staff, table: str) -> list[dict]:
    return await staff.plane.store.read(
        lambda c: [dict(row) for row in c.exec_driver_sql(f"SELECT * FROM {table}").mappings()]
    )


async def names(admin, **variables) -> list[str]:
    return [node["username"] for node in (await admin.ask(LIST, **variables))["users"]["nodes"]]


async def admin_id(admin: object) -> str:
    return (await admin.ask(LIST, f={"search": "admin"}))["users"]["nodes"][0]["id"]


async def test_a_person_gets_a_generated_password_that_must_be_changed(staff, admin) -> None:
    made = (await admin.ask(CREATE, i={"username": " Anna.Berg ", "displayName": " Anna  Berg "}))["createUser"]
    assert made["user"] == {
        "id": made["user"]["id"],
        "username": "anna.berg",
        "displayName": "Anna  Berg",
        "email": None,
        "kind": "PERSON",
        "state": "MUST_CHANGE_PASSWORD",
        "issuer": "password",
        "groups": [],
    }
    bits = made["oneTimePassword"].replace("-", "").upper()
    assert len(base64.b32decode(bits + "=" * (-len(bits) % 8))) == 16
    async with staff.signed_in("ANNA.berg", made["oneTimePassword"]):
        pass
    assert made["oneTimePassword"] not in str(await staff.audit())


async def test_a_given_password_is_not_shown_and_must_be_changed_too(staff, admin) -> None:
    given = "one two three four five"
    made = (await admin.ask(CREATE, i={"username": "bob", "displayName": "Bob", "password": given}))["createUser"]
    assert (made["oneTimePassword"], made["user"]["state"]) == (None, "MUST_CHANGE_PASSWORD")
    async with staff.signed_in("bob", given):
        pass
    assert given not in str(await staff.audit())


async def test_a_service_account_has_no_password(staff, admin) -> None:
    wish = {"username": "deploy", "displayName": "Deployments", "kind": "SERVICE"}
    made = (await admin.ask(CREATE, i=wish))["createUser"]
    assert (made["oneTimePassword"], made["user"]["issuer"], made["user"]["state"]) == (None, None, "ACTIVE")
    wish |= {"username": "deploy2", "password": "one two three four five"}
    assert await staff.refusal(admin, CREATE, i=wish) == ("INVALID_INPUT", "password")
    assert await staff.refusal(admin, RESET, id=made["user"]["id"]) == ("CONFLICT", "user")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "ann\u00e4"}, "username"),
        ({"username": "a" * 101}, "username"),
        ({"displayName": " "}, "displayName"),
        ({"displayName": "a\u200bb"}, "displayName"),
        ({"displayName": "a\nb"}, "displayName"),
        ({"displayName": "a" * 101}, "displayName"),
        ({"email": "nobody"}, "email"),
        ({"email": "a b@c"}, "email"),
        ({"email": "a@" + "b" * 255}, "email"),
        ({"password": "short"}, "password"),
    ],
)
async def test_what_is_no_name_is_refused_by_its_field_and_makes_nobody(staff, admin, wish: dict, field: str) -> None:
    code, named = await staff.refusal(admin, CREATE, i={"username": "anna", "displayName": "Anna", **wish})
    assert named == field
    assert code in ("INVALID_INPUT", "PASSWORD_REFUSED")
    assert await names(admin) == ["admin"]


async def test_a_user_name_is_taken_once_in_whatever_case_and_at_the_same_time(staff, admin) -> None:
    wishes = [{"username": name, "displayName": "A"} for name in ("anna", "ANNA", "Anna", "anna ")]
    answers = await asyncio.gather(*(admin.try_asking(CREATE, i=wish) for wish in wishes))
    codes = sorted(answer["errors"][0]["extensions"]["code"] if "errors" in answer else "made" for answer in answers)
    assert codes == ["CONFLICT", "CONFLICT", "CONFLICT", "made"]
    assert await names(admin) == ["admin", "anna"]


async def test_an_email_is_changed_and_removed_and_what_is_left_out_stays(staff, admin) -> None:
    anna = await staff.user("anna")
    changed = (await admin.ask(UPDATE, id=anna, i={"email": "anna@example.com", "displayName": "A. Berg"}))[
        "updateUser"
    ]
    assert changed == {"state": "ACTIVE", "displayName": "A. Berg", "email": "anna@example.com"}
    assert (await admin.ask(UPDATE, id=anna, i={"email": None}))["updateUser"]["email"] is None
    record = (await staff.audit())[-1]
    assert (record["action"], record["target"]) == ("user.update", "anna")
    assert (record["before"], record["after"]) == ('{"email":"anna@example.com"}', '{"email":null}')


async def test_disabling_ends_every_session_at_once_and_enabling_opens_none(staff, admin) -> None:
    anna = await staff.user("anna", await staff.built_in("groups", "Developers"))
    async with staff.signed_in("anna") as person:
        await person.ask("{ projects { totalCount } }")
        assert (await admin.ask(UPDATE, id=anna, i={"disabled": True}))["updateUser"]["state"] == "DISABLED"
        assert (await person.client.post("/graphql", json={"query": "{ viewer { username } }"})).status_code == 401
        assert [row["ended_because"] for row in await rows(staff, "sessions") if row["user_id"] == anna] == [
            "user disabled"
        ]
        await admin.ask(UPDATE, id=anna, i={"disabled": False})
        assert (await person.client.post("/graphql", json={"query": "{ viewer { username } }"})).status_code == 401
    kinds = [row["kind"] for row in await rows(staff, "events")]
    assert kinds.count("session.ended") >= 1
    assert "access.changed" in kinds


async def test_deleting_takes_sessions_tokens_and_memberships_along_and_frees_the_name(staff, admin) -> None:
    developers = await staff.built_in("groups", "Developers")
    anna = await staff.user("anna", developers)
    await staff.plane.store.write(
        lambda tx: tx.connection.execute(
            text(
                "INSERT INTO api_tokens (id, user_id, name, digest, hint, created_at, created_by)"
                " VALUES ('t', :anna, 'n', 'd', 'h', 0, 'anna')"
            ),
            {"anna": anna},
        )
    )
    async with staff.signed_in("anna") as person:
        assert (await admin.ask(DELETE, id=anna))["deleteUser"] is True
        assert (await person.client.post("/graphql", json={"query": "{ viewer { username } }"})).status_code == 401
    assert await rows(staff, "api_tokens") == []
    assert [row for row in await rows(staff, "sessions") if row["user_id"] == anna] == []
    assert [row for row in await rows(staff, "group_members") if row["user_id"] == anna] == []
    again = await staff.user("anna")
    assert again != anna
    listed = (await admin.ask(LIST, f={"search": "anna"}))["users"]["nodes"]
    assert [(node["id"], node["groups"]) for node in listed] == [(again, [])]
    assert [row["action"] for row in await staff.audit() if row["target"] == "anna"][-2:] == [
        "user.delete",
        "user.create",
    ]


async def test_nobody_deletes_or_disables_themselves(staff, admin) -> None:
    me = await admin_id(admin)
    assert (await staff.refusal(admin, DELETE, id=me))[0] == "ONESELF"
    assert (await staff.refusal(admin, UPDATE, id=me, i={"disabled": True}))[0] == "ONESELF"


async def test_a_new_password_ends_the_sessions_and_nothing_else(staff, admin) -> None:
    anna = await staff.user("anna", await staff.built_in("groups", "Developers"))
    await staff.plane.store.write(
        lambda tx: tx.connection.execute(
            text(
                "INSERT INTO api_tokens (id, user_id, name, digest, hint, created_at, created_by)"
                " VALUES ('t', :anna, 'n', 'd', 'h', 0, 'anna')"
            ),
            {"anna": anna},
        )
    )
    async with staff.signed_in("anna") as person:
        password = (await admin.ask(RESET, id=anna))["resetPassword"]["password"]
        assert (await person.client.post("/graphql", json={"query": "{ viewer { username } }"})).status_code == 401
        assert (await person.sign_in("anna", PASSWORD)).status_code == 401
    async with staff.signed_in("anna", password):
        pass
    assert [row["revoked_at"] for row in await rows(staff, "api_tokens")] == [None]
    shown = (await admin.ask("query ($id: ID!) { user(id: $id) { state groups { name } } }", id=anna))["user"]
    assert shown == {"state": "MUST_CHANGE_PASSWORD", "groups": [{"name": "Developers"}]}
    assert password not in str(await staff.audit())


async def test_the_password_of_who_signs_in_elsewhere_is_not_reset_here(staff, admin) -> None:
    anna = await staff.user("anna")
    await staff.plane.store.write(lambda tx: storage.change(tx.connection, anna, issuer="https://id.example.com"))
    assert await staff.refusal(admin, RESET, id=anna) == ("CONFLICT", "user")
    shown = await admin.ask("query ($id: ID!) { user(id: $id) { issuer } }", id=anna)
    assert shown["user"]["issuer"] == "https://id.example.com"


async def test_who_learns_a_password_must_hold_what_it_opens(staff, admin) -> None:
    await staff.holder("desk", "USER_MGT_MANAGE_USERS")
    nobody, developer = (
        await staff.user("nobody"),
        await staff.user("dev", await staff.built_in("groups", "Developers")),
    )
    async with staff.signed_in("desk") as desk:
        assert (await desk.ask(RESET, id=nobody))["resetPassword"]["password"]
        assert await staff.refusal(desk, RESET, id=developer) == ("NOT_PERMITTED", None)
        assert await staff.refusal(desk, RESET, id=await admin_id(admin)) == ("NOT_PERMITTED", None)


async def test_only_super_admins_disable_delete_and_remove_super_admins(staff, admin) -> None:
    supers = await staff.built_in("groups", "Super Admins")
    await staff.holder("desk", "USER_MGT_MANAGE_USERS")
    root = await staff.user("root", supers)
    async with staff.signed_in("desk") as desk:
        for query, more in (
            (DELETE, {}),
            (UPDATE, {"i": {"disabled": True}}),
            (SET_GROUPS, {"g": []}),
            (RESET, {}),
        ):
            assert (await staff.refusal(desk, query, id=root, **more))[0] == "NOT_PERMITTED"
        plain = await staff.user("plain")
        assert (await staff.refusal(desk, SET_GROUPS, id=plain, g=[supers]))[0] == "NOT_PERMITTED"
        await desk.ask(DELETE, id=plain)
    await admin.ask(DELETE, id=root)


async def test_a_super_admin_remains_whatever_is_tried(staff, admin) -> None:
    supers = await staff.built_in("groups", "Super Admins")
    me = await admin_id(admin)
    robot = await staff.user("robot", supers, kind="SERVICE")
    asleep = await staff.user("asleep", supers)
    await admin.ask(UPDATE, id=asleep, i={"disabled": True})
    remove = "mutation ($g: ID!, $u: [ID!]!) { removeGroupMembers(group: $g, users: $u) { id } }"
    assert (await staff.refusal(admin, SET_GROUPS, id=me, g=[]))[0] == "LAST_SUPER_ADMIN"
    assert (await staff.refusal(admin, remove, g=supers, u=[me, robot, asleep]))[0] == "LAST_SUPER_ADMIN"
    await admin.ask(UPDATE, id=asleep, i={"disabled": False})
    async with staff.signed_in("asleep") as other:
        assert (await other.ask(UPDATE, id=me, i={"disabled": True}))["updateUser"]["state"] == "DISABLED"
        assert (await staff.refusal(other, SET_GROUPS, id=asleep, g=[]))[0] == "LAST_SUPER_ADMIN"
        await other.ask(DELETE, id=me)
        await other.ask(DELETE, id=robot)


async def test_two_super_admins_who_disable_each_other_at_the_same_time_leave_one(staff, admin) -> None:
    supers = await staff.built_in("groups", "Super Admins")
    me, other_id = await admin_id(admin), await staff.user("other", supers)
    async with staff.signed_in("other") as other:
        answers = await asyncio.gather(
            admin.try_asking(UPDATE, id=other_id, i={"disabled": True}),
            other.try_asking(UPDATE, id=me, i={"disabled": True}),
        )
    # Refused as the last one, or signed out already: whichever came first.
    assert sorted("errors" in answer or "code" in answer for answer in answers) == [False, True]
    assert await staff.plane.store.read(storage.count_super_admins) == 1


async def test_unlocking_lets_somebody_try_again_at_once(staff, admin) -> None:
    anna = await staff.user("anna")
    async with staff.stranger() as person:
        for _ in range(5):
            assert (await person.sign_in("anna", "wrong wrong wrong")).status_code == 401
        assert (await person.sign_in("anna", PASSWORD)).status_code == 429
        assert (await admin.ask("mutation ($id: ID!) { unlockUser(id: $id) }", id=anna))["unlockUser"] is True
        assert (await person.sign_in("anna", PASSWORD)).status_code == 200
    assert "user.unlock" in [row["action"] for row in await staff.audit()]


async def test_somebody_is_put_into_exactly_these_groups(staff, admin) -> None:
    anna = await staff.user("anna")
    ops, dev = await staff.group("Ops"), await staff.built_in("groups", "Developers")
    put = await admin.ask(SET_GROUPS, id=anna, g=[ops, dev, ops])
    assert put["setUserGroups"]["groups"] == [{"name": "Developers"}, {"name": "Ops"}]
    put = await admin.ask(SET_GROUPS, id=anna, g=[ops])
    assert put["setUserGroups"]["groups"] == [{"name": "Ops"}]
    assert await staff.refusal(admin, SET_GROUPS, id=anna, g=["nowhere"]) == ("NOT_FOUND", "groups")
    assert await staff.refusal(admin, SET_GROUPS, id="nobody", g=[]) == ("NOT_FOUND", "user")
    many = ["g"] * (GROUPS_PER_USER_MAX + 1)
    assert (await staff.refusal(admin, SET_GROUPS, id=anna, g=[f"{g}{i}" for i, g in enumerate(many)]))[
        0
    ] == "LIMIT_REACHED"


async def test_limits_are_refused_by_name_and_count(staff, admin, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, ops = await staff.user("anna"), await staff.group("Ops")
    monkeypatch.setattr(operations, "USERS_MAX", 2)
    answer = await admin.try_asking(CREATE, i={"username": "b", "displayName": "B"})
    assert answer["errors"][0]["message"] == "There are 2 users already; there may be 2."
    monkeypatch.setattr(group_operations, "GROUPS_PER_USER_MAX", 0)
    await admin.ask(SET_GROUPS, id=anna, g=[])
    monkeypatch.setattr(group_operations, "GROUPS_PER_USER_MAX", 1)
    await admin.ask(SET_GROUPS, id=anna, g=[ops])
    dev = await staff.built_in("groups", "Developers")
    assert await staff.refusal(admin, SET_GROUPS, id=anna, g=[ops, dev]) == ("LIMIT_REACHED", "users")


async def test_users_are_filtered_sorted_and_paged_without_loss(staff, admin, clock) -> None:
    for name in ("carl", "anna", "bob_1", "dora"):
        clock.advance(1)
        await staff.user(name, kind="SERVICE" if name == "dora" else "PERSON")
    dora, carl = [(await admin.ask(LIST, f={"search": name}))["users"]["nodes"][0]["id"] for name in ("dora", "carl")]
    await admin.ask(UPDATE, id=carl, i={"disabled": True})
    await admin.ask(SET_GROUPS, id=dora, g=[await staff.group("Ops")])
    for sort, wanted in (
        ("NAME", ["admin", "anna", "bob_1", "carl", "dora"]),
        ("NAME_DESCENDING", ["dora", "carl", "bob_1", "anna", "admin"]),
        ("OLDEST", ["admin", "carl", "anna", "bob_1", "dora"]),
        ("NEWEST", ["dora", "bob_1", "anna", "carl", "admin"]),
    ):
        seen, after = [], None
        while True:
            page = (await admin.ask(LIST, s=sort, n=2, a=after))["users"]
            assert page["totalCount"] == 5
            seen += [node["username"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == wanted
        assert await staff.refusal(admin, LIST, s="NAME" if sort != "NAME" else "NEWEST", a=after) == (
            "INVALID_INPUT",
            "after",
        )
    assert await names(admin, f={"search": "_"}) == ["bob_1"]
    assert await names(admin, f={"kind": "SERVICE"}) == ["dora"]
    assert await names(admin, f={"state": "DISABLED"}) == ["carl"]
    assert await names(admin, f={"state": "ACTIVE"}) == ["admin", "anna", "bob_1", "dora"]
    assert await names(admin, f={"group": await staff.built_in("groups", "Ops")}) == ["dora"]
    assert await staff.refusal(admin, LIST, f={"search": "x" * 201}) == ("INVALID_INPUT", "search")


async def test_a_page_of_users_costs_the_same_number_of_statements_however_long_it_is(staff, admin) -> None:
    async def cost() -> int:
        with staff.counted() as statements:
            await admin.ask(LIST)
        return len(statements)

    group = await staff.built_in("groups", "Developers")
    await staff.user("first", group)
    await cost()
    few = await cost()
    for number in range(10):
        await staff.user(f"user-{number}", group, await staff.group(f"Group {number}"))
    assert await cost() == few
    assert few <= 12  # who asks, the page, its count, groups, mappings, permissions


@pytest.fixture
async def outsider(staff) -> AsyncIterator:
    """Somebody who manages integrations and nobody."""
    await staff.user("outsider", await staff.built_in("groups", "Administrators"))
    async with staff.signed_in("outsider") as person:
        yield person


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (CREATE, {"i": {"username": "x", "displayName": "X"}}),
        (UPDATE, {"id": "ADMIN", "i": {"displayName": "X"}}),
        (DELETE, {"id": "ADMIN"}),
        (RESET, {"id": "ADMIN"}),
        ("mutation ($id: ID!) { unlockUser(id: $id) }", {"id": "ADMIN"}),
        (SET_GROUPS, {"id": "ADMIN", "g": []}),
        (LIST, {}),
    ],
)
async def test_who_manages_nobody_is_refused_by_permission(staff, admin, outsider, query: str, variables: dict) -> None:
    variables = {k: await admin_id(admin) if v == "ADMIN" else v for k, v in variables.items()}
    answer = await outsider.try_asking(query, **variables)
    assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    assert "user_mgt:" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "more"), [(DELETE, {}), (UPDATE, {"i": {"disabled": True}}), (SET_GROUPS, {"g": []})]
)
async def test_who_holds_everything_by_another_group_cannot_remove_the_last_super_admin_either(
    staff, admin, query: str, more: dict
) -> None:
    group = await staff.group("Everything")
    await staff.mapped(group, await staff.built_in("roles", "Super Admin"))
    await staff.user("mighty", group)
    async with staff.signed_in("mighty") as mighty:
        assert (await staff.refusal(mighty, query, id=await admin_id(admin), **more))[0] == "LAST_SUPER_ADMIN"
    assert await staff.plane.store.read(storage.count_super_admins) == 1


async def test_nobody_resets_their_own_password_without_knowing_it(staff, admin) -> None:
    """Who finds a session open, or a token, must not come to own the account by it."""
    me = (await admin.ask("{ viewer { id } }"))["viewer"]["id"]
    assert await staff.refusal(admin, RESET, id=me) == ("ONESELF", "user")
    async with staff.stranger() as again:
        assert (await again.sign_in()).status_code == 200
