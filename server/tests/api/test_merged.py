"""Artifacts merged over replicas, over the API: what hosts what, what is missing where, and at what cost."""

import json
import sys
from pathlib import Path

import pytest
from pilothouse.base.ids import new_id

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

MERGED = """query ($e: String!, $k: ArtifactKind, $q: String, $d: Boolean, $n: Int, $a: String) {
    mergedArtifacts(project: "retail-core", integration: "order-intake", environment: $e,
        kind: $k, search: $q, onlyDiffering: $d, first: $n, after: $a) {
    totalCount differing pageInfo { endCursor hasNextPage } nodes { kind name package state inSync
        hostedBy { name } missingOn { name } variants { differences runtimes { name } } } } }"""


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
async def replicas(runtime) -> None:
    """Two alike, and a third one that lacks the service and listens on another port."""
    for number in range(3):
        runtime.runtime_id, runtime.name, runtime.hash = new_id(), f"node-{number}", f"hash-{number // 2}"
        if number == 2:
            (listener,) = runtime.artifacts["listeners"]
            runtime.artifacts = {"listeners": [{**listener, "port": 9999}], "services": []}
        assert (await runtime.full())[0] == 200


async def test_it_is_told_who_hosts_what_and_where_replicas_disagree(admin, replicas) -> None:
    found = (await admin.ask(MERGED, e="dev"))["mergedArtifacts"]
    listener, service = found["nodes"]
    assert (found["totalCount"], found["differing"]) == (2, 2)
    assert (listener["kind"], listener["name"], listener["state"], listener["inSync"]) == (
        *("LISTENER", "listener_1", "ENABLED"),
        False,
    )
    assert [json.loads(each["differences"]) for each in listener["variants"]] == [{}, {"port": 9999}]
    assert [[ref["name"] for ref in each["runtimes"]] for each in listener["variants"]] == [
        ["node-0", "node-1"],
        ["node-2"],
    ]
    assert [ref["name"] for ref in service["hostedBy"]] == ["node-0", "node-1"]
    assert [ref["name"] for ref in service["missingOn"]] == ["node-2"]


async def test_of_many_runtimes_the_first_are_named_and_all_are_counted(admin, replicas) -> None:
    ask = """{ mergedArtifacts(project: "retail-core", integration: "order-intake", environment: "dev") { nodes {
      hostCount hostedBy(first: 1) { name } missingCount missingOn(first: 1) { name }
      variants { runtimeCount runtimes(first: 1) { name } } } } }"""
    listener, service = (await admin.ask(ask))["mergedArtifacts"]["nodes"]
    assert listener == {
        "hostCount": 3,
        "hostedBy": [{"name": "node-0"}],
        "missingCount": 0,
        "missingOn": [],
        "variants": [
            {"runtimeCount": 2, "runtimes": [{"name": "node-0"}]},
            {"runtimeCount": 1, "runtimes": [{"name": "node-2"}]},
        ],
    }
    assert (service["hostCount"], service["missingCount"]) == (2, 1)


async def test_filters_and_pages_of_merged_artifacts(admin, replicas, staff) -> None:
    page = (await admin.ask(MERGED, e="dev", n=1))["mergedArtifacts"]
    assert page["pageInfo"]["hasNextPage"]
    rest = (await admin.ask(MERGED, e="dev", n=1, a=page["pageInfo"]["endCursor"]))["mergedArtifacts"]
    assert [node["kind"] for node in (*page["nodes"], *rest["nodes"])] == ["LISTENER", "SERVICE"]
    assert await staff.refusal(admin, MERGED, e="dev", k="SERVICE", a=page["pageInfo"]["endCursor"]) == (
        *("INVALID_INPUT", "after"),
    )
    for wanted, expected in (
        ({"k": "SERVICE"}, ["service_1"]),
        ({"q": "LISTENER"}, ["listener_1"]),
        ({"q": "x"}, []),
        ({"d": True}, ["listener_1", "service_1"]),
    ):
        found = (await admin.ask(MERGED, e="dev", **wanted))["mergedArtifacts"]
        assert [node["name"] for node in found["nodes"]] == expected
        assert (found["totalCount"], found["differing"]) == (len(expected), 2)


async def test_what_failed_on_any_running_runtime_can_be_listed_alone(admin, replicas, runtime) -> None:
    ask = MERGED.replace("onlyDiffering: $d", "onlyDiffering: $d, onlyFailed: true")
    assert (await admin.ask(ask, e="dev"))["mergedArtifacts"]["nodes"] == []
    runtime.artifacts["listeners"][0]["state"], runtime.hash = "failed", "failed"
    assert (await runtime.full())[0] == 200
    found = (await admin.ask(ask, e="dev"))["mergedArtifacts"]
    assert [(node["kind"], node["name"]) for node in found["nodes"]] == [("LISTENER", "listener_1")]


async def test_silent_runtimes_do_not_count_against_agreement(admin, replicas, runtime, clock) -> None:
    clock.advance(200)
    await runtime.full()  # node-2 alone is heard
    found = (await admin.ask(MERGED, e="dev"))["mergedArtifacts"]
    told = {node["name"]: (node["inSync"], [ref["name"] for ref in node["missingOn"]]) for node in found["nodes"]}
    assert told == {"listener_1": (True, []), "service_1": (False, ["node-2"])}


async def test_a_place_that_one_does_not_see_is_null(admin, replicas, staff) -> None:
    assert (await admin.ask(MERGED, e="nowhere"))["mergedArtifacts"] is None
    assert (await admin.ask(MERGED, e="prod"))["mergedArtifacts"]["nodes"] == []
    await staff.holder("prod", "INTEGRATION_MGT_VIEW", environment="prod")
    async with staff.signed_in("prod") as person:
        assert (await person.ask(MERGED, e="dev"))["mergedArtifacts"] is None
        assert (await person.ask(MERGED, e="prod"))["mergedArtifacts"]["totalCount"] == 0


async def test_it_costs_the_same_however_many_report_differently(admin, replicas, runtime, staff) -> None:
    await admin.ask(MERGED, e="dev")
    costs = []
    for extra in (0, 4):
        for number in range(extra):
            (listener,) = runtime.artifacts["listeners"]
            runtime.artifacts = {"listeners": [{**listener, "port": 7000 + number}]}
            runtime.runtime_id, runtime.name, runtime.hash = new_id(), f"more-{number}", f"more-{number}"
            assert (await runtime.full())[0] == 200
        with staff.counted() as statements:
            await admin.ask(MERGED, e="dev")
        costs.append(len([each for each in statements if each.startswith("SELECT")]))
    assert costs[0] == costs[1] <= 6  # two of them ask who the caller is
