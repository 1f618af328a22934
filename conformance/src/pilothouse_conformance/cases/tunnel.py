"""Work queued for runtimes, and its results: cases 51 to 57."""

import json
import time

from pilothouse_conformance import queries
from pilothouse_conformance.beats import Beat, check_command
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.runtime import BI, BI_PLUS, MI_PLUS, RESULT, Runtime
from pilothouse_conformance.verdict import Failed, demand
from pilothouse_conformance.wire import Json, members
from pilothouse_conformance.world import Stage, span_s

LOGGERS = {"count": 1, "list": [{"loggerName": "rootLogger", "componentName": "root", "level": "INFO"}]}
READ, WRITE = "instances.list", "instances.terminate"
CADENCES_S = ((5.0, 1), (10.0, 2), (20.0, 5), (30.0, 10))
"""Until so long after a question, the runtime is told to come back after so many seconds."""
ROUNDING_S = 2.0
HANDED_OVER_S = 1.5
"""Work that was queued may be handed over so much later."""
TUNNEL_S = 20.0
"""How long a server may take to find out that a runtime executes what comes through the tunnel."""


def answer_all(runtime: Runtime, beat: Beat) -> list[Json]:
    """Do as M+: post a result for everything that came through the tunnel."""
    commands = beat.of("MI_MGMT")
    for command in commands:
        runtime.result(command["commandId"], LOGGERS).accepted()
    return commands


def through_tunnel(stage: Stage) -> tuple[Runtime, str]:
    """Bring an MI into being of which the server knows that it executes what comes through the tunnel; gives its id too."""
    runtime = stage.runtime(MI_PLUS)
    proved = answer_all(runtime, runtime.full().ok()) or answer_all(runtime, runtime.beat().ok())
    key = stage.row(runtime)["id"]
    if not proved:
        queries.ask(stage, key)
        stage.until(
            lambda: answer_all(runtime, runtime.beat().ok()),
            TUNNEL_S,
            "no MI_MGMT came to a Micro Integrator that cannot be called directly",
            every_s=0.5,
        )
    for _ in range(3):  # what was still queued
        answer_all(runtime, runtime.beat().ok())
    return runtime, key


def workflow_pair(stage: Stage, operation: str = READ) -> tuple[Runtime, Json, Json]:
    """Have a workflow operation delivered; gives the runtime, the operation as people see it, and the command."""
    runtime = stage.running(BI_PLUS)
    queued = queries.workflow(stage, runtime, operation)
    commands = runtime.delta().ok().of("WORKFLOW_MGMT")
    if len(commands) != 1:
        raise Failed(f"{len(commands)} WORKFLOW_MGMT came instead of one")
    return runtime, queued, commands[0]


@case(51)
def without_capability(stage: Stage) -> None:
    """Runtime without capability `workflowCommands`, queued workflow work: response has no WORKFLOW_MGMT."""
    able = stage.running(BI_PLUS)
    unable = stage.runtime(BI, secret=able.secret)
    unable.full().ok()
    queries.workflow(stage, able, READ)
    unable.delta().ok().silent()
    unable.full().ok().silent()
    demand(len(able.delta().ok().of("WORKFLOW_MGMT")) == 1, "it did not come to the runtime with the capability either")


@case(52)
def full_demanded(stage: Stage) -> None:
    """MI DH → full:true response with MI work queued: no commands in it; they are in the following FH response."""
    runtime, key = through_tunnel(stage)
    queries.ask(stage, key, "LOG_FILES")
    time.sleep(HANDED_OVER_S)
    runtime.hash = "another"
    runtime.delta().ok(wants_full=True).silent()
    commands = runtime.full().ok().of("MI_MGMT")
    demand(len(commands) == 1, f"{len(commands)} MI_MGMT came with the answer to the full heartbeat")
    runtime.result(commands[0]["commandId"], LOGGERS).accepted()


@case(53)
def tunnel_payload(stage: Stage) -> None:
    """MI_MGMT payload: members exactly commandId, operation, params, identity, deadline; no caller IP."""
    runtime, key = through_tunnel(stage)
    queued = queries.ask(stage, key, "LOG_FILES")
    command = stage.until(lambda: runtime.beat().ok().of("MI_MGMT"), 5, "no MI_MGMT came")[0]
    check_command(command, runtime.secret, runtime.runtime_id)
    demand(command["targetArtifact"]["name"] == "management", f"its target is {command['targetArtifact']}")
    record = json.loads(command["payload"])
    members = {"commandId", "operation", "params", "identity", "deadline"}
    demand(set(record) == members, f"the payload's members are {sorted(record)}")
    demand(record["commandId"] == command["commandId"], "the payload names another command")
    demand(record["operation"] == "management", f"the operation is {record['operation']}")
    demand(set(record["params"]) == {"method", "path", "body"}, f"the parameters are {sorted(record['params'])}")
    demand(record["params"]["path"].startswith("/management/"), f"the path is {record['params']['path']}")
    identity = set(record["identity"])
    demand(identity in ({"roles"}, {"roles", "userId"}), f"the identity's members are {sorted(identity)}")
    demand(isinstance(record["identity"]["roles"], list), "the roles are no list")
    demand(
        span_s(queued["queuedAt"], record["deadline"]) > 0, f"the deadline {record['deadline']} was over from the start"
    )
    runtime.result(command["commandId"], LOGGERS).accepted()


