"""What is stored of reports, and what is negotiated: cases 38 to 43."""

from pilothouse_conformance.catalogue import case
from pilothouse_conformance.runtime import MI, bi_artifacts
from pilothouse_conformance.verdict import demand
from pilothouse_conformance.wire import Json
from pilothouse_conformance.world import Stage

_OVERLONG = 500


def _artifacts(stage: Stage, runtime_id: str, kind: str) -> list[Json]:
    query = "query ($id: ID!, $kind: ArtifactKind) { runtime(id: $id) { artifacts(kind: $kind) { nodes { name } } } }"
    return stage.console.ask(query, id=runtime_id, kind=kind)["runtime"]["artifacts"]["nodes"]


@case(38)
def automation(stage: Stage) -> None:
    """BI FH `artifacts:{main}` only, 3 times: each ok with full:false; 1 automation run."""
    main = {"packageOrg": "acme", "packageName": "nightly_sync", "packageVersion": "1.4.0"}
    runtime = stage.runtime(artifacts={"main": main})
    for _ in range(3):
        runtime.full().ok(wants_full=False)
    runtime.delta().ok(wants_full=False)
    (row,) = stage.rows(runtime, "automation { organization package version }")
    expected = {"organization": "acme", "package": "nightly_sync", "version": "1.4.0"}
    demand(row["automation"] == expected, f"the automation is {row['automation']}")


@case(39)
def odd_artifacts(stage: Stage) -> None:
    """MI FH: inbound `protocol:null`, connector without package, data service UNKNOWN, two carbonApps same name: ok; flagged."""
    runtime = stage.runtime(
        MI,
        artifacts={
            "inboundEndpoints": [{"name": "custom", "protocol": None, "state": "enabled"}],
            "connectors": [{"name": "ERROR_kafka", "type": "Connector", "status": "error", "error": "cannot be read"}],
            "dataServices": [{"name": "prices", "type": "DataService", "state": "UNKNOWN"}],
            "carbonApps": [
                {"name": "QuoteCar", "runtimeId": "x", "version": "1.1.0", "status": "active", "artifacts": []},
                {"name": "QuoteCar", "runtimeId": "x", "version": "1.2.0", "status": "faulty", "artifacts": None},
            ],
        },
    )
    runtime.full().ok()
    row = stage.row(runtime)
    stored = {
        kind: [artifact["name"] for artifact in _artifacts(stage, row["id"], kind)]
        for kind in ("INBOUND_ENDPOINT", "CONNECTOR", "DATA_SERVICE", "CARBON_APP")
    }
    expected = {
        "INBOUND_ENDPOINT": ["custom"],
        "CONNECTOR": ["ERROR_kafka"],
        "DATA_SERVICE": ["prices"],
        "CARBON_APP": ["QuoteCar", "QuoteCar"],
    }
    demand(stored == expected, f"stored are {stored}")
    flags = " ".join(warning["message"] for warning in row["warnings"])
    for odd in ("connector", "dataService"):
        demand(odd in flags, f"no warning tells of the odd {odd}: {flags or 'there is none'}")


@case(40)
def pruned_artifacts(stage: Stage) -> None:
    """MI FH without API `A` that existed: `A` gone."""
    apis: list[Json] = [
        {
            "name": name,
            "context": f"/{name}",
            "version": "",
            "url": "http://mi/",
            "urls": [],
            "type": "API",
            "resources": [],
        }
        for name in ("A", "B")
    ]
    runtime = stage.running(MI, artifacts={"apis": apis})
    key = stage.row(runtime)["id"]
    before = [artifact["name"] for artifact in _artifacts(stage, key, "API")]
    demand(before == ["A", "B"], f"the APIs are {before}")
    runtime.artifacts = {"apis": apis[1:]}
    runtime.full().ok()
    after = [artifact["name"] for artifact in _artifacts(stage, key, "API")]
    demand(after == ["B"], f"the APIs are {after}")


@case(41)
def overlong_values(stage: Stage) -> None:
    """Field >column width: ok, truncated."""
    runtime = stage.runtime(name="n" * _OVERLONG)
    runtime.extra = {"version": "9" * _OVERLONG, "nodeInfo": {"osName": "o" * _OVERLONG, "osVersion": "6.8"}}
    runtime.full().ok()
    row = stage.row(runtime, "node { osName osVersion }")
    for kept, letter in ((row["name"], "n"), (row["version"], "9"), (row["node"]["osName"], "o")):
        demand(
            0 < len(kept) < _OVERLONG and set(kept) == {letter},
            f"of {_OVERLONG} times '{letter}' {len(kept)} were kept",
        )
    demand(row["node"]["osVersion"] == "6.8", "what was not too long was lost")


@case(42)
def advertised_fields(stage: Stage) -> None:
    """Every `ok` response, FH and DH: identical ordered `supportedHeartbeatFields`."""
    runtime = stage.runtime()
    beats = [runtime.delta(), runtime.full(), runtime.delta(), runtime.full()]
    runtime.hash = "h2"
    beats += [runtime.delta(), stage.runtime(like=runtime).delta()]
    for beat in beats:
        beat.ok()


@case(43)
def negotiation(stage: Stage) -> None:
    """BI: FH(no optional) → FH(with tryItHost, openApiDefinitions) → DH: stored; then full:false."""
    runtime = stage.runtime(artifacts=bi_artifacts())
    runtime.full().ok(wants_full=False)
    definition: Json = {"openapi": "3.0.1", "info": {"title": "Orders", "version": "1"}, "paths": {}}
    definition["info"]["description"] = "an order " * 2_000  # large: it leaves in chunks
    runtime.extra = {"tryItHost": "10.20.0.14", "openApiDefinitions": {"orders_openapi.json": definition}}
    runtime.hash = "with-optional-fields"
    runtime.full().ok(wants_full=False)
    runtime.delta().ok(wants_full=False)
    demand(len(stage.rows(runtime)) == 1, "there is not exactly one runtime")
