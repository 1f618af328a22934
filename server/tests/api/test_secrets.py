"""Generating and revoking secrets, and the snippet."""

import tomllib

import pytest
from pilothouse.app import bundled

pytestmark = pytest.mark.anyio

GENERATE = "mutation ($input: GenerateSecretInput!) { generateSecret(input: $input) { keyId secret configToml environment { handle } } }"
CONTRACT = (bundled.schema_path().parent / "config" / "snippet.toml").read_text(encoding="utf-8")


async def make_integration(admin) -> None:
    await admin.ask(
        """mutation { createProject(input: {displayName: "Order service"}) { handle }
        createIntegration(input: {project: "order-service", displayName: "Order create", runtimeType: BI}) { handle } }"""
    )


async def test_the_snippet_is_exactly_the_contracts_table(admin) -> None:
    await make_integration(admin)
    wish = {"environment": "dev", "project": "order-service", "integration": "order-create"}
    made = (await admin.ask(GENERATE, input=wish))["generateSecret"]
    assert made["configToml"] == CONTRACT.replace("<generated-secret>", made["secret"])
    assert made["secret"].startswith(made["keyId"] + ".")


async def test_at_organization_scope_nothing_is_filled_in_and_the_snippet_is_still_toml(admin) -> None:
    made = (await admin.ask(GENERATE, input={"environment": "prod"}))["generateSecret"]
    table = tomllib.loads(made["configToml"])["wso2"]["icp"]["runtime"]["bridge"]
    assert table == {
        "environment": "prod",
        "project": "<project>",
        "integration": "<integration>",
        "runtime": "<unique-runtime-name>",
        "secret": made["secret"],
    }


async def test_a_secret_made_for_an_integration_is_bound_at_once(admin, runtime) -> None:
    await make_integration(admin)
    runtime.secret = await admin.secret(project="order-service", integration="order-create")
    listed = await admin.ask(
        '{ secrets(filter: {project: "order-service"}) { nodes { bound integration { handle } } } }'
    )
    assert listed["secrets"]["nodes"] == [{"bound": True, "integration": {"handle": "order-create"}}]
    await runtime.full()
    seen = (await admin.ask("{ runtimes { nodes { integration { handle } } } }"))["runtimes"]["nodes"]
    assert seen == [{"integration": {"handle": "order-create"}}]


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"environment": "nowhere"}, "NOT_FOUND", "environment"),
        ({"environment": "dev", "project": "p"}, "INVALID_INPUT", "integration"),
        ({"environment": "dev", "integration": "i"}, "INVALID_INPUT", "project"),
        ({"environment": "dev", "project": "p", "integration": "i"}, "NOT_FOUND", "integration"),
    ],
)
async def test_bad_wishes_are_refused_and_make_no_secret(admin, wish: dict, code: str, field: str) -> None:
    error = (await admin.try_asking(GENERATE, input=wish))["errors"][0]["extensions"]
    assert (error["code"], error["field"]) == (code, field)
    assert (await admin.ask("{ secrets { totalCount } }"))["secrets"]["totalCount"] == 0


async def test_revoking_twice_says_that_it_is_gone(admin) -> None:
    key_id = (await admin.secret()).partition(".")[0]
    revoke = "mutation ($k: String!) { revokeSecret(keyId: $k) { keyId } }"
    await admin.ask(revoke, k=key_id)
    assert (await admin.try_asking(revoke, k=key_id))["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_last_use_is_shown_after_a_flush(admin, runtime, plane, clock) -> None:
    query = "{ secrets { nodes { lastUsedAt } } }"
    assert (await admin.ask(query))["secrets"]["nodes"] == [{"lastUsedAt": None}]
    clock.advance(1)
    await runtime.full()
    await plane.flush()
    assert (await admin.ask(query))["secrets"]["nodes"][0]["lastUsedAt"] is not None


async def test_every_change_is_audited_without_the_material(admin, plane) -> None:
    from sqlalchemy import text

    secret = await admin.secret()
    rows = await plane.store.read(lambda c: c.execute(text("select * from audit_records")).all())
    assert [row.target for row in rows if row.action == "secret.generate"] == [secret.partition(".")[0]]
    assert secret.partition(".")[2] not in str(rows)
