"""Heartbeats where only people make projects and integrations."""

import msgspec
import pytest
from pilothouse.config import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, heartbeats_create=False)


async def test_a_secret_that_is_not_bound_waits_for_who_makes_its_place(runtime, admin) -> None:
    status, answer = await runtime.full()
    assert (status, answer["acknowledged"], answer["code"]) == (200, False, "PLACE_UNKNOWN")
    assert "retail-core/order-intake" in answer["errors"][0]
    assert "Config.toml" in answer["fix"]
    found = await admin.ask(
        "{ projects { totalCount } secrets { nodes { bound } } runtimes { totalCount } refusals { code } }"
    )
    assert found["projects"]["totalCount"] == found["runtimes"]["totalCount"] == 0
    assert found["secrets"]["nodes"] == [{"bound": False}]
    assert found["refusals"] == [{"code": "PLACE_UNKNOWN"}]
    await admin.ask('mutation { createProject(input: {displayName: "Retail Core"}) { handle } }')
    assert (await runtime.full())[1]["code"] == "PLACE_UNKNOWN"
    await admin.ask(
        """mutation { createIntegration(input: {project: "retail-core", displayName: "Order intake", runtimeType: BI}) {
        handle } }"""
    )
    assert (await runtime.full())[1]["acknowledged"] is True
    found = await admin.ask("{ secrets { nodes { bound } } refusals { code } }")
    assert found == {"secrets": {"nodes": [{"bound": True}]}, "refusals": []}


async def test_a_secret_that_was_bound_at_once_needs_nothing_made(runtime, admin) -> None:
    await admin.ask(
        """mutation { createProject(input: {displayName: "Retail Core"}) { handle }
        createIntegration(input: {project: "retail-core", displayName: "Order intake", runtimeType: BI}) { handle } }"""
    )
    runtime.secret = await admin.secret("dev", project="retail-core", integration="order-intake")
    runtime.project = "Another name"
    assert (await runtime.full())[1]["acknowledged"] is True
