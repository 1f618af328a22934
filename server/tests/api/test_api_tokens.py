"""API tokens: shown once, no more than their owner holds, revoked at once, cheap to look up."""

from datetime import UTC, datetime

import httpx
import pytest
from pilothouse.base.clock import FakeClock
from pilothouse.operations.tokens import ACTIVE_MAX, REMEMBERED_S, USE_NOTED_EVERY_S
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0
CREATE = """mutation ($input: CreateApiTokenInput!) {
  createApiToken(input: $input) { token apiToken { id name hint state permissions expiresAt createdBy owner { username kind } } }
}"""
LIST = """query ($user: ID, $ended: Boolean) {
  apiTokens(user: $user, includeEnded: $ended) { totalCount nodes { id name state lastUsedAt lastUsedAddress revokedBy } }
}"""
REVOKE = "mutation ($id: ID!) { revokeApiToken(id: $id) { state revokedBy } }"
VIEWER = "{ viewer { username method permissions mustChangePassword } }"


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


async def create(person, clock: FakeClock, *, expires_at: float | None = 0.0, **more) -> dict:
    """Make a token that lasts a month, unless it is said otherwise."""
    ends = clock.now() + 30 * DAY_S if expires_at == 0.0 else expires_at
    wish = {"name": "nightly build", "expiresAt": None if ends is None else at(ends), **more}
    return (await person.ask(CREATE, input=wish))["createApiToken"]


async def refused(person, clock: FakeClock, **more) -> dict:
    wish = {"name": "nightly build", "expiresAt": at(clock.now() + DAY_S), **more}
    return (await person.try_asking(CREATE, input=wish))["errors"][0]["extensions"]


@pytest.fixture
async def application(plane):
    return await plane.console_application()


