"""Projects, integrations and environments are deleted whole or not at all, and leave nothing that points to them."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.ids import new_id
from pilothouse.operations import deleting
from pilothouse.storage import tables
from pilothouse.storage.tables import metadata
from sqlalchemy import Connection, Table, func, insert, select

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

COUNTS = "deleted integrations runtimes runningRuntimes secrets desiredStates roleMappings groups message"
PREVIEW = (
    f"query ($k: HandleKind!, $h: String!, $p: String) {{ deletion(kind: $k, handle: $h, project: $p) {{ {COUNTS} }} }}"
)
DELETE = {
    "PROJECT": f"""mutation ($h: String!, $c: Boolean, $confirm: String) {{
        deleteProject(handle: $h, cascade: $c, confirm: $confirm) {{ {COUNTS} }} }}""",
    "INTEGRATION": f"""mutation ($h: String!, $p: String!, $c: Boolean, $confirm: String) {{
        deleteIntegration(project: $p, handle: $h, cascade: $c, confirm: $confirm) {{ {COUNTS} }} }}""",
    "ENVIRONMENT": f"""mutation ($h: String!, $c: Boolean, $confirm: String) {{
        deleteEnvironment(handle: $h, cascade: $c, confirm: $confirm) {{ {COUNTS} }} }}""",
}
KINDS = {
    "PROJECT": {"h": "retail-core"},
    "INTEGRATION": {"h": "order-intake", "p": "retail-core"},
    "ENVIRONMENT": {"h": "dev"},
}
LEVEL = """mutation { changeLogLevel(input: {
    project: "retail-core", integration: "order-intake", environment: "dev", logger: "acme/order_intake", level: "DEBUG"
}) { waiting } }"""
# Columns that hold another table's key without saying so, beside the foreign keys.
SAID_BY_NAME = {
    "environment_id": tables.environments.c.id,
    "project_id": tables.projects.c.id,
    "integration_id": tables.integrations.c.id,
    "runtime_key": tables.runtimes.c.key,
    "key_id": tables.secrets.c.key_id,
    "rotates": tables.secrets.c.key_id,
    "wish_number": tables.desired_changes.c.number,
    "group_id": tables.groups.c.id,
}
OUTLIVING = {"events", "audit_records", "audit_anchors"}


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
async def filled(admin, runtime, staff, plane: ControlPlane, clock) -> Staff:
    """`retail-core/order-intake` with two runtimes in `dev`, a wish, a command, a rotated secret, a mapping; and a neighbour."""
    runtime.extra = {"logLevels": {"acme/order_intake": "INFO"}}
    assert (await runtime.full())[0] == 200
    runtime.runtime_id, runtime.name = new_id(), "orders-node-2"
    assert (await runtime.full())[0] == 200
    await admin.ask(LEVEL)
    key_id = runtime.secret.partition(".")[0]
    await admin.ask("mutation ($k: String!) { rotateSecret(keyId: $k) { old { keyId } } }", k=key_id)
    viewer = await staff.built_in("roles", "Viewer")
    await staff.mapped(
        await staff.group("Guests"), viewer, project="retail-core", integration="order-intake", environment="dev"
    )
    await staff.project("Neighbour", "Next door")
    secret = await admin.secret("prod", project="neighbour", integration="next-door")
    neighbour = type(runtime)(
        plane, secret, runtime_id=new_id(), environment="prod", project="neighbour", integration="next-door"
    )
    assert (await neighbour.full())[0] == 200
    return staff


def pointers() -> list[tuple[Table, str, object]]:
    """Every column that points to a row of another table."""
    found = []
    for table in metadata.sorted_tables:
        if table.name in OUTLIVING:
            continue
        for column in table.columns:
            target = SAID_BY_NAME.get(column.name)
            for key in column.foreign_keys:
                target = key.column
            if (target is not None and target.table is not table) or column.name == "rotates":
                found.append((table, column.name, target))
    return found


def orphans(connection: Connection) -> list[str]:
    """Name the columns with rows that point to something that is not there."""
    lost = []
    for table, name, target in pointers():
        column = table.c[name]
        there = select(target.table.alias("there").c[target.name])
        wanted = select(func.count()).select_from(table).where(column.is_not(None), column.not_in(there))
        if connection.execute(wanted).scalar_one():
            lost.append(f"{table.name}.{name}")
    return lost


def mentions(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Name the tables in which any cell of text holds one of these ids."""
    found = []
    for table in metadata.sorted_tables:
        if table.name in OUTLIVING:
            continue
        for row in connection.execute(select(table)):
            if any(isinstance(cell, str) and id_ in cell for cell in row for id_ in ids):
                found.append(table.name)
                break
    return found


