"""What an operator writes into PILOTHOUSE_TELEMETRY_KEEP really removes, by environment, wherever telemetry lies."""

import shutil
import sys
from pathlib import Path

import pytest
from pilothouse.config import Settings

sys.path.insert(0, str(Path(__file__).parent / "stores"))
sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))

from conftest_stores import corner
from test_telemetry import logs, post

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]
HOUR_S = 3_600.0
LINES = """query ($f: LogFilter) { logs(filter: $f, first: 50) {
    nodes { message origin { unclaimed integration { handle } environment { handle } } } } }"""
DELETE = "mutation ($id: ID!) { deleteRuntime(id: $id) { deleted } }"


@pytest.fixture(
    params=["embedded", pytest.param("opensearch", marks=[pytest.mark.slow, pytest.mark.xdist_group("opensearch")])]
)
async def settings(request, tmp_path, first_start):
    told = {
        "home": shutil.copytree(first_start, tmp_path / "home"),
        "telemetry_store": request.param,
        "telemetry_keep": "logs=14d dev.logs=1h",
        "telemetry_memory_mb": 256,
    }
    if request.param == "embedded":
        yield Settings(**told)
        return
    async with corner(request.getfixturevalue("opensearch")) as cluster:
        yield Settings(
            **told,
            opensearch_url=cluster.urls[0],
            opensearch_username=cluster.username,
            opensearch_password=cluster.password,
            opensearch_ca_file=cluster.ca_file,
            opensearch_prefix=cluster.prefix,
        )


async def said(admin, **scope: object) -> dict[str, tuple[str, str]]:
    """Tell of each line that there is its integration and environment."""
    return {
        node["message"]: (node["origin"]["integration"]["handle"], node["origin"]["environment"]["handle"])
        for node in (await admin.ask(LINES, f={"scope": {"from": "2026-01-01T00:00:00.000Z", **scope}}))["logs"][
            "nodes"
        ]
    }


async def removed(admin, runtime) -> None:
    rows = (await admin.ask("{ runtimes { nodes { id runtimeId } } }"))["runtimes"]["nodes"]
    (id_,) = [row["id"] for row in rows if row["runtimeId"] == runtime.runtime_id]
    assert (await admin.ask(DELETE, id=id_))["deleteRuntime"]["deleted"]


async def test_what_is_past_its_time_goes_and_a_removed_runtime_is_reached_by_its_integration_until_then(
    runtime, admin, clock
) -> None:
    plane = runtime.plane
    assert (await runtime.full())[0] == 200
    elsewhere = type(runtime)(
        plane=plane,
        secret=await admin.secret("prod"),
        runtime_id="7a1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a22",
        environment="prod",
    )
    assert (await elsewhere.full())[0] == 200
    for one, message in ((runtime, "of dev"), (elsewhere, "of prod")):
        assert (await post(one, "logs", logs(one, message))).status == 200
    await removed(admin, runtime)
    clock.advance(60)
    await plane.telemetry_parts.retain()
    expected = {"of dev": ("order-intake", "dev"), "of prod": ("order-intake", "prod")}
    assert await said(admin) == await said(admin, project="retail-core", integrations=["order-intake"]) == expected
    clock.advance(HOUR_S + 60)
    await admin.sign_in()
    await plane.telemetry_parts.retain()
    assert await said(admin) == {"of prod": expected["of prod"]}
    clock.advance(14 * 24 * HOUR_S)
    await admin.sign_in()
    await plane.telemetry_parts.retain()
    assert await said(admin) == {}
