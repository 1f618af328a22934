"""Steering: cases 44 to 50."""

import json
import time
from itertools import pairwise

from pilothouse_conformance import queries
from pilothouse_conformance.beats import Beat, check_command
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.runtime import Runtime, listener
from pilothouse_conformance.verdict import demand
from pilothouse_conformance.wire import Json
from pilothouse_conformance.world import INTERVAL_S, Stage, span_s

NAME = "listener_1"
LOGGER = "acme/order_intake:auditLogger"
ATTEMPTS = 6
SAME_MOMENT_S = 1.0
"""Beats that are closer are follow-ups of one: a server may keep what it said in the one out of the other's answer."""


def stopping(stage: Stage, runtime: Runtime) -> tuple[str, Beat]:
    """Desire that the runtime's listener be disabled, and take its answer to the next delta; gives the command's id too."""
    change = queries.switch(stage, runtime, NAME, "DISABLED")
    queued = change["commands"]
    demand(len(queued) == 1, f"{len(queued)} commands were queued for one runtime")
    return queued[0]["id"], runtime.delta().ok()


def only(beat: Beat, action: str, name: str) -> Json:
    """Demand that exactly one command came, with this action for this artifact; gives it.

    Raises: Failed
    """
    told = [(command.get("action"), command.get("targetArtifact", {}).get("name")) for command in beat.commands]
    demand(told == [(action, name)], f"{beat.what} was answered with {told or 'no command'} instead of {action} {name}")
    return beat.commands[0]


@case(44)
def stop_by_delta(stage: Stage) -> None:
    """BI listener enabled; desired disabled → DH equal hash: commands=[STOP name `listener_1`], full:true, valid signature."""
    runtime = stage.running()
    _, beat = stopping(stage, runtime)
    command = only(beat, "STOP", NAME)
    check_command(command, runtime.secret, runtime.runtime_id)
    demand(command["targetArtifact"].get("package") == "ballerina/http:2", "the target's package is another one")
    demand(command.get("payload") is None, "STOP for a Ballerina runtime has a payload")
    demand(beat.wants_full, "no full heartbeat was demanded with it")


@case(45)
def confirmed(stage: Stage) -> None:
    """44, then FH with state disabled: command CONFIRMED; no commands; inSync."""
    runtime = stage.running()
    key, beat = stopping(stage, runtime)
    only(beat, "STOP", NAME)
    runtime.switch(NAME, "disabled")
    runtime.full().ok(wants_full=False).silent()
    state = queries.command(stage, key)["state"]
    demand(state == "CONFIRMED", f"the command is {state}")
    demand(queries.aspect(stage, runtime, NAME)["inSync"] is True, "the listener is not in sync")
    runtime.delta().ok(wants_full=False).silent()


@case(46, slow=True)
def given_up(stage: Stage) -> None:
    """44, then FH still enabled (twice): STOP resent with growing wait; after 6 FAILED."""
    runtime = stage.running()
    key, beat = stopping(stage, runtime)
    sent, sent_at, waits_s = 0, time.monotonic(), list[float]()
    while True:
        if beat.of("STOP"):
            sent, sent_at = sent + 1, time.monotonic()
            demand(sent <= ATTEMPTS, f"it was sent {sent} times")
        row = queries.command(stage, key)
        if row["state"] == "FAILED":
            break
        demand(row["state"] in ("QUEUED", "DELIVERED"), f"the command is {row['state']} after {sent} attempts")
        if beat.of("STOP"):
            beat = runtime.full().ok()  # still enabled: what was sent had no effect
            continue
        wait_s = span_s(row["deliveredAt"], row["nextAttemptAt"]) if row["nextAttemptAt"] else 0.0
        if wait_s >= SAME_MOMENT_S:  # less only tells two answers at one moment apart: nobody beats faster
            waits_s.append(wait_s)
            _demand_growing(waits_s, sent)
        stage.affordable(
            sum(waits_s), f"seeing {ATTEMPTS} attempts (after {sent} of them the next wait is {wait_s:.0f} s)"
        )
        _beat_until(runtime, sent_at + wait_s)
        beat = runtime.full().ok()
        demand(bool(beat.of("STOP")) or _ended(stage, key), f"STOP was not sent again after the wait of {wait_s:.0f} s")
    demand(sent == ATTEMPTS, f"it was called FAILED after {sent} attempts, not {ATTEMPTS}")
    demand(bool(waits_s), "no wait was kept between the attempts")
    demand(bool(queries.command(stage, key)["reason"]), "nothing says why it failed")
    runtime.full().ok().silent()
    runtime.delta().ok().silent()


