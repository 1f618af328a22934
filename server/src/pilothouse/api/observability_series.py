"""Metrics as the series of the original console's API; what is unknown is null, and never zero."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec

from pilothouse.api.observability_rows import PRODUCTS, SERVICE_TYPES
from pilothouse.base.errors import InvalidInput
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage.telemetry_names import NamedIntegration
from pilothouse.telemetry.histogram import Histogram
from pilothouse.telemetry.questions import Dimension, Series

BY: Final = (
    Dimension.INTEGRATION,
    Dimension.ENVIRONMENT,
    Dimension.RUNTIME,
    Dimension.SERVICE,
    Dimension.RESOURCE,
    Dimension.STATUS,
)
VALUES_MAX: Final = 50_000
"""Buckets of all entries together: more would keep everybody else waiting."""
PERCENTILES: Final = (33, 50, 66, 95, 99)
_AT_ONCE: Final = 500
_LATENCY = "response_time_seconds"
_STATUS_DIGITS = 3
_NOT_TOLD = "?"
"""Part of a resource of which its sender said nothing."""

Measure: TypeAlias = Callable[[Histogram], float | None]
Tags: TypeAlias = tuple[tuple[str, str], ...]
Reporter: TypeAlias = tuple[str | None, ...]
"""Integration, environment, runtime, service, resource: what tells of all its statuses, or of none."""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What places are called, by their ids."""

    integrations: Mapping[str | None, NamedIntegration]
    environments: Mapping[str | None, str]


class _Entry(msgspec.Struct, frozen=True):
    """What one combination of tags did."""

    values: dict[int, Histogram]
    known: set[int]
    """Begins of the buckets of which something was reported."""


async def entries_of(
    found: Sequence[Series], begins: Sequence[int], names: Names, *, outbound: bool
) -> list[dict[str, Any]]:  # Any: JSON values
    """Make one entry for each distinct combination of tags, in every bucket of the time.

    Raises: InvalidInput when they are too many
    """
    entries = _by_tags(found, names, outbound=outbound)
    if len(entries) * len(begins) > VALUES_MAX:
        raise InvalidInput(
            f"{len(entries)} series of {len(begins)} buckets are more than are told at once.",
            field="resolutionInterval",
            fix="Ask for fewer integrations, a shorter time or a longer interval.",
        )
    times = {begin_s: f"{datetime.fromtimestamp(begin_s, UTC):%Y-%m-%dT%H:%M:%S}.000Z" for begin_s in begins}
    written: list[dict[str, Any]] = []
    since_pause = 0
    for tags, entry in sorted(entries.items(), key=lambda item: item[0]):
        written.append(_write(tags, entry, times))
        since_pause += len(begins)
        if since_pause >= _AT_ONCE:
            since_pause = 0
            await asyncio.sleep(0)
    return written


def _by_tags(found: Sequence[Series], names: Names, *, outbound: bool) -> dict[Tags, _Entry]:
    known: dict[Reporter, set[int]] = defaultdict(set)
    for series in found:
        known[series.key[:-1]] |= series.steps.keys()
    entries: dict[Tags, _Entry] = {}
    for series in found:
        reported = known[series.key[:-1]]
        for status in ("successful", "failed"):
            parts = {
                begin_s: step.succeeded if status == "successful" else step.failed
                for begin_s, step in series.steps.items()
            }
            if not any(part.count for part in parts.values()):
                continue
            tags = _tags(dict(zip(BY, series.key, strict=True)), names, status=status, outbound=outbound)
            entry = entries.setdefault(tags, _Entry({}, set()))
            entry.known.update(reported)
            for begin_s, part in parts.items():
                entry.values[begin_s] = entry.values.get(begin_s, Histogram()).merge(part)
    return entries


def _tags(key: Mapping[Dimension, str | None], names: Names, *, status: str, outbound: bool) -> Tags:
    """Name what an entry is about; what is unknown or empty has no tag."""
    integration = names.integrations.get(key[Dimension.INTEGRATION])
    told_method, _, told_url = (key[Dimension.RESOURCE] or "").partition(" ")
    method, url = ("" if told == _NOT_TOLD else told for told in (told_method, told_url))
    group = _group_of(key[Dimension.STATUS] or "")
    kind = None if integration is None else integration.runtime_type
    tags = {
        "project": None if integration is None else integration.project_handle,
        "integration": None if integration is None else integration.handle,
        "environment": names.environments.get(key[Dimension.ENVIRONMENT]),
        "icp_runtimeId": key[Dimension.RUNTIME],
        "service_type": None if kind is None else SERVICE_TYPES[kind],
        "product": None if kind is None else PRODUCTS.get(kind),
        "protocol": "http",
        "src_object_name": key[Dimension.SERVICE],
        "method": method,
        "http_method": method,
        "url": url,
        "status_code_group": group,
        "http_status_code_group": group,
        "src_client_remote": "true" if outbound else None,
        "status": status,
    }
    if kind is RuntimeType.MI:
        tags |= {"api": key[Dimension.SERVICE], "sublevel": key[Dimension.SERVICE], "apiContext": url}
    return tuple(sorted((name, value) for name, value in tags.items() if value))


def _group_of(status: str) -> str:
    is_code = len(status) == _STATUS_DIGITS and status[0].isdecimal()
    return f"{status[0]}xx" if is_code else ""


def _write(tags: Tags, entry: _Entry, times: Mapping[int, str]) -> dict[str, Any]:
    def series(name: str, measure: Measure) -> dict[str, Any]:
        return {
            "name": name,
            "timeSeriesData": {
                at: _finite(measure(entry.values.get(begin_s, _NONE))) if begin_s in entry.known else None
                for begin_s, at in times.items()
            },
        }

    return {"tags": dict(tags), **{name: series(name, measure) for name, measure in _MEASURES.items()}}


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


def _percentile(of: int) -> Measure:
    return lambda values: values.percentile(of / 100)


_NONE = Histogram()
_MEASURES: Mapping[str, Measure] = {
    "requests_total": lambda values: values.count,
    f"{_LATENCY}_avg": lambda values: values.mean,
    f"{_LATENCY}_min": lambda values: values.low,
    f"{_LATENCY}_max": lambda values: values.high,
    **{f"{_LATENCY}_percentile_{of}": _percentile(of) for of in PERCENTILES},
}
