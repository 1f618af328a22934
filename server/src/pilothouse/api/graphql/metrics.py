"""Resolvers about metrics: what was counted and how long it took, told apart and over time; what is unknown stays so."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
from ariadne import EnumType, ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.logs import steps_of
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.telemetry_origins import reference, runtime_named
from pilothouse.api.graphql.telemetry_scopes import bounded_scope, check_texts, instant_of
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant
from pilothouse.telemetry.histogram import Histogram, merged
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.questions import Dimension, Figures, MetricQuestion, Series

query = QueryType()
series_type = ObjectType("MetricSeries")
bindables = (query, series_type, EnumType("MetricDimension", {one.name: one for one in Dimension}))

ANSWERED, CALLED = "http.server.request.duration", "http.client.request.duration"
DIMENSIONS_MAX = 3
SERIES_MAX = 200
POINTS_MAX = 6_000
"""Steps of all series together: more would keep everybody else waiting, and no chart shows them."""
PERCENTILES_DEFAULT = (0.5, 0.9, 0.95, 0.99)
PERCENTILES_MAX = 10
_MINUTE_S = 60
_VIEW = Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS


class FiguresView:
    """What happened in some time; worked out as far as it is asked for."""

    def __init__(self, values: Histogram, length_s: float, shares: Sequence[float]) -> None:
        self._values, self._shares = values, shares
        self.count = values.count
        self.rate = values.count / length_s
        self.mean = _known(values.mean)
        self.min = _known(values.low)
        self.max = _known(values.high)

    @property
    def percentiles(self) -> list[Row]:
        """Its percentiles."""
        return [{"of": share, "value": _known(self._values.percentile(share))} for share in self._shares]


class StepView:
    """One step; without figures it is unknown."""

    def __init__(self, at: Instant, length_s: float, figures: Figures | None, shares: Sequence[float]) -> None:
        self.at = at
        self._length_s, self._figures, self._shares = length_s, figures, shares

    @property
    def all(self) -> FiguresView | None:
        """Both together."""
        return None if self._figures is None else self._view(self._figures.all)

    @property
    def succeeded(self) -> FiguresView | None:
        """What went well."""
        return None if self._figures is None else self._view(self._figures.succeeded)

    @property
    def failed(self) -> FiguresView | None:
        """What failed."""
        return None if self._figures is None else self._view(self._figures.failed)

    @property
    def error_rate(self) -> float | None:
        """Failed of all; of nothing it is not known."""
        return None if self._figures is None or not self._figures.count else self._figures.error_rate

    def _view(self, values: Histogram) -> FiguresView:
        return FiguresView(values, self._length_s, self._shares)


class SeriesView:
    """One row of a table or line of a chart."""

    def __init__(self, question: MetricQuestion, shown: int, series: Series, shares: Sequence[float]) -> None:
        self.places: Mapping[Dimension, str | None] = dict(zip(question.by, series.key, strict=True))
        self.key = [part or None for part in series.key[:shown]]
        self.steps: list[StepView] = []
        self._question, self._series, self._shares = question, series, shares

    @cached_property
    def total(self) -> StepView:
        """The whole time as one step."""
        parts = list(self._series.steps.values())
        both = None
        if parts:
            both = Figures(succeeded=merged(one.succeeded for one in parts), failed=merged(one.failed for one in parts))
        from_s, to_s = _whole_minutes_s(self._question)
        return StepView(instant_of(self._question.scope.from_ns or 0), to_s - from_s, both, self._shares)

    def show_steps(self, begins: Sequence[int], step_s: int, known: Series | None) -> None:
        """Show every step of the time; what nothing arrived for as unknown. A step counts as long as it lies within the time."""
        from_s, to_s = _whole_minutes_s(self._question)
        figures: Mapping[int, Figures] = {} if known is None else known.steps
        self.steps = [
            StepView(begin_s, min(begin_s + step_s, to_s) - max(begin_s, from_s), figures.get(begin_s), self._shares)
            for begin_s in begins
        ]


@query.field("metrics")
async def tell_metrics(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    name: str | None = None,
    by: Sequence[Dimension] | None = None,
    step_s: int | None = None,
    percentiles: Sequence[float] | None = None,
) -> Row:
    """Tell what a metric did."""
    wanted, telemetry = filter or {}, info.context.services.telemetry
    outbound = bool(wanted.get("outbound"))
    asked_by, shares = _check_dimensions(by or ()), _check_shares(percentiles)
    services = check_texts(wanted.get("services"), "services")
    resources = check_texts(wanted.get("resources"), "resources")
    (told,) = check_texts([name or (CALLED if outbound else ANSWERED)], "name")
    scope, from_ns, to_ns = await bounded_scope(info.context, _VIEW, wanted.get("scope"))
    begins = range(0) if step_s is None else _check_steps(from_ns, to_ns, step_s)
    question = MetricQuestion(
        scope=scope,
        name=told,
        by=_with_homes(asked_by),
        services=services,
        resources=resources,
        outbound=outbound,
    )
    found = sorted(await telemetry.metrics(question), key=_busiest_first)
    shown = found[: SERIES_MAX if step_s is None else max(1, min(SERIES_MAX, POINTS_MAX // len(begins)))]
    views = [SeriesView(question, len(asked_by), series, shares) for series in shown]
    if step_s is not None and shown:
        stepped = {one.key: one for one in await telemetry.metrics(_only(question, shown, step_s))}
        for series, view in zip(shown, views, strict=True):
            view.show_steps(begins, step_s, stepped.get(series.key))
    return {
        "name": told,
        "step_s": step_s,
        "from": instant_of(from_ns),
        "to": instant_of(to_ns),
        "series": views,
        "left": len(found) - len(shown),
    }


@query.field("metricNames")
async def list_names(_: Any, info: Info, scope: Row | None = None) -> list[str]:
    """List the names of the metrics that arrived in a time."""
    within, _from_ns, _to_ns = await bounded_scope(info.context, _VIEW, scope)
    return list(await info.context.services.telemetry.metric_names(within))


@series_type.field("project")
async def project_of(series: SeriesView, info: Info) -> Row | None:
    """Show the project of the key."""
    return await reference(info.context, "project", series.places.get(Dimension.PROJECT))


@series_type.field("integration")
async def integration_of(series: SeriesView, info: Info) -> Row | None:
    """Show the integration of the key."""
    return await reference(info.context, "integration", series.places.get(Dimension.INTEGRATION))


@series_type.field("environment")
async def environment_of(series: SeriesView, info: Info) -> Row | None:
    """Show the environment of the key."""
    return await reference(info.context, "environment", series.places.get(Dimension.ENVIRONMENT))


@series_type.field("runtime")
async def runtime_of(series: SeriesView, info: Info) -> RuntimeView | None:
    """Show the runtime of the key."""
    return await runtime_named(info.context, series.places.get(Dimension.RUNTIME))


def _with_homes(by: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """Ask for the project too where integrations are told apart: it makes no more series, and names what is shown."""
    lacks_project = Dimension.INTEGRATION in by and Dimension.PROJECT not in by
    return (*by, Dimension.PROJECT) if lacks_project else by


def _only(question: MetricQuestion, shown: Sequence[Series], step_s: int) -> MetricQuestion:
    """Ask for the steps of what is shown, and of as little else as can be said."""
    chosen: dict[Dimension, tuple[str, ...]] = {}
    for position, dimension in enumerate(question.by):
        values = {series.key[position] for series in shown}
        if None not in values:
            chosen[dimension] = tuple(sorted(value for value in values if value is not None))
    scope = msgspec.structs.replace(
        question.scope,
        project_ids=chosen.get(Dimension.PROJECT, question.scope.project_ids),
        integration_ids=chosen.get(Dimension.INTEGRATION, question.scope.integration_ids),
        environment_ids=chosen.get(Dimension.ENVIRONMENT, question.scope.environment_ids),
        runtime_ids=chosen.get(Dimension.RUNTIME, question.scope.runtime_ids),
    )
    return msgspec.structs.replace(
        question,
        scope=scope,
        services=chosen.get(Dimension.SERVICE, question.services),
        resources=chosen.get(Dimension.RESOURCE, question.resources),
        step_s=step_s,
    )


def _busiest_first(series: Series) -> tuple[int, tuple[str, ...]]:
    return -sum(figures.count for figures in series.steps.values()), tuple(part or "" for part in series.key)


def _whole_minutes_s(question: MetricQuestion) -> tuple[int, int]:
    """Tell the minutes that a question is about: points are kept by the minute."""
    minute_ns = _MINUTE_S * NS_A_SECOND
    from_ns, to_ns = question.scope.from_ns or 0, question.scope.to_ns or 0
    return from_ns // minute_ns * _MINUTE_S, -(-to_ns // minute_ns) * _MINUTE_S


def _check_dimensions(by: Sequence[Dimension]) -> tuple[Dimension, ...]:
    asked = tuple(dict.fromkeys(by))
    if len(asked) > DIMENSIONS_MAX:
        raise InvalidInput(
            f"At most {DIMENSIONS_MAX} dimensions are told apart, not {len(asked)}.", field="by", fix="Name fewer."
        )
    return asked


def _check_shares(percentiles: Sequence[float] | None) -> tuple[float, ...]:
    shares = PERCENTILES_DEFAULT if percentiles is None else tuple(percentiles)
    if len(shares) > PERCENTILES_MAX or not all(0 <= share <= 1 for share in shares):
        raise InvalidInput(
            f"There are at most {PERCENTILES_MAX} percentiles, each from 0 to 1.",
            field="percentiles",
            fix="Write 0.95 for what 95 % do not exceed.",
        )
    return shares


def _check_steps(from_ns: int, to_ns: int, step_s: int) -> range:
    if step_s < _MINUTE_S or step_s % _MINUTE_S:
        raise InvalidInput("A step is one or more whole minutes.", field="stepS", fix="Ask for a multiple of 60 s.")
    return steps_of(from_ns, to_ns, step_s)


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
