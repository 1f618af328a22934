"""Replicas side by side."""

from hypothesis import given
from hypothesis import strategies as st
from pilothouse.domain.artifacts import ArtifactState
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.replicas import DRIFTS_MAX, compare, differences, facts_of, group
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import DISABLED, Aspect, SteerableKind, Target, Wish

PY = RuntimeType.PY
NAMES = {number: f"node-{number}" for number in range(1, 100)}


def hosting(**states: str) -> ArtifactSet:
    return ArtifactSet(
        artifacts=tuple(
            Listener(name=name, package="p", state=ArtifactState(state)) for name, state in sorted(states.items())
        )
    )


def seen(*reports: ArtifactSet, levels: dict[str, str] | None = None):
    return group(PY, [(number, report, levels or {}) for number, report in enumerate(reports, start=1)])


def wish(name: str, value: str) -> Wish:
    target = Target(SteerableKind.LISTENER, name, "p", Aspect.STATE)
    return Wish(number=1, target=target, value=value, version=1, author="a", set_at=0)


def test_those_who_report_the_same_are_compared_once() -> None:
    same = hosting(http="enabled")
    groups = seen(same, same, hosting(http="disabled"))
    assert sorted(each.runtime_keys for each in groups) == [(1, 2), (3,)]


def test_replicas_that_agree_are_in_sync() -> None:
    (artifact,) = compare(PY, seen(hosting(http="enabled"), hosting(http="enabled")), [], [])
    assert (artifact.differs, artifact.missing_on, artifact.aspects[0].in_sync) == (False, (), True)
    assert differences([artifact], NAMES) == []


def test_the_most_frequent_value_comes_first_and_the_others_are_who_differs() -> None:
    reports = (hosting(http="disabled"), hosting(http="enabled"), hosting(http="enabled"))
    (artifact,) = compare(PY, seen(*reports), [], [])
    assert [(each.value, each.runtime_keys) for each in artifact.aspects[0].seen] == [
        ("enabled", (2, 3)), ("disabled", (1,)),
    ]  # fmt: skip
    (drift,) = differences([artifact], NAMES)
    assert drift.message == "listener http, state: enabled on node-2, node-3, disabled on node-1."
    assert drift.runtime_keys == (1,)


def test_replicas_that_agree_on_something_else_than_is_desired_are_out_of_sync_but_do_not_drift_apart() -> None:
    (artifact,) = compare(PY, seen(hosting(http="enabled"), hosting(http="enabled")), [], [wish("http", DISABLED)])
    assert artifact.differs
    assert differences([artifact], NAMES) == []


def test_closed_and_gated_both_are_what_was_desired() -> None:
    reports = (hosting(http="disabled"), hosting(http="gated"))
    (artifact,) = compare(PY, seen(*reports), [], [wish("http", DISABLED)])
    assert artifact.aspects[0].in_sync


def test_what_one_lacks_is_missing_on_it_and_what_all_lack_is_not() -> None:
    reports = (hosting(http="enabled"), hosting(), hosting())
    (artifact,) = compare(PY, seen(*reports), [], [])
    assert artifact.missing_on == (2, 3)
    assert differences([artifact], NAMES)[0].message == "listener http is missing on node-2, node-3."
    (wished,) = compare(PY, seen(hosting()), [], [wish("http", DISABLED)])
    assert (wished.missing_on, wished.aspects[0].seen, wished.aspects[0].in_sync) == ((), (), False)


def test_what_only_silent_ones_host_is_listed_without_a_value() -> None:
    silent = group(PY, [(9, hosting(http="enabled"), {})])
    (artifact,) = compare(PY, seen(hosting()), silent, [])
    assert (artifact.name, artifact.label, artifact.aspects[0].seen, artifact.missing_on) == ("http", "http", (), ())


def test_a_logger_without_a_level_of_its_own_is_unset_and_not_missing() -> None:
    bare = hosting()
    groups = group(PY, [(1, bare, {"shop": "DEBUG"}), (2, bare, {})])
    (artifact,) = compare(PY, groups, [], [])
    assert artifact.missing_on == ()
    assert {each.value for each in artifact.aspects[0].seen} == {"DEBUG", "NOTSET"}


def test_many_replicas_are_named_a_few_and_counted() -> None:
    reports = [hosting(http="enabled")] + [hosting()] * 9
    (artifact,) = compare(PY, seen(*reports), [], [])
    assert differences([artifact], NAMES)[0].message.endswith("node-6 and 4 more.")


def test_sentences_have_an_end() -> None:
    many = hosting(**{f"l{number}": "enabled" for number in range(200)})
    assert len(differences(compare(PY, seen(many, hosting()), [], []), NAMES)) == DRIFTS_MAX


def test_facts_leave_out_what_is_told_elsewhere() -> None:
    listener = Listener(name="x", package="p", state=ArtifactState.ENABLED, port=8_090, protocol="HTTP")
    facts = dict(facts_of(listener))
    assert facts["port"] == "8090"
    assert not {"name", "package", "state"} & set(facts)


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["enabled", "disabled"])), min_size=1, max_size=6)
)
def test_each_running_replica_has_each_thing_with_one_value_or_lacks_it(hosted: list[dict[str, str]]) -> None:
    for artifact in compare(PY, seen(*(hosting(**states) for states in hosted)), [], []):
        told = [key for each in artifact.aspects[0].seen for key in each.runtime_keys]
        assert sorted([*told, *artifact.missing_on]) == list(range(1, len(hosted) + 1))
        expected = {states[artifact.name] for states in hosted if artifact.name in states}
        assert {each.value for each in artifact.aspects[0].seen} == expected
