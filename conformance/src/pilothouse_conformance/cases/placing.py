"""Where a runtime belongs: cases 13 to 23."""

import time
from concurrent.futures import ThreadPoolExecutor

from pilothouse_conformance.beats import Beat
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.runtime import MI, Runtime
from pilothouse_conformance.verdict import demand
from pilothouse_conformance.wire import Json, items
from pilothouse_conformance.world import Stage, handle_of

ROUNDS = 3
"""Races are run so often."""


@case(13)
def first_heartbeat(stage: Stage) -> None:
    """K=U, project `Retail Core`, component `order_intake`, BI: both are created, K is bound, R is RUNNING, one REGISTER event."""
    runtime = stage.runtime(project=f"{stage.world.prefix} Retail Core", component="order_intake")
    stage.world.left_behind.append(f"project {handle_of(runtime.project)}")
    with stage.feed() as feed:
        runtime.full().ok()
        time.sleep(0.3)
        runtime.full().ok()
        runtime.delta().ok()
        feed.wait(lambda: bool(feed.of(runtime.runtime_id, "REGISTERED")), 5)
        time.sleep(0.5)
        registered = feed.of(runtime.runtime_id, "REGISTERED")
        demand(len(registered) == 1, f"{len(registered)} events said that it registered")
    row = stage.row(runtime)
    demand(row["status"] == "RUNNING", f"the runtime is {row['status']}")
    demand(row["secretKeyId"] == runtime.key_id, f"the runtime's secret is {row['secretKeyId']}, not {runtime.key_id}")
    made = _integration(stage, f"{stage.world.prefix}-retail-core", "order-intake")
    demand(made is not None, "project and integration were not made under their handles")
    demand(made["runtimeType"] == "BI", f"the integration's type is {made['runtimeType']}")
    demand(stage.secret_row(runtime.secret)["bound"] is True, "the secret is not bound")


@case(14)
def second_node(stage: Stage) -> None:
    """Same again with R2 and same K: ok; nothing created; two runtimes."""
    first = stage.running(name="node-1")
    stage.running(like=first, name="node-2")
    rows = stage.rows(first)
    demand(sorted(row["name"] for row in rows) == ["node-1", "node-2"], f"listed are {[row['name'] for row in rows]}")
    demand(_count(stage, first.component) == 1, "a second integration was made")


@case(15)
def name_without_handle(stage: Stage) -> None:
    """K=U, project `日本`: 400, nothing created, K still unbound."""
    runtime = stage.runtime(project="日本")
    runtime.full().refused(400)
    runtime.project, runtime.component = stage.world.project, "日本"
    runtime.full().refused(400)
    demand(stage.secret_row(runtime.secret)["bound"] is False, "the secret was bound")
    demand(_count(stage, stage.name()) == 0, "an integration was made")


@case(16)
def integration_of_another_type(stage: Stage) -> None:
    """K=U, component exists with type MI, sender BI: 409, nothing created or bound."""
    project, integration = stage.integration("MI")
    runtime = stage.runtime(project=project, component=integration)
    runtime.full().refused(409)
    demand(stage.secret_row(runtime.secret)["bound"] is False, "the secret was bound")
    demand(stage.rows(runtime) == [], "a runtime was registered")


@case(17)
def environment_however_it_is_written(stage: Stage) -> None:
    """Environment `Dev` with seeded `dev`: ok."""
    handle = stage.options.environment
    runtime = stage.runtime()
    name = stage.console.ask("query ($h: String!) { environment(handle: $h) { displayName } }", h=handle)
    for written in (handle.capitalize(), handle.upper(), name["environment"]["displayName"]):
        runtime.environment = written
        runtime.full().ok()
    demand(stage.row(runtime)["environment"]["handle"] == handle, "the runtime is in another environment")


@case(18)
def unknown_environment(stage: Stage) -> None:
    """Environment `nope`: 2xx ack:false with errors[], no state change."""
    runtime = stage.runtime()
    runtime.environment = f"{stage.world.prefix}-nope"
    beat = runtime.full()
    demand(200 <= beat.status < 300, f"it was answered {beat.status}")  # noqa: PLR2004 - the class of statuses
    demand(beat.body.get("acknowledged") is False, "it was acknowledged")
    errors = beat.body.get("errors")
    demand(bool(items(errors)), f"errors is {errors}")
    demand(stage.secret_row(runtime.secret)["bound"] is False, "the secret was bound")
    demand(_count(stage, runtime.component) == 0, "an integration was made")


