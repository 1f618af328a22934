"""The database servers of the tests: what goes wrong with one is told with its words, and costs no other test anything."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from socket import socket

import database_servers
import psutil
import pytest
import server_process
from database_servers import SERVERS, Server, free_port, running
from pilothouse.storage.engine import open_writer

HERE = Path(__file__).parent
PATIENCE_S = 60
pytestmark = pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=pytest.mark.xdist_group(one)) for one in ("postgresql", "mariadb")]
)
BEGINS_AND_WAITS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from database_servers import SERVERS
server = SERVERS[sys.argv[2]]()
print(server.process.pid, server.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def own(kind: str) -> type[Server]:
    """A class of servers that can be started here."""
    running(kind)  # skips where there is none
    return SERVERS[kind]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_what_a_test_left_open_keeps_no_other_from_beginning(kind: str) -> None:
    server = running(kind)
    engine = open_writer(server.fresh(name="left"))
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM organizations").all()  # in a transaction that nobody ends
        began = time.monotonic()
        server.fresh(name="left")
        assert time.monotonic() - began < PATIENCE_S
        connection.invalidate()
    engine.dispose()


@pytest.mark.slow
def test_a_server_whose_port_is_taken_begins_at_another_one(
    own: type[Server], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [taken, free_port()]
    monkeypatch.setattr(server_process, "free_port", lambda: ports.pop(0))
    with closing(own()) as server:
        assert server.port != taken
        assert server.is_up
    assert ports == []


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # drivers leave sockets that nobody answered
def test_a_server_that_does_not_begin_is_told_with_its_own_words_and_leaves_nothing(
    own: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    command: Callable[[Server], list[str]] = own.command
    monkeypatch.setattr(own, "command", lambda self: [*command(self), "--no-such-setting=1"])
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to the user that PostgreSQL runs as
        Path(place).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", place)
        with pytest.raises(pytest.fail.Exception, match=r"ended with [0-9]+ before it answered:(.|\n)*no.such.setting"):
            own()
        assert list(Path(place).iterdir()) == []


@pytest.mark.slow
def test_one_server_that_did_not_begin_keeps_no_whole_run_from_beginning(
    kind: str, own: type[Server], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    others, tries = database_servers._running, []

    class First(own):
        def prepare(self) -> None:
            tries.append(self.folder)
            if len(tries) == 1:
                pytest.fail("no room just now")
            super().prepare()

    monkeypatch.setitem(SERVERS, kind, First)
    monkeypatch.setattr(database_servers, "_running", {})
    assert running(kind).is_up
    assert running(kind) is not others[kind]
    database_servers.end_all()
    assert [folder.exists() for folder in tries] == [False, False]
    assert "no room just now" in capfd.readouterr().err


@pytest.mark.slow
def test_a_server_that_ended_is_started_again_with_its_data_for_the_next_test(kind: str) -> None:
    database = running(kind).fresh(name="ended")
    running(kind).kill()
    engine = open_writer(running(kind).database("ended"))
    assert running(kind).is_up
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM organizations").all() == []
    engine.dispose()
    assert database.url == running(kind).url("ended")


@pytest.mark.slow
def test_no_server_outlives_tests_that_are_killed(own: type[Server], kind: str) -> None:
    tests = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", BEGINS_AND_WAITS, str(HERE), kind], stdout=subprocess.PIPE, text=True
    )
    assert tests.stdout is not None
    process_id, folder = tests.stdout.readline().split()
    server = psutil.Process(int(process_id))
    assert server.is_running()
    tests.send_signal(signal.SIGKILL)
    tests.wait()
    tests.stdout.close()
    server.wait(PATIENCE_S)
    assert Path(folder).exists()
    subprocess.run(["rm", "-rf", folder], check=True)  # noqa: S603, S607 - nobody else can


def test_a_port_of_a_server_is_none_that_connections_are_given(kind: str) -> None:
    below = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(server_process.LOWEST_PORT <= free_port() < below for _ in range(20))
    assert running(kind).port < below
