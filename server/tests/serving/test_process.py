"""The process around the carrier: how it starts and how it ends."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from loopback import TlsPair, post

PROGRAM = str(Path(__file__).with_name("carry_until_signalled.py"))


@contextmanager
def process(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", int, int]]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as started:
        assert started.stdout is not None
        try:
            for line in started.stdout:
                if line.startswith("ready"):
                    _, runtimes, people = line.split()
                    yield started, int(runtimes), int(people)
                    break
            else:
                pytest.fail("the process ended before it was ready")
        finally:
            started.kill()


def press(port: int, client: ssl.SSLContext | None, over: threading.Event) -> None:
    """Send heartbeats without a pause until told to stop, on connections that live on."""
    while not over.is_set():
        with suppress(OSError), ExitStack() as held:
            peer = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=2))
            if client is not None:
                peer = held.enter_context(client.wrap_socket(peer, server_hostname="127.0.0.1"))
            while not over.is_set():
                peer.sendall(post())
                if not peer.recv(1000):
                    break


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly_even_with_a_stream_open(number: signal.Signals) -> None:
    with process() as (started, _, people), socket.create_connection(("127.0.0.1", people), timeout=5) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in reader.recv(1000)
        started.send_signal(number)
        rest, _ = started.communicate(timeout=10)
        assert started.returncode == 0
        assert rest.endswith("clean\n")
        assert "Traceback" not in rest


def test_a_second_signal_ends_the_process_at_once() -> None:
    with process() as (started, _, people), socket.create_connection(("127.0.0.1", people), timeout=5) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        reader.recv(1000)
        started.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        started.send_signal(signal.SIGINT)
        rest, _ = started.communicate(timeout=10)
        assert started.returncode == 128 + signal.SIGINT
        assert time.monotonic() - began < 0.5
        assert "clean" not in rest


@pytest.mark.slow
def test_twenty_processes_under_load_all_end_cleanly(tls_files: TlsPair) -> None:
    files, client = tls_files
    for cycle in range(20):
        secure = cycle % 2 == 1
        over = threading.Event()
        with process(*([str(files.certificate), str(files.key)] if secure else [])) as (started, runtimes, _):
            loads = [
                threading.Thread(target=press, args=(runtimes, client if secure else None, over)) for _ in range(4)
            ]
            for load in loads:
                load.start()
            time.sleep(0.2)
            started.send_signal(signal.SIGTERM)
            rest, _ = started.communicate(timeout=15)
            over.set()
            for load in loads:
                load.join()
            assert (started.returncode, rest.endswith("clean\n")) == (0, True), rest
            assert "Traceback" not in rest
