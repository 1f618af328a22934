"""Clocks that are off: a token has its minute of grace both ways, and liveness is told by our clock alone."""

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.domain.liveness import offline_after_s

pytestmark = pytest.mark.anyio

DAY_S = 86_400
STATUS = "{ runtimes { nodes { status } } }"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": -59}, 200),
        ({"exp": -61}, 401),
        ({"nbf": 59}, 200),
        ({"nbf": 61}, 401),
        ({"nbf": 59, "exp": 3_659, "iat": 59}, 200),
        ({"nbf": -3_659, "exp": -59, "iat": -3_659}, 200),
        ({"iat": 10 * DAY_S}, 200),
    ],
)
@pytest.mark.parametrize("kind", ["full", "delta"])
async def test_a_token_is_taken_59_seconds_off_and_refused_61_seconds_off(
    runtime, clock: FakeClock, kind: str, claims: dict[str, int], expected: int
) -> None:
    assert (await runtime.full())[0] == 200
    now = int(clock.now())
    status, answer = await getattr(runtime, kind)(**{name: now + off_s for name, off_s in claims.items()})
    assert status == expected
    assert answer["acknowledged"] is (expected == 200)


@pytest.mark.parametrize("off_s", [-400 * DAY_S, -3 * DAY_S, -3_600, 3_600, 3 * DAY_S, 400 * DAY_S])
async def test_timestamps_that_are_days_off_change_nothing_about_who_is_alive(
    runtime, plane: ControlPlane, admin, clock: FakeClock, off_s: int
) -> None:
    runtime.extra["timestamp"] = [int(clock.now()) + off_s, 0.5]
    runtime.extra["nodeInfo"] = {"startedAt": int(clock.now()) + off_s}
    began = clock.now()
    for beat in range(4):
        clock.advance(10)
        runtime.hash = f"hash-{beat}"
        runtime.extra["timestamp"][0] += 10
        assert (await runtime.full())[1]["acknowledged"] is True
        assert (await runtime.send("/icp/deltaHeartbeat", {
            "runtimeId": runtime.runtime_id, "runtimeHash": runtime.hash, "timestamp": runtime.extra["timestamp"],
        }))[0] == 200  # fmt: skip
        await plane.watch()
        (entry,) = plane.board.list_in(*place_of(plane))
        assert entry.seen_at == clock.now()
    (node,) = (await admin.ask(STATUS))["runtimes"]["nodes"]
    assert node["status"] == "RUNNING"
    assert clock.now() - began == 40
    (entry,) = plane.board.list_in(*place_of(plane))
    clock.advance(offline_after_s(entry.interval_s, plane.board.rules) + 1)
    plane._watched_at = clock.now()
    await plane.watch()
    assert (await admin.ask(STATUS))["runtimes"]["nodes"][0]["status"] == "OFFLINE"
    if abs(off_s) > 30:
        (warned,) = (await admin.ask("{ runtimes { nodes { warnings { code } } } }"))["runtimes"]["nodes"]
        assert {"code": "CLOCK_SKEW"} in warned["warnings"]


def place_of(plane: ControlPlane) -> tuple[str, str]:
    (entry,) = plane.board._by_key.values()
    return entry.integration_id, entry.environment_id


async def test_a_delta_s_timestamp_is_not_even_looked_at(runtime, plane: ControlPlane, clock: FakeClock) -> None:
    await runtime.full()
    for literal in (b"[-1,0]", b'"yesterday"', b"[9e99,0]", b"{}", b"null", b"[" + b"9" * 4_000 + b",0]"):
        clock.advance(5)
        told = b'{"runtimeId":"%s","runtimeHash":"hash-1","timestamp":%s}' % (runtime.runtime_id.encode(), literal)
        status, answer = await runtime.send("/icp/deltaHeartbeat", told)
        assert (status, answer["fullHeartbeatRequired"]) == (200, False)
        (entry,) = plane.board.list_in(*place_of(plane))
        assert entry.seen_at == clock.now()
