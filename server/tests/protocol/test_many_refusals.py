"""However many senders are refused, the log has so many lines a minute, and says how many it left out."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.errors import Unavailable
from pilothouse.observe.often import A_MINUTE, SELDOM_S, Bounded
from pilothouse.observe.refusals import REFUSALS_MAX
from pilothouse.protocol.exchange import Inbound

pytestmark = pytest.mark.anyio

SENDERS = REFUSALS_MAX + 100
"""More than the console remembers, so that each of them is new each time."""
FROM_ANYWHERE = Inbound(
    method="POST", path="/icp/heartbeat", authorization=None, content_type="application/json", body=b"", address="-"
)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as written:
        yield written


@pytest.fixture
def seconds(plane: ControlPlane) -> list[float]:
    """The time by which lines are counted."""
    now = [0.0]
    plane.edge.refuser.refused_lines = Bounded(clock_s=lambda: now[0])
    plane.edge.refuser.unavailable_lines = Bounded(clock_s=lambda: now[0])
    return now


async def refuse_a_fleet(runtime) -> None:
    for number in range(SENDERS):
        runtime.address = f"10.0.{number // 250}.{number % 250}"
        assert (await runtime.full())[0] >= 400


def told(lines: list[Any], event: str) -> tuple[int, list[tuple[str, int]]]:
    """Tell how many refusals have a line of their own, and what lines say of those that have none."""
    of = [line for line in lines if line["event"] == event]
    return sum("left_out" not in line for line in of), [
        (line["cause"], line["left_out"]) for line in of if "left_out" in line
    ]


async def test_a_fleet_beyond_what_is_remembered_writes_so_many_lines_a_minute(runtime, seconds, lines) -> None:
    runtime.secret = "unknown.0123456789abcdef0123456789abcdef"
    for _ in range(3):
        await refuse_a_fleet(runtime)
    assert told(lines, "heartbeat.refused") == (A_MINUTE, [])
    seconds[0] += SELDOM_S
    runtime.address = "10.9.9.9"
    await runtime.full()
    left_out = 3 * SENDERS - A_MINUTE
    assert told(lines, "heartbeat.refused") == (
        A_MINUTE + 1,
        [(f"{left_out} more like these in the last minute.", left_out)],
    )


async def test_it_is_told_without_another_refusal_and_once(runtime, plane, seconds, lines) -> None:
    runtime.secret = "unknown.0123456789abcdef0123456789abcdef"
    await refuse_a_fleet(runtime)
    await plane.steer()
    assert told(lines, "heartbeat.refused")[1] == [], "the minute is not over"
    seconds[0] += SELDOM_S
    await plane.steer()
    await plane.steer()
    left_out = SENDERS - A_MINUTE
    assert told(lines, "heartbeat.refused")[1] == [(f"{left_out} more like these in the last minute.", left_out)]


async def test_what_was_left_out_is_told_before_the_end(runtime, plane, seconds, lines) -> None:
    runtime.secret = "unknown.0123456789abcdef0123456789abcdef"
    await refuse_a_fleet(runtime)
    await plane.stop()
    assert [count for _, count in told(lines, "heartbeat.refused")[1]] == [SENDERS - A_MINUTE]


async def test_our_own_trouble_has_lines_of_its_own_and_not_more(runtime, plane, seconds, lines) -> None:
    runtime.secret = "unknown.0123456789abcdef0123456789abcdef"
    await refuse_a_fleet(runtime)
    for _ in range(A_MINUTE + 7):
        assert plane.edge.refuser.refuse(Unavailable(), FROM_ANYWHERE).status == 503
    seconds[0] += SELDOM_S
    await plane.steer()
    assert told(lines, "heartbeat.unavailable") == (A_MINUTE, [("7 more like these in the last minute.", 7)])


def test_a_minute_begins_with_its_first_line_and_codes_are_counted_apart() -> None:
    now = [0.0]
    bounded = Bounded(2, lambda: now[0])
    assert [bounded.take("a"), bounded.take("b"), bounded.take("a"), bounded.take("b"), bounded.take("a")] == [
        *[True] * 2,
        *[False] * 3,
    ]
    assert bounded.take_left_out() == {}
    now[0] = SELDOM_S
    assert bounded.take_left_out() == {"a": 2, "b": 1}
    assert bounded.take_left_out() == {}
    assert bounded.take("a")