async def ids_of(plane: ControlPlane, kind: str) -> list[str]:
    """The ids of what is deleted and of what goes with it."""

    def read(connection: Connection) -> list[str]:
        def of(statement) -> list[str]:
            return list(connection.execute(statement).scalars())

        p, i, e = tables.projects.c, tables.integrations.c, tables.environments.c
        if kind == "ENVIRONMENT":
            return of(select(e.id).where(e.handle == "dev"))
        inner = of(select(i.id).where(i.handle == "order-intake"))
        return inner if kind == "INTEGRATION" else inner + of(select(p.id).where(p.handle == "retail-core"))

    return await plane.store.read(read)


def test_the_walk_knows_every_foreign_key() -> None:
    walked = {(table.name, name) for table, name, _ in pointers()}
    declared = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.foreign_keys and table.name not in OUTLIVING
    }
    assert declared <= walked
    assert {("secrets", "rotates"), ("commands", "wish_number")} <= walked


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_in_use_is_refused_and_says_what_hangs_on_it(filled: Staff, admin, kind: str) -> None:
    before = (await admin.ask(PREVIEW, k=kind, **KINDS[kind]))["deletion"]
    answer = await admin.try_asking(DELETE[kind], **KINDS[kind])
    told = answer["errors"][0]
    assert (told["extensions"]["code"], told["extensions"]["field"]) == ("IN_USE", "cascade")
    assert told["message"] == before["message"]
    counted = "2 runtimes (2 running), 2 secrets, 1 desired state and 1 role mapping hang on it"
    assert counted in told["message"]
    assert ("1 integration, " in told["message"]) == (kind == "PROJECT")
    assert (before["deleted"], before["runtimes"], before["groups"]) == (False, 2, 1 if kind == "PROJECT" else 0)
    assert (await admin.ask(PREVIEW, k=kind, **KINDS[kind]))["deletion"] == before


