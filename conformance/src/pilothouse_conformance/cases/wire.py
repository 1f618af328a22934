"""The wire itself: cases 63 to 66."""

import contextlib
import socket
import time

from pilothouse_conformance import hooks, queries, signing
from pilothouse_conformance.beats import Beat, check_command
from pilothouse_conformance.cases.steering import LOGGER, NAME, only, stopping
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.fake_mi import Call, ManagementApi
from pilothouse_conformance.runtime import BI, MI, Dialect, Runtime
from pilothouse_conformance.signing import AUDIENCE, ISSUER, LIFETIME_S, SCOPE
from pilothouse_conformance.verdict import Failed, Skipped, demand
from pilothouse_conformance.wire import SEGMENT_PAUSE_S, Framing, Line, Request, connect, read_answer
from pilothouse_conformance.world import Stage

H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
UNAVAILABLE, TOO_LARGE = 503, 413
CLOCKS_APART_S = 60.0
DIRECT_CALL_S = 60.0
"""How long a server may take until it calls a Micro Integrator that does not execute what comes through the tunnel."""
_VECTOR = ("v1", "runtime-1", "cmd-1", "STOP", "greetingService", "hello/icp", "")
_VECTOR_KEY = "key-material-that-is-at-least-32-bytes-long"
_VECTOR_SIGNATURE = "W3lXJP/dtlfHIFCgTbMeQlTBF2tOpKIUmLUlKBWq210="
_PIECE = b" " * 65_536


@case(63)
def upgrade_offered(stage: Stage) -> None:
    """Cleartext listener, POST with `Upgrade: h2c`, body split from head: body processed, ok."""
    if stage.options.cleartext is None:
        raise Skipped("needs --cleartext, the URL of a listener for runtimes without TLS")
    runtime = stage.runtime(BI)
    runtime.line = Line(stage.options.cleartext, stage.world.trust, stage.trail.append)
    told = runtime.full_body()
    for framing in (Framing.SPLIT, Framing.LENGTH, Framing.CHUNKED):
        beat = runtime.post("/icp/heartbeat", told, framing=framing, headers=H2C, pause_s=SEGMENT_PAUSE_S)
        beat.ok()
    runtime.post("/icp/deltaHeartbeat", runtime.delta_body(), headers=H2C, pause_s=SEGMENT_PAUSE_S).ok(wants_full=False)
    demand(stage.row(runtime)["status"] == "RUNNING", "the runtime is not RUNNING")


@case(64, alone=True)
def our_own_trouble(stage: Stage) -> None:
    """Body over limit; handler exception; overload: 413; 503; 503 (never 400/401/409)."""
    runtime = stage.running()
    _too_large(stage, runtime)
    fault, heal, room = stage.options.fault, stage.options.heal, stage.options.bodies_limit_bytes
    if fault is None or heal is None:
        raise Skipped("413 is right; 503 in trouble needs --fault and --heal, commands that break and mend the server")
    with hooks.broken(fault, heal):
        runtime.name = "another name, which must be stored"
        runtime.line.timeout_s = 70.0
        runtime.full().refused(UNAVAILABLE)
    if room is None:
        raise Skipped(
            "413 and 503 in trouble are right; overload needs --bodies-limit, what the server takes of half-sent bodies"
        )
    _overload(stage, runtime, room)
    stage.until(lambda: runtime.delta().status == 200, 30, "it does not take heartbeats after the overload")  # noqa: PLR2004 - the status


def _too_large(stage: Stage, runtime: Runtime) -> None:
    """Announce a body over the limit, and send one in chunks without announcing it."""
    limit = stage.options.body_limit_bytes
    for framing in ("Content-Length", "chunked"):
        told = {**_head(runtime), **({"Transfer-Encoding": "chunked"} if framing == "chunked" else {})}
        if framing != "chunked":
            told["Content-Length"] = str(limit + 1)
        connection = connect(stage.world.runtimes_at, stage.world.trust, 20.0)
        with contextlib.closing(connection):
            connection.sendall(Request(method="POST", path="/icp/heartbeat", headers=told).segments("server")[0])
            if framing == "chunked":
                with contextlib.suppress(OSError):  # the server may hang up as soon as it has seen enough
                    for _ in range(limit // len(_PIECE) + 2):
                        connection.sendall(b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))
            beat = Beat(f"a body over the limit ({framing})", read_answer(connection)[0])
            beat.refused(TOO_LARGE)


