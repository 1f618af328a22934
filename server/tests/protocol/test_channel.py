"""The push channel over real sockets, plain and TLS: what a runtime and a person see of it."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from argon2 import PasswordHasher
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import SystemClock
from pilothouse.domain.events import Event, EventKind
from pilothouse.identity.passwords import Passwords
from pilothouse.protocol.exchange import ExchangeSettings, application
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings, TlsFiles

pytestmark = pytest.mark.anyio

ABLE = ["START", "STOP", "SET_LOGGER_LEVEL", "LIST_LOGGERS", "channel"]
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting } }"
STATUS = "{ runtimes { nodes { runtimeId status statusReason channel { connected since } } } }"
A_SECOND_S = 1.0
PATIENCE_S = 10.0
"""How long a test waits for what has no promised moment, on a machine that is busy."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@dataclass
class Ports:
    """An open runtimes' port, and who knows how to reach it."""

    carrier: Carrier
    tls: ssl.SSLContext | None
    happened: list[Event] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.carrier.ports["runtimes"]

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.happened if event.kind is kind]


@pytest.fixture
async def plane(settings) -> AsyncIterator[ControlPlane]:
    """A control plane by the machine's clock, with its periodic work under way."""
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    opened = await open_control_plane(settings, SystemClock(), passwords)
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[TlsFiles, ssl.SSLContext]:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    place: Path = tmp_path_factory.mktemp("channel-tls")
    files = TlsFiles(place / "certificate.pem", place / "key.pem")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files.certificate, append=True)
    issued.private_key_pem.write_to_path(files.key)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return files, client


@asynccontextmanager
async def open_ports(plane: ControlPlane, tls: tuple[TlsFiles, ssl.SSLContext] | None = None) -> AsyncIterator[Ports]:
    listener = Listener(
        name="runtimes",
        app=application(plane.runtime_handler, ExchangeSettings()),
        host="127.0.0.1",
        port=0,
        setting="test",
        tls=None if tls is None else tls[0],
    )
    carrier = Carrier([listener], CarrierSettings(grace_s=3.0))
    await carrier.start()
    ports = Ports(carrier, None if tls is None else tls[1])
    plane.bus.follow(ports.happened.append)
    try:
        yield ports
    finally:
        plane.let_go()
        await carrier.stop()
        while _lines:
            _lines.pop().die()
        await asyncio.sleep(0.01)


@pytest.fixture(params=["plain", "tls"])
async def ports(request, plane: ControlPlane, certificate) -> AsyncIterator[Ports]:
    async with open_ports(plane, certificate if request.param == "tls" else None) as opened:
        yield opened


@pytest.fixture
async def plain(plane: ControlPlane) -> AsyncIterator[Ports]:
    async with open_ports(plane) as opened:
        yield opened


@pytest.fixture
def python(runtime) -> Any:
    """A Python runtime that can hold a channel."""
    return replace(runtime, type="PY", runtime_id="py-1", name="py-1", extra={"capabilities": ABLE})


