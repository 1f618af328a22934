"""Where a service may be tried out, and at which doors of a runtime."""

from pilothouse.domain.artifacts.api import Api
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.base import ArtifactState
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.try_it import Door, Said, doors_of, is_allowed


def test_without_a_word_only_environments_that_are_not_critical_allow_it() -> None:
    assert is_allowed(None, critical=False)
    assert not is_allowed(None, critical=True)


def test_what_was_said_counts() -> None:
    assert is_allowed(Said(allowed=True, critical=True), critical=True)
    assert not is_allowed(Said(allowed=False, critical=False), critical=False)


def test_what_was_said_before_an_environment_became_critical_opens_nothing() -> None:
    assert not is_allowed(Said(allowed=True, critical=False), critical=True)


def test_what_was_said_of_a_critical_environment_does_not_outlive_that() -> None:
    assert is_allowed(Said(allowed=False, critical=True), critical=False)


def test_doors_are_the_listeners_that_speak_http_each_port_once() -> None:
    found = doors_of(
        ArtifactSet.of(
            [
                Listener(name="a", protocol="HTTP", port=8080),
                Listener(name="b", protocol="https", port=8443, state=ArtifactState.DISABLED),
                Listener(name="c", protocol="HTTP", port=8080),
                Listener(name="d", protocol="kafka", port=9092),
                Listener(name="e", protocol="HTTP"),
                Listener(name="f", protocol="HTTP", port=70_000),
                Listener(name="g", protocol="HTTP", port=0),
                Listener(name="h", port=1234),
            ]
        )
    )
    assert found == (
        Door(listener="a", scheme="http", port=8080, open=True),
        Door(listener="b", scheme="https", port=8443, open=False),
    )


def test_apis_of_micro_integrator_tell_their_doors_by_their_addresses() -> None:
    found = doors_of(
        ArtifactSet.of(
            [
                Api(name="a", url="http://mi:8290/a", urls=("http://mi:8290/a", "https://mi:8253/a")),
                Api(name="b", url="http://mi/b"),
                Api(name="c", url="http://[broken"),
                Api(name="d", url="http://mi:99999/d"),
                Api(name="e", url="file:///etc/passwd"),
                Api(name="f"),
            ]
        )
    )
    assert [(door.scheme, door.port) for door in found] == [("http", 8290), ("https", 8253), ("http", 80)]
