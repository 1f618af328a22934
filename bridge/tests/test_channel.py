"""The push channel: commands at once, back after every end, and a server without one is served as before."""

import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pilothouse_bridge
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge import State
from pilothouse_bridge._channel import Patience
from pilothouse_bridge._sse import LINE_LIMIT_BYTES, Event, TooLongError, events
from pilothouse_bridge.testing import FakeAnswer, FakePilothouse

Connect = Callable[..., pilothouse_bridge.Bridge]
LIST = {"search": "no such logger"}


def channel_in_use(server: FakePilothouse, runtime_id: str | None = None) -> str:
    """Wait for a channel, and until the runtime has heard the greeting on it."""
    found = server.wait_for_channel(runtime_id)
    server.wait_for_result(server.send_command("LIST_LOGGERS", payload=LIST, runtime_id=found, over="channel"))
    return found


def lines_of(stream: bytes) -> Callable[[int], bytes]:
    pieces = iter(stream.splitlines(keepends=True))
    return lambda _: next(pieces, b"")


def test_events_comments_and_lines_of_data_are_told_apart() -> None:
    stream = b': ping\n\nevent: hello\ndata: {"a":1}\n\ndata:x\ndata: y\nid: 3\n\n: ping\nevent: lost\n\nevent:end\ndata:\n\n'
    assert list(events(lines_of(stream))) == [Event("hello", '{"a":1}'), Event("message", "x\ny"), Event("end", "")]


def test_an_event_that_is_cut_off_is_none() -> None:
    assert list(events(lines_of(b"event: command\ndata: {}"))) == []