def _beat_until(runtime: Runtime, until_s: float) -> None:
    """Go on beating until a wait is over; nothing may be sent before."""
    while (left_s := until_s - time.monotonic()) > 0:
        if left_s > INTERVAL_S:
            runtime.delta().ok().silent()
        time.sleep(min(INTERVAL_S, left_s + 0.3))


def _demand_growing(waits_s: list[float], sent: int) -> None:
    for before, after in pairwise(waits_s):
        demand(after > before, f"the wait after {sent} attempts is {after:.1f} s, after {before:.1f} s before")


def _ended(stage: Stage, key: str) -> bool:
    return queries.command(stage, key)["state"] == "FAILED"


@case(47)
def answer_lost(stage: Stage) -> None:
    """44 but response lost (client repeats DH): STOP offered again after ≤1 interval."""
    runtime = stage.steady()
    _, beat = stopping(stage, runtime)
    only(beat, "STOP", NAME)
    time.sleep(INTERVAL_S)
    again = runtime.delta().ok()
    command = only(again, "STOP", NAME)
    check_command(command, runtime.secret, runtime.runtime_id)
    demand(again.wants_full, "no full heartbeat was demanded with it")


@case(48)
def absent_listener(stage: Stage) -> None:
    """Desired for listener not on this runtime: no command."""
    host = stage.running()
    other = stage.running(like=host, artifacts={"listeners": [listener("listener_2", 9091)]})
    queries.switch(stage, host, NAME, "DISABLED")
    other.delta().ok(wants_full=False).silent()
    other.full().ok(wants_full=False).silent()
    only(host.delta().ok(), "STOP", NAME)


@case(49)
def log_level(stage: Stage) -> None:
    """Log level DEBUG desired, observed INFO: SET_LOGGER_LEVEL, payload exactly componentName, componentPackage, logLevel."""
    runtime = stage.running(log_levels={LOGGER: "INFO", "acme/order_intake": "INFO"})
    _, refused = queries.level(stage, runtime, LOGGER, "DEBUG")
    demand(refused is None, f"the level was refused: {refused}")
    command = only(runtime.delta().ok(), "SET_LOGGER_LEVEL", "auditLogger")
    check_command(command, runtime.secret, runtime.runtime_id)
    expected = {"componentName": "auditLogger", "componentPackage": "acme/order_intake", "logLevel": "DEBUG"}
    payload = json.loads(command["payload"])
    demand(payload == expected, f"the payload is {payload}, not {expected}")


@case(50)
def unknown_level(stage: Stage) -> None:
    """Level TRACE requested for BI: refused at the API."""
    runtime = stage.running(log_levels={LOGGER: "INFO"})
    change, refused = queries.level(stage, runtime, LOGGER, "TRACE")
    demand(bool(refused) and not change, f"TRACE was taken: {change}")
    _, fit = queries.level(stage, runtime, LOGGER, "WARN")
    demand(fit is None, f"WARN was refused too: {fit}")
    levels = [json.loads(command["payload"])["logLevel"] for command in runtime.delta().ok().of("SET_LOGGER_LEVEL")]
    demand(levels == ["WARN"], f"the levels that were sent are {levels}")