@pytest.fixture
async def client(application):
    transport = httpx.ASGITransport(app=application, client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        yield client


@pytest.fixture
async def bearer(application, stranger):
    """Makes somebody who acts through a token."""
    clients = []

    def make(token: str):
        transport = httpx.ASGITransport(app=application, client=("10.1.2.3", 40_000))
        headers = {"Authorization": f"Bearer {token}"}
        clients.append(httpx.AsyncClient(transport=transport, base_url="https://testserver", headers=headers))
        return type(stranger)(clients[-1])

    yield make
    for client in clients:
        await client.aclose()


async def service(plane, *group: str) -> str:
    """Make a service account in groups."""

    def make(tx) -> str:
        organization = tx.connection.execute(text("select id from organizations")).scalar_one()
        tx.connection.execute(
            text(
                "insert into users (id, organization_id, username, display_name, kind, must_change_password, created_at, created_by)"
                " values ('robot-id', :organization, 'robot', 'Robot', 'service', false, 0, 'admin')"
            ),
            {"organization": organization},
        )
        for name in group:
            tx.connection.execute(
                text("insert into group_members select id, 'robot-id', 'local', 0 from groups where built_in = :name"),
                {"name": name},
            )
        return "robot-id"

    return await plane.store.write(make)


async def test_a_token_is_shown_once_and_acts_as_its_owner(plane, admin, bearer, clock: FakeClock) -> None:
    made = await create(admin, clock)
    token = made["token"]
    assert token.startswith("pht_")
    assert made["apiToken"]["hint"] == token[:10]
    assert made["apiToken"]["owner"] == {"username": "admin", "kind": "PERSON"}
    viewer = (await bearer(token).ask(VIEWER))["viewer"]
    assert (viewer["username"], viewer["method"]) == ("admin", "token")
    assert "ENVIRONMENT_MGT_MANAGE" in viewer["permissions"]
    stored = await plane.store.read(
        lambda c: str(
            c.execute(text("select * from api_tokens")).all() + c.execute(text("select * from audit_records")).all()
        )
    )
    assert token not in stored
    assert token[10:] not in stored
    assert token not in str(await admin.ask(LIST))


async def test_a_token_carries_no_more_than_it_was_made_with(admin, bearer, clock: FakeClock) -> None:
    made = await create(admin, clock, permissions=["INTEGRATION_MGT_EDIT"])
    script = bearer(made["token"])
    assert (await script.ask(VIEWER))["viewer"]["permissions"] == ["INTEGRATION_MGT_EDIT", "INTEGRATION_MGT_VIEW"]
    answer = await script.try_asking('mutation { createProject(input: {displayName: "Retail"}) { handle } }')
    assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    assert "API token does not carry" in answer["errors"][0]["message"]


async def test_a_token_ends_with_what_its_owner_may(plane, admin, bearer, clock: FakeClock) -> None:
    await service(plane, "super-admins")
    token = (await create(admin, clock, user="robot-id", expires_at=None))["token"]
    assert (await bearer(token).ask(VIEWER))["viewer"]["permissions"]
    await admin.ask('mutation { updateUser(id: "robot-id", input: {disabled: true}) { id } }')
    assert (await bearer(token).client.post("/graphql", json={"query": VIEWER})).status_code == 401


async def test_a_revoked_token_is_refused_at_once(admin, bearer, clock: FakeClock) -> None:
    made = await create(admin, clock)
    script = bearer(made["token"])
    assert (await script.ask(VIEWER))["viewer"]["username"] == "admin"
    revoked = await admin.ask(REVOKE, id=made["apiToken"]["id"])
    assert revoked["revokeApiToken"] == {"state": "REVOKED", "revokedBy": "admin"}
    answer = await script.client.post("/graphql", json={"query": VIEWER})
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN")
    assert (await admin.ask(LIST))["apiTokens"]["totalCount"] == 0
    assert [node["state"] for node in (await admin.ask(LIST, ended=True))["apiTokens"]["nodes"]] == ["REVOKED"]


async def test_an_expired_token_is_refused_to_the_second(admin, bearer, clock: FakeClock) -> None:
    script = bearer((await create(admin, clock, expires_at=clock.now() + 60))["token"])
    clock.advance(59.9)
    assert (await script.ask(VIEWER))["viewer"]["username"] == "admin"
    clock.advance(0.1)
    assert (await script.client.post("/graphql", json={"query": VIEWER})).status_code == 401


@pytest.mark.parametrize("token", ["pht_", "pht_nobody", "pht_" + "x" * 43, "pht_\u00e9", "pht_' or 1=1"])
async def test_a_token_that_nobody_made_opens_nothing(stranger, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    answer = await stranger.client.post("/graphql", json={"query": VIEWER}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN")


@pytest.mark.parametrize("days", [None, 367, -1])
async def test_a_persons_token_ends_within_a_year(admin, clock: FakeClock, days: int | None) -> None:
    answer = await refused(admin, clock, expiresAt=None if days is None else at(clock.now() + days * DAY_S))
    assert (answer["code"], answer["field"]) == ("INVALID_INPUT", "expiresAt")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"expiresAt": "2030-01-01"}, "expiresAt"),
        ({"permissions": []}, "permissions"),
        ({"user": "nobody"}, "user"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_by_its_field(admin, clock: FakeClock, change: dict, field: str) -> None:
    assert (await refused(admin, clock, **change))["field"] == field


async def test_a_token_cannot_make_tokens_nor_let_anybody_in_nor_change_a_password(
    plane, admin, bearer, clock: FakeClock
) -> None:
    script = bearer((await create(admin, clock))["token"])
    assert (await refused(script, clock))["code"] == "NOT_PERMITTED"
    device = (await script.client.post("/auth/device", json={"client": "cli"})).json()
    decide = "mutation ($code: String!) { decideDevice(userCode: $code, allow: true) { allowed } }"
    answer = await script.try_asking(decide, code=device["userCode"])
    assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    passwords = {"currentPassword": "correct horse battery staple", "newPassword": "seven quiet lighthouses"}
    assert (await script.client.post("/auth/password", json=passwords)).json()["code"] == "NOT_PERMITTED"
    assert (await script.client.post("/auth/sign-out")).json()["code"] == "NOT_PERMITTED"
    rows = await plane.store.read(
        lambda c: (
            c.execute(text("select action from audit_records where outcome = 'refused' and via = 'token'"))
            .scalars()
            .all()
        )
    )
    assert len(rows) == 2


async def test_a_limited_token_does_not_act_on_its_owners_other_tokens(admin, bearer, clock: FakeClock) -> None:
    other = (await create(admin, clock))["apiToken"]["id"]
    made = await create(admin, clock, permissions=["INTEGRATION_MGT_VIEW"])
    script = bearer(made["token"])
    answer = await script.try_asking(REVOKE, id=other)
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert (await script.try_asking("mutation { endAllSessions }"))["errors"][0]["extensions"][
        "code"
    ] == "NOT_PERMITTED"
    assert (await script.ask(REVOKE, id=made["apiToken"]["id"]))["revokeApiToken"]["state"] == "REVOKED", (
        "itself it may end"
    )


async def test_nobody_makes_tokens_for_another_person(plane, admin, clock: FakeClock) -> None:
    await service(plane)
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set kind = 'person' where id = 'robot-id'"))
    )
    answer = await refused(admin, clock, user="robot-id")
    assert (answer["code"], answer["field"]) == ("NOT_PERMITTED", "user")


async def test_a_token_promises_nothing_that_its_owner_does_not_hold(plane, admin, clock: FakeClock) -> None:
    await service(plane, "developers")
    answer = await refused(admin, clock, user="robot-id", permissions=["PROJECT_MGT_MANAGE"])
    assert (answer["code"], answer["field"]) == ("NOT_PERMITTED", "permissions")
    made = await create(admin, clock, user="robot-id", permissions=["INTEGRATION_MGT_VIEW"], expires_at=None)
    assert made["apiToken"]["expiresAt"] is None
    assert made["apiToken"]["owner"]["kind"] == "SERVICE"


async def test_who_may_manage_users_hands_out_no_more_than_they_hold_themselves(
    plane, admin, stranger, clock: FakeClock
) -> None:
    """A service account of Super Admins is not a way up for who only manages users."""
    await service(plane, "super-admins")

    def demote(tx) -> None:
        run = tx.connection.execute
        run(
            text(
                "insert into groups (id, organization_id, name, description, created_at, created_by) select 'g', id, 'g', '', 0, '' from organizations"
            )
        )
        run(
            text(
                "insert into roles (id, organization_id, name, description, created_at, created_by) select 'r', id, 'r', '', 0, '' from organizations"
            )
        )
        run(text("insert into role_permissions values ('r', 'user_mgt:manage_users')"))
        run(
            text(
                "insert into role_mappings (organization_id, group_id, role_id, scope, created_at, created_by) select id, 'g', 'r', '-/-/-', 0, '' from organizations"
            )
        )
        run(
            text(
                "update group_members set group_id = 'g' where user_id = (select id from users where username = 'admin')"
            )
        )

    await plane.store.write(demote)
    assert (await refused(admin, clock, user="robot-id", expiresAt=None))["code"] == "NOT_PERMITTED"
    assert (await refused(admin, clock, user="robot-id", permissions=["PROJECT_MGT_VIEW"]))["code"] == "NOT_PERMITTED"
    made = await create(admin, clock, user="robot-id", permissions=["USER_MGT_MANAGE_USERS"], expires_at=None)
    assert made["apiToken"]["permissions"] == ["USER_MGT_MANAGE_USERS"]


async def test_most_requests_with_a_token_ask_the_database_nothing(plane, admin, bearer, clock: FakeClock) -> None:
    script = bearer((await create(admin, clock))["token"])
    run = "{ controlPlane { version } }"
    await script.ask(run)
    statements = []

    def count(_connection: object, _cursor: object, statement: str, *_args: object) -> None:
        statements.append(statement)

    for engine in (plane.store.reader_engine, plane.store.writer_engine):
        event.listen(engine, "before_cursor_execute", count)
    for _ in range(20):
        await script.ask(run)
    assert not statements
    clock.advance(REMEMBERED_S)
    await script.ask(run)
    assert len([one for one in statements if one != "BEGIN"]) == 1, statements


async def test_the_last_use_is_noted_at_most_once_a_minute_and_written_in_one_go(
    plane, admin, bearer, clock: FakeClock
) -> None:
    scripts = [bearer((await create(admin, clock, name=f"token {i}"))["token"]) for i in range(3)]
    for script in scripts * 3:
        await script.ask(VIEWER)
    used = clock.now()
    await plane.flush()
    nodes = (await admin.ask(LIST))["apiTokens"]["nodes"]
    assert {node["lastUsedAddress"] for node in nodes} == {"10.1.2.3"}
    clock.advance(USE_NOTED_EVERY_S - 1)
    await scripts[0].ask(VIEWER)
    await plane.flush()
    stored = await plane.store.read(lambda c: c.execute(text("select last_used_at from api_tokens")).scalars().all())
    assert set(stored) == {round(used * 1000)}
    clock.advance(1)
    await scripts[0].ask(VIEWER)
    await plane.flush()
    stored = await plane.store.read(lambda c: c.execute(text("select last_used_at from api_tokens")).scalars().all())
    assert sorted(stored) == [round(used * 1000)] * 2 + [round(clock.now() * 1000)]


async def test_one_user_has_at_most_so_many_tokens(plane, admin, clock: FakeClock) -> None:
    def fill(tx) -> None:
        for i in range(ACTIVE_MAX):
            tx.connection.execute(
                text(
                    "insert into api_tokens (id, user_id, name, digest, hint, created_at, created_by) "
                    "select :i, id, 'x', :i, '', 0, '' from users where username = 'admin'"
                ),
                {"i": f"t{i}"},
            )

    await plane.store.write(fill)
    assert (await refused(admin, clock))["code"] == "CONFLICT"
    query = "query ($after: String) { apiTokens(first: 40, after: $after) { nodes { id } pageInfo { endCursor hasNextPage } } }"
    seen, after, more = [], None, True
    while more:
        page = (await admin.ask(query, after=after))["apiTokens"]
        seen += [node["id"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert len(set(seen)) == len(seen) == ACTIVE_MAX
