"""For tests of listeners: clients that press on, requests that take a while, and a program seen through its heartbeats."""

import contextlib
import http.client
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pilothouse_bridge.testing import FakePilothouse, ReceivedResult

GRACE = {"kind": "listener", "graceSeconds": 10}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def listener(server: FakePilothouse, *, state: str = "enabled", timeout_s: float = 20) -> dict[str, Any]:
    """The one listener of the last heartbeat that shows one in this state."""
    beat = server.wait_for(
        lambda beat: any(one["state"] == state for one in beat.listeners.values()), timeout_s=timeout_s
    )
    (found,) = (one for one in beat.listeners.values() if one["state"] == state)
    return found


def last_state(server: FakePilothouse, name: str) -> tuple[str, str | None]:
    """What the last full heartbeat says of a listener."""
    beat = next(beat for beat in reversed(server.beats) if beat.is_full)
    found = beat.listeners[name]
    return found["state"], found.get("stateReason")


def order(server: FakePilothouse, action: str, name: str, **more: Any) -> ReceivedResult:
    payload = GRACE | more.pop("payload", {})
    return server.wait_for_result(server.send_command(action, name, payload=payload, **more), timeout_s=30)


def order_while_in_hand(server: FakePilothouse, name: str, go: Path) -> ReceivedResult:
    """Stop a listener whose requests wait for a file, which is there once a heartbeat shows that it drains."""
    command_id = server.send_command("STOP", name, payload=GRACE)
    server.wait_for(lambda beat: any(one["state"] == "draining" for one in beat.listeners.values()), timeout_s=20)
    go.touch()
    return server.wait_for_result(command_id, timeout_s=30)


def answers(port: int, path: str = "/") -> int | None:
    """The status of one request; None when the port is closed."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()  # what is left unread would reset the connection
            return response.status
    except ConnectionRefusedError:
        return None


class Slow:
    """Requests that are in hand: sent, and not answered yet."""

    def __init__(self, port: int, count: int, path: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._ask, args=(port, path), daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, port: int, path: str) -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with contextlib.closing(connection):
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                self.outcomes[str(response.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            self.outcomes[type(error).__name__] += 1

    def arrive(self, inside: Path, within_s: float = 30) -> None:
        """Wait until the program has all of them in hand: of each it writes an octet to the file."""
        deadline = time.monotonic() + within_s
        while not inside.exists() or inside.stat().st_size < len(self._threads):
            assert time.monotonic() < deadline, f"{len(self._threads)} requests did not come in: {self.outcomes}"
            time.sleep(0.01)

    def join(self) -> Counter[str]:
        for thread in self._threads:
            thread.join(60)
        return self.outcomes


class Load:
    """Clients at full speed: half of them keep their connections, half open one for each request."""

    def __init__(self, port: int, clients: int = 8) -> None:
        self.good = 0
        self.refused = 0
        self.broken: list[str] = []
        self._port = port
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._press, args=(number % 2 == 0,), daemon=True) for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _press(self, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        used_s = time.monotonic()
        while not self._end.is_set():
            try:
                if connection.sock is None:
                    connection.connect()
                    used_s = time.monotonic()
            except OSError:
                self._count("refused")
                connection.close()
                time.sleep(0.002)
                continue
            quiet_s = time.monotonic() - used_s
            try:
                connection.request("GET", "/", headers={} if keep else {"Connection": "close"})
                response = connection.getresponse()
                complete = response.read() == b"ok" and response.status == 200
                self._count("good" if complete else f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                kind = "kept" if keep else "fresh"
                self._count(
                    f"{type(error).__name__} {kind} quiet {quiet_s:.3f} s, sent {time.monotonic() - used_s - quiet_s:.3f}"
                )
                connection.close()
            used_s = time.monotonic()
            if not keep:
                connection.close()
        connection.close()

    def _count(self, what: str) -> None:
        with self._lock:
            if what == "good":
                self.good += 1
            elif what == "refused":
                self.refused += 1
            else:
                self.broken.append(what)

    def end(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(15)