def _overload(stage: Stage, runtime: Runtime, room: int) -> None:
    """Leave so many bodies half-sent that there is no room for more; the next one must be told so."""
    body_bytes = stage.options.body_limit_bytes - 65_536
    half_sent: list[socket.socket] = []
    try:
        for _ in range(room // body_bytes + 2):
            connection = connect(stage.world.runtimes_at, stage.world.trust, 20.0)
            half_sent.append(connection)
            told = {**_head(runtime), "Content-Length": str(body_bytes + 1)}
            connection.sendall(Request(method="POST", path="/icp/heartbeat", headers=told).segments("server")[0])
            with contextlib.suppress(OSError):  # refused in the middle of it
                for _ in range(body_bytes // len(_PIECE)):
                    connection.sendall(_PIECE)
        connection = half_sent[-1]
        connection.settimeout(3.0)
        try:
            answer, _ = read_answer(connection)
        except TimeoutError:
            raise Failed(f"{len(half_sent)} half-sent bodies of {body_bytes} bytes are no overload to it") from None
        Beat("a body for which there is no room", answer).refused(UNAVAILABLE)
        demand(bool(answer.headers.get("retry-after")), "the refusal has no Retry-After")
    finally:
        for connection in half_sent:
            connection.close()


def _head(runtime: Runtime) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {signing.mint(runtime.secret)}"}


@case(65)
def signature(stage: Stage) -> None:
    """Signature vector of section 6.2: byte-equal."""
    demand(signing.sign(_VECTOR_KEY, *_VECTOR) == _VECTOR_SIGNATURE, "this suite's own signer is wrong")
    runtime = stage.running(log_levels={LOGGER: "INFO"})
    _, beat = stopping(stage, runtime)
    check_command(only(beat, "STOP", NAME), runtime.secret, runtime.runtime_id)
    runtime.switch(NAME, "disabled")
    runtime.full().ok()
    queries.level(stage, runtime, LOGGER, "ERROR")
    commands = runtime.delta().ok().of("SET_LOGGER_LEVEL")
    demand(len(commands) == 1, f"{len(commands)} SET_LOGGER_LEVEL came")
    check_command(commands[0], runtime.secret, runtime.runtime_id)


@case(66, slow=True)
def direct_call(stage: Stage) -> None:
    """Outgoing MI token: HS256, kid, iss, aud, sub `icp-artifact-fetcher`, scope `runtime_agent`, exp ≤1 h; POST endpoints inactive."""
    host = stage.options.mi_host
    if host is None:
        raise Skipped(
            "needs --mi-host, this machine's address as the server reaches it: the suite plays MI's management API there"
        )
    api = ManagementApi(host, stage.options.mi_certificate)
    stage.at_end(api.close)
    runtime = _callable(stage, MI, host, api.port)
    change = queries.switch(stage, runtime, "StockEP", "DISABLED", kind="ENDPOINT")
    demand(len(change["commands"]) == 1, f"{len(change['commands'])} commands were queued")
    key = change["commands"][0]["id"]
    until_s = time.monotonic() + DIRECT_CALL_S
    while not (calls := api.find("POST", "/management/endpoints")):
        row = queries.command(stage, key)
        if time.monotonic() > until_s or row["state"] == "FAILED":
            raise Failed(f"the management API was not called; the command is {row['state']}: {row['reason']}")
        runtime.beat().ok()
        time.sleep(0.5)
    _check_call(calls[0], runtime)
    for endpoint in runtime.artifacts["endpoints"]:
        endpoint["state"] = "disabled"
    runtime.full().ok()
    stage.until(lambda: queries.command(stage, key)["state"] == "CONFIRMED", 5, "the command is not CONFIRMED")


def _callable(stage: Stage, dialect: Dialect, host: str, port: int) -> Runtime:
    runtime = stage.runtime(dialect)
    runtime.extra = {"runtimeHostname": host, "runtimePort": str(port)}
    runtime.full().ok()
    return runtime


def _check_call(call: Call, runtime: Runtime) -> None:
    told = {"name": "StockEP", "status": "inactive"}
    demand(call.body == told, f"the body of the call is {call.body}, not {told}")
    scheme, _, text = call.authorization.partition(" ")
    demand(scheme == "Bearer", f"the call's authorization is {scheme or 'missing'}")
    token = signing.read(text, runtime.secret)
    demand(token.header.get("alg") == "HS256", f"the token's algorithm is {token.header.get('alg')}")
    demand(token.header.get("kid") == runtime.key_id, f"the token's kid is {token.header.get('kid')}")
    demand(token.is_signed, "the token's signature is not the one of the runtime's secret")
    expected = {"iss": ISSUER, "aud": AUDIENCE, "sub": "icp-artifact-fetcher", "scope": SCOPE}
    claims = {name: token.claims.get(name) for name in expected}
    demand(claims == expected, f"the token's claims are {claims}, not {expected}")
    left_s = token.claims.get("exp", 0) - time.time()
    demand(0 < left_s <= LIFETIME_S + CLOCKS_APART_S, f"the token ends in {left_s:.0f} s")
