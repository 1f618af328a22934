"""Commands are carried out once, by those who may give them, and every one of them is answered."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pilothouse_bridge
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge import _log_control
from pilothouse_bridge._actions import Actions
from pilothouse_bridge._commands import QUEUE_LIMIT, REMEMBERED, Commands
from pilothouse_bridge._inventory import Service
from pilothouse_bridge._order import Command, Result, encode_result, is_genuine, read_command, signature
from pilothouse_bridge._steering import Change, Kind, Outcome, SteeringError
from pilothouse_bridge.testing import FakePilothouse

Connect = Callable[..., pilothouse_bridge.Bridge]
GOLDEN_DIRECTORY = Path(__file__).parents[2] / "contracts" / "commands" / "v1"
GOLDEN = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN_DIRECTORY.glob("*.json"))}
FOR_US = {name: case for name, case in GOLDEN.items() if case["to"] == "PY"}
RUNTIME_ID = "6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a11"
KEY = b"key-material-that-is-at-least-32-bytes-long"
STOPPED = Outcome(Change.STOPPED, "Stopped.")
STARTED = Outcome(Change.STARTED, "Started.")


@dataclass
class Thing:
    """Something that can be steered, with outcomes made up beforehand."""

    kind: Kind
    name: str
    package: str
    stopped: Outcome = STOPPED
    started: Outcome = STARTED
    calls: list[object] = field(default_factory=list)
    hold: threading.Event | None = None

    def stop(self, grace_s: float) -> Outcome:
        self.calls.append(("stop", grace_s))
        if self.hold is not None:
            self.hold.wait(10)
        return self.stopped

    def start(self) -> Outcome:
        self.calls.append("start")
        return self.started

    def trigger(self) -> Outcome:
        self.calls.append("trigger")
        if self.kind is not Kind.SCHEDULE:
            raise SteeringError("NOT_SUPPORTED", 501, "A listener cannot be triggered.", "Trigger a schedule.")
        return Outcome(Change.TRIGGERED, "The job was started once.")


class NoRestart:
    announced = "The program executes itself anew."

    def __init__(self) -> None:
        self.carried_out: list[float] = []

    def announce(self) -> str:
        return self.announced

    def carry_out(self, grace_s: float) -> None:
        self.carried_out.append(grace_s)


class MemoryOutbox:
    """Keeps what would be posted."""

    def __init__(self, log: list[object]) -> None:
        self.log = log
        self.results: list[Result] = []
        self.taken = True
        self.arrived = threading.Condition()

    def add(self, result: Result) -> None:
        with self.arrived:
            self.log.append("result")
            self.results.append(result)
            self.arrived.notify_all()

    def due_in(self, _: float) -> None:
        return None

    def flush(self) -> None:
        """Nothing waits."""

    def deliver_now(self, result: Result, _: float) -> bool:
        if self.taken:
            self.add(result)
        return self.taken

    def abort(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""

    def abandon_in_child(self) -> None:
        """Nothing is open."""

    def wait(self, count: int) -> list[Result]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.results) >= count, 10), self.results
            return list(self.results)


class Desk:
    """The door with everything behind it made of fakes."""

    def __init__(self, *things: Thing, services: tuple[Service, ...] = ()) -> None:
        self.log: list[object] = []
        self.outbox = MemoryOutbox(self.log)
        self.restart = NoRestart()
        actions = Actions(lambda: things, lambda: services, self.restart)
        self.door = Commands(RUNTIME_ID, lambda: KEY, actions, self.outbox, self.tell)  # type: ignore[arg-type]

    def tell(self, _: float) -> None:
        self.log.append("heartbeat")

    def give(self, action: str, name: str = "", payload: Any = None, **more: Any) -> Command:
        text = "" if payload is None else payload if isinstance(payload, str) else json.dumps(payload)
        fields = {"command_id": f"c-{time.monotonic_ns()}", "runtime_id": RUNTIME_ID, "package": ""} | more
        unsigned = Command(action=action, name=name, payload=text, **fields)
        command = Command(action=action, name=name, payload=text, signature=signature(KEY, unsigned), **fields)
        self.door.offer(command)
        return command

    def answer(self, action: str, name: str = "", payload: Any = None, **more: Any) -> Result:
        before = len(self.outbox.results)
        self.give(action, name, payload, **more)
        return self.outbox.wait(before + 1)[-1]


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(*things: Thing, **more: Any) -> Desk:
        made.append(Desk(*things, **more))
        return made[-1]

    yield make
    for one in made:
        one.door.close()


@pytest.fixture
def logger() -> Iterator[Callable[[str], logging.Logger]]:
    touched: list[logging.Logger] = []

    def get(name: str) -> logging.Logger:
        touched.append(logging.getLogger(name))
        return touched[-1]

    yield get
    for one in touched:
        one.setLevel(logging.NOTSET)
        one.handlers.clear()
        _log_control._changed.pop(one.name, None)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_signatures_of_the_contract_are_ours(name: str) -> None:
    case = GOLDEN[name]
    command = read_command(case["command"])
    assert command is not None
    ours = signature(case["key_material"].encode(), command)
    assert (ours == case["command"]["signature"]) is (name != "bad-signature")
    assert is_genuine(KEY, command.runtime_id, command) is (name != "bad-signature")


@pytest.mark.parametrize("name", FOR_US)
def test_the_contracts_commands_get_the_contracts_results(
    name: str, desk: Callable[..., Desk], logger: Callable[[str], logging.Logger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "loggerDict", {})  # what other tests left is none of the contract's
    audit = logger("orders.audit")
    if name in {"py-list-loggers", "py-reset-logger-level"}:
        if name == "py-list-loggers":
            handler = logging.StreamHandler()
            handler.setLevel(logging.WARNING)
            audit.addHandler(handler)
        _log_control.set_level("orders.audit", "DEBUG", [])
    port_message = "Port 8000 belongs to the parent process; requests are answered 503."
    made = desk(
        Thing(
            Kind.LISTENER,
            "http-8090",
            "uvicorn",
            Outcome(Change.STOPPED, "Port 8090 is closed.", finished=3),
            Outcome(Change.STARTED, "Port 8090 is open."),
        ),
        Thing(Kind.LISTENER, "http-8000", "uvicorn", Outcome(Change.GATED, port_message)),
        Thing(
            Kind.CONSUMER,
            "orders",
            "faststream",
            Outcome(Change.STOPPED, "The consumer of queue orders is stopped.", finished=1, returned=4),
        ),
        Thing(
            Kind.SCHEDULE,
            "nightly",
            "apscheduler",
            started=Outcome(Change.STARTED, "The job runs by its trigger again."),
        ),
    )
    command = read_command(FOR_US[name]["command"])
    assert command is not None
    made.door.offer(command)
    (result,) = made.outbox.wait(1)
    assert json.loads(encode_result(RUNTIME_ID, result)) == FOR_US[name]["result"]


texts = st.text(max_size=20)


@given(first=st.tuples(texts, texts, texts, texts), second=st.tuples(texts, texts, texts, texts))
def test_two_commands_share_a_signature_only_when_they_are_one(first: Any, second: Any) -> None:
    one, other = (Command("id", "runtime", *parts) for parts in (first, second))
    try:
        assert (signature(KEY, one) == signature(KEY, other)) is (first == second)
    except UnicodeEncodeError:
        assert not is_genuine(KEY, "runtime", one) or not is_genuine(KEY, "runtime", other)


@pytest.mark.parametrize(
    "item",
    [None, 3, [], {}, {"commandId": 1, "action": "STOP"}, {"commandId": "", "action": "STOP"}, {"commandId": "x"}],
)
def test_what_is_no_command_is_passed_over(item: object) -> None:
    assert read_command(item) is None


def test_a_command_for_another_runtime_is_refused_though_the_signature_fits(desk: Callable[..., Desk]) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn")
    result = desk(thing).answer("STOP", "http-1", {"kind": "listener"}, runtime_id="another")
    assert result.body["code"] == "SIGNATURE_WRONG"
    assert thing.calls == []


def test_a_forged_command_does_not_use_up_the_id_of_the_true_one(desk: Callable[..., Desk]) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn")
    made = desk(thing)
    made.door.offer(Command("c-1", RUNTIME_ID, "STOP", "http-1", "", '{"kind":"listener"}', "forged"))
    made.give("STOP", "http-1", {"kind": "listener"}, command_id="c-1")
    first, second = made.outbox.wait(2)
    assert (first.succeeded, second.succeeded) == (False, True)
    assert len(thing.calls) == 1


def test_a_forged_command_that_comes_again_and_again_is_one_line_in_the_log(
    desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture
) -> None:
    made = desk()
    for _ in range(5):
        made.door.offer(Command("c-1", RUNTIME_ID, "STOP", "http-1", "", '{"kind":"listener"}', "forged"))
    made.outbox.wait(5)
    assert len([line for line in caplog.messages if "signature" in line]) == 1


def test_a_command_that_is_offered_again_is_not_carried_out_again_and_answers_the_same(
    desk: Callable[..., Desk],
) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn", hold=threading.Event())
    made = desk(thing)
    command = made.give("STOP", "http-1", {"kind": "listener", "graceSeconds": 7})
    made.door.offer(command)  # while it is being carried out
    assert thing.hold is not None
    thing.hold.set()
    (first,) = made.outbox.wait(1)
    made.door.offer(command)
    assert made.outbox.wait(2) == [first, first]
    assert thing.calls == [("stop", 7.0)]


def test_a_thousand_results_are_remembered_and_no_more(desk: Callable[..., Desk]) -> None:
    made = desk()
    for number in range(REMEMBERED + 5):
        made.answer("DANCE", command_id=f"c-{number}")
    assert len(made.door._results) == REMEMBERED


def test_a_heartbeat_shows_the_change_before_the_result_tells_it(desk: Callable[..., Desk]) -> None:
    made = desk(Thing(Kind.LISTENER, "http-1", "uvicorn"))
    made.answer("STOP", "http-1", {"kind": "listener"})
    assert made.log == ["heartbeat", "result"]
    made.log.clear()
    made.answer("LIST_LOGGERS", payload={"search": "no such logger"})
    assert made.log == ["result"]


def test_too_many_commands_at_once_are_answered_busy_and_may_come_again(desk: Callable[..., Desk]) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn", hold=threading.Event())
    made = desk(thing)
    given_ = [
        made.give("STOP", "http-1", {"kind": "listener"}, command_id=f"c-{number}") for number in range(QUEUE_LIMIT + 5)
    ]
    busy = [result for result in made.outbox.wait(4) if result.body.get("code") == "BUSY"]
    assert len(busy) >= 4
    assert thing.hold is not None
    thing.hold.set()
    made.outbox.wait(len(given_))
    again = next(command for command in given_ if command.command_id == busy[0].command_id)
    made.door.offer(again)
    assert made.outbox.wait(len(given_) + 1)[-1].succeeded


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("STOP", "{"),
        ("STOP", '"text"'),
        ("STOP", {}),
        ("STOP", {"kind": "engine"}),
        ("STOP", {"kind": "listener", "graceSeconds": "long"}),
        ("STOP", {"kind": "listener", "graceSeconds": -1}),
        ("STOP", {"kind": "listener", "graceSeconds": True}),
        ("STOP", {"kind": "listener", "deadline": "tomorrow"}),
        ("SET_LOGGER_LEVEL", {"componentName": "root"}),
        ("SET_LOGGER_LEVEL", {"componentName": "root", "logLevel": "LOUD"}),
        ("SET_LOGGER_LEVEL", {"componentName": 3, "logLevel": "DEBUG"}),
        ("LIST_LOGGERS", {"limit": "all"}),
        ("RESTART", {"graceSeconds": None}),
    ],
)
def test_a_payload_that_makes_no_sense_is_refused(desk: Callable[..., Desk], action: str, payload: Any) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn")
    result = desk(thing).answer(action, "http-1", payload)
    assert (result.succeeded, result.http_status, result.body["code"]) == (False, 400, "BAD_PAYLOAD")
    assert thing.calls == []


def test_a_command_after_its_deadline_is_not_carried_out_and_one_before_it_keeps_to_it(
    desk: Callable[..., Desk],
) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn")
    made = desk(thing)
    late = made.answer("STOP", "http-1", {"kind": "listener", "deadline": "2020-01-01T00:00:00Z"})
    assert (late.http_status, late.body["code"]) == (408, "DEADLINE_PASSED")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 10))
    assert made.answer("STOP", "http-1", {"kind": "listener", "graceSeconds": 300, "deadline": soon}).succeeded
    ((_, grace_s),) = thing.calls  # type: ignore[misc]
    assert 5 < grace_s <= 10


def test_a_name_alone_does_and_a_package_that_differs_does_not(desk: Callable[..., Desk]) -> None:
    made = desk(Thing(Kind.LISTENER, "http-1", "uvicorn"), Thing(Kind.CONSUMER, "http-1", "faststream"))
    assert made.answer("START", "http-1", {"kind": "listener"}).succeeded
    assert made.answer("START", "http-1", {"kind": "consumer"}, package="faststream").succeeded
    missing = made.answer("START", "http-1", {"kind": "listener"}, package="hypercorn")
    assert (missing.http_status, missing.body["code"]) == (404, "NO_SUCH_ARTIFACT")


def test_a_framework_that_breaks_is_told_and_the_next_command_is_taken(desk: Callable[..., Desk]) -> None:
    thing = Thing(Kind.LISTENER, "http-1", "uvicorn")
    thing.stop = lambda _: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    made = desk(thing)
    broken = made.answer("STOP", "http-1", {"kind": "listener"})
    assert (broken.http_status, broken.body["code"]) == (500, "FAILED")
    assert "ZeroDivisionError" in str(broken.body["message"])
    assert made.answer("START", "http-1", {"kind": "listener"}).succeeded


def test_a_restart_comes_after_its_result_was_taken_and_never_without(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.answer("RESTART", payload={"graceSeconds": 3})
    deadline_s = time.monotonic() + 5
    while not made.restart.carried_out and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert made.restart.carried_out == [3.0]
    made.outbox.taken = False
    untold = made.answer("RESTART", payload={"graceSeconds": 3})
    assert untold.body["code"] == "FAILED"
    assert made.restart.carried_out == [3.0]


OURS = (Service("s", "/", "acme_shop.app", (), ()),)


def test_levels_are_set_and_given_back(desk: Callable[..., Desk], logger: Callable[[str], logging.Logger]) -> None:
    made = desk(services=OURS)
    audit = logger("acme_shop.audit")
    audit.setLevel(logging.ERROR)
    for level, number in (("DEBUG", 10), ("INFO", 20), ("WARN", 30), ("ERROR", 40), ("FATAL", 50)):
        payload = {"componentName": audit.name, "logLevel": level}
        assert made.answer("SET_LOGGER_LEVEL", payload=payload).body["outcome"] == "set"
        assert audit.level == number
    (described,) = made.answer("LIST_LOGGERS", payload={"search": "ACME_shop.audit"}).body["loggers"]  # type: ignore[misc]
    assert (described["level"], described["programLevel"]) == ("FATAL", "ERROR")
    back = made.answer("RESET_LOGGER_LEVEL", payload={"componentName": audit.name})
    assert back.body["message"] == "Logger acme_shop.audit is back at ERROR."
    assert audit.level == logging.ERROR


def test_a_level_that_the_program_changed_after_us_is_its_own(
    desk: Callable[..., Desk], logger: Callable[[str], logging.Logger]
) -> None:
    made = desk(services=OURS)
    audit = logger("acme_shop.second")
    made.answer("SET_LOGGER_LEVEL", payload={"componentName": audit.name, "logLevel": "DEBUG"})
    audit.setLevel(logging.WARNING)
    back = made.answer("RESET_LOGGER_LEVEL", payload={"componentName": audit.name})
    assert back.body["message"] == "Logger acme_shop.second is back at WARN."
    assert audit.level == logging.WARNING


def test_the_root_logger_goes_by_its_name(desk: Callable[..., Desk]) -> None:
    root = logging.getLogger()
    before = root.level
    made = desk()
    try:
        made.answer("SET_LOGGER_LEVEL", payload={"componentName": "root", "logLevel": "ERROR"})
        assert root.level == logging.ERROR
    finally:
        made.answer("RESET_LOGGER_LEVEL", payload={"componentName": "root"})
        assert root.level == before


def test_a_logger_is_made_only_where_it_means_something(desk: Callable[..., Desk]) -> None:
    made = desk(services=OURS)
    logging.getLogger("acme_parent.child")
    known = logging.root.manager.loggerDict
    for name, answer in (("acme_parent", True), ("acme_shop.brand.new", True), ("acme_tpyo.audit", False)):
        result = made.answer("SET_LOGGER_LEVEL", payload={"componentName": name, "logLevel": "INFO"})
        assert result.succeeded is answer, name
        assert isinstance(known.get(name), logging.Logger) is answer
    assert result.body["code"] == "NO_SUCH_LOGGER"
    assert made.answer("RESET_LOGGER_LEVEL", payload={"componentName": "acme_tpyo"}).body["code"] == "NO_SUCH_LOGGER"
    for name in ("acme_parent", "acme_shop.brand.new"):
        made.answer("RESET_LOGGER_LEVEL", payload={"componentName": name})


def test_the_list_has_a_limit_and_tells_how_many_there_are(desk: Callable[..., Desk]) -> None:
    for number in range(20):
        logging.getLogger(f"acme_many.n{number:02}")
    body = desk().answer("LIST_LOGGERS", payload={"search": "acme_many.", "limit": 3}).body
    assert [one["logger"] for one in body["loggers"]] == ["acme_many.n00", "acme_many.n01", "acme_many.n02"]  # type: ignore[attr-defined]
    assert (body["total"], body["message"]) == (20, "20 loggers.")


@pytest.mark.parametrize("over", ["heartbeat", "channel"])
def test_a_real_server_gets_state_first_and_the_result_after(
    server: FakePilothouse, connect: Connect, over: Any, logger: Callable[[str], logging.Logger]
) -> None:
    audit = logger("acme_wire.audit")
    connect(heartbeat_interval=0.3)
    server.wait_for_channel()
    payload = {"componentName": audit.name, "logLevel": "DEBUG"}
    command_id = server.send_command("SET_LOGGER_LEVEL", audit.name, payload=payload, over=over)
    result = server.wait_for_result(command_id)
    assert result.outcome == "set"
    shown = server.wait_for(lambda beat: beat.body.get("logLevels", {}).get(audit.name) == "DEBUG")
    assert shown.at_s <= result.at_s
    unsigned = server.send_command("SET_LOGGER_LEVEL", audit.name, payload=payload, over=over, signed=False)
    assert server.wait_for_result(unsigned).code == "SIGNATURE_WRONG"


def test_results_wait_for_a_server_that_is_away(server: FakePilothouse, connect: Connect) -> None:
    bridge = connect(heartbeat_interval=0.2)
    server.wait_for_channel()
    server.stop()
    beat = bridge._beat
    assert beat is not None
    assert beat._session is not None
    unsigned = Command("c-away", server.beats[-1].body["runtimeId"], "LIST_LOGGERS", payload='{"limit":1}')
    key = server.secret.partition(".")[2].encode()
    beat._offer(
        Command(
            unsigned.command_id,
            unsigned.runtime_id,
            "LIST_LOGGERS",
            payload='{"limit":1}',
            signature=signature(key, unsigned),
        )
    )
    time.sleep(0.5)
    assert server.results == []
    server.start()
    assert server.wait_for_result("c-away", timeout_s=20).outcome == "listed"


def test_what_can_be_done_is_declared(server: FakePilothouse, connect: Connect) -> None:
    connect(restart="off")
    body = server.wait_for(lambda beat: beat.is_full).body
    assert body["capabilities"] == [
        "channel",
        "START",
        "STOP",
        "SET_LOGGER_LEVEL",
        "RESET_LOGGER_LEVEL",
        "LIST_LOGGERS",
        "TRIGGER",
    ]


def test_a_program_that_is_never_told_anything_has_no_thread_for_it(server: FakePilothouse, connect: Connect) -> None:
    connect(heartbeat_interval=0.1)
    server.wait_for(lambda _: len(server.beats) > 4)
    assert not [thread for thread in threading.enumerate() if thread.name == "pilothouse-commands"]
