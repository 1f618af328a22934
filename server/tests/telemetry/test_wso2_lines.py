"""Metrics of BI and MI that arrive as log records become points; what is none stays a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pilothouse.telemetry.model import NS_A_SECOND, Attributes, LogRecord, MetricKind, MetricPoint
from pilothouse.telemetry.senders import Told
from pilothouse.telemetry.wso2_lines import Parting, merged, named, point_of

AT_NS = 1_777_464_082 * NS_A_SECOND
ANSWERED: Attributes = {
    "logger": "metrics",
    "protocol": "http",
    "http.method": "GET",
    "http.url": "/orders/7",
    "http.status_code_group": "2xx",
    "src.object.name": "/orders",
    "src.resource.path": "/orders/[string id]",
    "src.main": "false",
    "response_time_seconds": "0.0123",
}
CALLED: Attributes = {
    **ANSWERED,
    "src.client.remote": "true",
    "src.module": "acme/shop:0.1.0",
    "http.status_code_group": "4xx",
}
WORKFLOW: Attributes = {
    "logger": "workflow-metrics",
    "sample": "activity.executed",
    "workflow_type": "order",
    "activity_type": "charge",
    "task_name": "none",
    "outcome": "completed",
    "error_type": "none",
    "duration_seconds": 1.5,
}
ANALYTICS: Attributes = {
    "schemaVersion": 1,
    "payload": {
        "entityType": "API",
        "latency": 12,
        "failure": False,
        "faultResponse": False,
        "apiDetails": {"api": "Orders", "apiContext": "/orders", "method": "GET", "subRequestPath": "/7"},
    },
}


def record(attributes: Attributes, **more: object) -> LogRecord:
    return LogRecord(**{"at_ns": AT_NS, "message": "", "attributes": attributes, **more})


def parted(told: list[Told[LogRecord]]) -> tuple[list[Told[LogRecord]], list[Told[MetricPoint]]]:
    parting = Parting()
    for _ in parting.part(told):
        pass
    return parting.lines, parting.points


def point(attributes: Attributes) -> MetricPoint:
    found = point_of(record(attributes))
    assert found is not None
    return found


def test_a_request_that_ballerina_answered_is_one_by_its_template_and_not_its_url() -> None:
    found = point(ANSWERED)

    assert (found.at_ns, found.name, found.kind) == (AT_NS, "http.server.request.duration", MetricKind.DISTRIBUTION)
    assert (found.values.count, found.values.sum) == (1, 0.0123)
    assert (found.service, found.resource, found.status) == ("/orders", "GET /orders/[string id]", "2xx")
    assert (found.failed, found.outbound) == (False, False)


def test_a_request_whose_template_is_unknown_says_so() -> None:
    assert point({**ANSWERED, "src.resource.path": ""}).resource == "GET ?"


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({"http.status_code_group": "4xx"}, False),  # the caller's own fault
        ({"http.status_code_group": "5xx"}, True),
        ({"http.status_code_group": "", "error": "true"}, True),
        ({"http.status_code_group": "4xx", "src.client.remote": "true"}, True),
        ({"http.status_code": 200}, False),
    ],
)
def test_what_failed_is_told_by_status_and_error(more: Attributes, failed: bool) -> None:
    assert point({**ANSWERED, **more}).failed is failed


@pytest.mark.parametrize(
    ("tags", "name", "outbound"),
    [
        (CALLED, "http.client.request.duration", True),
        ({**CALLED, "db.system": "mysql"}, "db.client.operation.duration", True),
        (
            {"logger": "metrics", "src.client.remote": "true", "response_time_seconds": 1},
            "ballerina.client.duration",
            True,
        ),
        ({"logger": "metrics", "protocol": "kafka", "response_time_seconds": 1}, "ballerina.function.duration", False),
    ],
)
def test_calls_jobs_and_listeners_are_kept_under_names_of_their_own(
    tags: Attributes, name: str, outbound: bool
) -> None:
    found = point(tags)

    assert (found.name, found.outbound) == (name, outbound)


def test_who_called_is_the_module_and_a_program_is_main() -> None:
    assert point(CALLED).service == "acme/shop:0.1.0"
    job: Attributes = {"logger": "metrics", "src.main": "true", "src.function.name": "tidy", "response_time_seconds": 2}
    assert (point(job).service, point(job).resource) == ("main", "tidy")


@pytest.mark.parametrize("duration", [None, "", "soon", "nan", "-1", float("inf"), True, [], {}])
def test_a_metrics_line_without_a_duration_stays_a_line(duration: object) -> None:
    assert point_of(record({**ANSWERED, "response_time_seconds": duration})) is None  # type: ignore[dict-item]


def test_a_workflow_sample_with_a_duration_is_a_distribution_and_without_it_a_count() -> None:
    timed = point(WORKFLOW)
    counted = point({**WORKFLOW, "sample": "workflow.started", "duration_seconds": "", "outcome": "none"})

    assert (timed.name, timed.service, timed.resource) == ("ballerina.activity.executed.duration", "order", "charge")
    assert (timed.status, timed.failed, timed.values.sum) == ("completed", False, 1.5)
    assert (counted.name, counted.kind, counted.values.sum) == (
        "ballerina.workflow.started.count",
        MetricKind.COUNTER,
        1,
    )
    assert (counted.status, counted.failed) == ("", False)
    assert point({**WORKFLOW, "outcome": "failed"}).failed
    assert point({**WORKFLOW, "error_type": "Timeout"}).failed


def test_an_api_of_the_micro_integrator_is_a_service_with_its_context() -> None:
    found = point(ANALYTICS)

    assert (found.name, found.service, found.resource) == ("http.server.request.duration", "Orders", "GET /orders")
    assert found.values.sum == pytest.approx(0.012)
    assert (found.failed, found.outbound) == (False, False)


@pytest.mark.parametrize("which", ["failure", "faultResponse"])
def test_a_failure_and_a_fault_both_failed(which: str) -> None:
    payload = {**ANALYTICS["payload"], which: True}  # type: ignore[dict-item]

    assert point({"payload": payload}).failed


def test_inner_entities_of_the_micro_integrator_are_not_counted_as_requests() -> None:
    endpoint: Attributes = {"payload": {"entityType": "Endpoint", "latency": 3, "endpointDetails": {"name": "Stock"}}}

    assert (point(endpoint).name, point(endpoint).service, point(endpoint).outbound) == (
        "mi.endpoint.duration",
        "Stock",
        True,
    )
    assert point_of(record({"payload": {"entityType": "Weather", "latency": 3}})) is None
    assert point_of(record({"payload": "text"})) is None


def test_lines_and_measurements_are_parted_and_keep_their_runtime() -> None:
    line = record({"module": "acme/shop", "level": "WARN", "traceId": "x", "orderId": "7"}, message="no")
    told = [
        Told("r1", [record(ANSWERED), line, record(ANSWERED)]),
        Told(None, [record({})]),
        Told("r2", [record(ANALYTICS)]),
    ]

    lines, points = parted(told)

    assert [(one.runtime_id, len(one.records)) for one in lines] == [("r1", 1), (None, 1)]
    assert [(one.runtime_id, [each.values.count for each in one.records]) for one in points] == [
        ("r1", [2]),
        ("r2", [1]),
    ]
    kept = lines[0].records[0]
    assert (kept.logger, kept.attributes, kept.message) == ("acme/shop", {"orderId": "7"}, "no")


def test_others_may_work_while_many_are_parted() -> None:
    breaks = sum(1 for _ in Parting().part([Told("r", [record(ANSWERED)] * 500)]))

    assert breaks == 10


def test_a_line_that_needs_nothing_is_the_same_one() -> None:
    line = record({"order": 7}, logger="shop")

    assert named(line) is line


def test_a_logger_that_was_said_wins_over_attributes() -> None:
    found = named(record({"class": "a.B"}, logger="shop"))

    assert (found.logger, found.attributes) == ("shop", {"class": "a.B"})


def test_points_are_merged_within_a_minute_and_a_series_alone() -> None:
    first = point(ANSWERED)
    later = point_of(record(ANSWERED, at_ns=AT_NS + 61 * NS_A_SECOND))
    other = point({**ANSWERED, "http.method": "POST"})
    assert later is not None

    found = merged([first, other, later, first])

    assert sorted(each.values.count for each in found) == [1, 1, 2]
    assert sum(each.values.sum for each in found) == pytest.approx(4 * 0.0123)


_ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda below: some.lists(below, max_size=3) | some.dictionaries(some.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
_KEYS = [*ANSWERED, *WORKFLOW, "payload", "src.client.remote", "error"]


@given(some.dictionaries(some.sampled_from(_KEYS), _ANY | some.sampled_from(["metrics", "workflow-metrics"])))
def test_whatever_arrives_is_a_line_or_a_measurement(attributes: Attributes) -> None:
    lines, points = parted([Told("r", [record(attributes)])])

    assert sum(len(one.records) for one in (*lines, *points)) == 1
