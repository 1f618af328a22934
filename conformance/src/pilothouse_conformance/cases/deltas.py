"""Deltas and liveness: cases 24 to 31."""

import time

from pilothouse_conformance import hooks
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.people import Console
from pilothouse_conformance.verdict import Skipped, demand
from pilothouse_conformance.wire import NoAnswer
from pilothouse_conformance.world import EPSILON_S, Stage

CLOCK_TICK_S = 0.05
"""Instants of the API have milliseconds: so much later is another instant."""
_STARTED = "{ controlPlane { startedAt } }"
_RESTART_S = 60.0


@case(24)
def delta_of_unbound_secret(stage: Stage) -> None:
    """DH, K=U: 200 acknowledged:true, fullHeartbeatRequired:true."""
    stage.runtime().delta().ok(wants_full=True)


@case(25)
def delta_of_unknown_runtime(stage: Stage) -> None:
    """DH, R unknown, K=Bo: ok + fullHeartbeatRequired:true; no row created."""
    known = stage.running()
    stage.runtime(like=known).delta().ok(wants_full=True)
    demand(len(stage.rows(known)) == 1, "a runtime was registered by a delta")


@case(26)
def known_hash(stage: Stage) -> None:
    """FH hash h → DH hash h: ok, full:false, last_seen advanced."""
    runtime = stage.running()
    before = stage.row(runtime)["lastHeartbeatAt"]
    time.sleep(CLOCK_TICK_S)
    runtime.delta().ok(wants_full=False)
    demand(stage.row(runtime)["lastHeartbeatAt"] > before, "the last heartbeat's instant did not move")


@case(27)
def another_hash(stage: Stage) -> None:
    """DH hash h2≠h: ok, full:true; RUNNING, last_seen advanced; artifacts untouched."""
    runtime = stage.running()
    fields = "listeners { nodes { name state port } } services { nodes { name } }"
    before = stage.row(runtime, fields)
    time.sleep(CLOCK_TICK_S)
    runtime.hash = "h2"
    runtime.delta().ok(wants_full=True)
    after = stage.row(runtime, fields)
    demand(after["status"] == "RUNNING", f"the runtime is {after['status']}")
    demand(after["lastHeartbeatAt"] > before["lastHeartbeatAt"], "the last heartbeat's instant did not move")
    for kind in ("listeners", "services"):
        demand(after[kind] == before[kind], f"the {kind} changed to {after[kind]}")
    runtime.delta().ok(wants_full=True)


@case(28, alone=True)
def restart_in_between(stage: Stage) -> None:
    """26 with a server restart in between: same as 26."""
    if stage.options.restart is None:
        raise Skipped("needs --restart, a command that restarts the server")
    runtime = stage.running()
    before = stage.row(runtime)["lastHeartbeatAt"]
    started = stage.console.ask(_STARTED)
    runtime.line.close()  # an idle connection would make the server wait for its end
    stage.console.close()
    hooks.run(stage.options.restart, "restart")
    stage.until(lambda: _has_restarted(stage.console, started), _RESTART_S, "the server did not come back", every_s=0.5)
    runtime.delta().ok(wants_full=False)
    row = stage.row(runtime)
    demand(row["status"] == "RUNNING", f"the runtime is {row['status']}")
    demand(row["lastHeartbeatAt"] > before, "the last heartbeat's instant did not move")


def _has_restarted(console: Console, started: object) -> bool:
    try:
        now, refusal = console.try_asking(_STARTED)
    except NoAnswer:
        return False
    return refusal is None and now != started


@case(29, slow=True)
def back_by_delta(stage: Stage) -> None:
    """R OFFLINE → DH equal hash: RUNNING, one status event."""
    runtime = stage.steady()
    stage.fall_silent(runtime)
    with stage.feed() as feed:
        feed.wait(lambda: bool(feed.of(runtime.runtime_id, "OFFLINE")), 2)  # the verdict's own event may still be due
        runtime.delta().ok(wants_full=False)
        demand(stage.row(runtime)["status"] == "RUNNING", "the runtime is not RUNNING at once")
        feed.wait(lambda: bool(feed.of(runtime.runtime_id, "RUNNING")), 5)
        runtime.delta().ok(wants_full=False)
        time.sleep(0.5)
        events = feed.of(runtime.runtime_id, "RUNNING")
        demand(len(events) == 1, f"{len(events)} events said that it is back")


@case(30, slow=True)
def silence(stage: Stage) -> None:
    """No beat for timeout+ε: reported OFFLINE without waiting for a scan."""
    runtime = stage.steady()
    allowed_s = stage.row(runtime)["offlineAfterSeconds"]
    time.sleep(max(0.0, allowed_s - runtime.silence_s()[1] - 2 * EPSILON_S))
    early = stage.row(runtime)
    _, silence_s = runtime.silence_s()
    if silence_s < allowed_s:  # else the answer took too long to tell
        demand(early["status"] == "RUNNING", f"after {silence_s:.1f} s of {allowed_s:.1f} s it is {early['status']}")
    stage.fall_silent(runtime)


@case(31, slow=True)
def slow_beats(stage: Stage) -> None:
    """Interval 60 s runtime: never OFFLINE between beats."""
    interval_s = stage.options.offline_after_s * 4 / 3
    runtime = stage.running()
    for _ in range(2):
        until_s = time.monotonic() + interval_s
        while time.monotonic() < until_s:
            row = stage.row(runtime)
            silence_s, _ = runtime.silence_s()
            told = f"{silence_s:.1f} s after its beat (interval {interval_s:.1f} s) it is {row['status']}"
            demand(row["status"] == "RUNNING", told)
            time.sleep(min(0.5, interval_s / 10))
        runtime.delta().ok()
