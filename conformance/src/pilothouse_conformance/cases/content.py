"""What may be said: cases 10 to 12."""

from pilothouse_conformance.catalogue import case
from pilothouse_conformance.runtime import bi_artifacts
from pilothouse_conformance.verdict import demand
from pilothouse_conformance.wire import Json, items, members
from pilothouse_conformance.world import Stage


@case(10)
def heartbeat_version(stage: Stage) -> None:
    """`heartbeatVersion:"v2.0"`; missing version: 400; ok."""
    runtime = stage.runtime()
    runtime.extra = {"heartbeatVersion": "v2.0"}
    runtime.full().refused(400)
    runtime.post("/icp/deltaHeartbeat", {**runtime.delta_body(), "heartbeatVersion": "v2.0"}).refused(400)
    body = {name: value for name, value in runtime.full_body().items() if name != "heartbeatVersion"}
    runtime.post("/icp/heartbeat", body).ok()


@case(11)
def runtime_id_length(stage: Stage) -> None:
    """`runtimeId` 101 chars / blank; 37 chars: 400; ok."""
    runtime = stage.runtime()
    for refused in ("x" * 101, "", "  "):
        runtime.runtime_id = refused
        runtime.full().refused(400)
        runtime.delta().refused(400)
    for accepted in (37, 100):
        runtime.runtime_id = stage.world.prefix.ljust(accepted, "y")
        runtime.full().ok()
        runtime.delta().ok()


@case(12)
def unknown_members_and_nulls(stage: Stage) -> None:
    """Unknown extra members at every level; optional members null: ok, ignored."""
    runtime = stage.runtime()
    optional = ("version", "logLevels", "tryItHost", "openApiDefinitions", "workflowMetadata", "capabilities", "status")
    runtime.extra = {**dict.fromkeys(optional), "timestamp": None, "runtime": None, "surprise": {"deep": [1, {"a": 0}]}}
    runtime.full().ok()
    runtime.artifacts = bi_artifacts()
    _surprise(runtime.artifacts)
    runtime.extra = {"nodeInfo": {"platformName": None, "osName": None, "surprise": True}}
    runtime.full().ok()
    services = stage.row(runtime, "services { nodes { name basePath resources { path } } }")["services"]["nodes"]
    demand(
        [service["basePath"] for service in services] == ["/orders"],
        f"after members that nobody knows the services are {services}",
    )


def _surprise(node: Json) -> None:
    """Put an unknown member into every object."""
    for value in [*members(node).values(), *items(node)]:
        _surprise(value)
    if isinstance(node, dict):
        node["surprise"] = {"colour": "blue"}
