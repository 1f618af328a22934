"""The configurations of load balancers are ones that the balancers take, and that lead to the ports that are served."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import trustme

FOLDER = Path(__file__).parents[3] / "deploy" / "several"
CHECKS = {
    "haproxy.cfg": ("haproxy", ["-c", "-f", "{file}"]),
    "nginx.conf": ("nginx", ["-t", "-e", "stderr", "-g", "pid {file}.pid;", "-c", "{file}"]),
}


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = f"{name} is not installed: apt-get install haproxy nginx libnginx-mod-stream"
        if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def with_certificates(text: str, place: Path) -> str:
    """Put files that exist in the place of those that an operator has."""
    authority = trustme.CA()
    issued = authority.issue_cert("pilothouse.example.com")
    whole = place / "all.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(whole)
    authority.cert_pem.write_to_path(place / "ca.pem")
    text = re.sub(r"/etc/nginx/pilothouse\.(crt|key)", str(whole), text)
    return re.sub(r"/etc/(haproxy/pilothouse|nginx/pilothouse-ca)\.pem", str(place / "ca.pem"), text)


@pytest.mark.parametrize("name", CHECKS)
def test_the_balancer_takes_its_configuration(name: str, tmp_path: Path) -> None:
    balancer, words = CHECKS[name]
    found = program(balancer)
    file = tmp_path / name
    file.write_text(with_certificates((FOLDER / name).read_text(encoding="utf-8"), tmp_path))
    done = subprocess.run(  # noqa: S603 - a program of the system, on our own file
        [found, *(word.format(file=file) for word in words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


def test_haproxy_goes_to_another_machine_at_once_where_one_refuses(tmp_path: Path) -> None:
    """As for the seconds in which a machine was killed and no check has found that yet: here none looks."""
    found = program("haproxy")
    with contextlib.ExitStack() as held:
        living = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        ports = []
        for _ in range(3):  # HAProxy's two, and one where nobody listens
            with socket.create_server(("127.0.0.1", 0)) as free:
                ports.append(free.getsockname()[1])
        text = with_certificates((FOLDER / "haproxy.cfg").read_text(encoding="utf-8"), tmp_path)
        text = re.sub(r"\n *(?:option httpchk|http-check|default-server check).*", "", text)
        text = text.replace("bind :9445", f"bind 127.0.0.1:{ports[0]}").replace(
            "bind :9446", f"bind 127.0.0.1:{ports[1]}"
        )
        text = text.replace("maxconn 40000", "maxconn 100")  # as many open files as anybody may have
        text = re.sub(r"10\.20\.0\.11:944[56]", f"127.0.0.1:{ports[2]}", text)
        text = re.sub(r"10\.20\.0\.12:944[56]", f"127.0.0.1:{living.getsockname()[1]}", text)
        file = tmp_path / "haproxy.cfg"
        file.write_text(text)
        balancer = held.enter_context(subprocess.Popen([found, "-db", "-f", str(file)], stdout=subprocess.DEVNULL))  # noqa: S603
        held.callback(balancer.kill)
        living.settimeout(30)
        began = time.monotonic()
        for _ in range(5):
            while True:
                try:
                    held.enter_context(socket.create_connection(("127.0.0.1", ports[0]), timeout=30))
                    break
                except ConnectionRefusedError:  # HAProxy has not opened its ports yet
                    assert balancer.poll() is None
                    assert time.monotonic() - began < 30
                    time.sleep(0.05)
            held.enter_context(living.accept()[0])
        again = time.monotonic()
        for _ in range(5):
            held.enter_context(socket.create_connection(("127.0.0.1", ports[0]), timeout=30))
            held.enter_context(living.accept()[0])
        assert time.monotonic() - again < 2.5, "to try the same machine again takes 1 s a connection at least"


@pytest.mark.parametrize("name", CHECKS)
def test_both_ports_of_both_machines_are_served(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    servers = re.findall(r"server (?:one |two )?(10\.20\.0\.1[12]:944[56])", text)
    assert sorted(servers) == [f"10.20.0.1{machine}:944{port}" for machine in (1, 2) for port in (5, 6)]
    assert "/readyz" in text