def token(secret: str, **claims: Any) -> str:
    key_id, _, material = secret.partition(".")

    def segment(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    told = {"iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "scope": "runtime_agent", "exp": time.time() + 600}
    head = segment(json.dumps({"alg": "HS256", "kid": key_id}).encode())
    signed = f"{head}.{segment(json.dumps({**told, **claims}).encode())}"
    return f"{signed}.{segment(hmac.digest(material.encode(), signed.encode(), hashlib.sha256))}"


_lines: list["Line"] = []
"""Those that hang up at the latest when the port is closed."""


class Line:
    """A runtime's end of a connection to the runtimes' port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        _lines.append(self)

    @classmethod
    async def ask(cls, ports: Ports, method: str, runtime_id: str, authorization: str | None) -> "Line":
        line = cls(*await asyncio.open_connection("127.0.0.1", ports.number, ssl=ports.tls))
        more = "" if authorization is None else f"Authorization: {authorization}\r\n"
        line.writer.write(f"{method} /icp/channel/{runtime_id} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            head = (await line.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        line.status = int(head[0].split()[1])
        line.headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in head[1:])}
        return line

    @classmethod
    async def open(cls, ports: Ports, runtime: Any) -> "Line":
        """Open a runtime's channel and hear its hello."""
        line = await cls.ask(ports, "GET", runtime.runtime_id, f"Bearer {token(runtime.secret)}")
        assert line.status == 200
        assert line.headers["content-type"] == "text/event-stream"
        assert await line.event() == ("hello", {"pingSeconds": 15})
        return line

    async def body(self) -> Any:
        return json.loads(await self.reader.readexactly(int(self.headers["content-length"])))

    async def event(self, within_s: float = PATIENCE_S) -> tuple[str, Any]:
        """The next event; a comment is a ping."""
        async with asyncio.timeout(within_s):
            raw = (await self.reader.readuntil(b"\n\n")).decode().strip("\n")
        if raw.startswith(":"):
            return "ping", None
        name, data = raw.split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def ended(self, within_s: float = PATIENCE_S) -> bool:
        """Whether nothing more comes, and the connection is over."""
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.read() == b""
        except ConnectionError:
            return True

    def die(self) -> None:
        """End as the connection of a killed process does."""
        self.writer.transport.abort()


@pytest.fixture
async def line(ports: Ports, python) -> AsyncIterator[Line]:
    """A channel of a runtime that has reported."""
    await python.full()
    opened = await Line.open(ports, python)
    yield opened
    opened.die()


async def wish(admin, value: str = "DISABLED") -> None:
    await admin.ask(
        CHANGE, input={**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": value}
    )


async def status_of(admin, runtime_id: str) -> dict[str, Any]:
    rows = (await admin.ask(STATUS))["runtimes"]["nodes"]
    return next(row for row in rows if row["runtimeId"] == runtime_id)


async def until(
    condition: Callable[[], Any],
    within_s: float = PATIENCE_S,
    tell: Callable[[], str] = lambda: "it did not come to pass",
) -> float:
    """Wait for something; tells how long it took, or what is the case instead."""
    began = time.monotonic()
    looks = 0
    while not condition():
        assert time.monotonic() - began < within_s, f"{tell()}, after {looks} looks"
        await asyncio.sleep(0.01)
        looks += 1
    return time.monotonic() - began


async def test_a_change_leaves_over_the_channel_at_once_signed_with_the_secret_that_opened_it(
    line: Line, python, admin
) -> None:
    began = time.monotonic()
    await wish(admin)
    name, command = await line.event()
    took_s = time.monotonic() - began
    assert (name, command["action"], command["runtimeId"]) == ("command", "STOP", "py-1")
    assert took_s < A_SECOND_S
    parts = ("v1", "py-1", command["commandId"], "STOP", "listener_1", "ballerina/http:2", command["payload"])
    text = "".join(f"{len(part.encode())}:{part}" for part in parts)
    material = python.secret.partition(".")[2].encode()
    assert command["signature"] == base64.b64encode(hmac.digest(material, text.encode(), hashlib.sha256)).decode()
    found = (await admin.ask("{ commands { nodes { state route } } }"))["commands"]["nodes"]
    assert found == [{"state": "DELIVERED", "route": "CHANNEL"}]


async def test_what_was_queued_before_leaves_as_soon_as_the_channel_is_open(ports: Ports, python, admin) -> None:
    await python.full()
    await wish(admin)
    line = await Line.open(ports, python)
    assert (await line.event())[0] == "command"


async def test_a_person_sees_that_the_channel_is_open_and_since_when(ports: Ports, line: Line, admin) -> None:
    shown = (await status_of(admin, "py-1"))["channel"]
    assert (shown["connected"], shown["since"] is not None) == (True, True)
    line.die()
    await until(lambda: ports.of(EventKind.RUNTIME_OFFLINE))
    assert (await status_of(admin, "py-1"))["channel"] == {"connected": False, "since": None}


async def test_a_second_process_with_the_same_id_replaces_the_first(ports: Ports, line: Line, python, admin) -> None:
    second = await Line.open(ports, python)
    assert await line.event() == ("replaced", {})
    assert await line.ended()
    await wish(admin)
    assert (await second.event())[0] == "command"
    await asyncio.sleep(1.0)
    assert (await status_of(admin, "py-1"))["status"] == "RUNNING"
    assert (await status_of(admin, "py-1"))["channel"]["connected"] is True


async def test_a_channel_before_the_first_report_is_answered_404_and_is_no_refusal(ports: Ports, python, admin) -> None:
    asked = await Line.ask(ports, "GET", "py-1", f"Bearer {token(python.secret)}")
    answer = await asked.body()
    assert (asked.status, answer["code"], answer["acknowledged"]) == (404, "RUNTIME_UNKNOWN", False)
    assert (await admin.ask("{ refusals { code } }"))["refusals"] == []
    await python.full()
    stranger = await Line.ask(ports, "GET", "py-2", f"Bearer {token(python.secret)}")
    assert stranger.status == 404
    await Line.open(ports, python)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_bad_token_opens_and_ends_nothing(ports: Ports, line: Line, python, admin, method: str) -> None:
    secret = python.secret
    for authorization, status in (
        (None, 401),
        ("Basic YTpi", 401),
        ("Bearer x.y.z", 401),
        (f"Bearer {token(secret, exp=time.time() - 100)}", 401),
        (f"Bearer {token(secret, scope='other')}", 401),
        (f"Bearer {token(secret[:-1] + '~')}", 401),
        (f"Bearer {token('00000000.' + secret.partition('.')[2])}", 400),
    ):
        asked = await Line.ask(ports, method, "py-1", authorization)
        assert asked.status == status
        assert (await asked.body())["error"] is True
    await wish(admin)
    assert (await line.event())[0] == "command"


async def test_other_methods_are_refused_with_what_the_address_takes(ports: Ports, python) -> None:
    asked = await Line.ask(ports, "PUT", "py-1", f"Bearer {token(python.secret)}")
    assert (asked.status, asked.headers["allow"]) == (405, "GET, DELETE")


async def test_a_goodbye_is_offline_at_once_with_its_reason(ports: Ports, line: Line, python, admin) -> None:
    goodbye = await Line.ask(ports, "DELETE", "py-1", f"Bearer {token(python.secret)}")
    assert goodbye.status == 200
    shown = await status_of(admin, "py-1")
    assert shown["status"] == "OFFLINE"
    assert shown["statusReason"].startswith("It said goodbye")
    assert await line.ended()
    await until(lambda: ports.of(EventKind.RUNTIME_OFFLINE), PATIENCE_S)
    assert ports.of(EventKind.RUNTIME_OFFLINE)[0].detail.startswith("It said goodbye")


async def test_a_killed_process_is_offline_within_a_second_with_its_reason_and_an_event(
    ports: Ports, line: Line, admin
) -> None:
    line.die()
    took_s = await until(lambda: ports.of(EventKind.RUNTIME_OFFLINE))
    assert took_s < A_SECOND_S + 0.5  # half a second for a machine that is busy
    shown = await status_of(admin, "py-1")
    assert shown["status"] == "OFFLINE"
    assert "channel" in shown["statusReason"]
    assert "did not come back" in ports.of(EventKind.RUNTIME_OFFLINE)[0].detail


@pytest.mark.parametrize("by", ["channel", "delta", "full"])
async def test_who_comes_back_at_once_was_never_gone(ports: Ports, line: Line, python, admin, by: str) -> None:
    line.die()
    await asyncio.sleep(0.1)
    if by == "channel":
        await Line.open(ports, python)
    else:
        await (python.delta() if by == "delta" else python.full())
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        assert (await status_of(admin, "py-1"))["status"] == "RUNNING"
        await asyncio.sleep(0.1)
    assert ports.of(EventKind.RUNTIME_OFFLINE) == []


async def test_a_process_that_comes_back_later_is_told_what_was_desired_meanwhile(
    ports: Ports, line: Line, python, admin
) -> None:
    line.die()
    await until(lambda: ports.of(EventKind.RUNTIME_OFFLINE))
    await wish(admin)
    await python.full()
    back = await Line.open(ports, python)
    name, command = await back.event(60)
    assert (name, command["action"]) == ("command", "STOP")
    assert (await status_of(admin, "py-1"))["status"] == "RUNNING"


async def test_a_stop_of_ours_ends_channels_promptly_and_calls_nobody_offline(
    plane: ControlPlane, ports: Ports, line: Line, python
) -> None:
    others = [replace(python, runtime_id=f"py-{number}", name=f"py-{number}") for number in range(2, 6)]
    lines = [line]
    for other in others:
        await other.full()
        lines.append(await Line.open(ports, other))
    began = time.monotonic()
    plane.let_go()
    await ports.carrier.stop()
    assert time.monotonic() - began < 2
    for each in lines:
        assert await each.ended()
    await asyncio.sleep(1.0)  # the grace of each would be over by now
    await plane.watch()
    assert ports.of(EventKind.RUNTIME_OFFLINE) == []


async def test_a_restart_of_ours_calls_nobody_offline(plane: ControlPlane, plain: Ports, python, settings) -> None:
    await python.full()
    line = await Line.open(plain, python)
    plane.let_go()
    await plain.carrier.stop()
    assert await line.ended()
    await plane.stop()
    again = await open_control_plane(settings, SystemClock())
    try:
        await again.start()
        entry = again.board.find_key(1)
        assert entry is not None
        assert again.board.judge(entry, time.time()).status.value == "UNKNOWN"
        await again.watch()
        assert entry.status.value == "RUNNING"
        async with open_ports(again) as ports:
            await Line.open(ports, python)
            assert ports.of(EventKind.RUNTIME_OFFLINE) == []
    finally:
        await again.stop()


async def test_when_many_channels_break_at_once_nobody_is_called_offline(
    plane: ControlPlane, plain: Ports, python, admin
) -> None:
    members = [replace(python, runtime_id=f"py-{number}", name=f"py-{number}") for number in range(20)]
    for member in members:
        await member.full()
    lines = [await Line.open(plain, member) for member in members]
    for line in lines[:12]:
        line.die()
    await until(lambda: plane.board.hold is not None)
    await asyncio.sleep(1.5)
    shown = {row["status"] for row in (await admin.ask(STATUS))["runtimes"]["nodes"]}
    assert shown == {"RUNNING", "UNKNOWN"}
    assert plain.of(EventKind.RUNTIME_OFFLINE) == []
    for member in members[:11]:
        status, answer = await member.delta()  # all but one come back
        assert (status, answer["acknowledged"]) == (200, True), answer

    def found() -> str:
        silent, age_s = plane.board.rota.silent, plane.clock.now() - plane._watched_at
        departed = [key for key in plane.board.list_keys() if plane.board.find_key(key).departure is not None]
        return f"silent {silent}, departed {departed}, watched {age_s:.1f} s ago, {plane.board.hold}"

    await until(lambda: plane.board.hold is None, tell=found)
    await until(lambda: plain.of(EventKind.RUNTIME_OFFLINE))
    assert [event.runtime_key for event in plain.of(EventKind.RUNTIME_OFFLINE)] == [12]


async def test_when_few_of_many_channels_break_those_are_offline(plain: Ports, python, admin) -> None:
    members = [replace(python, runtime_id=f"py-{number}", name=f"py-{number}") for number in range(20)]
    for member in members:
        await member.full()
    lines = [await Line.open(plain, member) for member in members]
    for line in lines[:3]:
        line.die()
    await until(lambda: len(plain.of(EventKind.RUNTIME_OFFLINE)) == 3)
    shown = [row["status"] for row in (await admin.ask(STATUS))["runtimes"]["nodes"]]
    assert sorted(shown) == ["OFFLINE"] * 3 + ["RUNNING"] * 17


async def test_who_reads_nothing_is_cut_and_is_judged_by_its_heartbeats(
    plane: ControlPlane, plain: Ports, python, admin
) -> None:
    await python.full()
    line = await Line.open(plain, python)
    line.writer.transport.pause_reading()
    large = {"payload": "x" * 512 * 1024}
    sent = 0
    while plane.desk.send_command(1, large):
        sent += 1
        assert sent < 200, "100 MiB wait for somebody who reads nothing"
        await asyncio.sleep(0)
    assert 1 not in plane.desk
    await until(lambda: plain.carrier.connections()["runtimes"] == 0)
    await asyncio.sleep(1.0)
    shown = await status_of(admin, "py-1")
    assert (shown["status"], shown["channel"]["connected"]) == ("RUNNING", False)


async def test_who_reads_nothing_holds_up_no_end_of_ours(plane: ControlPlane, plain: Ports, python) -> None:
    await python.full()
    line = await Line.open(plain, python)
    line.writer.transport.pause_reading()
    connection = plane.desk._channels[1].wire._transport
    while connection.get_write_buffer_size() < 100_000:
        plane.desk.send_command(1, {"payload": "x" * 100_000})
        await asyncio.sleep(0)
    plane.desk.close(1)
    assert plain.carrier.connections()["runtimes"] == 1  # what was sent may still be read
    await until(lambda: plain.carrier.connections()["runtimes"] == 0)


async def test_a_revoked_secret_ends_its_channels_and_its_runtimes_fall_silent(
    ports: Ports, line: Line, python, admin
) -> None:
    revoke = "mutation ($id: String!) { revokeSecret(keyId: $id) { keyId } }"
    await admin.ask(revoke, id=python.secret[:8])
    assert await line.ended()
    asked = await Line.ask(ports, "GET", "py-1", f"Bearer {token(python.secret)}")
    assert (asked.status, (await asked.body())["code"]) in {(400, "KEY_REVOKED"), (503, "KEY_REVOKING")}
    await asyncio.sleep(1.0)
    # Case 60: offline after the timeout. Its process may well be alive: we hung up, not it.
    assert (await status_of(admin, "py-1"))["status"] == "RUNNING"
    assert ports.of(EventKind.RUNTIME_OFFLINE) == []


async def test_the_channel_of_another_secret_stays(ports: Ports, line: Line, admin, python) -> None:
    other = await admin.secret()
    revoke = "mutation ($id: String!) { revokeSecret(keyId: $id) { keyId } }"
    await admin.ask(revoke, id=other[:8])
    await wish(admin)
    assert (await line.event())[0] == "command"


async def test_a_runtime_that_is_removed_loses_its_channel_and_comes_back(
    plane: ControlPlane, ports: Ports, line: Line, python, admin
) -> None:
    (row,) = (await admin.ask("{ runtimes { nodes { id } } }"))["runtimes"]["nodes"]
    await admin.ask("mutation ($id: ID!) { deleteRuntime(id: $id) { deleted } }", id=row["id"])
    assert await line.ended()
    asked = await Line.ask(ports, "GET", "py-1", f"Bearer {token(python.secret)}")
    assert asked.status == 404
    await python.full()
    await Line.open(ports, python)
    assert len(plane.desk) == 1


async def test_what_a_runtime_says_over_its_channel_is_ignored(line: Line, admin) -> None:
    line.writer.write(b"GET / HTTP/1.1\r\n\r\n" * 10 + b"\x00" * 5_000)
    await wish(admin)
    assert (await line.event())[0] == "command"


async def test_half_a_goodbye_of_the_socket_is_an_end(ports: Ports, line: Line) -> None:
    (line.writer.write_eof if ports.tls is None else line.writer.close)()
    await until(lambda: ports.of(EventKind.RUNTIME_OFFLINE))
