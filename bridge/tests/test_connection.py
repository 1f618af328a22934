"""The conversation with a control plane: full first, deltas after, full when asked, for ever whatever happens."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pilothouse_bridge
import pytest
from pilothouse_bridge import State
from pilothouse_bridge.testing import FakeAnswer, FakePilothouse, ReceivedBeat

Connect = Callable[..., pilothouse_bridge.Bridge]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "pilothouse_bridge")
    return lambda: [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def until(what: Callable[[], object], timeout_s: float = 10) -> None:
    """Wait for a state that only the bridge's own thread changes."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not what():
        assert time.monotonic() < deadline_s, "it did not come true"
        pause.wait(0.01)


def is_delta(beat: ReceivedBeat) -> bool:
    return not beat.is_full


def is_full(beat: ReceivedBeat) -> bool:
    return beat.is_full


def nth_full(number: int) -> Callable[[ReceivedBeat], bool]:
    count = iter(range(1, 10_000))
    return lambda beat: beat.is_full and next(count) == number


def test_a_program_without_a_server_registers_promptly(server: FakePilothouse, connect: Connect) -> None:
    started_s = time.monotonic()
    connect(runtime="node-1", version="1.2.3")
    beat = server.wait_for(is_full)
    assert beat.at_s - started_s < 8  # at once, on the busiest machine
    assert {key: beat.body[key] for key in ("runtime", "version", "environment", "project", "component")} == {
        "runtime": "node-1",
        "version": "1.2.3",
        "environment": "dev",
        "project": "demo",
        "component": "orders",
    }
    assert beat.key_id == server.secret.partition(".")[0]


def test_deltas_follow_at_the_interval_with_the_same_hash(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=0.3)
    server.wait_for(lambda _: sum(map(is_delta, server.beats)) >= 5)
    *_, last_full = filter(is_full, server.beats)
    deltas = [beat for beat in server.beats if is_delta(beat) and beat.at_s > last_full.at_s]
    assert set(deltas[0].body) == {"heartbeatVersion", "runtimeId", "runtimeHash", "timestamp"}
    assert {beat.body["runtimeHash"] for beat in deltas} == {last_full.body["runtimeHash"]}
    gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(deltas)]
    assert all(gap > 0.25 for gap in gaps), gaps


def test_a_full_heartbeat_is_sent_at_once_when_asked_for(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=0.6)
    server.wait_for(is_delta)
    server.forget_runtimes()
    forgotten = len(server.beats)
    beat = server.wait_for(lambda beat: beat.is_full and beat in server.beats[forgotten:])
    asked = server.beats[server.beats.index(beat) - 1]
    assert is_delta(asked)
    assert beat.at_s - asked.at_s < 0.3


def test_a_server_that_always_asks_for_a_full_one_is_not_flooded(server: FakePilothouse, connect: Connect) -> None:
    server.answer_always(FakeAnswer(200, {"acknowledged": True, "fullHeartbeatRequired": True}))
    connect(heartbeat_interval=0.3)
    server.wait_for(nth_full(4))
    assert server.beats[3].at_s - server.beats[0].at_s > 0.7


def test_a_new_logger_level_is_told_without_waiting_to_be_asked(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=0.3)
    server.wait_for(is_delta)
    logging.getLogger("orders.audit").setLevel(15)
    try:
        beat = server.wait_for(lambda beat: beat.body.get("logLevels", {}).get("orders.audit"))
        assert beat.body["logLevels"]["orders.audit"] == "15"
        assert beat.body["logLevels"]["root"] in {"WARN", "INFO", "DEBUG"}
    finally:
        logging.getLogger("orders.audit").setLevel(logging.NOTSET)


def test_the_server_may_ask_for_a_quicker_beat(server: FakePilothouse, connect: Connect) -> None:
    server.answer_always(FakeAnswer(200, {"acknowledged": True, "nextHeartbeatInSeconds": 1}))
    connect(heartbeat_interval=3600)
    server.wait_for(lambda _: sum(map(is_delta, server.beats)) >= 2, timeout_s=10)


def test_the_server_may_ask_for_a_slower_beat_and_take_it_back(server: FakePilothouse, connect: Connect) -> None:
    wishes = iter([{"nextHeartbeatInSeconds": 2}])
    server.answer_always(
        lambda beat: FakeAnswer(200, {"acknowledged": True, **next(wishes, {})}) if is_delta(beat) else None
    )
    connect(heartbeat_interval=0.2)
    server.wait_for(lambda _: sum(map(is_delta, server.beats)) >= 4)
    deltas = [beat for beat in server.beats if is_delta(beat)]
    gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(deltas)]
    assert gaps[0] > 1.8
    assert all(gap < 1 for gap in gaps[1:])


