"""The sender against servers that refuse, hang, vanish or know nothing of telemetry; and what a full queue does."""

import logging
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pilothouse_bridge import telemetry
from pilothouse_bridge.telemetry._hub import hub
from pilothouse_bridge.testing import FakeAnswer, FakePilothouse


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    one = logging.getLogger("shop.sending")
    one.setLevel(logging.INFO)
    yield one
    one.setLevel(logging.NOTSET)


def saying(text: str) -> Any:
    return lambda line: line.message == text


def dropped(server: FakePilothouse, reason: str, signal: str = "logs") -> Any:
    del server
    return lambda point: (
        point.metric == "pilothouse.telemetry.dropped" and point.attributes == {"reason": reason, "signal": signal}
    )


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again_when_it_wished(
    server: FakePilothouse, connect: Any, logger: logging.Logger, status: int
) -> None:
    server.answer_telemetry_next(FakeAnswer(status, {"message": "busy"}, {"Retry-After": "2"}))
    connect()
    logger.info("patient")
    began_s = time.monotonic()
    line = server.wait_for_log(saying("patient"))
    assert 1.9 < line.at_s - began_s < 6
    assert len(server.logs) == 1


def test_a_server_that_is_away_gets_all_of_it_when_it_is_back(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    connect(telemetry_metrics_interval=0.2)
    logger.info("before")
    server.wait_for_log(saying("before"))
    assert telemetry.flush()  # the answer is there too: else the line would rightly come twice
    server.stop()
    for number in range(50):
        logger.info("during %d", number)
    time.sleep(1)
    server.start()
    server.wait_for_log(saying("during 49"), timeout_s=40)
    assert [line.message for line in server.logs] == ["before", *(f"during {number}" for number in range(50))]


def test_what_is_refused_for_good_is_counted_and_does_not_hold_up_the_rest(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    server.answer_telemetry_next(FakeAnswer(400, {"message": "not like this"}))
    connect(telemetry_metrics=False, telemetry_metrics_interval=0.5)  # of metrics, only news of losses is sent
    logger.info("refused")
    assert server.wait_for_point(dropped(server, "refused")).value == 1
    logger.info("taken")
    server.wait_for_log(saying("taken"))


def test_records_that_the_server_rejects_from_a_request_are_counted(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    server.answer_telemetry_next(FakeAnswer(200, {"partialSuccess": {"rejectedLogRecords": "3"}}))
    connect(telemetry_metrics=False, telemetry_metrics_interval=0.5)  # of metrics, only news of losses is sent
    logger.info("some")
    assert server.wait_for_point(dropped(server, "rejected")).value == 3


def test_a_full_queue_lets_the_oldest_go_and_says_how_many(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    server.answer_telemetry_always(FakeAnswer(503, {}, {"Retry-After": "1"}))
    connect(telemetry_queue_records=10, telemetry_metrics_interval=0.5)
    server.wait_for(lambda beat: not beat.is_full)
    logger.info("on its way")
    time.sleep(1)
    for number in range(100):
        logger.info("line %d", number)
    server.answer_telemetry_always(None)
    server.wait_for_log(saying("line 99"))
    kept = [line.message for line in server.logs if line.message.startswith("line")]
    assert kept == [f"line {number}" for number in range(90, 100)]
    total = 0.0

    def all_of_it(point: Any) -> bool:
        nonlocal total
        total += point.value if dropped(server, "queue_full")(point) else 0
        return total >= 90

    server.wait_for_point(all_of_it)
    # What was on its way when the queue filled is sent in the end, or counted with the others.
    assert total == 101 - len([line for line in server.logs if line.logger == logger.name])


def test_a_queue_is_bounded_in_bytes_too(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    server.answer_telemetry_always(FakeAnswer(503))
    connect(telemetry_queue_megabytes=0.1)
    for _ in range(50):
        logger.info("x" * 30_000)
    assert len(hub.lines) == 3


def test_a_server_without_telemetry_is_left_alone(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    asked: list[str] = []
    receive = server._take_telemetry

    def counting(body: bytes, encoding: str) -> FakeAnswer:
        asked.append(encoding)
        return receive(body, encoding)

    server._take_telemetry = counting  # type: ignore[method-assign]
    server.answer_telemetry_always(FakeAnswer(404))
    bridge = connect(telemetry_metrics_interval=0.2)
    logger.info("nobody hears")
    time.sleep(2)
    logger.info("nobody hears")
    assert len(asked) == 1
    assert bridge.status.connected


def test_a_batch_is_packed_and_grouped(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    seen: list[tuple[int, str]] = []
    receive = server._take_telemetry

    def watching(body: bytes, encoding: str) -> FakeAnswer:
        seen.append((len(body), encoding))
        return receive(body, encoding)

    server._take_telemetry = watching  # type: ignore[method-assign]
    connect(telemetry_metrics_interval=60)
    for number in range(500):
        logger.info("line %d of many", number)
    server.wait_for_log(saying("line 499 of many"))
    assert len(seen) <= 3
    assert {encoding for _, encoding in seen} == {"gzip"}
    assert sum(size for size, _ in seen) < 100_000


@pytest.fixture
def silent_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_never_answers_holds_up_neither_log_calls_nor_the_end(
    server: FakePilothouse, program: Any, tmp_path: Any
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    server.answer_telemetry_always(FakeAnswer(200, delay_s=60))
    process = program.start("""
        import pilothouse_bridge.auto
        import logging, time
        log = logging.getLogger("shop")
        log.error("first")
        input()
        logging.lastResort = None
        began = time.perf_counter()
        for number in range(2000):
            log.error("line")
        print(round((time.perf_counter() - began) * 1e6 / 2000, 1), flush=True)
    """)
    server.wait_for(lambda beat: not beat.is_full)
    time.sleep(1)
    began_s = time.monotonic()
    out, err = process.communicate("\n", timeout=20)
    assert time.monotonic() - began_s < 4
    assert float(out) < 1000  # microseconds a call
    assert "Traceback" not in err


def test_it_is_heard_in_the_log_of_nobody(server: FakePilothouse, program: Any, tmp_path: Any) -> None:
    """Trouble with telemetry is no line for a program that works."""
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    server.answer_telemetry_always(FakeAnswer(503))
    process = program.start("""
        import pilothouse_bridge.auto
        import logging
        logging.getLogger("shop").error("mine")
        input()
    """)
    server.wait_for(lambda beat: not beat.is_full)
    time.sleep(1)
    _, err = process.communicate("\n", timeout=20)
    assert len(re.findall("pilothouse_bridge", err)) == 3


def test_switched_off_nothing_is_sent(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    connect(telemetry=False)
    logger.info("private")
    server.wait_for(lambda beat: not beat.is_full)
    assert telemetry.makers() == {"logs": "off", "metrics": "off", "traces": "off"}
    time.sleep(0.6)
    assert not server.logs
    assert not server.points
