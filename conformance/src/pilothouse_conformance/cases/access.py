"""Who may speak: cases 1 to 9."""

import time

from pilothouse_conformance import hooks
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.verdict import Skipped, demand
from pilothouse_conformance.world import Stage

UNAVAILABLE = 503


@case(1)
def no_authorization(stage: Stage) -> None:
    """No Authorization → FH: 401, {acknowledged:false,error:true,message}."""
    runtime = stage.runtime()
    runtime.post("/icp/heartbeat", runtime.full_body(), authorization=None).refused(401)


@case(2)
def another_scheme(stage: Stage) -> None:
    """`Authorization: Basic …` → DH: 401."""
    runtime = stage.runtime()
    runtime.post("/icp/deltaHeartbeat", runtime.delta_body(), authorization="Basic dXNlcjpwYXNz").refused(401)


@case(3)
def no_key_id(stage: Stage) -> None:
    """Token without kid → FH: 401."""
    stage.runtime().full(header={"kid": None}).refused(401)


@case(4)
def unknown_key_id(stage: Stage) -> None:
    """Kid unknown, DB healthy → FH: 400, message names the kid."""
    stage.runtime().full(header={"kid": "0badcafe"}).refused(400, "0badcafe")


@case(5, alone=True)
def lookup_fails(stage: Stage) -> None:
    """Kid known, DB lookup fails → FH: 503, never 400."""
    fault, heal = stage.options.fault, stage.options.heal
    if fault is None or heal is None:
        raise Skipped("needs --fault and --heal, commands that break and mend the server's database")
    known, fresh = stage.running(), stage.runtime(what="fresh")
    fresh.line.timeout_s = 70.0  # a database that hangs is noticed by a time limit of the server's
    with hooks.broken(fault, heal):
        fresh.full().refused(UNAVAILABLE)
        fresh.delta().refused(UNAVAILABLE)
        status = known.delta().status
        demand(status in (200, UNAVAILABLE), f"the delta of a known runtime was answered {status} meanwhile")
    time.sleep(0.2)
    stage.until(lambda: fresh.full().status == 200, 30, "it does not take heartbeats after the database was mended")  # noqa: PLR2004 - the status


@case(6)
def wrong_signature(stage: Stage) -> None:
    """Wrong signature / `alg:none` / HS512: 401."""
    runtime = stage.runtime()
    runtime.full().ok()
    runtime.full(header={"alg": "none"}).refused(401)
    runtime.full(header={"alg": "HS512"}).refused(401)
    runtime.secret = f"{runtime.key_id}.{'x' * 44}"
    runtime.full().refused(401)


@case(7)
def issuer_and_audience(stage: Stage) -> None:
    """Iss wrong; aud `["x","icp-server"]`: 401; ok."""
    runtime = stage.runtime()
    runtime.full(iss="somebody-else").refused(401)
    runtime.full(aud=["x", "icp-server"]).ok()
    runtime.full(aud=["x"]).refused(401)


@case(8)
def clock_skew(stage: Stage) -> None:
    """Exp 30 s ago, skew 60; exp 61+ s ago: ok; 401."""
    runtime = stage.runtime()
    now = int(time.time())
    runtime.full(exp=now - 30).ok()
    runtime.full(exp=now - 70).refused(401)
    runtime.full(exp=None).refused(401)


@case(9)
def exact_scope(stage: Stage) -> None:
    """Scope `runtime_agent admin`: 401."""
    stage.runtime().full(scope="runtime_agent admin").refused(401)