def test_success_is_told_in_the_words_of_the_documentation(
    server: FakePilothouse, connect: Connect, told: Callable[[], list[str]]
) -> None:
    bridge = connect()
    until(lambda: bridge.status.connected)
    assert told()[:3] == [
        f"INFO ICP agent initialized with server URL: {server.url}",
        "INFO Sending full heartbeat to ICP server",
        "INFO Full heartbeat acknowledged by ICP server",
    ]


@pytest.mark.parametrize("status", [400, 401, 409])
def test_a_rejection_is_told_once_with_its_fix_and_retried_until_it_is_mended(
    server: FakePilothouse, connect: Connect, told: Callable[[], list[str]], status: int
) -> None:
    server.answer_always(
        FakeAnswer.refusal(status, "ENVIRONMENT_MISMATCH", "The secret is for prod", "use prod's secret")
    )
    bridge = connect(heartbeat_interval=0.1)
    server.wait_for(nth_full(3))
    until(lambda: bridge.status.state is State.FAILING)
    assert "The secret is for prod" in str(bridge.status.last_error)
    server.answer_always(None)
    until(lambda: bridge.status.connected, timeout_s=20)
    lines = told()
    assert [line for line in lines if "rejected" in line] == [
        "ERROR Full heartbeat rejected: The secret is for prod. Fix: use prod's secret"
    ]
    assert lines.count("INFO Sending full heartbeat to ICP server") == 1
    assert f"INFO Connection to ICP server restored: {server.url}" in lines
    assert bridge.status.last_error is None


def test_a_refusal_in_bare_text_of_an_older_server_still_gets_a_fix(
    server: FakePilothouse, connect: Connect, told: Callable[[], list[str]]
) -> None:
    server.answer_always(FakeAnswer(400, b"Unknown key ID 'x'\nsecond line"))
    connect()
    until(lambda: any("rejected" in line for line in told()))
    (line,) = [line for line in told() if "rejected" in line]
    assert line.startswith("ERROR Full heartbeat rejected: Unknown key ID 'x' second line. Fix: check secret")


def test_an_environment_that_does_not_exist_yet_is_asked_for_again(
    server: FakePilothouse, connect: Connect, told: Callable[[], list[str]]
) -> None:
    server.answer_always(FakeAnswer(200, {"acknowledged": False, "commands": [], "errors": ["No environment 'dev'"]}))
    bridge = connect(heartbeat_interval=0.1)
    server.wait_for(nth_full(3))
    assert any("Full heartbeat rejected: No environment 'dev'. Fix: create the environment" in line for line in told())
    server.answer_always(None)
    until(lambda: bridge.status.connected)


def test_a_busy_server_is_given_the_time_that_it_asks_for(server: FakePilothouse, connect: Connect) -> None:
    server.answer_next(FakeAnswer(503, {"message": "database"}, {"Retry-After": "1"}))
    bridge = connect()
    server.wait_for(nth_full(2))
    assert server.beats[1].at_s - server.beats[0].at_s >= 1
    until(lambda: bridge.status.connected)


@pytest.mark.parametrize(
    ("code", "told_fix"),
    [
        ("KEY_UNREADABLE", "Fix: generate another secret"),
        ("UNAVAILABLE", "Fix: nothing to do on this side"),
        ("OVERLOADED", "Fix: nothing to do on this side"),
    ],
)
def test_what_somebody_must_do_is_told_although_the_server_asks_to_come_again(
    server: FakePilothouse, connect: Connect, told: Callable[[], list[str]], code: str, told_fix: str
) -> None:
    server.answer_next(FakeAnswer.refusal(503, code, "no", "generate another secret"))
    bridge = connect(heartbeat_interval=0.1)
    until(lambda: bridge.status.connected)
    assert any(line.startswith("WARNING The ICP server answered 503: no. ") and told_fix in line for line in told())


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (FakeAnswer(200, b"<html>hello</html>"), "it is not JSON"),
        (FakeAnswer(200, b"[]"), "not a JSON object"),
        (FakeAnswer(200, b"{}"), "'acknowledged' is missing"),
        (FakeAnswer(200, b'{"a":' * 100_000), "it is not JSON"),
        (FakeAnswer(200, b" " * 1_100_000), "longer than 1000000 bytes"),
        (FakeAnswer(302, {}, {"Location": "http://localhost:1/"}), "status 302"),
        (FakeAnswer(404, {"message": "no such page"}), "no such page"),
        (FakeAnswer(500, b"\xff\xfe"), "answered 500"),
    ],
)
def test_an_answer_that_is_none_is_survived_and_told(
    server: FakePilothouse, connect: Connect, told: Callable[[], list[str]], answer: FakeAnswer, complaint: str
) -> None:
    server.answer_next(answer)
    bridge = connect(heartbeat_interval=0.1)
    until(lambda: bridge.status.connected)
    assert any(line.startswith("WARNING") and complaint in line and "Fix: " in line for line in told())


