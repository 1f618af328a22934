"""The HTTP side of ``testing.FakePilothouse``: requests in, answers and streams of events out."""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol, final

SIZE_CAP_BYTES: Final = 8_000_000
_PING: Final = b": ping\n\n"


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """What to answer instead: a status with a JSON body, or raw bytes; ``delay_s`` holds it back."""

    status: int = 200
    body: Mapping[str, object] | bytes = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_s: float = 0.0

    @classmethod
    def refusal(cls, status: int, code: str, message: str, fix: str) -> "FakeAnswer":
        """A refusal in the shape that the real server uses."""
        body = {"acknowledged": False, "error": True, "code": code, "message": message, "fix": fix}
        return cls(status, body)


@final
class FakeChannel:
    """One runtime's open channel: events go in from any thread and out on the handler's."""

    def __init__(self, runtime_id: str, ping_s: float) -> None:
        """Begin with the greeting."""
        self.runtime_id: Final = runtime_id
        self._ping_s = ping_s
        self._events: queue.Queue[bytes | None] = queue.Queue()
        self.send("hello", {"pingSeconds": ping_s})

    def send(self, event: str, data: object) -> None:
        """Send an event."""
        self._events.put(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())

    def end(self) -> None:
        """Close the stream after what was sent."""
        self._events.put(None)

    def chunks(self) -> Iterator[bytes]:
        """What to write, pings in between, until the end."""
        while True:
            try:
                chunk = self._events.get(timeout=self._ping_s)
            except queue.Empty:
                chunk = _PING
            if chunk is None:
                return
            yield chunk


class Receiver(Protocol):
    """Who judges the requests."""

    def receive(self, path: str, authorization: str, body: bytes, encoding: str = "") -> FakeAnswer:
        """Judge a POST; ``encoding`` is its Content-Encoding."""
        ...

    def open_channel(self, path: str, authorization: str) -> FakeAnswer | FakeChannel:
        """Judge a GET."""
        ...

    def lose_channel(self, channel: FakeChannel) -> None:
        """The runtime has hung up, or the stream has ended."""

    def receive_goodbye(self, path: str, authorization: str) -> FakeAnswer:
        """Judge a DELETE."""
        ...


class FakeServer(ThreadingHTTPServer):
    """Closes the connections it still has when it is closed, so that no thread waits on them."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        """Listen at the address."""
        self._open: set[Any] = set()  # sockets, plain or TLS
        self._open_lock = threading.Lock()
        super().__init__(address, _handler(receiver))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""

    def cut(self) -> None:
        """Close every connection as a crash would."""
        with self._open_lock:
            held = list(self._open)
        for request in held:
            with contextlib.suppress(OSError):  # gone already
                request.shutdown(socket.SHUT_RDWR)

    def server_close(self) -> None:
        """Close the port and every connection, and wait for their threads."""
        self.cut()
        super().server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"receiver": receiver})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement of its headers
    receiver: Receiver

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", "0")), SIZE_CAP_BYTES)
        encoding = self.headers.get("Content-Encoding", "")
        self._answer(self.receiver.receive(self.path, self._authorization, self.rfile.read(length), encoding))

    def do_DELETE(self) -> None:
        self._answer(self.receiver.receive_goodbye(self.path, self._authorization))

    def do_GET(self) -> None:
        opened = self.receiver.open_channel(self.path, self._authorization)
        if isinstance(opened, FakeAnswer):
            self._answer(opened)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in opened.chunks():
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass  # the runtime has hung up
        finally:
            self.receiver.lose_channel(opened)
            self.close_connection = True

    @property
    def _authorization(self) -> str:
        return self.headers.get("Authorization", "")

    def _answer(self, answer: FakeAnswer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the heartbeats are the record."""
