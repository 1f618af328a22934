"""A control plane for tests: ``FakePilothouse``, a real local HTTP(S) server that checks tokens, records heartbeats.

    with FakePilothouse() as server:
        pilothouse_bridge.connect(server_url=server.url, secret=server.secret, environment="dev", ...)
        beat = server.wait_for(lambda beat: beat.is_full)

It answers as a real server does; ``answer_next`` and ``answer_always`` make it answer otherwise. It sends commands, too:

    command_id = server.send_command("STOP", "http-8080", payload={"kind": "listener", "graceSeconds": 5})
    assert server.wait_for_result(command_id).outcome == "stopped"

It takes logs, metrics and traces:

    line = server.wait_for_log(lambda line: "out of stock" in line.message)
    assert line.attributes["sku"] == "rope"
"""

import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, cast, final

from pilothouse_bridge import _fake_telemetry
from pilothouse_bridge._fake_received import ReceivedBeat, ReceivedResult
from pilothouse_bridge._fake_server import FakeAnswer, FakeChannel, FakeServer
from pilothouse_bridge._fake_telemetry import ReceivedLog, ReceivedPoint, ReceivedSpan
from pilothouse_bridge._fake_token import verified
from pilothouse_bridge._order import CHANNEL_PATH, RESULT_PATH, Command, signature

__all__ = [
    "DEFAULT_SECRET",
    "FakeAnswer",
    "FakePilothouse",
    "ReceivedBeat",
    "ReceivedLog",
    "ReceivedPoint",
    "ReceivedResult",
    "ReceivedSpan",
]