def test_an_event_without_end_is_not_kept() -> None:
    with pytest.raises(TooLongError):
        list(events(lambda limit: b"d" * limit))
    with pytest.raises(TooLongError):
        list(events(lines_of(b"data: x\n" * (LINE_LIMIT_BYTES // 8 + 1))))


@given(stream=st.binary(max_size=300))
def test_no_stream_breaks_the_reader(stream: bytes) -> None:
    for event in events(lines_of(stream)):
        assert "\n" not in event.name


@given(chance=st.floats(0, 1, exclude_max=True))
def test_it_comes_back_at_once_then_ever_later_up_to_half_a_minute(chance: float) -> None:
    patience = Patience(lambda: chance)
    waits = [patience.after_failure() for _ in range(12)]
    assert waits[0] == 0
    assert 0.25 <= waits[1] <= 0.5
    assert all(later >= earlier for earlier, later in itertools.pairwise(waits))
    assert 15 <= waits[-1] <= 30
    assert patience.after_end(3600, renewed=False) == 0
    assert patience.after_end(1, renewed=True) == 0
    assert patience.after_failure() == 0


def test_a_server_that_ends_every_channel_at_once_is_not_flooded() -> None:
    patience = Patience(lambda: 0.5)
    assert [patience.after_end(0.01, renewed=True) for _ in range(3)][1:] == [0.375, 0.75]


def test_a_command_arrives_at_once_and_not_with_the_next_beat(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=3600)
    server.wait_for_channel()
    began_s = time.monotonic()
    took: list[float] = []
    for _ in range(20):
        sent_s = time.monotonic()
        command_id = server.send_command("LIST_LOGGERS", payload=LIST, over="channel")
        took.append(server.wait_for_result(command_id).at_s - sent_s)
    assert sorted(took)[10] < 0.1, took
    assert time.monotonic() - began_s < 10


def test_the_channel_speaks_tls_as_heartbeats_do(certificates: Any, connect: Connect) -> None:
    with certificates.server_for() as server:
        bridge = connect(server, cert=certificates.authority, heartbeat_interval=3600)
        channel_in_use(server)
        command_id = server.send_command("LIST_LOGGERS", payload=LIST, over="channel")
        assert server.wait_for_result(command_id).outcome == "listed"
        bridge.close()
        assert server.goodbyes == [server.beats[0].body["runtimeId"]]
    assert ssl.OPENSSL_VERSION


def test_a_connection_that_is_cut_is_back_within_a_second(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=3600)
    runtime_id = channel_in_use(server)
    first = server._channels[runtime_id]
    server.cut_connections()
    cut_s = time.monotonic()
    while server._channels.get(runtime_id) in {None, first}:
        assert time.monotonic() - cut_s < 1
        time.sleep(0.005)


def test_a_server_that_restarts_gets_its_channel_back_and_its_command_done(
    server: FakePilothouse, connect: Connect
) -> None:
    connect(heartbeat_interval=0.3)
    server.wait_for_channel()
    server.stop()
    time.sleep(0.3)
    server.forget_runtimes()
    server.start()
    server.wait_for_channel(timeout_s=20)
    command_id = server.send_command("LIST_LOGGERS", payload=LIST, over="channel")
    assert server.wait_for_result(command_id).outcome == "listed"


def test_a_runtime_that_is_not_known_yet_says_everything_and_comes_back(
    server: FakePilothouse, connect: Connect
) -> None:
    connect(heartbeat_interval=3600)
    channel_in_use(server)
    before = sum(beat.is_full for beat in server.beats)
    server.forget_runtimes()
    server.cut_connections()
    server.wait_for(lambda _: sum(beat.is_full for beat in server.beats) > before)
    channel_in_use(server)


def test_beat_asks_for_a_full_heartbeat_at_once(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=3600)
    server.wait_for_channel()
    before = sum(beat.is_full for beat in server.beats)
    asked_s = time.monotonic()
    server.send_event("beat")
    server.wait_for(lambda _: sum(beat.is_full for beat in server.beats) > before)
    assert server.beats[-1].at_s - asked_s < 0.5


def test_renew_opens_a_new_one_and_replaced_keeps_away(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=0.2)
    runtime_id = channel_in_use(server)
    time.sleep(0.6)
    first = server._channels[runtime_id]
    server.send_event("renew")
    until(lambda: server._channels.get(runtime_id) not in {None, first})
    server.send_event("replaced")
    until(lambda: runtime_id not in server._channels)
    time.sleep(1)
    assert runtime_id not in server._channels
    beats = len(server.beats)
    server.wait_for(lambda _: len(server.beats) > beats)


def test_silence_of_three_pings_is_a_dead_connection(connect: Connect) -> None:
    with FakePilothouse(ping_s=0.1) as server:
        bridge = connect(server, heartbeat_interval=3600)
        runtime_id = server.wait_for_channel()
        channel = server._channels[runtime_id]
        time.sleep(0.6)
        assert server._channels[runtime_id] is channel  # pings keep it
        channel._ping_s = 3600
        until(lambda: server._channels.get(runtime_id) not in {None, channel}, 3)
        bridge.close()


def test_strange_events_are_passed_over(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=3600)
    runtime_id = server.wait_for_channel()
    for name, data in (("news", 1), ("command", None), ("command", [1]), ("command", {"commandId": 3}), ("hello", "x")):
        server._channels[runtime_id].send(name, data)
    server._channels[runtime_id]._events.put(b"event: command\ndata: {\xff\n\n")
    command_id = server.send_command("LIST_LOGGERS", payload=LIST, over="channel")
    assert server.wait_for_result(command_id).outcome == "listed"


def test_a_server_without_a_channel_is_asked_once_and_its_answers_bring_the_commands(connect: Connect) -> None:
    asked: list[str] = []
    with FakePilothouse(channel=False) as server:
        original = server.open_channel
        server.open_channel = lambda path, token: asked.append(path) or original(path, token)  # type: ignore[method-assign, func-returns-value]
        bridge = connect(server, heartbeat_interval=0.1)
        server.wait_for(lambda _: len(server.beats) > 10)
        command_id = server.send_command("LIST_LOGGERS", payload=LIST)
        assert server.wait_for_result(command_id).outcome == "listed"
        assert len(asked) == 1
        bridge.close()
        assert server.goodbyes == []


def test_a_refused_channel_does_not_disturb_the_heartbeats(server: FakePilothouse, connect: Connect) -> None:
    server.open_channel = lambda *_: FakeAnswer.refusal(503, "BUSY", "no", "wait")  # type: ignore[method-assign]
    bridge = connect(heartbeat_interval=0.1)
    server.wait_for(lambda _: len(server.beats) > 5)
    assert bridge.status.connected


def test_closing_says_goodbye_as_the_last_word(server: FakePilothouse, connect: Connect) -> None:
    before = set(threading.enumerate())  # another test's program may still be draining
    bridge = connect(heartbeat_interval=0.1)
    runtime_id = channel_in_use(server)
    bridge.close()
    assert server.goodbyes == [runtime_id]
    beats = len(server.beats)
    time.sleep(0.5)
    assert len(server.beats) == beats
    assert bridge.status.state is State.CLOSED
    assert not [one for one in set(threading.enumerate()) - before if one.name.startswith("pilothouse")]


def test_closing_does_not_wait_for_a_server_that_ignores_the_goodbye(server: FakePilothouse, connect: Connect) -> None:
    server.receive_goodbye = lambda *_: time.sleep(3) or FakeAnswer()  # type: ignore[method-assign, func-returns-value]
    bridge = connect()
    channel_in_use(server)
    began_s = time.monotonic()
    bridge.close()
    assert time.monotonic() - began_s < 1.5


def test_a_program_that_ends_says_goodbye(server: FakePilothouse, program: Any, tmp_path: Any) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml())
    process = program.start("import pilothouse_bridge.auto\ninput()\nprint('end')")
    runtime_id = channel_in_use(server)
    out, err = process.communicate("\n", timeout=10)
    assert (process.returncode, out.strip()) == (0, "end")
    assert server.goodbyes == [runtime_id]
    assert "Traceback" not in err


def test_a_forked_child_has_a_channel_of_its_own_and_the_parent_keeps_its(
    server: FakePilothouse, program: Any, tmp_path: Any
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml())
    process = program.start(
        """
        import pilothouse_bridge.auto, os, sys, warnings
        warnings.simplefilter("ignore")
        input()
        child = os.fork()
        if child == 0:
            sys.stdin.readline()
            sys.exit(0)
        os.waitpid(child, 0)
        print("child ended", flush=True)
        input()
        """
    )
    parent = channel_in_use(server)
    process.stdin.write("\n")
    process.stdin.flush()
    child = server.wait_for(lambda beat: beat.body["runtimeId"] != parent).body["runtimeId"]
    channel_in_use(server, child)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline().strip() == "child ended"
    assert server.goodbyes == [child]
    command_id = server.send_command("LIST_LOGGERS", payload=LIST, runtime_id=parent, over="channel")
    assert json.dumps(server.wait_for_result(command_id).body)
    process.communicate("\n", timeout=10)


def until(what: Callable[[], object], timeout_s: float = 10) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.005)
