"""Artifacts merged over replicas: the order of runtimes says nothing, and in sync means alike on every running one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.domain.artifacts import KINDS, Artifact, ArtifactState
from pilothouse.domain.artifacts.api import Api
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.carbon_app import CarbonApp, DeploymentState
from pilothouse.domain.artifacts.endpoint import Endpoint
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.message_store import MessageStore
from pilothouse.domain.artifacts.schedule import Schedule
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.merging import Host, MergedArtifact, merge
from pilothouse.domain.runtime_type import RuntimeType

HTTP = "ballerina/http:2"
NAMES = st.sampled_from(["one", "two", "three"])
STATES = st.sampled_from(list(ArtifactState))
PORTS = st.sampled_from([None, 9090, 9091])
ARTIFACTS = st.one_of(
    st.builds(Listener, name=NAMES, package=st.just(HTTP), port=PORTS, state=STATES),
    st.builds(
        Service,
        name=NAMES,
        package=st.just("acme/shop:1"),
        base_path=st.sampled_from(["/a", "/b"]),
        state=STATES,
        listeners=st.lists(NAMES, max_size=2, unique=True).map(tuple),
    ),
    st.builds(Endpoint, name=NAMES, state=STATES, endpoint_type=st.sampled_from([None, "http"])),
    st.builds(CarbonApp, name=NAMES, version=st.sampled_from(["1", "2"]), state=st.sampled_from(list(DeploymentState))),
    st.builds(Schedule, name=NAMES, trigger=st.sampled_from(["every 1 s", "every 2 s"]), state=STATES),
)
SETS = st.lists(ARTIFACTS, max_size=6).map(ArtifactSet.of)
TYPES = st.sampled_from(list(RuntimeType))
REPORTS = st.lists(st.tuples(st.booleans(), SETS), min_size=1, max_size=5)


def hosts(reports) -> list[Host]:
    return [Host(runtime_key=key, is_running=running, artifacts=found) for key, (running, found) in enumerate(reports)]


def replicas(*sets: list[Artifact]) -> list[Host]:
    return hosts([(True, ArtifactSet.of(found)) for found in sets])


def seen(merged: list[MergedArtifact]) -> list[tuple]:
    """All that is told of merged artifacts, in words that can be compared."""
    return [
        (
            m.kind,
            m.name,
            m.package,
            m.state,
            m.hosted_by,
            m.missing_on,
            m.in_sync,
            *tuple(sorted((v.differences, v.runtime_keys) for v in m.variants)),
        )
        for m in merged
    ]


@given(TYPES, REPORTS, st.randoms())
def test_the_order_of_runtimes_does_not_matter(runtime_type, reports, random) -> None:
    told = hosts(reports)
    shuffled = random.sample(told, len(told))
    assert seen(merge(runtime_type, told)) == seen(merge(runtime_type, shuffled))


@given(TYPES, st.booleans(), SETS)
def test_one_runtime_is_always_in_sync(runtime_type, is_running, artifacts) -> None:
    merged = merge(runtime_type, hosts([(is_running, artifacts)]))
    assert all(m.in_sync and not m.missing_on and len(m.variants) == 1 for m in merged)
    assert {(m.kind, m.name) for m in merged} == {
        (str(a.__struct_config__.tag), a.name) for a in artifacts.artifacts
    }  # a lone runtime's names stay its own


@given(TYPES, REPORTS)
def test_in_sync_means_that_every_running_runtime_hosts_an_equal_form(runtime_type, reports) -> None:
    running = {key for key, (is_running, _) in enumerate(reports) if is_running}
    for m in merge(runtime_type, hosts(reports)):
        of_running = [v for v in m.variants if running.intersection(v.runtime_keys)]
        hosting = running.intersection(m.hosted_by)
        assert set(m.missing_on) == running - hosting
        assert m.in_sync == (hosting == running and len(of_running) <= 1)
        assert sorted(key for v in m.variants for key in v.runtime_keys) == list(m.hosted_by)
        assert m.variants[0].differences == "{}"
        assert all(json.loads(v.differences) for v in m.variants[1:])


@given(TYPES, REPORTS)
def test_there_is_one_row_a_kind_name_and_package_and_nothing_is_lost(runtime_type, reports) -> None:
    merged = merge(runtime_type, hosts(reports))
    places = [(m.kind, m.name, m.package) for m in merged]
    assert places == sorted(set(places))
    kinds = {str(a.__struct_config__.tag) for _, found in reports for a in found.artifacts}
    assert {m.kind for m in merged} == kinds
    for key, (_, found) in enumerate(reports):
        assert any(key in m.hosted_by for m in merged) == bool(found.artifacts)


@given(TYPES, SETS, st.lists(st.booleans(), min_size=1, max_size=4))
def test_runtimes_that_report_the_same_agree_whether_their_sets_are_shared_or_not(runtime_type, found, running) -> None:
    apart = [(each, ArtifactSet(tuple(found.artifacts))) for each in running]
    shared = [(each, found) for each in running]
    assert seen(merge(runtime_type, hosts(apart))) == seen(merge(runtime_type, hosts(shared)))
    assert all(m.in_sync for m in merge(runtime_type, hosts(apart)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("runtime_type", list(RuntimeType))
def test_every_kind_is_merged(kind, runtime_type) -> None:
    only_here = [kind(name="x")]
    (merged,) = merge(runtime_type, replicas(only_here, []))
    assert (merged.kind, merged.name) == (str(kind.__struct_config__.tag), "x")
    assert (merged.hosted_by, merged.missing_on, merged.in_sync) == ((0,), (1,), False)


def test_what_is_steered_or_only_measured_makes_no_difference() -> None:
    first = [Endpoint(name="e", state=ArtifactState.ENABLED), MessageStore(name="m", size_messages=3)]
    second = [Endpoint(name="e", state=ArtifactState.DISABLED), MessageStore(name="m", size_messages=99)]
    endpoint, store = merge(RuntimeType.MI, replicas(first, second))
    assert endpoint.in_sync
    assert store.in_sync
    assert endpoint.state is ArtifactState.UNKNOWN  # they do not agree on it
    (agreed,) = merge(RuntimeType.MI, replicas(first[:1], first[:1]))
    assert agreed.state is ArtifactState.ENABLED


def test_the_address_of_each_machine_makes_no_difference_but_the_context_does() -> None:
    here = [Api(name="a", context="/a", url="http://node-1:8290/a")]
    there = [Api(name="a", context="/a", url="http://node-2:8290/a")]
    moved = [Api(name="a", context="/b", url="http://node-2:8290/b")]
    assert merge(RuntimeType.MI, replicas(here, there))[0].in_sync
    (merged,) = merge(RuntimeType.MI, replicas(here, here, moved))
    assert [json.loads(v.differences) for v in merged.variants] == [{}, {"context": "/b"}]
    assert [v.runtime_keys for v in merged.variants] == [(0, 1), (2,)]


def test_a_port_that_the_system_chose_makes_no_difference_but_the_host_does() -> None:
    def listening(host: str, port: int) -> list[Artifact]:
        return [Listener(name="http-dynamic", package="uvicorn", protocol="HTTP", host=host, port=port)]

    assert merge(RuntimeType.PY, replicas(listening("::", 40_001), listening("::", 40_002)))[0].in_sync
    elsewhere = listening("127.0.0.1", 40_003)
    (merged,) = merge(RuntimeType.PY, replicas(listening("::", 40_001), listening("::", 40_002), elsewhere))
    assert [json.loads(v.differences) for v in merged.variants] == [{}, {"host": "127.0.0.1"}]


def test_a_unit_that_is_faulty_on_one_node_differs() -> None:
    good, bad = (CarbonApp(name="c", version="1", state=state) for state in list(DeploymentState)[:2])
    (merged,) = merge(RuntimeType.MI, replicas([good], [bad]))
    assert not merged.in_sync
    (agreed,) = merge(RuntimeType.MI, replicas([bad], [bad]))
    assert (agreed.in_sync, agreed.state) == (True, ArtifactState.FAILED)


def test_two_versions_on_one_node_are_a_form_of_their_own() -> None:
    one, two = (CarbonApp(name="c", version=version) for version in "12")
    (merged,) = merge(RuntimeType.MI, replicas([one], [one], [one, two]))
    assert [v.runtime_keys for v in merged.variants] == [(0, 1), (2,)]
    assert [each["version"] for each in json.loads(merged.variants[1].differences)["artifacts"]] == ["1", "2"]


def ballerina(*ports: int) -> list[Artifact]:
    """Listeners and services as Ballerina names them: by the order in which they were discovered."""
    return [
        artifact
        for number, port in enumerate(ports, 1)
        for artifact in (
            Listener(name=f"listener_{number}", package=HTTP, protocol="HTTP", port=port),
            Service(name=f"service_{number}", base_path=f"/{port}", listeners=(f"listener_{number}",)),
        )
    ]


def test_listeners_that_are_alike_are_one_whatever_they_are_called() -> None:
    merged = merge(RuntimeType.BI, replicas(ballerina(9090, 9091), ballerina(9091, 9090)))
    assert len(merged) == 4
    assert all(m.in_sync for m in merged)
    # The same reports of a type whose names are chosen by people are two listeners that swapped their ports.
    assert not any(m.in_sync for m in merge(RuntimeType.PY, replicas(ballerina(9090, 9091), ballerina(9091, 9090))))


def test_a_listener_whose_port_changed_is_one_row_with_two_forms() -> None:
    listener, _ = merge(RuntimeType.BI, replicas(ballerina(9090)[:1], ballerina(9090)[:1], ballerina(9999)[:1])) * 2
    assert (listener.name, listener.in_sync) == ("listener_1", False)
    assert [json.loads(v.differences) for v in listener.variants] == [{}, {"port": 9999}]


def test_what_only_silent_runtimes_host_is_listed_and_missing_on_the_running_ones() -> None:
    old = Host(runtime_key=7, is_running=False, artifacts=ArtifactSet.of([Endpoint(name="old")]))
    new = Host(runtime_key=8, is_running=True, artifacts=ArtifactSet.of([Endpoint(name="new")]))
    told = {m.name: (m.hosted_by, m.missing_on, m.in_sync) for m in merge(RuntimeType.MI, [old, new])}
    assert told == {"new": ((8,), (), True), "old": ((7,), (8,), False)}


def test_nobody_and_nothing_give_nothing() -> None:
    assert merge(RuntimeType.MI, []) == []
    assert merge(RuntimeType.BI, replicas([], [])) == []
