"""HTTP/1.1 by hand: every byte of a request is ours to choose, in which segments it leaves too."""

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto, unique
from functools import cached_property
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

Json: TypeAlias = Any  # Any: JSON as it came
SEGMENT_PAUSE_S = 0.15
"""Between two segments of one request: long enough that the peer reads them apart."""
_SHOWN_MAX = 4_000
_TOKEN = re.compile(r"(Bearer )[^\s]+")
_STALE = (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class NoAnswer(Exception):
    """The server did not answer, or not with HTTP."""


@unique
class Framing(Enum):
    """How a body leaves."""

    LENGTH = auto()
    """`Content-Length`, head and body in one piece (Micro Integrator)."""
    CHUNKED = auto()
    """`Transfer-Encoding: chunked` (Ballerina with a large body)."""
    SPLIT = auto()
    """`Content-Length`, head and body written apart (Ballerina, Python)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom to believe that he is the server."""

    ca_file: str | None = None
    insecure: bool = False

    def context(self, protocols: Sequence[str]) -> ssl.SSLContext:
        """Make the client's side of TLS."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        return context


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL.

        Raises: ValueError
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"'{url}' is not the URL of a server: https://host:port is.")
        return cls(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def authority(self) -> str:
        """Host and port, as in `Host`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as in `Origin`."""
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, with its framing."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    framing: Framing = Framing.LENGTH

    def segments(self, authority: str) -> list[bytes]:
        """Give the bytes, by the pieces in which they are written."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {authority}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body is None:
            return [_head(lines)]
        if self.framing is Framing.CHUNKED:
            head = _head([*lines, "Transfer-Encoding: chunked"])
            half = len(self.body) // 2 or 1
            pieces = [piece for piece in (self.body[:half], self.body[half:]) if piece]
            return [head, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]
        head = _head([*lines, f"Content-Length: {len(self.body)}"])
        return [head, self.body] if self.framing is Framing.SPLIT else [head + self.body]


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    raw: bytes

    @cached_property
    def body(self) -> Json:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer as they are shown to people: without tokens, cut where they are long."""

    request: str
    answer: str


Note: TypeAlias = Callable[[Exchange], None]


@dataclass
class Line:
    """A connection to a server, opened when it is needed and kept alive; one thread uses it at a time."""

    address: Address
    trust: Trust
    note: Note
    offers_http2: bool = False
    timeout_s: float = 20.0
    _socket: socket.socket | None = field(default=None, init=False)

    def ask(self, request: Request, *, pause_s: float = 0.0) -> Answer:
        """Send a request, with a pause between its segments, and read the answer.

        Raises: NoAnswer
        """
        segments = request.segments(self.address.authority)
        shown = _shown(b"".join(segments))
        kept = self._socket is not None
        try:
            try:
                answer = self._try(segments, request.method, pause_s)
            except _STALE:
                self.close()
                if not kept:
                    raise
                answer = self._try(segments, request.method, pause_s)  # the server had closed what we kept alive
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.note(Exchange(shown, f"(no answer: {error or type(error).__name__})"))
            raise NoAnswer(f"{request.method} {request.path} got no answer: {error or type(error).__name__}") from error
        head = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        self.note(Exchange(shown, _cut(f"{answer.status}\n{head}\n{answer.raw.decode(errors='replace')}")))
        return answer

    def _try(self, segments: Sequence[bytes], method: str, pause_s: float) -> Answer:
        if self._socket is None:
            self._socket = connect(self.address, self.trust, self.timeout_s, offers_http2=self.offers_http2)
        self._socket.settimeout(self.timeout_s)
        for number, segment in enumerate(segments):
            if number and pause_s:
                time.sleep(pause_s)
            self._socket.sendall(segment)
        answer, lives = read_answer(self._socket, method)
        if not lives:
            self.close()
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def members(value: Json) -> dict[str, Json]:
    """Give an object as it came; an empty one where something else came."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """Give an array as it came; an empty one where something else came."""
    return cast("list[Json]", value) if isinstance(value, list) else []


def connect(address: Address, trust: Trust, timeout_s: float, *, offers_http2: bool = False) -> socket.socket:
    """Open a connection. Ballerina's client offers HTTP/2; who takes it up is asked again without, since we do not speak it."""
    plain = socket.create_connection((address.host, address.port), timeout_s)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.scheme == "http":
        return plain
    protocols = ("h2", "http/1.1") if offers_http2 else ("http/1.1",)
    try:
        secured = trust.context(protocols).wrap_socket(plain, server_hostname=address.host)
    except OSError:
        plain.close()
        raise
    if secured.selected_alpn_protocol() == "h2":
        secured.close()
        return connect(address, trust, timeout_s)
    return secured


def read_answer(connection: socket.socket, method: str = "POST") -> tuple[Answer, bool]:
    """Read one answer, and whether the connection lives on."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        raw = response.read()
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            headers.setdefault(name.lower(), value)  # of several cookies the first is the session
        return Answer(response.status, headers, raw), not response.will_close
    finally:
        response.close()


def _head(lines: Sequence[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _shown(request: bytes) -> str:
    return _cut(_TOKEN.sub(r"\1…", request[: 2 * _SHOWN_MAX].decode(errors="replace")).replace("\r\n", "\n"))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]} … ({len(text)} characters)"
