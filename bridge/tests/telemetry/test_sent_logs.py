"""What a program says through ``logging`` arrives, in whatever way it has configured it, and nothing of it is changed."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pilothouse_bridge.telemetry._sender import Sender
from pilothouse_bridge.testing import FakePilothouse, ReceivedLog


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    one = logging.getLogger("shop.orders")
    one.setLevel(logging.INFO)
    yield one
    one.setLevel(logging.NOTSET)
    one.propagate = True


def saying(text: str) -> Any:
    return lambda line: text in line.message


def test_a_line_arrives_within_a_second_with_its_attributes(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    connect(version="1.2")
    server.wait_for(lambda beat: not beat.is_full)
    logger.info("warm up")
    server.wait_for_log(saying("warm up"))
    said_s = time.monotonic()
    logger.warning("only %d left", 3, extra={"sku": "rope", "order": {"id": 7, "lines": [1, 2.5, True, None]}})
    line = server.wait_for_log(saying("only 3 left"))
    assert line.at_s - said_s < 1
    assert (line.level, line.severity, line.logger) == ("WARNING", 13, "shop.orders")
    assert line.attributes["sku"] == "rope"
    assert line.attributes["order"] == {"id": 7, "lines": [1, 2.5, True, None]}
    assert line.attributes["code.file.path"].endswith("test_sent_logs.py")
    assert line.attributes["code.function.name"] == "test_a_line_arrives_within_a_second_with_its_attributes"
    assert line.resource["icp.runtimeId"] == server.beats[0].body["runtimeId"]
    assert (line.resource["service.name"], line.resource["service.version"]) == ("orders", "1.2")


def test_an_exception_arrives_with_type_message_and_stack(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    connect()
    try:
        json.loads("{")
    except ValueError:
        logger.exception("cannot read")
    line = server.wait_for_log(saying("cannot read"))
    assert line.attributes["exception.type"] == "json.decoder.JSONDecodeError"
    assert line.attributes["exception.message"].startswith("Expecting property name")
    assert 'json.loads("{")' in line.attributes["exception.stacktrace"]


def test_the_levels_of_the_program_count(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    connect(telemetry_log_level="WARN")
    logger.debug("not let through by the logger")
    logger.info("not let through by the setting")
    logging.getLogger("pilothouse_bridge").error("our own")
    logging.getLogger("pilothouse_bridge.part").error("our own")
    logger.error("heard")
    server.wait_for_log(saying("heard"))
    assert [line.message for line in server.logs] == ["heard"]


def test_handlers_of_the_program_stay_what_they_were(
    server: FakePilothouse, connect: Any, logger: logging.Logger
) -> None:
    before = list(logging.getLogger().handlers)
    connect()
    assert logging.getLogger().handlers == before
    assert logger.handlers == []
    logger.propagate = False  # a handler at the root would hear no more
    logger.info("on my own")
    server.wait_for_log(saying("on my own"))


def test_a_second_connection_doubles_nothing(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    connect().close()
    logger.info("nobody listens")
    connect()
    logger.info("once")
    logger.info("last")
    server.wait_for_log(saying("last"))
    assert [line.message for line in server.logs] == ["once", "last"]


class Odd:
    def __str__(self) -> str:
        logging.getLogger("shop.odd").error("from within")
        raise LookupError("no words")


def test_what_cannot_be_written_is_said_so(
    server: FakePilothouse, connect: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    connect()
    changing = {"state": "before"}
    logger.info(
        "odd", extra={"odd": Odd(), "huge": 2**70, "cut": "x" * 10_000, "changing": changing, "nan": float("nan")}
    )
    changing["state"] = "after"
    logger.info("%d apples", "three")
    line = server.wait_for_log(saying("odd"))
    assert line.attributes["odd"] == "(Odd: LookupError while it was written)"
    assert line.attributes["huge"] == str(2**70)
    assert line.attributes["cut"].endswith("… (1808 more)")
    assert line.attributes["changing"] == {"state": "before"}
    assert line.attributes["nan"] == "nan"
    server.wait_for_log(saying("%d apples (its arguments do not fit)"))


def test_secrets_are_not_sent(server: FakePilothouse, connect: Any, logger: logging.Logger) -> None:
    connect()
    logger.info(
        "asked with Authorization: Bearer abcdefgh.12345678",
        extra={
            "password": "hunter2",
            "headers": {"Authorization": "Basic dXNlcjpwYXNz", "accept": "*/*"},
            "access_token": "t0k3n",
            "apiKey": "k3y",
            "note": "sent Bearer abcdefgh.12345678 along",
            "tokens_used": 12,
            "compass": "north",
        },
    )
    line = server.wait_for_log(saying("asked"))
    assert line.message == "asked with Authorization: Bearer [hidden]"
    attributes = line.attributes
    assert attributes["password"] == attributes["access_token"] == attributes["apiKey"] == "[hidden]"
    assert attributes["headers"] == {"Authorization": "[hidden]", "accept": "*/*"}
    assert attributes["note"] == "sent Bearer [hidden] along"
    assert attributes["compass"] == "north"
    assert not any(secret in str(attributes) for secret in ("hunter2", "dXNlcjpwYXNz", "t0k3n", "k3y", "abcdefgh"))


CONFIGURED = {
    "basic": "logging.basicConfig(level=logging.INFO, format='BASIC %(message)s')",
    "forced": "logging.basicConfig(); logging.basicConfig(level=logging.INFO, format='BASIC %(message)s', force=True)",
    "dict": (
        "import logging.config; logging.config.dictConfig({'version': 1, 'formatters': {'f': {'format': 'BASIC %(message)s'}},"
        "'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}}, 'root': {'level': 'INFO', 'handlers': ['h']}})"
    ),
}


@pytest.mark.parametrize("way", CONFIGURED)
def test_a_program_configures_logging_after_the_import_as_if_we_were_not_there(
    server: FakePilothouse, program: Any, tmp_path: Any, way: str
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    process = program.start(f"""
        import pilothouse_bridge.auto
        import logging
        {CONFIGURED[way]}
        logging.getLogger("shop").info("ready", extra={{"n": 1}})
        logging.getLogger("shop").debug("hidden")
        input()
    """)
    line = server.wait_for_log(saying("ready"))
    assert line.attributes["n"] == 1
    _, err = process.communicate("\n", timeout=10)
    assert err.count("BASIC ready\n") == 1
    assert "Traceback" not in err
    assert not any("hidden" in one.message for one in server.logs)


def test_the_last_words_of_a_program_arrive(server: FakePilothouse, program: Any, tmp_path: Any) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml())
    process = program.start("""
        import pilothouse_bridge.auto
        import atexit, logging
        log = logging.getLogger("shop")
        atexit.register(lambda: log.error("at exit"))
        input()
        log.error("last words")
    """)
    server.wait_for(lambda beat: beat.is_full)
    time.sleep(0.3)
    process.communicate("\n", timeout=10)
    server.wait_for_log(saying("last words"), timeout_s=2)
    server.wait_for_log(saying("at exit"), timeout_s=2)


def test_a_forked_child_sends_its_own_lines_under_its_own_name(
    server: FakePilothouse, program: Any, tmp_path: Any
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml())
    process = program.start("""
        import pilothouse_bridge.auto
        import logging, os, sys, time, warnings
        warnings.simplefilter("ignore")
        log = logging.getLogger("shop")
        log.error("before")
        child = os.fork()
        log.error("parent" if child else "child")
        if child:
            input()
            os.waitpid(child, 0)
        else:
            time.sleep(2)
            log.error("child again")
    """)
    lines: dict[str, ReceivedLog] = {
        text: server.wait_for_log(saying(text)) for text in ("before", "parent", "child again")
    }
    process.communicate("\n", timeout=10)
    assert lines["before"].resource["icp.runtimeId"] == lines["parent"].resource["icp.runtimeId"]
    assert lines["child again"].resource["icp.runtimeId"] != lines["parent"].resource["icp.runtimeId"]
    assert sorted(line.message for line in server.logs) == ["before", "child", "child again", "parent"]


def test_a_heartbeat_that_is_acknowledged_while_the_bridge_closes_holds_nothing_to_the_old_server(
    server: FakePilothouse, connect: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the inventory just before the end: the full heartbeat comes in while the last lines are sent."""
    first = connect()
    logger.info("to the first")
    server.wait_for_log(saying("to the first"))
    end, told = Sender.end, list[bool]()

    def end_slowly(sender: Sender, patience_s: float) -> None:
        told.append(first._beat.tell(10.0))
        end(sender, patience_s)

    with monkeypatch.context() as during:
        during.setattr(Sender, "end", end_slowly)
        first.close()
    assert told == [True]
    with FakePilothouse() as second:
        connect(second)
        logger.info("to the second")
        second.wait_for_log(saying("to the second"))


def test_a_heart_that_stops_late_does_not_speak_for_the_next_bridge(
    server: FakePilothouse, connect: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = connect()
    server.wait_for(lambda beat: not beat.is_full)
    heart = first._beat
    first.close()
    heart._stop.clear()  # as it was when the last heartbeat was acknowledged
    with FakePilothouse() as second:
        connect(second)
        heart._open_telemetry(heart._session)
        logger.info("to the second")
        second.wait_for_log(saying("to the second"))
    assert server.logs == []