@case(19)
def secret_of_another_environment(stage: Stage) -> None:
    """K of `prod`, heartbeat `dev`: 409, no state change."""
    runtime = stage.runtime(secret=stage.secret(stage.options.other_environment))
    runtime.full().refused(409)
    demand(stage.secret_row(runtime.secret)["bound"] is False, "the secret was bound")
    demand(_count(stage, runtime.component) == 0, "an integration was made")


@case(20)
def bound_to_another_type(stage: Stage) -> None:
    """K=Bo, runtimeType MI: 409."""
    runtime = stage.running()
    intruder = stage.runtime(MI, secret=runtime.secret, component=runtime.component)
    intruder.full().refused(409)
    demand(stage.find(intruder) is None, "the runtime was registered")


@case(21)
def bound_secret_decides(stage: Stage) -> None:
    """K=Bo(p,c), heartbeat says project x/component y: ok; runtime under p/c; warning recorded."""
    runtime = stage.running()
    home = handle_of(runtime.component)
    runtime.project, runtime.component = f"{stage.world.prefix}-elsewhere", "another"
    runtime.full().ok()
    told = runtime.project
    runtime.project = stage.world.project
    row = stage.row(runtime, integration=home)
    demand(_count(stage, "another") == 0, "another integration was made")
    _demand_told_elsewhere(row, told)


@case(22)
def same_first_heartbeats_at_once(stage: Stage) -> None:
    """Two concurrent FH with K=U, same names: both ok; exactly one project, component, binding."""
    for number in range(ROUNDS):
        first = stage.runtime(what=f"race {number}")
        second = stage.runtime(like=first)
        for beat in _at_once(first, second):
            beat.ok()
        rows = stage.rows(first)
        demand(len(rows) == len((first, second)), f"{len(rows)} runtimes are listed")
        demand(_count(stage, first.component) == 1, "there is not exactly one integration")
        demand(stage.secret_row(first.secret)["bound"] is True, "the secret is not bound")


@case(23)
def different_first_heartbeats_at_once(stage: Stage) -> None:
    """Two concurrent FH with K=U, different components: one binds; the other is accepted under the bound ids with a warning."""
    for number in range(ROUNDS):
        first = stage.runtime(what=f"race a{number}")
        second = stage.runtime(secret=first.secret, what=f"race b{number}")
        for beat in _at_once(first, second):
            beat.ok()
        homes = {one.component: stage.rows(one) for one in (first, second) if _count(stage, one.component)}
        demand(len(homes) == 1, f"{len(homes)} integrations were made")
        rows = next(iter(homes.values()))
        demand(len(rows) == len((first, second)), f"{len(rows)} runtimes are under the one that was bound")
        loser = first if second.component in homes else second
        (row,) = (row for row in rows if row["runtimeId"] == loser.runtime_id)
        _demand_told_elsewhere(row, loser.component)


def _demand_told_elsewhere(row: Json, told: str) -> None:
    sentences = [warning["message"] for warning in row["warnings"]]
    demand(bool(sentences), "no warning was recorded")
    names = (told, handle_of(told))
    demand(any(name in each for each in sentences for name in names), f"no warning names {told}: {sentences}")


def _at_once(*runtimes: Runtime) -> list[Beat]:
    """Send the full heartbeats of several runtimes at the same time."""
    for one in runtimes:
        one.post("/icp/nothing", {}, authorization=None)  # opens the connection, so that the race is one of heartbeats
    with ThreadPoolExecutor(len(runtimes)) as threads:
        return list(threads.map(Runtime.full, runtimes))


def _integration(stage: Stage, project: str, handle: str) -> Json:
    query = "query ($p: String!, $h: String!) { integration(project: $p, handle: $h) { runtimeType } }"
    return stage.console.ask(query, p=project, h=handle)["integration"]


def _count(stage: Stage, component: str) -> int:
    """Count the integrations in this run's project that bear this handle: none or one."""
    return int(_integration(stage, stage.world.project, handle_of(component)) is not None)
