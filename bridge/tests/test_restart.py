"""RESTART: what is in hand is finished, then the program ends for its supervisor or executes itself anew."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge import _restart
from pilothouse_bridge._restart import EXIT_STATUS, Means, Restarter
from pilothouse_bridge._steering import Kind, SteeringError
from pilothouse_bridge.testing import FakePilothouse

from .listening import Slow, answers, free_port, listener

PROGRAM = """
    import atexit, os, sys, time
    import pilothouse_bridge.auto
    from flask import Flask

    app = Flask("shop")
    atexit.register(lambda: print("exit function", flush=True))
    print("begins", os.getpid(), *sys.argv[1:], os.environ.get("COLOUR"), flush=True)

    @app.get("/")
    def quick():
        return "ok"

    @app.get("/slow")
    def slow():
        time.sleep(1.5)
        return "ok"

    os.chdir("/")
    import waitress
    waitress.serve(app, host="127.0.0.1", port=PORT, threads=8)
"""


@pytest.fixture
def start(server: FakePilothouse, program: Any, tmp_path: Path) -> Any:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")

    def start_with(**environ: str) -> tuple[Any, int]:
        port = free_port()
        (tmp_path / "program.py").write_text(
            "\n".join(line[4:] for line in PROGRAM.replace("PORT", str(port)).splitlines())
        )
        process = program.run_command([sys.executable, "program.py", "--shop", "a b"], **environ)
        listener(server)
        server.wait_for_channel()
        return process, port

    return start_with


def test_a_program_executes_itself_anew_with_the_same_id_arguments_and_environment(
    server: FakePilothouse, start: Any
) -> None:
    process, port = start(COLOUR="green")
    first = server.beats[0]
    assert "RESTART" in first.body["capabilities"]
    slow = Slow(port, 3, "/slow")
    time.sleep(0.5)
    before = len(server.beats)
    result = server.wait_for_result(server.send_command("RESTART", "runtime", payload={"graceSeconds": 10}))
    assert result.body == {"outcome": "restarting", "message": "The program executes itself anew."}
    again = server.wait_for(
        lambda beat: (
            beat in server.beats[before:]
            and beat.is_full
            and any(one["state"] == "enabled" for one in beat.listeners.values())
            and beat.at_s > result.at_s + 1
        ),
        timeout_s=30,
    )
    assert slow.join() == {"200": 3}
    assert server.goodbyes == [first.body["runtimeId"]]
    assert again.body["runtimeId"] == first.body["runtimeId"]
    assert again.body["nodeInfo"]["processId"] == process.pid
    assert answers(port) == 200
    process.kill()
    out, err = process.communicate(timeout=10)
    assert out.splitlines() == [
        f"begins {process.pid} --shop a b green",
        "exit function",
        f"begins {process.pid} --shop a b green",
    ]
    assert "Traceback" not in err


def test_a_program_with_a_supervisor_ends_and_leaves_the_start_to_it(server: FakePilothouse, start: Any) -> None:
    process, port = start(KUBERNETES_SERVICE_HOST="10.0.0.1")
    slow = Slow(port, 2, "/slow")
    time.sleep(0.5)
    result = server.wait_for_result(server.send_command("RESTART", "runtime", payload={"graceSeconds": 10}))
    assert result.body["message"] == "The program ends for its supervisor to start it anew."
    out, err = process.communicate(timeout=20)
    assert process.returncode == EXIT_STATUS == 75
    assert slow.join() == {"200": 2}
    assert out.count("exit function") == 1
    assert "Traceback" not in err
    assert server.goodbyes == [server.beats[0].body["runtimeId"]]


def test_a_restart_that_is_switched_off_is_not_declared_and_refused(server: FakePilothouse, start: Any) -> None:
    process, port = start(PILOTHOUSE_BRIDGE_RESTART="off")
    assert "RESTART" not in server.beats[0].body["capabilities"]
    result = server.wait_for_result(server.send_command("RESTART", "runtime", payload={"graceSeconds": 10}))
    assert (result.code, result.message["httpStatus"]) == ("NOT_SUPPORTED", 501)
    assert answers(port) == 200
    assert process.poll() is None


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As a program that somebody started by hand."""
    for name in ("INVOCATION_ID", "SYSTEMD_EXEC_PID", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "orig_argv", ["python", "program.py"])
    monkeypatch.setattr(sys, "argv", ["program.py"])
    monkeypatch.delitem(sys.modules, "gunicorn.arbiter", raising=False)
    monkeypatch.setattr(_restart, "_is_worker", lambda: False)
    return monkeypatch


def test_how_a_process_restarts_is_found_out_and_the_setting_has_the_last_word(alone: pytest.MonkeyPatch) -> None:
    assert _restart.means(None) is Means.EXEC
    assert _restart.means("exit") is Means.EXIT
    assert _restart.means("off") is None
    alone.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert _restart.means(None) is Means.EXIT
    assert _restart.means("exec") is Means.EXEC


def test_systemds_variables_count_for_the_services_own_process_only(alone: pytest.MonkeyPatch) -> None:
    alone.setenv("INVOCATION_ID", "4f")
    alone.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert _restart.means(None) is Means.EXIT
    alone.setenv("SYSTEMD_EXEC_PID", "1234567")  # a terminal of a desktop that systemd started
    assert _restart.means(None) is Means.EXEC


@pytest.mark.parametrize("argv", [[""], ["-"], []])
def test_a_program_that_was_typed_in_cannot_be_executed_again(alone: pytest.MonkeyPatch, argv: list[str]) -> None:
    alone.setattr(sys, "argv", argv)
    assert _restart.means(None) is None


def test_a_worker_can_neither_execute_itself_nor_promise_a_supervisor(alone: pytest.MonkeyPatch) -> None:
    alone.setattr(_restart, "_is_worker", lambda: True)
    alone.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert _restart.means(None) is None
    assert _restart.means("exec") is None
    with pytest.raises(SteeringError) as refused:
        Restarter(None, list, lambda: None).announce()
    assert refused.value.code == "NOT_SUPPORTED"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_is_known_for_one(program: Any) -> None:
    source = """
        import os, warnings
        from pilothouse_bridge import _restart
        warnings.simplefilter("ignore")
        print(_restart._is_worker(), flush=True)
        if os.fork() == 0:
            print(_restart._is_worker(), flush=True)
            os._exit(0)
        os.wait()
    """
    _, out, _ = program.finish(program.start(source))
    assert out.split() == ["False", "True"]


def test_what_does_not_drain_does_not_hold_a_restart() -> None:
    class Stubborn:
        kind, name, package = Kind.CONSUMER, "orders", "faststream"

        def __init__(self, hold_s: float) -> None:
            self.hold_s = hold_s

        def stop(self, _: float) -> None:
            time.sleep(self.hold_s)
            raise RuntimeError("no")

    began_s = time.monotonic()
    _restart._drain([Stubborn(60), Stubborn(0)], time.monotonic() + 0.2)  # type: ignore[list-item]
    assert time.monotonic() - began_s < 8
