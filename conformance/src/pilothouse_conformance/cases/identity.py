"""Identity: cases 32 to 37."""

import time

from pilothouse_conformance import queries
from pilothouse_conformance.catalogue import case
from pilothouse_conformance.runtime import Runtime
from pilothouse_conformance.verdict import demand
from pilothouse_conformance.wire import members
from pilothouse_conformance.world import Stage

ENDED = {"EXPIRED", "SUPERSEDED"}


@case(32)
def one_name_twice(stage: Stage) -> None:
    """R1 named `n` RUNNING → FH of R2 named `n`: ok; both rows live and listed."""
    first = stage.running(name="n")
    stage.running(like=first, name="n")
    first.delta().ok(wants_full=False)
    rows = [(row["name"], row["status"]) for row in stage.rows(first)]
    demand(rows == [("n", "RUNNING")] * 2, f"listed are {rows}")


@case(33, slow=True)
def successor(stage: Stage) -> None:
    """R1 named `n` OFFLINE → FH of R2 named `n`: ok; R1 RETIRED, R2 carries the label. Then FH of R1 again → ok, live."""
    first = stage.steady(name="n")
    stage.fall_silent(first)
    second = stage.running(like=first, name="n")
    rows = [(row["runtimeId"], row["name"]) for row in stage.rows(first)]
    demand(rows == [(second.runtime_id, "n")], f"listed are {rows}")
    first.full().ok()
    status = stage.row(first)["status"]
    demand(status == "RUNNING", f"the first one came back and is {status}")
    demand(stage.find(second) is not None, "the second one is gone")


@case(34)
def five_unnamed(stage: Stage) -> None:
    """Five unnamed replicas: all five live after 3 rounds."""
    first = stage.runtime(name=None)
    five = [first, *(stage.runtime(like=first, name=None) for _ in range(4))]
    for _ in range(3):
        for one in five:
            one.full().ok()
    rows = stage.rows(first)
    demand([row["status"] for row in rows] == ["RUNNING"] * 5, f"listed are {[row['status'] for row in rows]}")


@case(35)
def one_id_in_two_integrations(stage: Stage) -> None:
    """R1 of c1 live → FH with R1 and key of c2: new row (R1, c2); c1's row untouched; warning in both."""
    first = stage.running(what="c1")
    before = stage.row(first)
    second = stage.running(what="c2", runtime_id=first.runtime_id)
    after = stage.row(first)
    for member in ("id", "registeredAt", "secretKeyId", "lastHeartbeatAt", "status"):
        demand(after[member] == before[member], f"{member} of c1's runtime changed to {after[member]}")
    other = stage.row(second)
    demand(other["id"] != before["id"], "the row was moved")
    for row in (after, other):
        told = [warning["code"] for warning in row["warnings"]]
        demand(bool(told), f"no warning in {row['integration']['handle']} says that the id is in two integrations")


@case(36, slow=True)
def moved(stage: Stage) -> None:
    """R1 of c1 OFFLINE → same: new row (R1, c2), c2's desired applies; c1's stays OFFLINE, linked as moved, its commands end."""
    first = stage.steady(what="c1")
    stopped = queries.switch(stage, first, "listener_1", "DISABLED")
    demand(bool(stopped["commands"]), "no command was queued for c1's runtime")
    neighbour = stage.running(what="c2")
    queries.switch(stage, neighbour, "listener_1", "DISABLED")
    stage.fall_silent(first)
    second = stage.runtime(like=neighbour, runtime_id=first.runtime_id)
    beats = [second.full().ok(), second.delta().ok()]
    demand(any(beat.of("STOP") for beat in beats), "what is desired in c2 was not sent to the runtime that moved there")
    row = stage.row(first, "movedTo { id integration { handle } }")
    demand(row["status"] == "OFFLINE", f"c1's runtime is {row['status']}")
    here = stage.row(second)
    demand(members(row["movedTo"]).get("id") == here["id"], f"c1's runtime is linked to {row['movedTo']}")
    stage.until(
        lambda: queries.command(stage, stopped["commands"][0]["id"])["state"] in ENDED,
        10,
        f"the open command in c1 did not end: it is {queries.command(stage, stopped['commands'][0]['id'])['state']}",
    )


@case(37)
def foreign_delta(stage: Stage) -> None:
    """DH for R1 of c1 with key of c2: ok + full:true; c1's row unchanged (status, last_seen); no commands of c1."""
    first, other = stage.running(what="c1"), stage.running(what="c2")
    queries.switch(stage, first, "listener_1", "DISABLED")
    before = stage.row(first)
    time.sleep(0.05)
    thief = stage.runtime(secret=other.secret, what="c2", runtime_id=first.runtime_id)
    thief.delta().ok(wants_full=True).silent()
    _demand_unchanged(stage, first, before)


def _demand_unchanged(stage: Stage, runtime: Runtime, before: dict[str, object]) -> None:
    after = stage.row(runtime)
    for member in ("status", "lastHeartbeatAt", "secretKeyId"):
        demand(after[member] == before[member], f"{member} of c1's runtime changed to {after[member]}")
