"""The two ways to start, as a newcomer meets them: what is printed, what is kept, what is said when something is wrong."""

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from stage import TREE, Program, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE  # the certificate is self-signed
FREE = ["--runtime-port", "0", "--console-port", "0"]
PILOTHOUSE = [sys.executable, "-m", "pilothouse"]


def ask(url: str) -> dict:
    with urllib.request.urlopen(url, context=UNVERIFIED, timeout=10) as answer:
        return json.load(answer)


_FROM_WHERE = "import pilothouse; print('from', pilothouse.__file__); from pilothouse.cli import main; main()"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_the_first_start_prints_where_to_look_and_the_second_finds_everything_again(
    start: Callable[..., Program], home: Path, tmp_path: Path
) -> None:
    environment = {"PILOTHOUSE_HOME": str(home), "ORDER_SERVICE_PORT": "0"}
    first = start([*PILOTHOUSE, "up", *FREE], cwd=tmp_path, **environment)
    console = first.wait_for(r"Console +(https://\S+)")[1]
    password = first.wait_for(r"Password +(\S{20})\n")[1]
    first.wait_for("Advanced → Proceed")
    first.wait_for("pilothouse tls trust")
    first.wait_for("--http-loopback")
    first.wait_for("Full heartbeat acknowledged by ICP server")
    assert ask(f"{console}/readyz")["ready"] is True
    runtime_ids = sorted(
        path.read_text() for path in (home / "example").glob(".icp_runtime_id*") if path.stat().st_size
    )
    config = (home / "example" / "Config.toml").read_text()
    assert first.stop(signal.SIGINT) == 0
    assert first.output.count(password) == 1
    assert "Cannot reach" not in first.output  # the example ends first, and in peace

    second = start([*PILOTHOUSE, "up", *FREE], cwd=tmp_path, **environment)
    second.wait_for("Full heartbeat acknowledged by ICP server")
    assert password not in second.output
    assert "the one of the first start" in second.output
    again = (home / "example" / "Config.toml").read_text()
    assert re.search("secret = .*", again)[0] == re.search("secret = .*", config)[0]
    assert runtime_ids == sorted(
        path.read_text() for path in (home / "example").glob(".icp_runtime_id*") if path.stat().st_size
    )
    assert second.stop(signal.SIGINT) == 0
    for path in (home, home / "keys", home / "tls"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (
        home / "pilothouse.db",
        home / "keys" / "secret.key",
        home / "tls" / "key.pem",
        home / "example" / "Config.toml",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_example_ends_with_the_control_plane_however_that_ends(
    start: Callable[..., Program], home: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    program = start([*PILOTHOUSE, "up", *FREE], cwd=tmp_path, PILOTHOUSE_HOME=str(home), ORDER_SERVICE_PORT=str(port))
    program.wait_for("Full heartbeat acknowledged")
    until(lambda: _listens(port))
    program.stop(signal.SIGKILL)
    until(lambda: not _listens(port))


def test_a_port_that_is_taken_is_said_with_its_holder_and_the_fix(
    start: Callable[..., Program], home: Path, tmp_path: Path
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        program = start(
            [*PILOTHOUSE, "up", "--runtime-port", str(port), "--console-port", "0"],
            cwd=tmp_path, PILOTHOUSE_HOME=str(home),
        )  # fmt: skip
        code = program.process.wait(30)
    program.read_to_the_end()
    assert code == 1
    assert f"Port {port} is in use already" in program.output
    assert str(os.getpid()) in program.output  # who holds it
    assert "PILOTHOUSE_RUNTIME_PORT" in program.output
    assert "Traceback" not in program.output


def test_a_start_that_finds_a_port_taken_makes_no_password_that_nobody_is_shown(
    start: Callable[..., Program], home: Path, tmp_path: Path
) -> None:
    environment = {"PILOTHOUSE_HOME": str(home), "ORDER_SERVICE_PORT": "0"}
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        first = start([*PILOTHOUSE, "up", "--runtime-port", "0", "--console-port", port], cwd=tmp_path, **environment)
        assert first.process.wait(30) == 1
    second = start([*PILOTHOUSE, "up", *FREE], cwd=tmp_path, **environment)
    assert second.wait_for(r"Password +(\S{20})\n")
    assert second.stop(signal.SIGINT) == 0


def test_two_control_planes_do_not_share_a_home(start: Callable[..., Program], home: Path, tmp_path: Path) -> None:
    first = start([*PILOTHOUSE, "serve", *FREE], cwd=tmp_path, PILOTHOUSE_HOME=str(home))
    first.wait_for("Pilothouse is ready")
    second = start([*PILOTHOUSE, "serve", *FREE], cwd=tmp_path, PILOTHOUSE_HOME=str(home))
    assert second.process.wait(30) == 1
    second.read_to_the_end()
    assert "HOME_IN_USE" in second.output
    assert str(first.process.pid) in second.output
    assert first.stop() == 0


@pytest.mark.parametrize(
    ("environment", "cause"),
    [
        ({"PILOTHOUSE_CONSOLE_PORT": "many"}, "PILOTHOUSE_CONSOLE_PORT cannot be 'many'"),
        ({"PILOTHOUSE_ADMIN_PASSWORD": "short"}, "12 to 256 characters"),
        ({"PILOTHOUSE_TLS_CERTIFICATE": "/nowhere.pem", "PILOTHOUSE_TLS_KEY": "/nowhere.key"}, "/nowhere.pem"),
        ({"PILOTHOUSE_TLS_KEY": "/nowhere.key"}, "PILOTHOUSE_TLS_CERTIFICATE is not set"),
        ({"PILOTHOUSE_HOME": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix_and_no_traceback(
    start: Callable[..., Program], home: Path, tmp_path: Path, environment: dict[str, str], cause: str
) -> None:
    ports = [] if "PILOTHOUSE_CONSOLE_PORT" in environment else FREE
    program = start([*PILOTHOUSE, "serve", *ports], cwd=tmp_path, **{"PILOTHOUSE_HOME": str(home), **environment})
    assert program.process.wait(30) == 1
    program.read_to_the_end()
    assert cause in program.output
    assert "fix:" in program.output
    assert "Traceback" not in program.output
    assert "short" not in program.output.replace("too short", "")


def test_a_setting_that_does_not_exist_is_pointed_out(tmp_path: Path) -> None:
    told = subprocess.run(
        [*PILOTHOUSE, "tls", "show", "--home", str(tmp_path)],
        env={**os.environ, "PILOTHOUSE_RUNTIM_PORT": "1"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "PILOTHOUSE_RUNTIM_PORT is not a setting; did you mean PILOTHOUSE_RUNTIME_PORT?" in told.stderr


def test_plain_http_is_for_loopback_alone(start: Callable[..., Program], home: Path, tmp_path: Path) -> None:
    program = start([*PILOTHOUSE, "serve", *FREE, "--http-loopback"], cwd=tmp_path, PILOTHOUSE_HOME=str(home))
    console = program.wait_for(r"Console +(http://\S+)")[1]
    with urllib.request.urlopen(f"{console}/healthz", timeout=10) as answer:
        assert json.load(answer)["alive"] is True
    port = int(console.rpartition(":")[2])
    outside = _own_address()
    if outside is not None:
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((outside, port), timeout=2)
    assert "certificate is self-signed" not in program.output
    assert program.stop() == 0


def test_a_lost_password_is_replaced_while_the_control_plane_runs(
    start: Callable[..., Program], home: Path, tmp_path: Path
) -> None:
    program = start([*PILOTHOUSE, "up", "--no-example", *FREE], cwd=tmp_path, PILOTHOUSE_HOME=str(home))
    console = program.wait_for(r"Console +(https://\S+)")[1]
    old = program.wait_for(r"Password +(\S{20})\n")[1]
    told = subprocess.run(
        [*PILOTHOUSE, "admin", "reset-password", "--home", str(home)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    new = re.search(r"New password of admin: (\S+)", told.stdout)[1]
    assert _sign_in(console, new) == 200
    assert _sign_in(console, old) == 401
    assert program.stop() == 0


def test_a_service_does_not_write_the_first_password_into_its_journal(
    start: Callable[..., Program], home: Path, tmp_path: Path
) -> None:
    program = start([*PILOTHOUSE, "serve", *FREE], cwd=tmp_path, PILOTHOUSE_HOME=str(home))
    told = program.wait_for(r"Password +(.*)")[1]
    assert "not shown, since this is no terminal" in told
    command = told.partition("make one with: ")[2].split()
    assert command[:3] == ["python", "-m", "pilothouse"]
    made = subprocess.run(
        [sys.executable, *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert "New password of admin" in made.stdout
    assert program.stop() == 0


def test_commands_about_a_home_that_is_not_there_say_so_and_make_nothing(tmp_path: Path) -> None:
    for command in (["tls", "show"], ["tls", "trust"], ["admin", "reset-password"]):
        told = subprocess.run(
            [*PILOTHOUSE, *command, "--home", str(tmp_path / "nowhere")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert told.returncode == (5 if command[0] == "admin" else 1)
        assert "--home" in told.stderr
        assert "Traceback" not in told.stderr
    assert not (tmp_path / "nowhere").exists()


def test_looking_at_the_certificate_does_not_change_it(
    start: Callable[..., Program], home: Path, tmp_path: Path
) -> None:
    program = start(
        [*PILOTHOUSE, "serve", *FREE], cwd=tmp_path, PILOTHOUSE_HOME=str(home), PILOTHOUSE_PUBLIC_HOST="pilot.example"
    )
    program.wait_for("Pilothouse is ready")
    before = (home / "tls" / "certificate.pem").read_bytes()
    shown = subprocess.run(
        [*PILOTHOUSE, "tls", "show", "--home", str(home)], capture_output=True, text=True, check=True, timeout=60
    )
    assert (home / "tls" / "certificate.pem").read_bytes() == before
    assert re.search(r"sha-256 +(\S+)", shown.stdout)[1] in program.output
    assert program.stop() == 0


@pytest.mark.slow
def test_the_wheels_give_the_same_without_a_source_tree(start: Callable[..., Program], tmp_path: Path) -> None:
    """`pip install pilothouse` and `pilothouse up`; the dependencies are this environment's, the packages the wheels'."""
    if not (TREE / "console" / "dist" / "index.html").is_file():
        pytest.fail("the console is not built: run `make test`, or `make wheels` first")
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(TREE / "bridge"), str(TREE / "server")],
        check=True, timeout=120,
    )  # fmt: skip
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(site), *map(str, wheels.glob("*.whl"))], check=True, timeout=120
    )
    program = start(
        [sys.executable, "-c", _FROM_WHERE, "up", *FREE],
        cwd=tmp_path, PYTHONPATH=str(site), PILOTHOUSE_HOME=str(tmp_path / "home"), ORDER_SERVICE_PORT="0",
    )  # fmt: skip
    assert program.wait_for(r"from (\S+)")[1].startswith(str(site))
    console = program.wait_for(r"Console +(https://\S+)")[1]
    program.wait_for("Full heartbeat acknowledged by ICP server")
    with urllib.request.urlopen(console, context=UNVERIFIED, timeout=10) as page:
        assert "assets/" in page.read().decode()
    assert program.stop() == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _own_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent, only a route is looked up
        except OSError:
            return None
        address = probe.getsockname()[0]
        return None if address.startswith("127.") else address


def _sign_in(console: str, password: str) -> int:
    request = urllib.request.Request(
        f"{console}/auth/sign-in",
        json.dumps({"username": "admin", "password": password}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, context=UNVERIFIED, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
