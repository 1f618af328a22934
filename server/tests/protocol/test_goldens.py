"""The golden heartbeats of `contracts/` from the server's side: what they decode to, what the bad ones are told."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pilothouse.domain.artifacts import KINDS, ArtifactState, Base, DeploymentState, artifact_set
from pilothouse.domain.artifacts.api import Api
from pilothouse.domain.artifacts.automation import Automation
from pilothouse.domain.artifacts.carbon_app import CarbonApp, Part
from pilothouse.domain.artifacts.connector import Connector
from pilothouse.domain.artifacts.consumer import Consumer
from pilothouse.domain.artifacts.data_service import DataService
from pilothouse.domain.artifacts.data_source import DataSource
from pilothouse.domain.artifacts.endpoint import Attribute, Endpoint
from pilothouse.domain.artifacts.inbound_endpoint import InboundEndpoint
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.local_entry import LocalEntry
from pilothouse.domain.artifacts.message_processor import MessageProcessor
from pilothouse.domain.artifacts.message_store import MessageStore
from pilothouse.domain.artifacts.proxy_service import ProxyService
from pilothouse.domain.artifacts.registry_resource import RegistryResource
from pilothouse.domain.artifacts.schedule import Schedule
from pilothouse.domain.artifacts.sequence import Sequence
from pilothouse.domain.artifacts.service import Resource, Service
from pilothouse.domain.artifacts.task import Task
from pilothouse.domain.artifacts.template import Template
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.domain.runtime import NodeFacts
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.protocol.wire import WireError, decode_delta, decode_full
from pilothouse.protocol.wire_values import TEXT_CHARS_MAX

GOLDENS = Path(__file__).parents[3] / "contracts" / "heartbeat" / "v1"
FULL_PATH = "/icp/heartbeat"

ON, OFF = ArtifactState.ENABLED, ArtifactState.DISABLED


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDENS / f"{name}.json").read_text())


def body_of(message: dict[str, Any]) -> bytes:
    return message["bodyText"].encode() if "bodyText" in message else json.dumps(message["body"]).encode()


def decoded(name: str) -> FullHeartbeat:
    return decode_full(body_of(golden(name)))


NAMES = sorted(path.stem for path in GOLDENS.glob("*.json"))
BAD = [name for name in NAMES if name.startswith("bad-")]
GOOD = [name for name in NAMES if not name.startswith("bad-")]


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_has_the_shape_that_the_contract_describes(name: str) -> None:
    message = golden(name)
    assert {"about", "path", "expect"} <= message.keys() <= {"about", "path", "expect", "body", "bodyText"}
    assert ("body" in message) != ("bodyText" in message)
    assert message["path"] in {FULL_PATH, "/icp/deltaHeartbeat"}
    assert message["expect"]["status"] == (400 if name in BAD else 200)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_golden_is_understood(name: str) -> None:
    message = golden(name)
    read = decode_full if message["path"] == FULL_PATH else decode_delta
    heartbeat = read(body_of(message))
    limit = TEXT_CHARS_MAX["runtimeHash"]
    expected = (message["body"]["runtimeId"], message["body"]["runtimeHash"].replace("\0", "")[:limit])
    assert expected == (heartbeat.runtime_id, heartbeat.runtime_hash)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_golden_is_refused_with_its_code_and_told_the_member_and_the_fix(name: str) -> None:
    message = golden(name)
    read = decode_full if message["path"] == FULL_PATH else decode_delta
    with pytest.raises(WireError) as refused:
        read(body_of(message))
    assert message["expect"]["code"] == refused.value.code
    assert message["expect"].get("field") == refused.value.field
    assert f"`{refused.value.field}`" in refused.value.message or refused.value.field is None
    assert refused.value.message.startswith("Invalid heartbeat: ")
    assert refused.value.fix


EXPECTED: dict[str, tuple[Base, ...]] = {
    "api": (
        Api(
            name="QuoteAPI",
            context="/quote",
            version="1.0.0",
            url="http://mi-1.example:8290/quote/1.0.0",
            urls=("http://mi-1.example:8290/quote/1.0.0", "https://mi-1.example:8253/quote/1.0.0"),
            tracing=OFF,
            statistics=ON,
            carbon_app="QuoteCar",
            resources=(Resource(path="/health"), Resource(path="/{symbol}", methods=("GET", "POST"))),
        ),
    ),
    "automation": (Automation(name="nightly_sync", organization="acme", version="1.4.0"),),
    "carbon-app": (
        CarbonApp(name="QuoteCar", version="1.1.0", state=DeploymentState.FAULTY, error_message="Dependency missing"),
        CarbonApp(
            name="QuoteCar",
            version="1.2.0",
            state=DeploymentState.ACTIVE,
            artifacts=(Part(name="QuoteAPI", part_type="api"), Part(name="StockEP", part_type="endpoint")),
        ),
    ),
    "connector": (
        Connector(
            name="salesforce",
            package="org.wso2.carbon.connector",
            description="Talks to a CRM",
            state=ArtifactState.ENABLED,
        ),
    ),
    "consumer": (
        Consumer(
            name="orders",
            package="faststream",
            state=ON,
            protocol="rabbitmq",
            source="orders",
            handler="intake.py:14",
        ),
        Consumer(
            name="prices",
            package="faststream",
            state=ArtifactState.FAILED,
            state_reason="The broker refused the login.",
            protocol="kafka",
            source="prices.v1",
            group="order-intake",
            handler="intake.py:31",
        ),
    ),
    "data-service": (
        DataService(
            name="OrdersDS",
            state=DeploymentState.ACTIVE,
            description="Orders by day",
            configs=("orders",),
            operation_count=4,
            query_count=5,
        ),
    ),
    "data-source": (
        DataSource(
            name="ORDERS_DB",
            source_type="RDBMS",
            driver="org.postgresql.Driver",
            url="jdbc:postgresql://db.example/orders",
            has_username=True,
        ),
    ),
    "endpoint": (
        Endpoint(
            name="StockEP",
            endpoint_type="HTTPEndpoint",
            state=ON,
            tracing=OFF,
            statistics=ON,
            attributes=(
                Attribute(name="Method", value="GET"),
                Attribute(name="URI Template", value="https://stock.example/{uri.var.s}"),
            ),
        ),
    ),
    "inbound-endpoint": (
        InboundEndpoint(
            name="FileIn",
            protocol="file",
            state=OFF,
            tracing=OFF,
            statistics=ON,
            sequence="onFile",
            on_error="fault",
            carbon_app="QuoteCar",
        ),
    ),
    "listener": (
        Listener(
            name="listener_2", package="ballerina/graphql:1", state=OFF, protocol="graphql", port=9091, host="0.0.0.0"
        ),
        Listener(
            name="listener_1",
            package="ballerina/http:2",
            state=ON,
            protocol="HTTP",
            port=9090,
            host="0.0.0.0",
            http_version="2.0",
            timeout_s=60.0,
        ),
        Listener(name="listener_3", package="ballerinax/kafka:4", state=ON, protocol="kafka"),
    ),
    "local-entry": (LocalEntry(name="rates", entry_type="Inline XML", carbon_app="QuoteCar"),),
    "message-processor": (
        MessageProcessor(
            name="Forward", processor_type="ScheduledMessageForwardingProcessor", state=ON, message_store="Parked"
        ),
    ),
    "message-store": (MessageStore(name="Parked", store_type="InMemoryStore", size_messages=17),),
    "proxy-service": (
        ProxyService(
            name="StockProxy",
            proxy_type="Proxy Service",
            state=ON,
            tracing=OFF,
            statistics=ON,
            carbon_app="QuoteCar",
            endpoints=("http://mi-1.example:8290/services/StockProxy",),
        ),
    ),
    "registry-resource": (
        RegistryResource(name="archive"),
        RegistryResource(name="rates.xslt", media_type="application/xslt+xml"),
    ),
    "schedule": (
        Schedule(name="nightly", package="apscheduler", state=ON, trigger="cron: 0 3 * * *", handler="jobs.py:8"),
        Schedule(
            name="poll",
            package="apscheduler",
            state=OFF,
            state_reason="The job is paused.",
            trigger="every 30 s",
            handler="jobs.py:20",
        ),
    ),
    "sequence": (Sequence(name="onFile", tracing=OFF, statistics=ON, carbon_app="QuoteCar"),),
    "service": (
        Service(
            name="service_1",
            base_path="/orders",
            package="acme/order_intake:1",
            state=ON,
            listeners=("listener_1",),
            resources=(
                Resource(path="/items", methods=("GET", "POST")),
                Resource(path="/items/{id}/*", methods=("GET",)),
            ),
        ),
        Service(
            name="service_2",
            package="acme/order_intake:1",
            state=ON,
            listeners=("listener_3",),
            resources=(Resource(path="/onConsumerRecord", methods=("REMOTE",)),),
        ),
    ),
    "task": (Task(name="Sweep", state=ON, task_class="org.example.tasks.Sweep"),),
    "template": (
        Template(name="Retry", template_type="endpoint"),
        Template(name="Retry", template_type="sequence", statistics=OFF),
    ),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__struct_config__.tag)
def test_every_kind_has_a_golden_that_decodes_to_every_one_of_its_fields(kind: type[Base]) -> None:
    tag = str(kind.__struct_config__.tag)
    heartbeat = decoded("automation-bi" if tag == "automation" else tag)
    assert heartbeat.artifacts.artifacts == EXPECTED[tag]
    assert heartbeat.flags == ()
    in_full = decoded("full-mi").artifacts.all(kind)
    assert in_full in {(), EXPECTED[tag]}
    assert in_full or tag in {"service", "listener", "automation", "consumer", "schedule"}


def test_the_goldens_of_a_kind_leave_no_field_of_it_untried() -> None:
    for kind in KINDS:
        instances = EXPECTED[str(kind.__struct_config__.tag)]
        unsaid = {
            field.name
            for field in msgspec.structs.fields(kind)
            if all(getattr(one, field.name) == field.default for one in instances)
        }
        # States that are the default, what the error path alone sends, and what the golden of another kind shows.
        assert unsaid <= {"state", "state_reason", "group", "error_message", "carbon_app"}, kind


def test_a_python_runtime_is_read_whole() -> None:
    heartbeat = decoded("full-py")
    assert heartbeat.runtime_type is RuntimeType.PY
    assert (heartbeat.environment, heartbeat.project, heartbeat.integration) == ("dev", "order-service", "order-create")
    assert (heartbeat.runtime_name, heartbeat.version, heartbeat.interval_s) == ("orders-node-1", "1.4.0", 10.0)
    assert heartbeat.sent_at == 1_790_000_010.5
    assert heartbeat.node == NodeFacts(
        hostname="orders-1.example",
        process_id=4211,
        platform_name="cpython",
        platform_version="3.11.7",
        platform_home="/opt/orders/venv",
        os_name="Linux",
        os_version="6.8.0",
        os_arch="x86_64",
        started_at=1_790_000_000.125,
    )
    assert heartbeat.log_levels == {"order_service": "INFO", "order_service.feed": "DEBUG"}
    assert [(r.path, r.methods, r.source) for r in heartbeat.artifacts.services[0].resources] == [
        ("/feed", ("WEBSOCKET",), "order_service/feed.py:12"),
        ("/items", ("GET", "POST"), "order_service/app.py:44"),
        ("/items/{item_id}", ("GET",), "order_service/app.py:31"),
    ]
    assert heartbeat.artifacts.services[0].listeners == ("http",)
    assert heartbeat.flags == ()


def test_a_ballerina_runtime_is_read_whole() -> None:
    heartbeat = decoded("full-bi")
    definitions = golden("full-bi")["body"]["openApiDefinitions"]
    assert heartbeat.open_api_definitions is not None
    assert json.loads(bytes(heartbeat.open_api_definitions)) == definitions
    assert (heartbeat.try_it_host, heartbeat.capabilities) == ("10.20.0.14", ("workflowCommands",))
    assert heartbeat.node.platform_home == "/opt/ballerina/distributions/ballerina-2201.13.2"
    assert heartbeat.artifacts.artifacts == EXPECTED["listener"] + EXPECTED["service"]
    assert heartbeat.flags == ()


def test_an_automation_has_a_set_with_nothing_but_itself_and_empty_levels_are_not_absent_ones() -> None:
    heartbeat = decoded("automation-bi")
    assert heartbeat.artifacts.automation == EXPECTED["automation"][0]
    assert heartbeat.log_levels == {}
    assert heartbeat.runtime_name is None


def test_micro_integrator_tells_where_its_management_api_is() -> None:
    node = decoded("full-mi").node
    assert (node.management_hostname, node.management_port) == ("mi-1.example", "9164")
    assert node.platform_home == "/home/mi/wso2mi-4.5.0"


def test_whatever_micro_integrator_sends_in_its_error_paths_is_kept_and_flagged() -> None:
    heartbeat = decoded("ugly-mi")
    kept = heartbeat.artifacts
    assert [(api.name, api.version) for api in kept.all(Api)] == [
        ("(unnamed 5)", ""),
        ("NullAPI", ""),
        ("bare-name", ""),
    ]
    assert [r.path for r in kept.all(Api)[1].resources] == ["/x"]
    assert kept.all(InboundEndpoint) == (InboundEndpoint(name="Custom", state=ON),)
    assert kept.all(Connector) == (Connector(name="ERROR_mailer", error_message="Cannot read the library"),)
    assert kept.all(DataService) == (DataService(name="Broken", error_message="Cannot be described"),)
    assert [(app.name, app.version, app.state.value) for app in kept.all(CarbonApp)] == [
        ("Twice", "1.0.0", "active"),
        ("Twice", "2.0.0", "faulty"),
        ("Versionless", None, "active"),
    ]
    assert kept.all(Endpoint) == (Endpoint(name="Same", endpoint_type="AddressEndpoint", state=OFF),)
    assert kept.all(MessageStore)[0].size_messages == 12
    assert kept.all(Sequence) == (Sequence(name="5", carbon_app="OldCar"),)
    flagged = {flag.split(":")[0].split("[")[0] for flag in heartbeat.flags}
    assert flagged == {
        "artifacts",
        "artifacts.apis",
        "artifacts.connectors",
        "artifacts.dataServices",
        "artifacts.sequences",
        "artifacts.tasks",
    }


def test_null_is_absent_for_every_optional_member() -> None:
    heartbeat, minimal = decoded("nulls"), decoded("minimal")
    same = {"runtime_id", "runtime_type", "artifacts"}
    for field in msgspec.structs.fields(FullHeartbeat):
        if field.name not in same:
            assert getattr(heartbeat, field.name) == getattr(minimal, field.name), field.name
    assert heartbeat.artifacts.artifacts == (Service(name="s", package="p"),)


def test_unknown_members_change_nothing_at_any_level() -> None:
    unknown, known = decoded("unknown-members"), decoded("full-py")
    assert msgspec.structs.replace(unknown, runtime_id=known.runtime_id) == known


def test_overlong_texts_are_cut_and_flagged() -> None:
    heartbeat = decoded("overlong")
    lengths = (
        len(heartbeat.runtime_name or ""),
        len(heartbeat.version or ""),
        len(heartbeat.node.platform_version or ""),
        len(heartbeat.node.os_name or ""),
        len(heartbeat.artifacts.services[0].name),
        len(heartbeat.runtime_hash),
        *(len(logger) for logger in heartbeat.log_levels or {}),
    )
    assert lengths == (100, 50, 50, 50, 255, 128, 255)
    assert max(len(resource.path) for resource in heartbeat.artifacts.services[0].resources) == 1024
    assert len(heartbeat.flags) == 8
    assert all(flag.endswith(", cut") for flag in heartbeat.flags)


def test_nul_characters_are_removed() -> None:
    heartbeat = decoded("nul-characters")
    assert (heartbeat.environment, heartbeat.runtime_name, heartbeat.runtime_hash) == ("dev", "ab", "h")
    assert heartbeat.artifacts.services[0].name == "s"


def test_what_goldens_decode_to_survives_storage() -> None:
    for name in GOOD:
        if golden(name)["path"] == FULL_PATH:
            artifacts = decoded(name).artifacts
            assert artifact_set.decode(artifact_set.pack(artifact_set.encode(artifacts))) == artifacts
