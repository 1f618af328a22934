"""What replicas should share, summed up: equal for what is merged as one, different for what is told apart."""

from msgspec.structs import replace
from pilothouse.domain.artifacts import ArtifactState, DeploymentState
from pilothouse.domain.artifacts.api import Api
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.carbon_app import CarbonApp
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.likeness import count_failed, likeness
from pilothouse.domain.runtime_type import RuntimeType

LISTENER = Listener(name="listener_1", package="http", state=ArtifactState.ENABLED, protocol="HTTP", port=9090)
SERVICE = Service(name="service_1", package="shop", base_path="/orders", listeners=("listener_1",))


def sum_of(*artifacts: object, kind: RuntimeType = RuntimeType.BI) -> str:
    return likeness(kind, ArtifactSet.of(artifacts))  # pyright: ignore[reportArgumentType] - of many kinds


def test_another_order_is_no_difference() -> None:
    other = replace(LISTENER, name="listener_2", port=9091)
    assert sum_of(LISTENER, other) == sum_of(other, LISTENER)


def test_another_form_and_another_state_are_differences() -> None:
    told = {
        sum_of(LISTENER),
        sum_of(replace(LISTENER, port=9091)),
        sum_of(replace(LISTENER, state=ArtifactState.DISABLED)),
        sum_of(LISTENER, SERVICE),
        sum_of(),
    }
    assert len(told) == 5


def test_what_ballerina_names_by_accident_is_alike_under_any_name() -> None:
    renamed = replace(LISTENER, name="listener_7")
    attached = replace(SERVICE, name="service_3", listeners=("listener_7",))
    assert sum_of(LISTENER, SERVICE) == sum_of(renamed, attached)
    assert sum_of(LISTENER, kind=RuntimeType.PY) != sum_of(renamed, kind=RuntimeType.PY)


def test_the_address_of_a_machine_is_no_difference() -> None:
    one, two = (Api(name="orders", url=f"http://10.0.0.{host}:8290/orders", context="/orders") for host in (1, 2))
    assert sum_of(one, kind=RuntimeType.MI) == sum_of(two, kind=RuntimeType.MI)
    assert sum_of(one, kind=RuntimeType.MI) != sum_of(replace(one, context="/x"), kind=RuntimeType.MI)


def test_a_port_that_the_system_chose_is_no_difference_and_one_that_was_configured_is() -> None:
    one, two = (
        Listener(name="http-dynamic", protocol="HTTP", host="127.0.0.1", port=port) for port in (40_001, 40_002)
    )
    assert sum_of(one, kind=RuntimeType.PY) == sum_of(two, kind=RuntimeType.PY)
    fixed = [replace(one, name=f"http-{port}", port=port) for port in (8291, 8292)]
    assert len({sum_of(each, kind=RuntimeType.PY) for each in (one, *fixed)}) == 3


def test_what_failed_is_counted_of_every_kind() -> None:
    failed = ArtifactSet.of(
        [
            CarbonApp(name="shop", state=DeploymentState.FAULTY),
            CarbonApp(name="crm", state=DeploymentState.ACTIVE),
            replace(LISTENER, state=ArtifactState.FAILED),
            Api(name="orders"),
        ]
    )
    assert count_failed(failed) == 2
