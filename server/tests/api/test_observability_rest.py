"""The two calls that scripts of the original console's API make: its shapes, with honest content."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pilothouse.telemetry.histogram import of_values
from pilothouse.telemetry.model import Level, LogBatch, LogRecord, MetricBatch, MetricPoint, Origin

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff
from telemetry_staging import origin_of, say

pytestmark = pytest.mark.anyio

LOGS, METRICS = "/icp/observability/logs", "/icp/observability/metrics"
NOW_S = 1_790_000_000
HOUR = {"startTime": "2026-09-21T13:13:20Z", "endTime": "2026-09-21T14:13:19.999Z", "resolutionInterval": "15m"}
COLUMNS = [
    ("TimeGenerated", "datetime"), ("LogLevel", "string"), ("LogEntry", "dynamic"), ("Class", "dynamic"),
    ("LogFilePath", "dynamic"), ("AppName", "dynamic"), ("Module", "dynamic"), ("ServiceType", "dynamic"),
    ("App", "dynamic"), ("Deployment", "dynamic"), ("ArtifactContainer", "dynamic"), ("Product", "dynamic"),
    ("IcpRuntimeId", "dynamic"), ("LogAttributes", "dynamic"), ("ComponentVersion", "string"),
    ("ComponentVersionId", "string"), ("Error", "dynamic"),
]  # fmt: skip
MEASURES = {
    "requests_total", "response_time_seconds_avg", "response_time_seconds_min", "response_time_seconds_max",
    *(f"response_time_seconds_percentile_{of}" for of in (33, 50, 66, 95, 99)),
}  # fmt: skip


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, telemetry_store="memory")


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
async def shop(plane, staff) -> dict[str, Origin]:
    await staff.project("Shop", "Till", "Stock Keeper")
    await staff.project("Bank", "Till")
    return {
        "till": await origin_of(plane, "shop", "till", "dev", runtime_id="till-1"),
        "till-prod": await origin_of(plane, "shop", "till", "prod", runtime_id="till-9"),
        "stock": await origin_of(plane, "shop", "stock-keeper", "dev", runtime_id="stock-1"),
        "bank": await origin_of(plane, "bank", "till", "dev", runtime_id="bank-1"),
    }


async def post(person, path: str, **body: Any) -> dict[str, Any]:
    answer = await person.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def entries(person, **body: Any) -> list[dict[str, Any]]:
    """Read rows as a client must: by the names of their columns."""
    table = await post(person, LOGS, **body)
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


async def messages(person, **body: Any) -> list[str]:
    return [row["LogEntry"].partition(' message="')[2].partition('"')[0] for row in await entries(person, **body)]


# ---------------------------------------------------------------- logs


async def test_columns_have_the_originals_names_order_and_types(admin, plane, shop) -> None:
    await say(plane, shop["till"], "hello")
    table = await post(admin, f"{LOGS}?live=true", region="US", somethingElse={"is": "passed over"})
    assert [(column["name"], column["type"]) for column in table["columns"]] == COLUMNS
    assert len(table["rows"][0]) == 17


async def test_a_line_of_ballerina_is_rebuilt(admin, plane, shop) -> None:
    record = LogRecord(
        at_ns=1_789_999_990_123_456_789, message="no stock", severity=Level.ERROR.value, trace_id="ab" * 16,
        span_id="cd" * 8, attributes={
            "module": "acme/orders", "app_name": "order_service", "service_type": "ballerina", "log_file_path": "/var/log/b.log",
            "deployment": "order_service", "app": "order_service - acme", "sku": "a-7", "left": 0, "error": {"message": "empty"},
        },
    )  # fmt: skip
    await plane.telemetry.append_logs([LogBatch(shop["till"], [record])])
    (row,) = await entries(admin, componentId="shop/till")
    entry = row.pop("LogEntry")
    assert entry == (
        'time=2026-09-21T14:13:10.123Z level=ERROR module="acme/orders" app_name="order_service" message="no stock" '
        f'traceId="{"ab" * 16}" spanId="{"cd" * 8}" icp.runtimeId="till-1" sku="a-7" left=0'
    )
    assert row == {
        "TimeGenerated": "2026-09-21T14:13:10.123Z", "LogLevel": "ERROR", "Class": None, "LogFilePath": "/var/log/b.log",
        "AppName": "order_service", "Module": "acme/orders", "ServiceType": "ballerina", "App": "order_service - acme",
        "Deployment": "order_service", "ArtifactContainer": None, "Product": "ballerina integrator",
        "IcpRuntimeId": "till-1", "LogAttributes": {"sku": "a-7", "left": 0}, "ComponentVersion": "",
        "ComponentVersionId": "", "Error": {"message": "empty"},
    }  # fmt: skip


async def test_a_line_of_the_micro_integrator_has_its_class(admin, plane, shop) -> None:
    told = {"service_type": "MI", "product": "Micro Integrator", "artifact_container": "OrdersCApp"}
    await say(plane, shop["till"], "deployed", logger="SynapseDeployer", attributes=told)
    (row,) = await entries(admin, componentId="shop/till")
    assert (row["Class"], row["Module"], row["ServiceType"]) == ("SynapseDeployer", None, "MI")
    assert (row["Product"], row["ArtifactContainer"]) == ("Micro Integrator", "OrdersCApp")
    assert ' level=INFO artifact_container="OrdersCApp" message="deployed" icp.runtimeId="till-1"' in row["LogEntry"]


async def test_an_exception_is_the_error(admin, plane, shop) -> None:
    told = {"exception.type": "ValueError", "exception.message": "no", "exception.stacktrace": "Traceback", "n": 1}
    await say(plane, shop["till"], "failed", logger="orders", attributes=told)
    (row,) = await entries(admin)
    assert row["Error"] == {"type": "ValueError", "message": "no", "stackTrace": "Traceback"}
    assert row["LogAttributes"] == {"n": 1}


async def test_integrations_and_environments_are_named_by_id_handle_or_name(admin, plane, shop) -> None:
    for name, origin in shop.items():
        await say(plane, origin, name)
    stock = shop["stock"]
    for named in (stock.integration_id, "stock-keeper", "shop/stock-keeper", "Stock Keeper"):
        assert await messages(admin, componentId=named) == ["stock"], named
    for named, expected in ((stock.environment_id, "till"), ("prod", "till-prod"), ("Production", "till-prod")):
        assert await messages(admin, componentId="shop/till", environmentId=named) == [expected], named
    assert await messages(admin, componentIdList=["shop/till"], environmentList=["prod"]) == ["till-prod"]
    assert sorted(await messages(admin, componentId="bank/till", componentIdList=["shop/till"])) == [
        "bank", "till", "till-prod",
    ]  # fmt: skip
    assert len(await messages(admin)) == 4


async def test_a_name_that_two_integrations_have_is_refused(admin, shop) -> None:
    answer = await admin.client.post(LOGS, json={"componentId": "till"})
    assert (answer.status_code, answer.json()["field"]) == (400, "componentId")
    assert "bank/till, shop/till" in answer.json()["fix"]


async def test_what_is_not_there_has_the_originals_empty_answer(admin, shop) -> None:
    for body in ({"componentId": "nowhere"}, {"environmentId": "nowhere"}):
        assert await post(admin, LOGS, **body) == {"columns": [], "rows": [], "hasMore": False, "next": None}
        assert await post(admin, METRICS, **body, **HOUR) == {"inboundMetrics": [], "outboundMetrics": []}


async def test_filters_of_lines(admin, plane, shop) -> None:
    await say(plane, shop["till"], "Order 7 placed", at_ns=(NOW_S - 30) * 10**9)
    await say(plane, shop["till"], "order 8 refused", level=Level.WARN, at_ns=(NOW_S - 20) * 10**9 + 999_999)
    await say(plane, shop["till"], "order 9 lost", level=Level.ERROR, at_ns=(NOW_S - 10) * 10**9)
    assert await messages(admin, logLevels=["WARN", "error"]) == ["order 8 refused", "order 9 lost"]
    assert await messages(admin, searchPhrase="ORDER 7") == ["Order 7 placed"]
    assert await messages(admin, regexPhrase="order [0-9] (lost|found)") == ["order 9 lost"]
    assert await messages(admin, sort="desc", limit=1) == ["order 9 lost"]
    assert await messages(admin, startTime="2026-09-21T14:13:00.000Z", endTime="2026-09-21T14:13:00.000Z") == [
        "order 8 refused"
    ]
    assert await messages(admin, startTime="2026-09-21T16:13:00+02:00") == ["order 8 refused", "order 9 lost"]
    assert await messages(admin, endTime="2026-09-21T14:12:55") == ["Order 7 placed"]


async def test_nothing_is_cut_off_in_silence_and_pages_neither_skip_nor_repeat(admin, plane, shop) -> None:
    at_ns = (NOW_S - 5) * 10**9
    records = [LogRecord(at_ns=at_ns, message=f"n{number}") for number in range(25)]
    await plane.telemetry.append_logs([LogBatch(shop["till"], [*records, records[0]])])
    for sort in ("asc", "desc"):
        seen: list[str] = []
        after = None
        while True:
            page = await post(admin, LOGS, limit=10, sort=sort, after=after)
            seen += [row[2].partition(' message="')[2].partition('"')[0] for row in page["rows"]]
            after = page["next"]
            assert page["hasMore"] is (after is not None)
            if after is None:
                break
        assert sorted(seen) == sorted([*(f"n{number}" for number in range(25)), "n0"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (LOGS, {"limit": "many"}),
        (LOGS, {"limit": 0}),
        (LOGS, {"limit": 10_001}),
        (LOGS, {"sort": "up"}),
        (LOGS, {"logLevels": ["LOUD"]}),
        (LOGS, {"regexPhrase": "("}),
        (LOGS, {"startTime": "yesterday"}),
        (LOGS, {"after": "behind"}),
        (LOGS, {"componentIdList": "till"}),
        (METRICS, {}),
        (METRICS, {**HOUR, "resolutionInterval": "soon"}),
        (METRICS, {**HOUR, "resolutionInterval": "0m"}),
        (METRICS, {**HOUR, "startTime": HOUR["endTime"], "endTime": HOUR["startTime"]}),
        (METRICS, {**HOUR, "startTime": "2020-01-01T00:00:00Z", "resolutionInterval": "1m"}),
        (METRICS, {**HOUR, "endTime": None}),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_cause(admin, path: str, body: dict[str, Any]) -> None:
    answer = await admin.client.post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"]


async def test_both_are_for_those_who_may_and_where_they_may(admin, staff, plane, shop) -> None:
    for name, origin in shop.items():
        await say(plane, origin, name)
        await requests(plane, origin, "GET /a", [0.1])
    await staff.holder("ann", "OBSERVABILITY_MGT_VIEW_LOGS", project="shop", environment="dev")
    await staff.holder("bob", "OBSERVABILITY_MGT_VIEW_INSIGHTS", project="bank")
    async with staff.signed_in("ann") as ann, staff.signed_in("bob") as bob, staff.stranger() as stranger:
        assert sorted(await messages(ann)) == ["stock", "till"]
        assert await messages(ann, componentId="till") == ["till"]
        assert await messages(ann, componentId=shop["bank"].integration_id) == []
        assert await messages(ann, componentId="till", environmentId="prod") == []
        found = (await post(bob, METRICS, **HOUR))["inboundMetrics"]
        assert [entry["tags"]["project"] for entry in found] == ["bank"]
        assert (await ann.client.post(METRICS, json=HOUR)).status_code == 403
        assert (await bob.client.post(LOGS, json={})).status_code == 403
        assert (await stranger.client.post(LOGS, json={})).status_code == 401
    answer = await admin.client.post(LOGS, json={}, headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_ORIGIN")


# ---------------------------------------------------------------- metrics


async def requests(plane, origin: Origin, resource: str, took_s: list[float], ago_s: int = 60, **more: Any) -> None:
    outbound = more.get("outbound", False)
    point = MetricPoint(**{
        "at_ns": (NOW_S - ago_s) * 10**9, "values": of_values(took_s), "service": "orders", "resource": resource,
        "name": "http.client.request.duration" if outbound else "http.server.request.duration", "status": "200", **more,
    })  # fmt: skip
    await plane.telemetry.append_metrics([MetricBatch(origin, [point])])


def series(entry: dict[str, Any], name: str) -> list[float | None]:
    told = entry[name]
    assert told["name"] == name
    assert list(told["timeSeriesData"]) == sorted(told["timeSeriesData"])
    return list(told["timeSeriesData"].values())


async def test_an_entry_has_the_originals_series_over_every_bucket(admin, plane, shop) -> None:
    await requests(plane, shop["till"], "GET /orders/{id}", [0.1, 0.2, 0.3, 0.4])
    answer = await post(admin, METRICS, componentId="shop/till", **HOUR)
    assert set(answer) == {"inboundMetrics", "outboundMetrics"}
    (entry,) = answer["inboundMetrics"]
    assert set(entry) == {"tags", *MEASURES}
    assert entry["tags"] == {
        "project": "shop", "integration": "till", "environment": "dev", "icp_runtimeId": "till-1",
        "service_type": "ballerina", "product": "ballerina integrator", "protocol": "http", "src_object_name": "orders",
        "method": "GET", "http_method": "GET", "url": "/orders/{id}", "status_code_group": "2xx",
        "http_status_code_group": "2xx", "status": "successful",
    }  # fmt: skip
    assert list(entry["requests_total"]["timeSeriesData"]) == [
        "2026-09-21T13:00:00.000Z", "2026-09-21T13:15:00.000Z", "2026-09-21T13:30:00.000Z",
        "2026-09-21T13:45:00.000Z", "2026-09-21T14:00:00.000Z",
    ]  # fmt: skip
    assert series(entry, "requests_total") == [None, None, None, None, 4]
    assert series(entry, "response_time_seconds_avg")[-1] == pytest.approx(0.25)
    assert (series(entry, "response_time_seconds_min")[-1], series(entry, "response_time_seconds_max")[-1]) == (
        0.1,
        0.4,
    )
    for of, value in ((33, 0.2), (50, 0.2), (66, 0.3), (95, 0.4), (99, 0.4)):
        assert series(entry, f"response_time_seconds_percentile_{of}")[-1] == pytest.approx(value, rel=0.025), of


async def test_failed_and_successful_are_apart_and_unknown_is_not_zero(admin, plane, shop) -> None:
    await requests(plane, shop["till"], "GET /a", [0.1, 0.1], ago_s=1_200)
    await requests(plane, shop["till"], "GET /a", [2.0], status="500", failed=True)
    good, bad = sorted(
        (await post(admin, METRICS, **HOUR))["inboundMetrics"], key=lambda one: one["tags"]["status"], reverse=True
    )
    assert (good["tags"]["status"], bad["tags"]["status"]) == ("successful", "failed")
    assert bad["tags"]["http_status_code_group"] == "5xx"
    assert series(good, "requests_total") == [None, None, None, 2, 0]
    assert series(bad, "requests_total") == [None, None, None, 0, 1]
    assert series(good, "response_time_seconds_max") == [None, None, None, 0.1, None]
    assert series(bad, "response_time_seconds_max") == [None, None, None, None, 2.0]


async def test_what_has_the_same_tags_is_merged_and_not_averaged(admin, plane, shop) -> None:
    await requests(plane, shop["till"], "GET /a", [0.1] * 99, status="200")
    await requests(plane, shop["till"], "GET /a", [10.0], status="201")
    (entry,) = (await post(admin, METRICS, **HOUR))["inboundMetrics"]
    assert series(entry, "requests_total")[-1] == 100
    assert series(entry, "response_time_seconds_percentile_99")[-1] == pytest.approx(0.1, rel=0.025)
    assert series(entry, "response_time_seconds_max")[-1] == 10.0


async def test_calls_that_an_integration_makes_are_apart(admin, plane, shop) -> None:
    await requests(plane, shop["till"], "POST ?", [0.1], outbound=True, service="")
    answer = await post(admin, METRICS, **HOUR)
    assert answer["inboundMetrics"] == []
    (entry,) = answer["outboundMetrics"]
    assert entry["tags"]["src_client_remote"] == "true"
    assert {"url", "src_object_name"}.isdisjoint(entry["tags"])


async def test_an_entry_of_the_micro_integrator_has_the_tags_that_it_had(admin, staff, plane, shop) -> None:
    await staff.integration("shop", "Gateway", "MI")
    gateway = await origin_of(plane, "shop", "gateway", "dev", runtime_id="gateway-1")
    await requests(plane, gateway, "POST /orders", [0.1], service="OrdersAPI", status="")
    await requests(plane, gateway, "? ?", [0.1], service="BareAPI", status="", failed=True)
    bare, orders = (await post(admin, METRICS, componentId="shop/gateway", **HOUR))["inboundMetrics"]
    told = {
        "project": "shop", "integration": "gateway", "environment": "dev", "icp_runtimeId": "gateway-1",
        "service_type": "MI", "product": "Micro Integrator", "protocol": "http",
    }  # fmt: skip
    assert orders["tags"] == told | {
        "api": "OrdersAPI", "sublevel": "OrdersAPI", "src_object_name": "OrdersAPI", "apiContext": "/orders",
        "url": "/orders", "method": "POST", "http_method": "POST", "status": "successful",
    }  # fmt: skip
    assert bare["tags"] == told | {
        "api": "BareAPI", "sublevel": "BareAPI", "src_object_name": "BareAPI", "status": "failed",
    }  # fmt: skip
    await requests(plane, shop["till"], "GET /a", [0.1])
    (other,) = (await post(admin, METRICS, componentId="shop/till", **HOUR))["inboundMetrics"]
    assert {"api", "sublevel", "apiContext"}.isdisjoint(other["tags"])


async def test_integrations_and_environments_choose_the_metrics(admin, plane, shop) -> None:
    for origin in shop.values():
        await requests(plane, origin, "GET /a", [0.1])
    answer = await post(admin, METRICS, componentId="shop/till", environmentId="prod", **HOUR)
    assert [entry["tags"]["icp_runtimeId"] for entry in answer["inboundMetrics"]] == ["till-9"]
    assert len((await post(admin, METRICS, **HOUR))["inboundMetrics"]) == 4


async def test_more_than_can_be_told_is_refused_and_not_cut(admin, plane, shop) -> None:
    for number in range(30):
        await requests(plane, shop["till"], f"GET /{number}", [0.1])
    asked = HOUR | {"startTime": "2026-09-20T10:00:00Z", "resolutionInterval": "1m"}
    answer = await admin.client.post(METRICS, json=asked)
    assert (answer.status_code, answer.json()["field"]) == (400, "resolutionInterval")


async def test_workflow_metrics_are_not_pretended(admin) -> None:
    answer = await admin.client.post("/icp/observability/workflow-metrics", json=HOUR)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert "workflow" in json.dumps(answer.json()).lower()
    assert "serverUrl" not in answer.json()["fix"]
