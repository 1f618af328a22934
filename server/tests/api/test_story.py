"""The main job, in process: a secret is generated, a runtime connects, it is seen, it falls silent, it comes back."""

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock

pytestmark = pytest.mark.anyio

RUNTIMES = """
{ runtimes { totalCount nodes {
    name status statusReason statusSince type
    environment { handle } project { handle } integration { handle }
    services { totalCount nodes { basePath resources { methods path } } }
    listeners { nodes { name port state } }
} } }"""


async def test_a_runtime_connects_is_seen_falls_silent_and_comes_back(
    admin, runtime, plane: ControlPlane, clock: FakeClock
) -> None:
    status, answer = await runtime.full()
    assert (status, answer["acknowledged"]) == (200, True)

    seen = (await admin.ask(RUNTIMES))["runtimes"]
    assert seen["totalCount"] == 1
    node = seen["nodes"][0]
    assert node["status"] == "RUNNING"
    assert node["environment"] == {"handle": "dev"}
    assert (node["project"], node["integration"]) == ({"handle": "retail-core"}, {"handle": "order-intake"})
    assert node["services"]["nodes"] == [
        {
            "basePath": "/orders",
            "resources": [{"methods": ["POST"], "path": "/items"}, {"methods": ["GET"], "path": "/items/{id}"}],
        }
    ]
    assert node["listeners"]["nodes"] == [{"name": "listener_1", "port": 9090, "state": "ENABLED"}]

    for _ in range(3):
        clock.advance(10)
        assert (await runtime.delta())[1]["fullHeartbeatRequired"] is False
    clock.advance(31)
    silent = (await admin.ask(RUNTIMES))["runtimes"]["nodes"][0]
    assert silent["status"] == "OFFLINE"
    assert "10.0.3.7" in silent["statusReason"]
    assert silent["statusSince"] == "2026-09-21T14:13:50.000Z"

    assert (await runtime.delta())[0] == 200
    assert (await admin.ask(RUNTIMES))["runtimes"]["nodes"][0]["status"] == "RUNNING"