DEFAULT_SECRET: Final = "0badcafe.this-key-is-for-tests-and-opens-nothing-else"  # noqa: S105 - it opens nothing
_T = TypeVar("_T")


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
        channel: bool = True,
        ping_s: float = 15.0,
    ) -> None:
        """With a certificate (PEM, and its key when that is in another file) it speaks TLS.

        Without ``channel`` it is a server that knows heartbeats only; ``ping_s`` is the time between two pings of one.
        """
        self.secret: Final = secret
        self.beats: Final[list[ReceivedBeat]] = []
        self.results: Final[list[ReceivedResult]] = []
        self.logs: Final[list[ReceivedLog]] = []
        self.spans: Final[list[ReceivedSpan]] = []
        self.points: Final[list[ReceivedPoint]] = []
        self._telemetry_next: list[FakeAnswer] = []
        self._telemetry_always: FakeAnswer | None = None
        self.goodbyes: Final[list[str]] = []
        """The ids of the runtimes that said goodbye, in their order."""
        self._has_channel = channel
        self._ping_s = ping_s
        self._channels: dict[str, FakeChannel] = {}
        self._pending: dict[str, dict[str, object]] = {}
        self._certificate = certificate
        self._private_key = private_key
        self._port = port
        self._claims_wanted = {"iss": jwt_issuer, "aud": jwt_audience, "scope": "runtime_agent"}
        self._known: dict[str, str] = {}
        self._heard: set[str] = set()
        self._always: Answering | None = None
        self._next: list[FakeAnswer] = []
        self._arrived = threading.Condition()
        self._released = threading.Event()
        self._server: FakeServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What to give as serverUrl."""
        return f"{'http' if self._certificate is None else 'https'}://localhost:{self._port}"

    def start(self) -> Self:
        """Listen; the port is known afterwards and stays the same over a stop and a start."""
        server = FakeServer(("127.0.0.1", self._port), self)
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
        with self._arrived:
            for channel in self._channels.values():
                channel.end()
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

    def answer_telemetry_next(self, *answers: FakeAnswer) -> None:
        """Give these answers, in this order, to the next requests with telemetry; what they bring is not kept."""
        with self._arrived:
            self._telemetry_next.extend(answers)

    def answer_telemetry_always(self, answer: FakeAnswer | None) -> None:
        """Give this answer to every request with telemetry; None means "take it, as a real server does"."""
        self._telemetry_always = answer

    def forget_runtimes(self) -> None:
        """As after the loss of the database: the next delta is asked for a full heartbeat."""
        with self._arrived:
            self._known.clear()
            self._heard.clear()

    def wait_for(self, wanted: Callable[[ReceivedBeat], object], *, timeout_s: float = 10.0) -> ReceivedBeat:
        """The first heartbeat, past or to come, for which ``wanted`` is true.

        Raises: AssertionError after ``timeout_s``, with what arrived instead.
        """
        return self._wait_for(self.beats, wanted, timeout_s, "heartbeat")

    def wait_for_result(self, command_id: str, *, timeout_s: float = 10.0) -> ReceivedResult:
        """The first result, past or to come, of this command.

        Raises: AssertionError after ``timeout_s``, with what arrived instead.
        """
        return self._wait_for(self.results, lambda one: one.command_id == command_id, timeout_s, "result")

    def wait_for_log(self, wanted: Callable[[ReceivedLog], object], *, timeout_s: float = 10.0) -> ReceivedLog:
        """The first log line, past or to come, for which ``wanted`` is true.

        Raises: AssertionError after ``timeout_s``, with what arrived instead.
        """
        return self._wait_for(self.logs, wanted, timeout_s, "log line")

    def wait_for_span(self, wanted: Callable[[ReceivedSpan], object], *, timeout_s: float = 10.0) -> ReceivedSpan:
        """The first span, past or to come, for which ``wanted`` is true.

        Raises: AssertionError after ``timeout_s``, with what arrived instead.
        """
        return self._wait_for(self.spans, wanted, timeout_s, "span")

    def wait_for_point(self, wanted: Callable[[ReceivedPoint], object], *, timeout_s: float = 10.0) -> ReceivedPoint:
        """The first point of a metric, past or to come, for which ``wanted`` is true.

        Raises: AssertionError after ``timeout_s``, with what arrived instead.
        """
        return self._wait_for(self.points, wanted, timeout_s, "point")

    def wait_for_channel(self, runtime_id: str | None = None, *, timeout_s: float = 10.0) -> str:
        """Wait until this runtime, or any, holds a channel open; answers its id.

        Raises: AssertionError after ``timeout_s``.
        """
        with self._arrived:
            opened = lambda: [one for one in self._channels if runtime_id in {None, one}]  # noqa: E731 - asked twice
            if not self._arrived.wait_for(opened, timeout_s):
                raise AssertionError(f"no channel within {timeout_s} s")
            return opened()[0]

    def send_command(
        self,
        action: str,
        name: str = "",
        *,
        package: str = "",
        payload: Mapping[str, object] | str | None = None,
        runtime_id: str | None = None,
        over: Literal["channel", "heartbeat"] | None = None,
        signed: bool = True,
    ) -> str:
        """Tell a runtime what to do, the last one heard when none is named; answers the command's id.

        It goes over the channel when the runtime holds one, else with the answers to heartbeats until its result
        arrives. ``signed=False`` sends it with a signature that does not fit.
        """
        self.wait_for(lambda _: True)
        target = runtime_id or str(self.beats[-1].body["runtimeId"])
        text = payload if isinstance(payload, str) else "" if payload is None else json.dumps(payload)
        command = Command(str(uuid.uuid4()), target, action, name, package, text)
        key = self.secret.partition(".")[2].encode()
        message: dict[str, object] = {
            "commandId": command.command_id,
            "runtimeId": target,
            "targetArtifact": {"name": name, "package": package},
            "action": action,
            "issuedAt": [int(time.time()), 0.0],
            "status": "PENDING",
            "signature": signature(key if signed else b"another key", command),
        }
        if text:
            message["payload"] = text
        self.send_raw_command(message, over=over)
        return command.command_id

    def send_raw_command(
        self, message: Mapping[str, object], *, over: Literal["channel", "heartbeat"] | None = None
    ) -> None:
        """Send a command as it stands.

        Raises: AssertionError when it shall go over a channel that the runtime does not hold.
        """
        runtime_id = str(message["runtimeId"])
        with self._arrived:
            channel = self._channels.get(runtime_id)
            if channel is not None and over != "heartbeat":
                channel.send("command", message)
            elif over == "channel":
                raise AssertionError(f"runtime {runtime_id} holds no channel")
            else:
                self._pending[str(message["commandId"])] = dict(message)

    def send_event(self, event: str, data: object = None, *, runtime_id: str | None = None) -> None:
        """Send ``beat``, ``renew``, ``replaced`` or anything else to one runtime's channel, or to all that are open."""
        with self._arrived:
            for channel in list(self._channels.values()):
                if runtime_id in {None, channel.runtime_id}:
                    channel.send(event, {} if data is None else data)
                    if event in {"renew", "replaced"}:
                        channel.end()

    def cut_connections(self) -> None:
        """Close every connection as a crash would; the port stays open."""
        with self._arrived:
            for channel in self._channels.values():
                channel.end()
            self._channels.clear()
        if self._server is not None:
            self._server.cut()

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

    def receive(self, path: str, authorization: str, body: bytes, encoding: str = "") -> FakeAnswer:
        """Judge one request."""
        try:
            key_id, claims = verified(authorization, self.secret, self._claims_wanted)
        except ValueError as error:
            return FakeAnswer.refusal(401, "TOKEN_REFUSED", str(error), "check the secret")
        if path in _fake_telemetry.PATHS:
            return self._take_telemetry(body, encoding)
        message = cast("dict[str, Any]", json.loads(body))
        if path == RESULT_PATH:
            with self._arrived:
                self._pending.pop(str(message.get("commandId")), None)
                self.results.append(ReceivedResult(message, key_id, time.monotonic()))
                self._arrived.notify_all()
            return FakeAnswer(202, {"accepted": True})
        beat = ReceivedBeat(path, message, claims, key_id, time.monotonic())
        with self._arrived:
            planned = self._next.pop(0) if self._next else None
            answer = planned or (self._always(beat) if self._always is not None else None) or self._usual(beat)
            if beat.is_full and 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
                self._heard.add(str(message["runtimeId"]))
            self.beats.append(beat)
            self._arrived.notify_all()
        if answer.delay_s:
            self._released.wait(answer.delay_s)
        return answer

    def open_channel(self, path: str, authorization: str) -> FakeAnswer | FakeChannel:
        """Judge one request for a channel."""
        runtime_id = path.removeprefix(CHANNEL_PATH)
        if not self._has_channel or runtime_id == path:
            return FakeAnswer(404, {"code": "NOT_FOUND", "message": "There is nothing here."})
        try:
            verified(authorization, self.secret, self._claims_wanted)
        except ValueError as error:
            return FakeAnswer.refusal(401, "TOKEN_REFUSED", str(error), "check the secret")
        with self._arrived:
            if runtime_id not in self._heard:
                return FakeAnswer.refusal(404, "RUNTIME_UNKNOWN", "No full heartbeat yet", "send one")
            channel, earlier = FakeChannel(runtime_id, self._ping_s), self._channels.get(runtime_id)
            if earlier is not None:
                earlier.send("replaced", {})
                earlier.end()
            self._channels[runtime_id] = channel
            self._arrived.notify_all()
        return channel

    def lose_channel(self, channel: FakeChannel) -> None:
        """A channel has ended."""
        with self._arrived:
            if self._channels.get(channel.runtime_id) is channel:
                del self._channels[channel.runtime_id]
            self._arrived.notify_all()

    def receive_goodbye(self, path: str, authorization: str) -> FakeAnswer:
        """Judge one goodbye."""
        try:
            verified(authorization, self.secret, self._claims_wanted)
        except ValueError as error:
            return FakeAnswer.refusal(401, "TOKEN_REFUSED", str(error), "check the secret")
        with self._arrived:
            runtime_id = path.removeprefix(CHANNEL_PATH)
            self.goodbyes.append(runtime_id)
            channel = self._channels.get(runtime_id)
            if channel is not None:
                channel.end()
            self._arrived.notify_all()
        return FakeAnswer(200, {})

    def _take_telemetry(self, body: bytes, encoding: str) -> FakeAnswer:
        try:
            message = _fake_telemetry.unpacked(body, encoding)
        except ValueError as error:
            return FakeAnswer.refusal(400, "BAD_REQUEST", str(error), "send OTLP's JSON")
        at_s = time.monotonic()
        with self._arrived:
            answer = self._telemetry_next.pop(0) if self._telemetry_next else self._telemetry_always
            if answer is None:
                self.logs.extend(_fake_telemetry.logs(message, at_s))
                self.spans.extend(_fake_telemetry.spans(message, at_s))
                self.points.extend(_fake_telemetry.points(message, at_s))
                self._arrived.notify_all()
                return FakeAnswer(200, {})
        if answer.delay_s:
            self._released.wait(answer.delay_s)
        return answer

    def _wait_for(self, arrived: list[_T], wanted: Callable[[_T], object], timeout_s: float, what: str) -> _T:
        deadline_s = time.monotonic() + timeout_s
        seen = 0
        with self._arrived:
            while True:
                for one in arrived[seen:]:
                    if wanted(one):
                        return one
                seen = len(arrived)
                if not self._arrived.wait(max(0.0, deadline_s - time.monotonic())) and len(arrived) == seen:
                    raise AssertionError(f"no such {what} within {timeout_s} s; {seen} arrived: {arrived[-3:]}")

    def _usual(self, beat: ReceivedBeat) -> FakeAnswer:
        runtime_id, runtime_hash = str(beat.body["runtimeId"]), str(beat.body["runtimeHash"])
        if beat.is_full:
            self._known[runtime_id] = runtime_hash
        wants_full = self._known.get(runtime_id) != runtime_hash
        commands = [command for command in self._pending.values() if command["runtimeId"] == runtime_id]
        return FakeAnswer(200, {"acknowledged": True, "fullHeartbeatRequired": wants_full, "commands": commands})
