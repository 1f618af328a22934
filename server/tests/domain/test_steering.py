"""What can be steered, what a report says of it, and when a wish is met."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.domain.artifacts import ArtifactState
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.consumer import Consumer
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.schedule import Schedule
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.artifacts.template import Template
from pilothouse.domain.commands import BI_ACTIONS, WIRE_ACTIONS, CommandAction, action_for, can
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import (
    DISABLED,
    ENABLED,
    LEVELS,
    STEERABLE,
    UNSET_LEVEL,
    Aspect,
    SteerableKind,
    Target,
    Wish,
    fingerprint_of,
    is_met,
    is_suspended,
    is_under_way,
    label_of,
    observe,
    values_of,
)

STATE, LEVEL = Aspect.STATE, Aspect.LEVEL


def http(name: str = "listener_1", state: ArtifactState = ArtifactState.ENABLED, **members) -> Listener:
    own = {"package": "ballerina/http:2", "protocol": "HTTP", "port": 9_090}
    return Listener(name=name, state=state, **(own | members))


def service(base_path: str, *listeners: str) -> Service:
    return Service(name=base_path, package="acme/x:1", base_path=base_path, listeners=listeners)


def made(*artifacts) -> ArtifactSet:
    return ArtifactSet(artifacts=artifacts)


def logger(name: str) -> Target:
    return Target(SteerableKind.LOGGER, name, "", LEVEL)


def test_a_report_is_read_as_targets_with_values_and_reasons() -> None:
    artifacts = made(
        http(state=ArtifactState.FAILED, state_reason="Port 9090 is taken."),
        Consumer(name="orders", package="aiokafka", state=ArtifactState.ENABLED, protocol="kafka", source="orders"),
        Schedule(name="nightly", package="apscheduler", state=ArtifactState.DISABLED, trigger="cron: 0 3 * * *"),
    )
    seen = observe(RuntimeType.PY, artifacts, {"root": "WARN"})
    listener = Target(SteerableKind.LISTENER, "listener_1", "ballerina/http:2", STATE)
    assert seen.values == {
        listener: "failed",
        Target(SteerableKind.CONSUMER, "orders", "aiokafka", STATE): "enabled",
        Target(SteerableKind.SCHEDULE, "nightly", "apscheduler", STATE): "disabled",
        logger("root"): "WARN",
    }
    assert seen.reasons == {listener: "Port 9090 is taken."}


def test_what_a_type_of_runtime_cannot_be_told_is_not_steerable() -> None:
    artifacts = made(Consumer(name="orders", package="x", state=ArtifactState.ENABLED))
    assert observe(RuntimeType.BI, artifacts, {}).values == {}
    assert observe(RuntimeType.MI, artifacts, {}).values == {}


def test_of_templates_only_those_of_sequences_can_be_counted() -> None:
    artifacts = made(
        Template(name="Shape", template_type="sequence", statistics=ArtifactState.DISABLED),
        Template(name="Door", template_type="endpoint"),
    )
    assert observe(RuntimeType.MI, artifacts, {}).values == {
        Target(SteerableKind.TEMPLATE, "Shape", "", Aspect.STATISTICS): "disabled"
    }


@pytest.mark.parametrize(
    ("runtime_type", "expected"), [(RuntimeType.PY, UNSET_LEVEL), (RuntimeType.BI, None), (RuntimeType.MI, "unknown")]
)
def test_a_logger_that_is_not_listed_is_unset_absent_or_unknown(
    runtime_type: RuntimeType, expected: str | None
) -> None:
    assert observe(runtime_type, made(), {}).value_of(logger("shop")) == expected


def test_what_is_not_hosted_has_no_value() -> None:
    target = Target(SteerableKind.LISTENER, "x", "", STATE)
    assert observe(RuntimeType.PY, made(), {}).value_of(target) is None


@pytest.mark.parametrize(
    ("desired", "observed", "met", "under_way"),
    [
        (ENABLED, "enabled", True, False),
        (ENABLED, "gated", False, False),
        (ENABLED, "draining", False, False),
        (DISABLED, "disabled", True, False),
        (DISABLED, "gated", True, False),
        (DISABLED, "draining", False, True),
        (DISABLED, "failed", False, False),
        (DISABLED, None, False, False),
        ("DEBUG", "DEBUG", True, False),
        ("DEBUG", "INFO", False, False),
    ],
)
def test_when_a_wish_is_met(desired: str, observed: str | None, met: bool, under_way: bool) -> None:
    assert (is_met(desired, observed), is_under_way(desired, observed)) == (met, under_way)


def test_a_ballerina_listener_is_told_by_what_it_is_and_not_by_its_name_or_state() -> None:
    first = made(http("listener_1"), service("/orders", "listener_1"))
    renamed = made(http("listener_2", ArtifactState.DISABLED), service("/orders", "listener_2"))
    assert fingerprint_of(first.listeners[0], first) == fingerprint_of(renamed.listeners[0], renamed)


@pytest.mark.parametrize(
    "other",
    [
        made(http(port=9_091), service("/orders", "listener_1")),
        made(http(protocol="HTTPS"), service("/orders", "listener_1")),
        made(http(package="ballerina/graphql:1"), service("/orders", "listener_1")),
        made(http(), service("/payments", "listener_1")),
        made(http(), service("/orders", "listener_1"), service("/more", "listener_1")),
        made(http()),
    ],
)
def test_another_listener_under_the_same_name_has_another_fingerprint(other: ArtifactSet) -> None:
    first = made(http(), service("/orders", "listener_1"))
    assert fingerprint_of(first.listeners[0], first) != fingerprint_of(other.listeners[0], other)


def test_a_wish_is_suspended_while_another_thing_bears_the_name() -> None:
    first = made(http(), service("/orders", "listener_1"))
    other = made(http(port=9_091), service("/orders", "listener_1"))
    target = Target(SteerableKind.LISTENER, "listener_1", "ballerina/http:2", STATE)
    prints = (fingerprint_of(first.listeners[0], first),)
    wish = Wish(number=1, target=target, value=DISABLED, version=1, author="a", set_at=0, fingerprints=prints)
    assert not is_suspended(wish, observe(RuntimeType.BI, first, {}))
    assert is_suspended(wish, observe(RuntimeType.BI, other, {}))
    assert not is_suspended(wish, observe(RuntimeType.BI, made(), {}))
    nameless = Wish(number=1, target=target, value=DISABLED, version=1, author="a", set_at=0)
    assert not is_suspended(nameless, observe(RuntimeType.BI, other, {}))


def test_the_names_of_python_are_no_accident_and_need_no_fingerprint() -> None:
    assert observe(RuntimeType.PY, made(http()), {}).fingerprints == {}


def test_every_level_that_may_be_desired_is_one_that_its_runtime_knows() -> None:
    assert values_of(RuntimeType.BI, LEVEL) == ("DEBUG", "INFO", "WARN", "ERROR")
    assert "TRACE" not in LEVELS[RuntimeType.PY]
    for runtime_type in RuntimeType:
        assert values_of(runtime_type, STATE) == ("enabled", "disabled")


@pytest.mark.parametrize(
    ("artifact", "label"),
    [
        (http(host="0.0.0.0", port=8_090), "HTTP 0.0.0.0:8090"),
        (Listener(name="x", package="p", state=ArtifactState.ENABLED), "x"),
        (Schedule(name="n", package="p", state=ArtifactState.ENABLED, trigger="every 30 s"), "every 30 s"),
        (
            Consumer(name="n", package="p", state=ArtifactState.ENABLED, protocol="kafka", source="orders"),
            "kafka orders",
        ),
        (Template(name="n", template_type="sequence"), "sequence"),
    ],
)
def test_a_label_tells_a_thing_apart_for_people(artifact, label: str) -> None:
    assert label_of(artifact) == label


@given(st.sampled_from(list(RuntimeType)), st.lists(st.sampled_from(sorted(WIRE_ACTIONS.values()))))
def test_what_may_be_desired_can_be_told_once_it_is_declared(runtime_type: RuntimeType, declared: list[str]) -> None:
    for kind, aspects in STEERABLE[runtime_type].items():
        for aspect in aspects:
            for value in values_of(runtime_type, aspect):
                action = action_for(Target(kind, "x", "", aspect), value)
                told = can(runtime_type, tuple(declared), action)
                match runtime_type:
                    case RuntimeType.PY:
                        assert told == (WIRE_ACTIONS[action] in declared)
                    case RuntimeType.BI:
                        assert told
                        assert WIRE_ACTIONS[action] in BI_ACTIONS
                    case RuntimeType.MI:
                        assert told


def test_ballerina_is_never_told_what_would_be_fatal_to_it() -> None:
    everything = (*WIRE_ACTIONS.values(), "workflowCommands")
    able = {action for action in CommandAction if can(RuntimeType.BI, everything, action)}
    assert able == {CommandAction.START, CommandAction.STOP, CommandAction.SET_LOGGER_LEVEL, CommandAction.WORKFLOW}
    assert not can(RuntimeType.BI, (), CommandAction.WORKFLOW)