@case(54)
def results(stage: Stage) -> None:
    """CommandResult with bad token / malformed / unknown id / foreign runtime / duplicate: 401 / 400 / 202 / 202 / 202 ignored."""
    runtime, queued, command = workflow_pair(stage)
    wire_id = command["commandId"]
    told: dict[str, Json] = {
        "runtimeId": runtime.runtime_id,
        "commandId": wire_id,
        "status": "COMPLETED",
        "httpStatus": 200,
        "body": {},
    }
    runtime.post(RESULT, told, authorization=None).refused(401)
    runtime.post(RESULT, told, scope="something else").refused(401)
    runtime.post(RESULT, b"{not json").refused(400)
    runtime.post(RESULT, {"runtimeId": runtime.runtime_id}).refused(400)
    runtime.result("nobody-asked-for-this", {}).accepted()
    foreign = stage.running(BI_PLUS, what="foreign")
    foreign.result(wire_id, {"from": "foreign"}).accepted()
    foreign.result(wire_id, {"from": "foreign"}, runtimeId=runtime.runtime_id).accepted()
    state = queries.command(stage, queued["id"])["state"]
    demand(state == "DELIVERED", f"after results that were not its own the command is {state}")
    runtime.result(wire_id, {"instances": ["first"]}).accepted()
    first = _answered(stage, queued["id"], "first")
    runtime.result(wire_id, {"instances": ["second"]}, status="FAILED", httpStatus=500).accepted()
    after = queries.command(stage, queued["id"])
    demand(
        (after["state"], after["result"]) == (first["state"], first["result"]), "a repeated result changed the command"
    )


@case(55)
def late_result(stage: Stage) -> None:
    """Read result late from a superseded attempt: 202, cache unchanged."""
    runtime, _, superseded = workflow_pair(stage)
    second = queries.workflow(stage, runtime, READ)
    commands = runtime.delta().ok().of("WORKFLOW_MGMT")
    # A server may ask again under the same id, or see that it is the same question.
    current = commands[-1] if commands else superseded
    runtime.result(current["commandId"], {"instances": ["current"]}).accepted()
    before = _answered(stage, second["id"], "current")
    runtime.result(superseded["commandId"], {"instances": ["late"]}).accepted()
    after = queries.command(stage, second["id"])
    demand(after["result"] == before["result"], f"the late result took the place of the current one: {after['result']}")
    demand(after["state"] == "CONFIRMED", f"the command is {after['state']}")


@case(56, slow=True)
def deadline(stage: Stage) -> None:
    """Write never answered before its deadline: EXPIRED, event raised, not redelivered afterwards."""
    runtime, key = through_tunnel(stage)
    queued = queries.trigger(stage, key, "NightlyTask")
    demand(queued["deadline"] is not None, "the write has no deadline")
    until_s = time.monotonic() + span_s(queued["queuedAt"], queued["deadline"])
    stage.affordable(until_s - time.monotonic(), "waiting for the deadline of a write")
    with stage.feed(commands=True) as feed:
        commands = stage.until(lambda: runtime.beat().ok().of("MI_MGMT"), 10, "the write was not delivered")
        demand(len(commands) == 1, f"{len(commands)} commands came")
        promised = json.loads(commands[0]["payload"])["deadline"]
        apart_s = abs(span_s(queued["deadline"], promised))
        demand(apart_s < ROUNDING_S, f"the runtime was told another deadline: {promised}, not {queued['deadline']}")
        while (left_s := until_s - time.monotonic()) > 0:
            runtime.delta().ok()
            time.sleep(min(2.0, left_s))
        time.sleep(0.5)
        after = [runtime.beat().ok(), runtime.full().ok(), runtime.delta().ok()]
        demand(not any(beat.of("MI_MGMT") for beat in after), "it was delivered again after its deadline")
        stage.until(lambda: queries.command(stage, queued["id"])["state"] == "EXPIRED", 5, "the command is not EXPIRED")

        def told() -> bool:
            events = [members(change.get("command")) for change in list(feed.changes)]
            return any(event.get("id") == queued["id"] and event.get("state") == "EXPIRED" for event in events)

        demand(feed.wait(told, 5), "no event said that it expired")


@case(57, slow=True)
def quicker_beats(stage: Stage) -> None:
    """User active on an MI view: nextHeartbeatInSeconds 1→2→5→10→absent within 30 s."""
    runtime, key = through_tunnel(stage)
    time.sleep(1)
    asked_s = time.monotonic()
    queries.ask(stage, key, "LOG_FILES")
    began_s = time.monotonic()
    for at_s in (1.0, 3.5, 6.5, 8.5, 12.0, 18.0, 22.0, 28.0, 31.5):
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        least_s = time.monotonic() - began_s
        beat = runtime.beat().ok()
        most_s = time.monotonic() - asked_s
        expected = {_cadence_s(least_s), _cadence_s(most_s)}  # two where a change fell in between
        told = f"{least_s:.1f} s after the question nextHeartbeatInSeconds is {beat.hint_s}, not {_cadence_s(least_s)}"
        demand(beat.hint_s in expected, told)
        answer_all(runtime, beat)


def _cadence_s(elapsed_s: float) -> int | None:
    """Tell which cadence is asked for so long after a person's question."""
    return next((cadence_s for until_s, cadence_s in CADENCES_S if elapsed_s < until_s), None)


def _answered(stage: Stage, key: str, word: str) -> Json:
    stage.until(lambda: queries.command(stage, key)["result"], 5, "the result did not reach the command")
    row = queries.command(stage, key)
    demand(word in row["result"], f"the command's result is {row['result']}")
    demand(row["state"] == "CONFIRMED", f"the command is {row['state']}")
    return row