def test_odd_members_of_an_answer_are_passed_over(server: FakePilothouse, connect: Connect) -> None:
    odd: dict[str, Any] = {
        "acknowledged": True,
        "fullHeartbeatRequired": None,
        "commands": [None, 3, {"commandId": 1}],
        "errors": None,
        "supportedHeartbeatFields": ["tryItHost"],
        "nextHeartbeatInSeconds": "soon",
        "news": {"from": "tomorrow"},
    }
    server.answer_always(FakeAnswer(200, odd))
    bridge = connect()
    server.wait_for(is_delta)
    assert bridge.status.connected


def test_a_server_that_comes_up_late_is_found(connect: Connect, told: Callable[[], list[str]]) -> None:
    late = FakePilothouse().start()
    late.stop()
    bridge = connect(late)
    until(lambda: bridge.status.state is State.FAILING)
    port = int(late.url.rpartition(":")[2])
    assert f"localhost port {port}" in str(bridge.status.last_error)
    until(
        lambda: any(
            line.startswith("WARNING Cannot reach the ICP server") and "Fix: check that" in line for line in told()
        )
    )
    with late:
        late.wait_for(is_full, timeout_s=20)
        until(lambda: bridge.status.connected)
        bridge.close()


def test_a_server_that_restarts_is_found_again(server: FakePilothouse, connect: Connect) -> None:
    bridge = connect(heartbeat_interval=0.1)
    server.wait_for(is_delta)
    server.stop()
    until(lambda: bridge.status.state is State.FAILING)
    beats_before = len(server.beats)
    server.start()
    server.wait_for(lambda _: len(server.beats) > beats_before, timeout_s=20)
    until(lambda: bridge.status.connected)


def test_one_connection_serves_many_beats(connect: Connect) -> None:
    accepted: list[socket.socket] = []
    with FakePilothouse(channel=False) as server:
        real = server._server
        assert real is not None
        get_request = real.get_request

        def counting() -> Any:
            request = get_request()
            accepted.append(request[0])
            return request

        real.get_request = counting  # type: ignore[method-assign]
        bridge = connect(server, heartbeat_interval=0.1, telemetry=False)
        server.wait_for(lambda _: len(server.beats) >= 6)
        bridge.close()
    assert len(accepted) == 2  # and one that asked for a channel, once


def test_the_same_bridge_is_answered_twice(connect: Connect, told: Callable[[], list[str]]) -> None:
    assert connect() is connect(project="another")
    assert "INFO The bridge is connected already; this call changes nothing" in told()


def test_a_closed_bridge_is_silent_and_its_identity_free(server: FakePilothouse, connect: Connect) -> None:
    bridge = connect(heartbeat_interval=0.1)
    first = server.wait_for(is_delta)
    bridge.close()
    assert bridge.status.state is State.CLOSED
    said = len(server.beats)
    again = connect(heartbeat_interval=0.1)
    assert again is not bridge
    server.wait_for(lambda beat: beat in server.beats[said:])
    assert {beat.body["runtimeId"] for beat in server.beats} == {first.body["runtimeId"]}


def test_closing_does_not_wait_for_a_server_that_says_nothing(server: FakePilothouse, connect: Connect) -> None:
    server.answer_always(FakeAnswer(delay_s=30))
    bridge = connect()
    server.wait_for(is_full)
    started_s = time.monotonic()
    bridge.close()
    assert time.monotonic() - started_s < 1


def test_a_bridge_that_is_switched_off_does_nothing(
    server: FakePilothouse, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PILOTHOUSE_BRIDGE_DISABLED", "true")
    bridge = connect(secret=None)
    assert bridge.status.state is State.DISABLED
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "pilothouse-bridge"]


def test_an_explicit_call_raises_what_is_wrong(server: FakePilothouse, connect: Connect) -> None:
    with pytest.raises(pilothouse_bridge.errors.FieldMissingError, match="'project' is missing"):  # type: ignore[attr-defined]
        connect(project=None)
    assert connect().status.server_url == server.url