@pytest.mark.parametrize("confirm", [None, "prod", "Dev"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_cascade_is_confirmed_by_the_handle(filled: Staff, admin, kind: str, confirm: str | None) -> None:
    refused = await filled.refusal(admin, DELETE[kind], **KINDS[kind], c=True, confirm=confirm)
    assert refused == ("CONFIRMATION_NEEDED", "confirm")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cascade_leaves_nothing_behind(
    filled: Staff, admin, runtime, plane: ControlPlane, clock, kind: str
) -> None:
    gone, handle = await ids_of(plane, kind), KINDS[kind]["h"]
    keys = [entry.runtime_key for entry in plane.board.list_in(*await place(plane))]
    told = await admin.ask(DELETE[kind], **KINDS[kind], c=True, confirm=handle)
    (done,) = told.values()
    assert (done["deleted"], done["runtimes"], done["secrets"], done["desiredStates"]) == (True, 2, 2, 1)
    assert (await admin.ask(PREVIEW, k=kind, **KINDS[kind]))["deletion"] is None

    assert await plane.store.read(orphans) == []
    assert await plane.store.read(lambda connection: mentions(connection, gone)) == []
    assert len(keys) == 2
    assert not any(plane.board.find_key(key) or key in plane.agenda for key in keys)
    left = await admin.ask("{ organization { runtimes { total } } runtimes { totalCount } secrets { totalCount } }")
    assert left == {
        "organization": {"runtimes": {"total": 1}},
        "runtimes": {"totalCount": 1},
        "secrets": {"totalCount": 1},
    }

    clock.advance(1)
    answers = [await runtime.delta(), await runtime.full()]
    assert [(status, answer["code"]) for status, answer in answers] == [(400, "KEY_UNKNOWN")] * 2
    assert (await admin.ask("{ runtimes { totalCount } }")) == {"runtimes": {"totalCount": 1}}
    record = (await filled.audit())[-1]
    assert (record["action"], record["outcome"]) == (f"{kind.lower()}.delete", "done")
    assert all(key_id in record["before"] for key_id in [runtime.secret.partition(".")[0]])


async def place(plane: ControlPlane) -> tuple[str, str]:
    def read(connection: Connection) -> tuple[str, str]:
        i, e = tables.integrations.c, tables.environments.c
        return (
            connection.execute(select(i.id).where(i.handle == "order-intake")).scalar_one(),
            connection.execute(select(e.id).where(e.handle == "dev")).scalar_one(),
        )

    return await plane.store.read(read)


async def test_everybody_who_follows_hears_what_went(filled: Staff, admin, plane: ControlPlane) -> None:
    heard = []
    plane.bus.follow(lambda event: heard.append(event.kind.value))
    await admin.ask(DELETE["PROJECT"], h="retail-core", c=True, confirm="retail-core")
    assert heard == [
        *["runtime.removed"] * 2,
        *["secret.revoked"] * 2,
        "integration.deleted",
        "project.deleted",
        "access.changed",
    ]


async def test_who_was_let_in_by_a_mapping_there_is_not_any_more(filled: Staff, admin) -> None:
    await filled.holder("guest", "PROJECT_MGT_VIEW", project="retail-core")
    async with filled.signed_in("guest") as guest:
        listed = "{ projects { nodes { handle } } }"
        assert (await guest.ask(listed))["projects"]["nodes"] == [{"handle": "retail-core"}]
        await admin.ask(DELETE["PROJECT"], h="retail-core", c=True, confirm="retail-core")
        answer = await guest.try_asking(listed)
        assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"


async def test_an_empty_project_goes_with_its_admins_and_no_more_words(staff: Staff, admin) -> None:
    await staff.project("Shop")
    shown = (await admin.ask(PREVIEW, k="PROJECT", h="shop"))["deletion"]
    assert (shown["groups"], shown["roleMappings"]) == (1, 0)
    assert shown["message"] == "Nothing hangs on the project 'shop'."
    done = (await admin.ask(DELETE["PROJECT"], h="shop"))["deleteProject"]
    assert (done["deleted"], done["message"]) == (True, "The project 'shop' was deleted.")
    groups = await admin.ask('{ groups(search: "shop") { totalCount } }')
    assert groups["groups"]["totalCount"] == 0
    assert await staff.project("Shop") == "shop"  # handle and group name are free again


async def test_what_the_admins_hold_elsewhere_hangs_on_the_project(staff: Staff, admin) -> None:
    await staff.project("Shop")
    await staff.project("Other")
    admins = await staff.built_in("groups", "Shop Admins")
    await staff.mapped(admins, await staff.built_in("roles", "Viewer"), project="other")
    assert (await staff.refusal(admin, DELETE["PROJECT"], h="shop"))[0] == "IN_USE"
    assert (await admin.ask(PREVIEW, k="PROJECT", h="shop"))["deletion"]["roleMappings"] == 1


async def test_the_audit_names_who_lost_what_with_a_deletion(staff: Staff, admin) -> None:
    await staff.project("Shop")
    await staff.project("Other")
    admins = await staff.built_in("groups", "Shop Admins")
    await staff.mapped(admins, await staff.built_in("roles", "Viewer"), project="other")
    await staff.mapped(await staff.group("Crew"), await staff.built_in("roles", "Developer"), project="shop")
    await admin.ask(DELETE["PROJECT"], h="shop", c=True, confirm="shop")
    record = next(each for each in reversed(await staff.audit()) if each["action"] == "project.delete")
    assert json.loads(record["before"])["roleMappings"] == ["Shop Admins: Viewer", "Crew: Developer"]


async def test_the_last_environment_stays(staff: Staff, admin) -> None:
    await admin.ask(DELETE["ENVIRONMENT"], h="dev")
    refused = await staff.refusal(admin, DELETE["ENVIRONMENT"], h="prod", confirm="prod")
    assert refused == ("CONFLICT", "handle")
    data = await admin.ask("{ environments { nodes { handle } } }")
    assert data["environments"]["nodes"] == [{"handle": "prod"}]


async def test_a_critical_environment_is_confirmed_even_when_nothing_hangs_on_it(staff: Staff, admin) -> None:
    assert await staff.refusal(admin, DELETE["ENVIRONMENT"], h="prod") == ("CONFIRMATION_NEEDED", "confirm")
    assert (await admin.ask(DELETE["ENVIRONMENT"], h="prod", confirm="prod"))["deleteEnvironment"]["deleted"]


async def test_nobody_deletes_at_once_what_they_may_not_delete_one_by_one(filled: Staff) -> None:
    await filled.holder("dev", "ENVIRONMENT_MGT_MANAGE_NONPROD", "INTEGRATION_MGT_EDIT")
    await filled.holder("lead", "PROJECT_MGT_MANAGE", "INTEGRATION_MGT_EDIT", project="retail-core")
    async with filled.signed_in("dev") as dev, filled.signed_in("lead") as lead:
        for person, kind in ((dev, "ENVIRONMENT"), (lead, "PROJECT")):
            handle = KINDS[kind]["h"]
            refused = await filled.refusal(person, DELETE[kind], h=handle, c=True, confirm=handle)
            assert refused == ("NOT_PERMITTED", None)
        assert await filled.refusal(dev, DELETE["ENVIRONMENT"], h="prod", confirm="prod") == ("NOT_PERMITTED", None)


async def test_what_one_may_not_see_is_not_there(filled: Staff) -> None:
    await filled.holder("elsewhere", "PROJECT_MGT_MANAGE", "INTEGRATION_MGT_MANAGE", project="neighbour")
    await filled.holder("watcher", "PROJECT_MGT_VIEW", "INTEGRATION_MGT_VIEW", "PROJECT_MGT_MANAGE", environment="dev")
    async with filled.signed_in("elsewhere") as person:
        for kind in ("PROJECT", "INTEGRATION"):
            assert (await filled.refusal(person, DELETE[kind], **KINDS[kind]))[0] == "NOT_FOUND"
            assert (await person.ask(PREVIEW, k=kind, **KINDS[kind]))["deletion"] is None
    async with filled.signed_in("watcher") as person:  # sees it, and manages it in one environment only
        assert (await filled.refusal(person, DELETE["PROJECT"], h="retail-core"))[0] == "NOT_PERMITTED"
        assert (await filled.refusal(person, PREVIEW, k="PROJECT", h="retail-core"))[0] == "NOT_PERMITTED"


async def test_a_deletion_that_fails_at_its_end_has_deleted_nothing(
    filled: Staff, admin, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_args: object, **_kwargs: object) -> None:
        raise ValueError("at the very end")

    before = (await admin.ask(PREVIEW, k="PROJECT", h="retail-core"))["deletion"]
    monkeypatch.setattr(deleting, "audit", explode)
    answer = await admin.try_asking(DELETE["PROJECT"], h="retail-core", c=True, confirm="retail-core")
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert (await admin.ask(PREVIEW, k="PROJECT", h="retail-core"))["deletion"] == before
    assert len(plane.board) == 3


async def test_of_two_who_delete_at_once_one_does(staff: Staff, admin) -> None:
    await staff.project("Shop")
    answers = await asyncio.gather(*(admin.try_asking(DELETE["PROJECT"], h="shop") for _ in range(3)))
    codes = sorted(answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer)
    assert codes == ["NOT_FOUND", "NOT_FOUND"]


async def test_thousands_go_in_batches(filled: Staff, admin, plane: ControlPlane) -> None:
    integration_id, environment_id = await place(plane)

    def fill(tx) -> None:
        organization_id = tx.connection.execute(select(tables.organizations.c.id)).scalar_one()
        digest = tx.connection.execute(select(tables.runtimes.c.artifact_digest).limit(1)).scalar_one()
        made = [
            {
                "id": new_id(),
                "organization_id": organization_id,
                "runtime_id": new_id(),
                "integration_id": integration_id,
                "environment_id": environment_id,
                "runtime_type": "BI",
                "runtime_hash": "h",
                "artifact_digest": digest,
                "registered_at": 1.0,
            }
            for _ in range(1_200)
        ]
        tx.connection.execute(insert(tables.runtimes), made)

    await plane.store.write(fill)
    with filled.counted() as statements:
        done = await admin.ask(DELETE["INTEGRATION"], **KINDS["INTEGRATION"], c=True, confirm="order-intake")
    assert done["deleteIntegration"]["runtimes"] == 1_202
    deletes = [each for each in statements if each.startswith("DELETE FROM runtimes")]
    assert len(deletes) == 3
    assert len([each for each in statements if not each.startswith("INSERT INTO events")]) < 40
    assert await plane.store.read(orphans) == []
