"""`/metrics`: what an operator is told, each name as the reference page says it."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pilothouse.app.running import _carrier, tls_files
from pilothouse.domain.events import EventKind, NewEvent
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
_OF_THE_LIBRARY = ("process_", "python_")


async def families(client: Any) -> dict[str, Metric]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value_of(family: Metric, ending: str = "", **labels: str) -> float:
    found = [s.value for s in family.samples if s.name.endswith(ending) and labels.items() <= s.labels.items()]
    return sum(found)


def row_of(family: Metric) -> str:
    """What the page says of a metric."""
    labels = sorted({name for sample in family.samples for name in sample.labels} - {"le", "quantile"})
    name = family.name + ("_total" if family.type == "counter" else "")
    unit = next((unit for unit in ("seconds", "bytes") if f"_{unit}" in name), "")
    shown = ", ".join(f"`{label}`" for label in labels)
    return f"| `{name}` | {family.type} | {shown} | {unit} | {family.documentation} |"


def rows_of(found: Iterable[Metric]) -> list[str]:
    return sorted(row_of(family) for family in found if not family.name.startswith(_OF_THE_LIBRARY))


async def give_every_label_a_value(plane: Any) -> None:
    """Let each kind of thing happen once, so that no family is without a sample."""
    plane.figures.refused["KEY_UNKNOWN"] += 1
    plane.edge.telemetry.turned_away["TELEMETRY_BUSY"] += 1
    plane.alerting.sender.attempts["EMAIL", "sent"] += 1
    plane.figures.problems["NOT_FOUND"] += 1
    plane.works.failed("flush", "")
    plane.figures.people.note("/graphql", "POST", 200, 0.0)
    await plane.store.write(lambda tx: tx.emit(NewEvent(kind=EventKind.ACCESS_CHANGED, at=1.0)))
    await plane.health.look()
    await asyncio.sleep(0)


async def test_the_page_has_every_metric_that_is_told_and_no_other(stranger, plane, settings) -> None:
    await _carrier(plane, settings, tls_files(settings))
    await give_every_label_a_value(plane)
    found = await families(stranger.client)
    written = sorted(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `pilothouse_")
    )
    # Without alerts, notices and connections their families have no samples, and so no labels.
    without_samples = {"pilothouse_alerts", "pilothouse_notices", "pilothouse_connections_evicted_total"}
    told = [row for row in rows_of(found.values()) if not any(f"`{name}`" in row for name in without_samples)]
    assert [row for row in written if not any(f"`{name}`" in row for name in without_samples)] == told
    for name in without_samples:
        meaning = found[name.removesuffix("_total")].documentation
        assert any(f"`{name}`" in row and meaning in row for row in written)


async def test_requests_are_counted_by_route_and_status_and_paths_are_no_labels(stranger, plane) -> None:
    for path in ("/healthz", "/nothing/at/all", "/auth/nothing"):
        await stranger.client.get(path)
    await stranger.client.post("/graphql", json={"query": "{ viewer { id } }"})
    found = await families(stranger.client)
    counted = found["pilothouse_http_requests"]
    assert value_of(counted, port="console", route="/healthz", method="GET", status="200") == 1
    assert value_of(counted, port="console", route="/graphql", method="POST", status="401") == 1
    assert value_of(counted, port="console", route="console") == 1
    assert value_of(counted, port="console", route="other", status="404") == 1
    assert value_of(found["pilothouse_http_request_seconds"], "_count", route="/graphql") == 1
    assert value_of(found["pilothouse_problems"], code="NOT_SIGNED_IN") == 1
    assert not re.search("nothing", (await stranger.client.get("/metrics")).text)


async def test_heartbeats_and_runtimes_are_told_by_outcome_and_status(runtime, admin) -> None:
    await runtime.full()
    await runtime.delta()
    runtime.hash = "another"
    await runtime.delta()
    found = await families(admin.client)
    assert value_of(found["pilothouse_heartbeats"], kind="full") == 1
    assert value_of(found["pilothouse_heartbeats"], kind="delta") == 1
    assert value_of(found["pilothouse_full_heartbeats_demanded"]) == 1
    assert value_of(found["pilothouse_runtimes"], status="RUNNING") == 1
    assert value_of(found["pilothouse_runtimes"]) == 1
    assert value_of(found["pilothouse_events"], kind="runtime.registered") == 1
    assert value_of(found["pilothouse_database_statement_seconds"], "_count", access="write") > 0


async def test_what_cannot_be_counted_leaves_the_rest_as_it_is(stranger, plane, monkeypatch) -> None:
    from pilothouse.base.errors import StorageUnavailable

    async def gone(_: Any) -> None:
        raise StorageUnavailable("The database does not answer: cut.")

    monkeypatch.setattr(plane.store, "read", gone)
    found = await families(stranger.client)
    assert value_of(found["pilothouse_work_failures"], work="count") == 1
    assert value_of(found["pilothouse_build_info"]) == 1
