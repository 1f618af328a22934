"""Ingest tokens: shown once, made by who manages the place, found without a statement, refused at once when they end."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pilothouse.base.clock import FakeClock
from pilothouse.operations.ingest_tokens import (
    ACTIVE_MAX,
    REMEMBERED_S,
    USE_NOTED_EVERY_S,
    CollectorToken,
    IngestTokenBook,
)
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

CREATE = """mutation ($input: CreateIngestTokenInput!) { createIngestToken(input: $input) { token ingestToken {
  id name hint state createdBy expiresAt environment { handle critical } project { handle } integration { handle }
} } }"""
LIST = """query ($e: String, $ended: Boolean) { ingestTokens(environment: $e, includeEnded: $ended) {
  totalCount nodes { id name state lastUsedAt revokedBy } } }"""
REVOKE = "mutation ($id: ID!) { revokeIngestToken(id: $id) { state revokedBy revokedAt } }"
EVENTS = "query ($f: EventFilter) { events(filter: $f) { nodes { kind message environment { handle } } } }"
SHOP = {"project": "shop", "integration": "till"}


@pytest.fixture
async def staff(plane, admin) -> Staff:
    made = Staff(plane, admin)
    await made.project("Shop", "Till")
    await made.project("Other", "Else")
    return made


@pytest.fixture
def book(plane) -> IngestTokenBook:
    return IngestTokenBook(plane.store, plane.bus.follow)


async def create(person, environment: str = "dev", **more) -> dict:
    wish = {"name": "fluent-bit", "environment": environment, **more}
    return (await person.ask(CREATE, input=wish))["createIngestToken"]


async def names(person, **variables) -> set[str]:
    return {node["name"] for node in (await person.ask(LIST, **variables))["ingestTokens"]["nodes"]}


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


async def test_a_token_is_shown_once_and_only_its_digest_is_kept(plane, admin, staff: Staff) -> None:
    made = await create(admin, **SHOP)
    token, shown = made["token"], made["ingestToken"]
    assert token.startswith("phi_")
    assert (shown["hint"], shown["state"], shown["createdBy"]) == (token[:10], "ACTIVE", "admin")
    assert shown["environment"] == {"handle": "dev", "critical": False}
    assert (shown["project"], shown["integration"]) == ({"handle": "shop"}, {"handle": "till"})

    def dump(connection) -> str:
        tables = ("ingest_tokens", "audit_records", "events")
        return str([connection.execute(text(f"select * from {table}")).all() for table in tables])

    stored = await plane.store.read(dump)
    assert token[10:] not in stored
    assert token[10:] not in str(await admin.ask(LIST))


async def test_a_token_leads_to_its_place(admin, staff: Staff, book: IngestTokenBook, clock: FakeClock) -> None:
    wide = await book.find((await create(admin))["token"], clock.now())
    of_project = await book.find((await create(admin, project="shop"))["token"], clock.now())
    narrow = await book.find((await create(admin, **SHOP))["token"], clock.now())
    assert isinstance(wide, CollectorToken)
    assert (wide.project_id, wide.integration_id) == (None, None)
    assert of_project.project_id is not None
    assert of_project.integration_id is None
    assert narrow.project_id == of_project.project_id
    assert narrow.integration_id is not None
    assert wide.environment_id == of_project.environment_id == narrow.environment_id


@pytest.mark.parametrize("wrong", ["", "phi_", "pht_" + "a" * 43, "phi_" + "a" * 43, "phi_" + "é" * 43, "x" * 5000])
async def test_what_is_no_token_finds_nothing(staff: Staff, book: IngestTokenBook, clock: FakeClock, wrong) -> None:
    assert await book.find(wrong, clock.now()) is None


async def test_a_revoked_token_finds_nothing_from_then_on(
    plane, admin, staff: Staff, book: IngestTokenBook, clock: FakeClock
) -> None:
    made = await create(admin)
    assert await book.find(made["token"], clock.now()) is not None
    done = (await admin.ask(REVOKE, id=made["ingestToken"]["id"]))["revokeIngestToken"]
    assert (done["state"], done["revokedBy"]) == ("REVOKED", "admin")
    assert await book.find(made["token"], clock.now()) is None
    clock.advance(5)
    assert (await admin.ask(REVOKE, id=made["ingestToken"]["id"]))["revokeIngestToken"] == done, "it stays as it is"
    assert await names(admin) == set()
    assert await names(admin, ended=True) == {"fluent-bit"}


async def test_a_token_ends_at_its_expiry(admin, staff: Staff, book: IngestTokenBook, clock: FakeClock) -> None:
    made = await create(admin, expiresAt=at(clock.now() + 5))
    assert await book.find(made["token"], clock.now() + 4.9) is not None
    assert await book.find(made["token"], clock.now() + 5) is None
    clock.advance(5)
    assert await names(admin) == set()
    (ended,) = (await admin.ask(LIST, ended=True))["ingestTokens"]["nodes"]
    assert ended["state"] == "EXPIRED"


async def test_most_batches_cost_no_statement(admin, staff: Staff, book: IngestTokenBook, clock: FakeClock) -> None:
    token = (await create(admin))["token"]
    await book.find(token, clock.now())
    with staff.counted() as statements:
        for _ in range(100):
            assert await book.find(token, clock.now()) is not None
        assert statements == []
        clock.advance(REMEMBERED_S)
        await book.find(token, clock.now())
    assert [one.split()[0] for one in statements if one != "BEGIN"] == ["SELECT"]


async def test_the_last_use_is_noted_once_a_minute_and_written_in_one_go(
    admin, staff: Staff, book: IngestTokenBook, clock: FakeClock
) -> None:
    tokens = [(await create(admin, name=f"t{i}"))["token"] for i in range(3)]
    for token in tokens * 3:
        await book.find(token, clock.now())
    with staff.counted() as statements:
        await book.flush()
        await book.flush()
    assert len([one for one in statements if one.startswith("UPDATE ingest_tokens")]) == 1
    first = {node["lastUsedAt"] for node in (await admin.ask(LIST))["ingestTokens"]["nodes"]}
    assert first != {None}
    assert len(first) == 1
    clock.advance(USE_NOTED_EVERY_S - 1)
    await book.find(tokens[0], clock.now())
    await book.flush()
    assert {node["lastUsedAt"] for node in (await admin.ask(LIST))["ingestTokens"]["nodes"]} == first
    clock.advance(1)
    await book.find(tokens[0], clock.now())
    await book.flush()
    assert len({node["lastUsedAt"] for node in (await admin.ask(LIST))["ingestTokens"]["nodes"]}) == 2


async def test_a_use_that_cannot_be_written_is_kept(
    plane, admin, staff: Staff, book: IngestTokenBook, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await book.find((await create(admin))["token"], clock.now())

    async def fail(_operation: object) -> None:
        raise OSError("full")

    with monkeypatch.context() as broken:
        broken.setattr(plane.store, "write", fail)
        with pytest.raises(OSError, match="full"):
            await book.flush()
    await book.flush()
    (node,) = (await admin.ask(LIST))["ingestTokens"]["nodes"]
    assert node["lastUsedAt"] is not None


@pytest.mark.parametrize(
    ("permission", "scope", "environment", "place", "allowed"),
    [
        ("ENVIRONMENT_MGT_MANAGE", {}, "prod", {}, True),
        ("ENVIRONMENT_MGT_MANAGE_NONPROD", {}, "dev", {}, True),
        ("ENVIRONMENT_MGT_MANAGE_NONPROD", {}, "prod", {}, False),
        ("ENVIRONMENT_MGT_MANAGE_NONPROD", {"environment": "dev"}, "dev", {}, True),
        ("INTEGRATION_MGT_MANAGE", {}, "dev", {}, False),
        ("INTEGRATION_MGT_MANAGE", {}, "prod", SHOP, True),
        ("INTEGRATION_MGT_MANAGE", SHOP, "prod", SHOP, True),
        ("INTEGRATION_MGT_MANAGE", {"project": "shop"}, "dev", {"project": "shop"}, False),
        ("INTEGRATION_MGT_EDIT", {}, "dev", SHOP, False),
    ],
)
async def test_who_manages_the_place_makes_its_tokens(
    admin, staff: Staff, permission: str, scope: dict, environment: str, place: dict, allowed: bool
) -> None:
    await staff.holder("carol", permission, "PROJECT_MGT_VIEW", "INTEGRATION_MGT_VIEW", **scope)
    async with staff.signed_in("carol") as carol:
        wish = {"name": "agent", "environment": environment, **place}
        if allowed:
            made = await create(carol, environment, **place)
            assert await names(carol) == {"fluent-bit"}
            await carol.ask(REVOKE, id=made["ingestToken"]["id"])
        else:
            assert (await staff.refusal(carol, CREATE, input=wish))[0] == "NOT_PERMITTED"


async def test_tokens_of_other_places_are_not_there(admin, staff: Staff) -> None:
    made = {}
    for name, environment, place in [
        ("dev", "dev", {}),
        ("prod", "prod", {}),
        ("dev-shop", "dev", {"project": "shop"}),
        ("prod-till", "prod", SHOP),
        ("prod-else", "prod", {"project": "other", "integration": "else"}),
    ]:
        made[name] = (await create(admin, environment, name=name, **place))["ingestToken"]["id"]
    await staff.holder("nonprod", "ENVIRONMENT_MGT_MANAGE_NONPROD")
    await staff.holder("shopkeeper", "INTEGRATION_MGT_MANAGE", project="shop")
    await staff.holder("onlooker", "INTEGRATION_MGT_VIEW")
    async with staff.signed_in("nonprod") as person:
        assert await names(person) == {"dev", "dev-shop"}
        assert (await staff.refusal(person, REVOKE, id=made["prod"]))[0] == "NOT_FOUND"
    async with staff.signed_in("shopkeeper") as person:
        assert await names(person) == {"prod-till"}
        assert await names(person, e="dev") == set()
        assert (await staff.refusal(person, REVOKE, id=made["prod-else"]))[0] == "NOT_FOUND"
    async with staff.signed_in("onlooker") as person:
        assert (await staff.refusal(person, LIST))[0] == "NOT_PERMITTED"
    assert await names(admin, e="prod") == {"prod", "prod-till", "prod-else"}


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"environment": "nowhere"}, "NOT_FOUND", "environment"),
        ({"project": "nothing"}, "NOT_FOUND", "project"),
        ({"project": "shop", "integration": "nothing"}, "NOT_FOUND", "integration"),
        ({"integration": "till"}, "INVALID_INPUT", "project"),
        ({"name": "  "}, "INVALID_INPUT", "name"),
        ({"name": "a\nb"}, "INVALID_INPUT", "name"),
        ({"name": "x" * 101}, "INVALID_INPUT", "name"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "INVALID_INPUT", "expiresAt"),
        ({"expiresAt": "2100-01-01T00:00:00"}, "INVALID_INPUT", "expiresAt"),
    ],
)
async def test_a_wrong_wish_is_refused_by_its_field(admin, staff: Staff, wish: dict, code: str, field: str) -> None:
    refused = await staff.refusal(admin, CREATE, input={"name": "agent", "environment": "dev", **wish})
    assert refused == (code, field)


async def test_making_and_revoking_are_audited_and_told(admin, staff: Staff) -> None:
    made = await create(admin, **SHOP)
    await admin.ask(REVOKE, id=made["ingestToken"]["id"])
    await admin.ask(REVOKE, id=made["ingestToken"]["id"])
    records = [each for each in await staff.audit() if each["action"].startswith("ingest-token.")]
    assert [each["action"] for each in records] == ["ingest-token.create", "ingest-token.revoke"]
    assert {each["target"] for each in records} == {made["ingestToken"]["id"]}
    assert all(each["integration_id"] and each["environment_id"] for each in records)
    nodes = (await admin.ask(EVENTS, f={"kinds": ["ingest-token."]}))["events"]["nodes"]
    assert [node["message"] for node in nodes] == [
        "The ingest token fluent-bit was revoked.",
        "The ingest token fluent-bit for shop/till in dev was created.",
    ]
    assert {node["environment"]["handle"] for node in nodes} == {"dev"}


@pytest.mark.parametrize(
    ("delete", "handle", "left"),
    [
        ("deleteEnvironment(handle: $h, cascade: true, confirm: $h)", "dev", {"elsewhere"}),
        ("deleteProject(handle: $h, cascade: true, confirm: $h)", "shop", {"environment", "elsewhere"}),
        (
            'deleteIntegration(project: "shop", handle: $h, cascade: true, confirm: $h)',
            "till",
            {"environment", "project", "elsewhere"},
        ),
    ],
)
async def test_a_token_goes_with_its_place(
    admin, staff: Staff, book: IngestTokenBook, clock: FakeClock, delete: str, handle: str, left: set[str]
) -> None:
    places = {"environment": {}, "project": {"project": "shop"}, "integration": SHOP}
    tokens = {name: (await create(admin, name=name, **place))["token"] for name, place in places.items()}
    elsewhere = {"project": "other", "integration": "else"}
    tokens["elsewhere"] = (await create(admin, "prod", name="elsewhere", **elsewhere))["token"]
    for token in tokens.values():
        assert await book.find(token, clock.now()) is not None
    gone = len(tokens) - len(left)
    told = f"{gone} ingest token{'' if gone == 1 else 's'}"
    kind = delete[6 : delete.index("(")].upper()
    within = ', project: "shop"' if kind == "INTEGRATION" else ""
    preview = f'{{ deletion(kind: {kind}, handle: "{handle}"{within}) {{ message }} }}'
    assert told in (await admin.ask(preview))["deletion"]["message"]
    refused = await staff.refusal(
        admin, f"mutation ($h: String!) {{ {delete.replace('true', 'false')} {{ message }} }}", h=handle
    )
    assert refused == ("IN_USE", "cascade")
    done = await admin.ask(f"mutation ($h: String!) {{ {delete} {{ message }} }}", h=handle)
    assert told in str(done)
    assert {name for name, token in tokens.items() if await book.find(token, clock.now())} == left
    assert await names(admin, ended=True) == left
    record = next(each for each in reversed(await staff.audit()) if each["action"].endswith(".delete"))
    assert json.loads(record["before"])["ingestTokens"] == gone


async def test_a_revoked_token_keeps_nothing_from_being_deleted(admin, staff: Staff) -> None:
    made = await create(admin, project="other", integration="else")
    await admin.ask(REVOKE, id=made["ingestToken"]["id"])
    done = await admin.ask('mutation { deleteIntegration(project: "other", handle: "else") { deleted message } }')
    assert done["deleteIntegration"] == {"deleted": True, "message": "The integration 'else' was deleted."}


async def test_an_environment_has_at_most_so_many_and_all_are_listed_by_pages(plane, admin, staff: Staff) -> None:
    def fill(tx) -> None:
        for i in range(ACTIVE_MAX):
            tx.connection.execute(
                text(
                    "insert into ingest_tokens (id, organization_id, environment_id, name, digest, hint, created_at, created_by) "
                    "select :i, organization_id, id, :i, :i, '', :at, '' from environments where handle = 'dev'"
                ),
                {"i": f"t{i}", "at": i // 7},
            )

    await plane.store.write(fill)
    wish = {"name": "one more", "environment": "dev"}
    assert await staff.refusal(admin, CREATE, input=wish) == ("CONFLICT", "environment")
    page_query = (
        "query ($a: String) { ingestTokens(first: 90, after: $a) { nodes { id } pageInfo { endCursor hasNextPage } } }"
    )
    seen, after, more = [], None, True
    while more:
        page = (await admin.ask(page_query, a=after))["ingestTokens"]
        seen += [node["id"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert len(seen) == len(set(seen)) == ACTIVE_MAX
