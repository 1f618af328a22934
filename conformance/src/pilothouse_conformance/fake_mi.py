"""A fake: this suite playing Micro Integrator's management API, to see how a server calls it. It manages nothing."""

import json
import ssl
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pilothouse_conformance.certificate import self_signed
from pilothouse_conformance.wire import Json


@dataclass(frozen=True, slots=True)
class Call:
    """One call that came in."""

    method: str
    path: str
    authorization: str
    body: Json


class ManagementApi:
    """The fake, listening until it is closed."""

    def __init__(self, host: str, certificate: tuple[str, str] | None = None) -> None:
        self.calls: list[Call] = []
        self._server = ThreadingHTTPServer((host, 0), _handler(self.calls))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "certificate.pem"
                path.write_text(self_signed(host), encoding="ascii")
                context.load_cert_chain(path)
        else:
            context.load_cert_chain(*certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def find(self, method: str, path: str) -> list[Call]:
        """Give the calls of one kind."""
        return [call for call in list(self.calls) if (call.method, call.path.partition("?")[0]) == (method, path)]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _handler(calls: list[Call]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer({"count": 0, "list": []})

        def do_POST(self) -> None:
            self._answer({"message": "done by nobody: this is a fake"})

        do_PATCH = do_DELETE = do_POST  # noqa: N815 - the base class's names

        def _answer(self, body: Json) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                told = json.loads(raw) if raw else None
            except ValueError:
                told = raw.decode(errors="replace")
            calls.append(Call(self.command, self.path, self.headers.get("authorization", ""), told))
            answer = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: what matters is in `calls`."""

    return Handler
