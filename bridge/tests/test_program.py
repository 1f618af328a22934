"""A user's program with one line more: it is seen, and otherwise it runs, ends and fails as before."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge.testing import FakeAnswer, FakePilothouse, ReceivedBeat

SERVICE = """
    import pilothouse_bridge.auto
    import sys, time
    import uvicorn
    from fastapi import APIRouter, FastAPI

    orders = APIRouter(prefix="/orders")

    @orders.get("/{order_id}")
    def show(order_id: int) -> int:
        return order_id

    app = FastAPI(title="Orders")
    app.include_router(orders)

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            print("listening", flush=True)

    if __name__ == "__main__":
        Server(uvicorn.Config(app, port=0, log_level="warning")).run()
"""


@pytest.fixture
def configured(server: FakePilothouse, tmp_path: Path) -> FakePilothouse:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    return server


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and says nothing, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def listens(beat: ReceivedBeat) -> bool:
    return any(listener["state"] == "enabled" for listener in beat.listeners.values())


def settings(url: str) -> dict[str, str]:
    fields = {"ENVIRONMENT": "dev", "PROJECT": "p", "INTEGRATION": "i", "SECRET": "k." + "x" * 40, "SERVER_URL": url}
    return {f"PILOTHOUSE_BRIDGE_{name}": value for name, value in fields.items()}


def test_a_fastapi_program_is_seen_within_a_second_of_listening(configured: FakePilothouse, program: Any) -> None:
    process = program.start(SERVICE)
    assert process.stdout.readline().strip() == "listening"
    listening_s = time.monotonic()
    beat = configured.wait_for(lambda beat: listens(beat) and beat.services["Orders"]["listeners"])
    assert beat.at_s - listening_s < 1
    ((name, listener),) = beat.listeners.items()
    found = beat.services["Orders"]
    assert (found["package"], found["basePath"], found["listeners"]) == ("program", "/", [{"name": name}])
    (resource,) = found["resources"]
    assert (resource["methods"], resource["url"]) == (["GET"], "/orders/{order_id}")
    assert resource["source"].startswith("program.py:")
    with socket.create_connection((listener["host"], listener["port"]), timeout=5):
        pass
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert "Full heartbeat acknowledged by ICP server" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_each_worker_of_a_pre_forking_server_is_a_runtime(
    configured: FakePilothouse, program: Any, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text("\n".join(line[4:] for line in SERVICE.splitlines()))
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "program:app",
        "--workers",
        "2",
        "--port",
        "0",
        "--log-level",
        "warning",
    ]
    process = program.run_command(command)
    seen: set[str] = set()

    def both(beat: ReceivedBeat) -> bool:
        if listens(beat) and "Orders" in beat.services:
            seen.add(beat.body["runtimeId"])
        return len(seen) == 2

    configured.wait_for(both, timeout_s=30)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def test_a_program_that_configures_no_logging_shows_the_three_lines(configured: FakePilothouse, program: Any) -> None:
    process = program.start("import pilothouse_bridge.auto\ninput()")
    configured.wait_for(lambda beat: not beat.is_full)
    _, err = process.communicate("\n", timeout=10)
    told = [line.partition(" INFO pilothouse_bridge: ")[2] for line in err.splitlines()]
    assert told == [
        f"ICP agent initialized with server URL: {configured.url}",
        "Sending full heartbeat to ICP server",
        "Full heartbeat acknowledged by ICP server",
    ]


def test_logging_that_the_program_configures_later_takes_over(configured: FakePilothouse, program: Any) -> None:
    process = program.start(
        """
        import pilothouse_bridge.auto, logging
        logging.basicConfig(level=logging.INFO, format="MINE %(levelname)s %(message)s")
        input()
        """
    )
    configured.wait_for(lambda beat: not beat.is_full)
    _, err = process.communicate("\n", timeout=10)
    first, *rest = err.splitlines()
    assert "INFO pilothouse_bridge: ICP agent initialized" in first
    assert rest == [
        "MINE INFO Sending full heartbeat to ICP server",
        "MINE INFO Full heartbeat acknowledged by ICP server",
    ]


def test_a_program_that_wants_only_warnings_gets_only_warnings(configured: FakePilothouse, program: Any) -> None:
    process = program.start(
        """
        import logging
        logging.basicConfig(level=logging.WARNING)
        import pilothouse_bridge.auto
        input()
        """
    )
    configured.wait_for(lambda beat: not beat.is_full)
    assert process.communicate("\n", timeout=10)[1] == ""


def test_a_wrong_configuration_is_logged_once_with_its_fix_and_the_program_runs_on(program: Any) -> None:
    process = program.start("import pilothouse_bridge.auto\nprint('running')")
    status, out, err = program.finish(process)
    assert (status, out.strip()) == (0, "running")
    (line,) = err.splitlines()
    assert "ERROR pilothouse_bridge: Not connected to an ICP server: The setting 'environment' is missing" in line
    assert "Fix: add environment" in line


def test_a_secret_shows_in_no_output_whatever_is_wrong(program: Any) -> None:
    material = "seen-by-nobody-" * 3
    for secret in (material, f"k.{material[:30]}", f"k.{material}"):
        environ = settings("http://127.0.0.1:9") | {"PILOTHOUSE_BRIDGE_SECRET": secret}
        source = """
            import logging, time
            logging.basicConfig(level=1)
            import pilothouse_bridge
            try:
                print(vars(pilothouse_bridge.connect()))
                time.sleep(0.7)
            finally:
                print(repr(pilothouse_bridge), vars(pilothouse_bridge._bridge._process))
        """
        _, out, err = program.finish(program.start(source, **environ))
        assert err
        assert material[:20] not in out + err


@pytest.mark.parametrize("ends", ["pass", "time.sleep(0.35)", "raise SystemExit(3)", "os._exit(4)"])
def test_a_program_that_ends_is_not_kept_alive_by_a_server_that_hangs(
    program: Any, silent_server: str, ends: str
) -> None:
    source = f"""
        import os, time
        import pilothouse_bridge.auto
        {ends}
        began = time.monotonic()
        import atexit
    """
    began_s = time.monotonic()
    process = program.start(source, **settings(silent_server))
    status, _, err = program.finish(process)
    assert status == {"raise SystemExit(3)": 3, "os._exit(4)": 4}.get(ends, 0)
    assert time.monotonic() - began_s < 3
    assert [
        line for line in err.splitlines() if "ICP agent initialized" not in line and "Sending full" not in line
    ] == []


@pytest.mark.slow
def test_fifty_programs_end_in_silence_at_every_moment_of_the_bridges_life(
    program: Any, server: FakePilothouse
) -> None:
    reached = {
        **settings(server.url),
        "PILOTHOUSE_BRIDGE_SECRET": server.secret,
        "PILOTHOUSE_BRIDGE_HEARTBEAT_INTERVAL": "0.1",
    }
    away = settings("http://127.0.0.1:9")
    for first in range(0, 50, 10):
        processes = [
            program.start(
                f"import pilothouse_bridge.auto, time\ntime.sleep({number * 0.012})\n",
                name=f"p{number}.py",
                **(reached if number % 2 else away),
            )
            for number in range(first, first + 10)
        ]
        for process in processes:
            status, _, err = program.finish(process)
            strange = [
                line
                for line in err.splitlines()
                if " INFO pilothouse_bridge: " not in line and " WARNING pilothouse_bridge: Cannot reach" not in line
            ]
            assert (status, strange) == (0, [])


def test_a_service_answers_while_the_control_plane_hangs(program: Any, silent_server: str) -> None:
    source = """
        import pilothouse_bridge.auto, threading, time
        slowest = 0.0
        end = time.monotonic() + 1.5
        while (now := time.monotonic()) < end:
            time.sleep(0.001)
            slowest = max(slowest, time.monotonic() - now)
        print(slowest)
    """
    status, out, _ = program.finish(program.start(source, **settings(silent_server)))
    assert status == 0
    assert float(out) < 0.25


def identities(beats: list[ReceivedBeat]) -> list[str]:
    return list(dict.fromkeys(beat.body["runtimeId"] for beat in beats))


def started(program: Any, server: FakePilothouse, **environ: str) -> tuple[subprocess.Popen[str], str]:
    """Run a waiting program; answers it with its runtimeId."""
    process = program.start("import pilothouse_bridge.auto\nprint('up', flush=True)\ninput()", **environ)
    beat = server.wait_for(lambda beat: beat.is_full and beat.body["nodeInfo"]["processId"] == process.pid)
    return process, beat.body["runtimeId"]


def test_a_restart_keeps_the_id_also_after_kill_9(configured: FakePilothouse, program: Any, tmp_path: Path) -> None:
    first, first_id = started(program, configured)
    first.kill()
    first.wait(10)
    _, second_id = started(program, configured)
    assert first_id == second_id == (tmp_path / ".icp_runtime_id").read_text().strip()


def test_two_names_are_two_runtimes_and_so_are_two_copies(configured: FakePilothouse, program: Any) -> None:
    found = [
        started(program, configured, PILOTHOUSE_BRIDGE_RUNTIME="node-1")[1],
        started(program, configured, PILOTHOUSE_BRIDGE_RUNTIME="node-2")[1],
        started(program, configured, PILOTHOUSE_BRIDGE_RUNTIME="node-2")[1],
        started(program, configured)[1],
    ]
    assert len(set(found)) == 4


def test_a_directory_that_cannot_be_written_is_one_warning(configured: FakePilothouse, program: Any) -> None:
    process, _ = started(program, configured, PILOTHOUSE_BRIDGE_RUNTIME_ID_FILE="/proc/none/.icp_runtime_id")
    _, err = process.communicate("\n", timeout=10)
    assert err.count("gets a new id at each start") == 1
    assert "Fix: run in a directory that can be written" in err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_a_runtime_of_its_own_and_its_parent_does_not_notice(
    configured: FakePilothouse, program: Any
) -> None:
    process = program.start(
        """
        import pilothouse_bridge.auto, os, sys, warnings
        warnings.simplefilter("ignore")
        input()
        child = os.fork()
        if child == 0:
            print("child", os.getpid(), flush=True)
            sys.stdin.readline()
            os._exit(0)
        print("status", os.waitpid(child, 0)[1], flush=True)
        input()
        """
    )
    parent = configured.wait_for(lambda beat: beat.is_full and beat.body["nodeInfo"]["processId"] == process.pid)
    process.stdin.write("\n")
    process.stdin.flush()
    _, child_pid = process.stdout.readline().split()
    child = configured.wait_for(lambda beat: beat.is_full and beat.body["nodeInfo"]["processId"] == int(child_pid))
    assert child.body["runtimeId"] != parent.body["runtimeId"]
    of_parent = sum(beat.body["runtimeId"] == parent.body["runtimeId"] for beat in configured.beats)
    configured.wait_for(
        lambda _: sum(beat.body["runtimeId"] == parent.body["runtimeId"] for beat in configured.beats) > of_parent + 1
    )
    assert all(beat.is_full is (beat in (parent, child)) for beat in configured.beats if not beat.is_full)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline().strip() == "status 0"
    _, err = process.communicate("\n", timeout=10)
    assert "rejected" not in err
    assert "Traceback" not in err


def test_a_fork_while_the_server_keeps_the_parent_waiting_harms_neither(server: FakePilothouse, program: Any) -> None:
    server.answer_next(FakeAnswer(200, {"acknowledged": True}, delay_s=2))
    environ = {**settings(server.url), "PILOTHOUSE_BRIDGE_SECRET": server.secret}
    process = program.start(
        """
        import pilothouse_bridge.auto, os, sys, warnings
        warnings.simplefilter("ignore")
        input()
        child = os.fork()
        if child == 0:
            input()
            sys.exit(7)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        """,
        **environ,
    )
    server.wait_for(lambda beat: beat.is_full)
    process.stdin.write("\n")
    process.stdin.flush()
    child_pid = int(process.stdout.readline())
    server.wait_for(lambda beat: beat.is_full and beat.body["nodeInfo"]["processId"] == child_pid)
    out, err = process.communicate("\n", timeout=10)
    assert out.strip() == "7"
    assert "Traceback" not in err
    assert "Fatal" not in err


def test_a_program_that_starts_others_does_not_lend_them_its_identity(
    configured: FakePilothouse, program: Any, tmp_path: Path
) -> None:
    process = program.start(
        """
        import pilothouse_bridge.auto, subprocess, sys
        input()
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True)
        """
    )
    first = configured.wait_for(lambda beat: beat.is_full)
    process.communicate("\n", timeout=10)
    _, again = started(program, configured)
    assert again == first.body["runtimeId"]


def test_the_blank_import_is_cheap(program: Any) -> None:
    source = """
        import json, logging, sys, threading, time
        before = set(sys.modules)
        began = time.process_time()
        import pilothouse_bridge.auto
        cost = time.process_time() - began
        heavy = {"ssl", "http.client", "asyncio", "email", "platform", "sysconfig"} & (set(sys.modules) - before)
        print(json.dumps([cost, sorted(heavy)]))
    """
    costs: list[float] = []
    for _ in range(3):
        _, out, _ = program.finish(program.start(source, **settings("http://127.0.0.1:9")))
        cost, heavy = json.loads(out)
        assert heavy == []
        costs.append(cost)
    assert min(costs) < 0.15  # processor time; about 70 ms on a slow machine, half of it for dataclasses and logging
