"""Distributions, sampling, headers and the text for Prometheus, each by itself."""

import math
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge import telemetry
from pilothouse_bridge.telemetry import _otlp, _process
from pilothouse_bridge.telemetry._context import parent_of
from pilothouse_bridge.telemetry._histogram import Histogram, index_of
from pilothouse_bridge.telemetry._meter import SERIES_LIMIT, Meter
from pilothouse_bridge.telemetry._sampling import FIRST_OF_A_SECOND, Sampler

DURATIONS = st.floats(1e-9, 1e9)


@given(DURATIONS)
def test_a_value_lies_in_its_bucket(value: float) -> None:
    index = index_of(value)
    assert 2 ** (index / 16) * (1 - 1e-9) < value <= 2 ** ((index + 1) / 16) * (1 + 1e-9)


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_parts_make_the_same_distribution_as_the_whole(some: list[float], others: list[float]) -> None:
    whole, one, other = Histogram(), Histogram(), Histogram()
    for value in [*some, *others]:
        whole.observe(value)
    for value in some:
        one.observe(value)
    for value in others:
        other.observe(value)
    one.add(other)
    assert (one.count, one.buckets, one.low, one.high) == (whole.count, whole.buckets, whole.low, whole.high)
    offset, counts = one.dense()
    assert sum(counts) == one.count
    assert {offset + place: count for place, count in enumerate(counts) if count} == one.buckets


@given(st.integers(-10, 6), st.lists(st.floats(1e-4, 100)))
def test_bounds_of_powers_of_two_are_exact(power: int, values: list[float]) -> None:
    histogram = Histogram()
    for value in [*values, 2.0**power]:
        histogram.observe(value)
    assert histogram.not_above_power(power) == 1 + sum(value <= 2.0**power for value in values)


def test_names_without_end_become_one_series() -> None:
    meter = Meter()
    for number in range(SERIES_LIMIT + 50):
        meter.observe("m", (("http.route", str(number)),), 1.0)
    (durations,) = meter.take()
    taken = durations.series
    assert len(taken) == SERIES_LIMIT + 1
    assert taken["m", (("otel.metric.overflow", True),)].count == 50
    assert not meter.take()[-1].series
    assert sum(one.count for one in meter.totals().values()) == SERIES_LIMIT + 50


MINUTE_NS = 60 * 10**9


@given(st.lists(st.tuples(st.integers(0, 3 * MINUTE_NS), st.booleans()), max_size=40))
def test_each_request_is_told_in_the_minute_of_the_clock_in_which_it_ended(steps: list[tuple[int, bool]]) -> None:
    now = [7 * MINUTE_NS + 1]
    meter = Meter(lambda: now[0])
    happened: Counter[int] = Counter()
    told: Counter[int] = Counter()

    def take() -> None:
        for durations in meter.take():
            assert durations.since_ns <= durations.until_ns
            told[durations.until_ns // MINUTE_NS] += sum(one.count for one in durations.series.values())

    for later_ns, is_taken in steps:
        now[0] += later_ns
        meter.observe("m", (), 0.1)
        happened[now[0] // MINUTE_NS] += 1
        if is_taken:
            take()
    assert sum(one.count for one in meter.totals().values()) == happened.total()
    take()
    assert +told == happened


def test_what_nobody_takes_for_hours_goes_on_in_one() -> None:
    now = [0]
    meter = Meter(lambda: now[0])
    for _ in range(300):
        meter.observe("m", (), 0.1)
        now[0] += MINUTE_NS
    taken = meter.take()
    assert len(taken) <= 61
    assert sum(one.count for durations in taken for one in durations.series.values()) == 300


def test_a_clock_that_is_set_back_loses_no_request() -> None:
    now = [100 * MINUTE_NS]
    meter = Meter(lambda: now[0])
    meter.observe("m", (), 0.1)
    now[0] = 3 * MINUTE_NS
    meter.observe("m", (), 0.1)
    meter.take()
    meter.observe("m", (), 0.1)
    now[0] += MINUTE_NS
    meter.observe("m", (), 0.1)
    assert [sum(one.count for one in durations.series.values()) for durations in meter.take()] == [1, 1]


def test_the_first_of_a_second_are_taken_and_a_share_of_the_rest() -> None:
    now = [0.0]
    sampler = Sampler(0.25, lambda: now[0])
    low, high = "0" * 31 + "1", "0" * 18 + "f" * 14
    assert [sampler.takes(high) for _ in range(FIRST_OF_A_SECOND + 2)] == [True] * FIRST_OF_A_SECOND + [False] * 2
    assert sampler.takes(low)
    now[0] = 1.0
    assert sampler.takes(high)
    assert not any(Sampler(0, lambda: now[0]).takes(one) for one in (low, high))
    assert Sampler(1, lambda: now[0]).takes(high)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ],
)
def test_a_header_that_says_nothing_is_no_parent(header: str) -> None:
    assert parent_of(header) is None


def test_a_header_of_a_later_version_is_understood() -> None:
    parent = parent_of("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more")
    assert parent is not None
    assert parent.is_sampled


@pytest.mark.parametrize(
    ("level", "number"), [(0, 1), (5, 2), (10, 5), (20, 9), (25, 10), (30, 13), (40, 17), (50, 21), (90, 21)]
)
def test_levels_have_their_numbers(level: int, number: int) -> None:
    assert _otlp.severity(level) == number


def test_text_that_is_none_is_sent_all_the_same() -> None:
    assert b'"a?b"' in _otlp._bytes({"x": "a\ud800b"})


def test_pauses_of_the_collector_are_seen() -> None:
    import gc

    pauses = _process.GcPauses()
    pauses.listen()
    gc.collect()
    pauses.end()
    assert 0 < pauses.take() < 10
    assert pauses.take() == 0


def test_prometheus_reads_what_was_counted(connect: Any) -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route
    from starlette.testclient import TestClient

    async def show(request: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    connect()
    app = Starlette(routes=[Route("/items/{id}", show), Mount("/metrics", telemetry.prometheus_asgi)])
    client = TestClient(app)
    client.get("/items/1")
    client.get("/items/2")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    labels = 'http_request_method="GET",http_route="/items/{id}",http_response_status_code="200"'
    assert f"http_server_request_duration_seconds_count{{{labels}}} 2\n" in answer.text
    assert f'http_server_request_duration_seconds_bucket{{{labels},le="+Inf"}} 2\n' in answer.text
    assert math.isfinite(float(re.search(r"(?m)^process_memory_usage_bytes (\S+)", answer.text)[1]))  # type: ignore[index]
    told: list[str] = []
    body = telemetry.prometheus_wsgi({}, lambda status, _: told.append(status))
    assert told == ["200 OK"]
    assert b"http_server_request_duration_seconds_sum" in b"".join(body)
