"""A control plane for tests: ``FakePilothouse``, a real local HTTP(S) server that checks tokens, records heartbeats.

    with FakePilothouse() as server:
        pilothouse_bridge.connect(server_url=server.url, secret=server.secret, environment="dev", ...)
        beat = server.wait_for(lambda beat: beat.is_full)

It answers as a real server does; ``answer_next`` and ``answer_always`` make it answer otherwise.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast, final

DEFAULT_SECRET: Final = "0badcafe.this-key-is-for-tests-and-opens-nothing-else"  # noqa: S105 - it opens nothing
_SIZE_CAP_BYTES: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class ReceivedBeat:
    """A heartbeat as it arrived; ``at_s`` is ``time.monotonic()``."""

    path: str
    body: dict[str, Any]  # JSON: tests look into it as they like
    claims: dict[str, Any]  # JSON, as above
    key_id: str
    at_s: float

    @property
    def is_full(self) -> bool:
        """Whether it tells everything."""
        return self.path == "/icp/heartbeat"

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Services by name, as they stand on the wire."""
        return {service["name"]: service for service in self.body.get("artifacts", {}).get("services", [])}

    @property
    def listeners(self) -> dict[str, dict[str, Any]]:
        """Listeners by name, as they stand on the wire."""
        return {listener["name"]: listener for listener in self.body.get("artifacts", {}).get("listeners", [])}


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


Answering = Callable[[ReceivedBeat], FakeAnswer | None]


@final
class FakePilothouse:
    """The runtime port of a control plane, on a free loopback port."""

    def __init__(
        self,
        *,
        secret: str = DEFAULT_SECRET,
        certificate: str | Path | None = None,
        private_key: str | Path | None = None,
        port: int = 0,
        jwt_issuer: str = "icp-runtime-jwt-issuer",
        jwt_audience: str = "icp-server",
    ) -> None:
        """With a certificate (PEM, and its key when that is in another file) it speaks TLS."""
        self.secret: Final = secret
        self.beats: Final[list[ReceivedBeat]] = []
        self._certificate = certificate
        self._private_key = private_key
        self._port = port
        self._claims_wanted = {"iss": jwt_issuer, "aud": jwt_audience, "scope": "runtime_agent"}
        self._known: dict[str, str] = {}
        self._always: Answering | None = None
        self._next: list[FakeAnswer] = []
        self._arrived = threading.Condition()
        self._released = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What to give as serverUrl."""
        return f"{'http' if self._certificate is None else 'https'}://localhost:{self._port}"

    def start(self) -> Self:
        """Listen; the port is known afterwards and stays the same over a stop and a start."""
        server = _Server(("127.0.0.1", self._port), _handler(self))
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate, self._private_key)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._port = int(server.server_address[1])
        self._released.clear()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="fake-pilothouse", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        self._released.set()
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def answer_next(self, *answers: FakeAnswer) -> None:
        """Give these answers, in this order, to the next heartbeats whose token is right."""
        with self._arrived:
            self._next.extend(answers)

    def answer_always(self, answering: Answering | FakeAnswer | None) -> None:
        """Ask this for every answer; a None from it, or instead of it, means "answer as a real server does"."""
        self._always = (lambda _: answering) if isinstance(answering, FakeAnswer) else answering

    def forget_runtimes(self) -> None:
        """As after the loss of the database: the next delta is asked for a full heartbeat."""
        with self._arrived:
            self._known.clear()

    def wait_for(self, wanted: Callable[[ReceivedBeat], object], *, timeout_s: float = 10.0) -> ReceivedBeat:
        """The first heartbeat, past or to come, for which ``wanted`` is true.

        Raises: AssertionError after ``timeout_s``, with what arrived instead.
        """
        deadline_s = time.monotonic() + timeout_s
        seen = 0
        with self._arrived:
            while True:
                for beat in self.beats[seen:]:
                    if wanted(beat):
                        return beat
                seen = len(self.beats)
                if not self._arrived.wait(max(0.0, deadline_s - time.monotonic())) and len(self.beats) == seen:
                    arrived = [(beat.path, beat.body) for beat in self.beats]
                    raise AssertionError(
                        f"no such heartbeat within {timeout_s} s; {len(arrived)} arrived: {arrived[-3:]}"
                    )

    def config_toml(
        self, *, environment: str = "dev", project: str = "demo", integration: str = "demo", **more: str
    ) -> str:
        """A Config.toml that connects to this server."""
        members = {"environment": environment, "project": project, "integration": integration, **more}
        members |= {"secret": self.secret, "serverUrl": self.url}
        return "[wso2.icp.runtime.bridge]\n" + "".join(f"{key} = {json.dumps(text)}\n" for key, text in members.items())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def receive(self, path: str, authorization: str, body: bytes) -> FakeAnswer:
        """Judge one request."""
        try:
            key_id, claims = self._verified(authorization)
        except ValueError as error:
            return FakeAnswer.refusal(401, "TOKEN_REFUSED", str(error), "check the secret")
        message = cast("dict[str, Any]", json.loads(body))
        beat = ReceivedBeat(path, message, claims, key_id, time.monotonic())
        with self._arrived:
            planned = self._next.pop(0) if self._next else None
            answer = planned or (self._always(beat) if self._always is not None else None) or self._usual(beat)
            self.beats.append(beat)
            self._arrived.notify_all()
        if answer.delay_s:
            self._released.wait(answer.delay_s)
        return answer

    def _usual(self, beat: ReceivedBeat) -> FakeAnswer:
        runtime_id, runtime_hash = str(beat.body["runtimeId"]), str(beat.body["runtimeHash"])
        if beat.is_full:
            self._known[runtime_id] = runtime_hash
        wants_full = self._known.get(runtime_id) != runtime_hash
        return FakeAnswer(200, {"acknowledged": True, "fullHeartbeatRequired": wants_full, "commands": []})

    def _verified(self, authorization: str) -> tuple[str, dict[str, Any]]:
        scheme, _, token = authorization.partition(" ")
        parts = token.split(".")
        if scheme != "Bearer" or len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
            raise ValueError("Missing or malformed Authorization header")
        header, claims = (cast("dict[str, Any]", json.loads(_unbase64(part))) for part in parts[:2])
        key_id, _, material = self.secret.partition(".")
        if header.get("alg") != "HS256" or header.get("kid") != key_id:
            raise ValueError(f"Unknown key ID '{header.get('kid')}'")
        signature = hmac.new(material.encode(), f"{parts[0]}.{parts[1]}".encode("ascii"), hashlib.sha256).digest()
        if not hmac.compare_digest(signature, _unbase64(parts[2])) or claims.get("exp", 0) <= time.time():
            raise ValueError("Invalid or expired token")
        if any(claims.get(name) != wanted for name, wanted in self._claims_wanted.items()):
            raise ValueError("The token is for someone else")
        return key_id, claims


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class _Server(ThreadingHTTPServer):
    """Closes the connections it still has when it is closed, so that no thread waits on them."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[Any] = set()  # sockets, plain or TLS
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""

    def server_close(self) -> None:
        for request in list(self._open):
            with contextlib.suppress(OSError):  # gone already
                request.shutdown(2)
        super().server_close()


def _handler(fake: FakePilothouse) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", "0")), _SIZE_CAP_BYTES)
            answer = fake.receive(self.path, self.headers.get("Authorization", ""), self.rfile.read(length))
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

    return Handler
