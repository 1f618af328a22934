"""Figures are judged per integration and environment; no telemetry at all is told apart from no request."""

import pytest
from pilothouse.access.places import EVERYWHERE, Place
from pilothouse.alerting import figures
from pilothouse.base.errors import Unavailable
from pilothouse.reconcile.alerts import AlertCondition, Measurement, Rule
from pilothouse.telemetry.histogram import of_values
from pilothouse.telemetry.questions import Figures, MetricQuestion, Series

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000.0
SHOP = Place(project_id="p", integration_id="shop", environment_id="dev")
TILL = Place(project_id="p", integration_id="till", environment_id="dev")


class Store:
    """A stand-in for a telemetry store: answers from what it was given, and counts the questions."""

    def __init__(self, **by_metric: dict[Place, Figures]) -> None:
        self.by_metric, self.asked = by_metric, []

    async def metrics(self, question: MetricQuestion, *, timeout_s: float) -> list[Series]:
        assert timeout_s == figures.QUESTION_S
        self.asked.append(question.name)
        found = self.by_metric.get(question.name.replace(".", "_"), {})
        return [
            Series(key=(place.project_id, place.integration_id, place.environment_id), steps={0: told})
            for place, told in found.items()
        ]


class Down:
    async def metrics(self, *_, **__):
        raise Unavailable("It is down.")


def told(succeeded: int, failed: int = 0, *, took_s: float = 0.01) -> Figures:
    return Figures(succeeded=of_values([took_s] * succeeded), failed=of_values([took_s] * failed))


def rule(condition: AlertCondition, **more) -> Rule:
    return Rule(id="r", name="r", condition=condition, **more)


async def ask(wanted: Rule, store, *, running=(SHOP,), open_places=()):
    return await figures.measure(wanted, store, running=running, known=(SHOP, TILL), open_places=open_places, now=NOW)


def by_place(measurements: list[Measurement]) -> dict[Place, bool | None]:
    return {measurement.place: measurement.holds for measurement in measurements}


async def test_an_error_rate_is_judged_for_each_integration_by_one_question() -> None:
    store = Store(http_server_request_duration={SHOP: told(80, 20), TILL: told(99, 1)})
    found = await ask(rule(AlertCondition.ERROR_RATE, threshold=0.05), store)
    assert by_place(found.measurements) == {SHOP: True, TILL: False}
    assert store.asked == [figures.REQUESTS]
    message = next(each.message for each in found.measurements if each.holds)
    assert message == "20 of 100 requests failed in 300 s: 20%, where 5% is fine."


async def test_a_latency_is_the_merged_percentile() -> None:
    slow = Figures(succeeded=of_values([0.01] * 90 + [2.0] * 10), failed=of_values([]))
    store = Store(http_server_request_duration={SHOP: slow})
    for percentile, holds in ((0.5, False), (0.95, True)):
        wanted = rule(AlertCondition.LATENCY, threshold=1.0, percentile=percentile)
        assert by_place((await ask(wanted, store)).measurements) == {SHOP: holds}


async def test_no_request_from_what_sends_telemetry_is_no_traffic() -> None:
    store = Store(process_cpu_utilization={SHOP: told(5)})
    found = await ask(rule(AlertCondition.NO_TRAFFIC), store)
    assert by_place(found.measurements) == {SHOP: True}
    assert found.trouble is None


async def test_what_sends_no_telemetry_at_all_is_not_known_and_said_as_trouble() -> None:
    found = await ask(rule(AlertCondition.NO_TRAFFIC), Store())
    assert by_place(found.measurements) == {SHOP: None}
    assert found.trouble is not None


async def test_an_error_rate_that_fired_stays_while_nothing_is_known_and_ends_when_nothing_is_asked() -> None:
    wanted = rule(AlertCondition.ERROR_RATE, threshold=0.05)
    assert by_place((await ask(wanted, Store(), open_places=(TILL,))).measurements)[TILL] is None
    store = Store(process_cpu_utilization={TILL: told(5)})
    assert by_place((await ask(wanted, store, open_places=(TILL,))).measurements)[TILL] is False


async def test_a_store_that_is_down_is_trouble_and_ends_nothing() -> None:
    found = await ask(rule(AlertCondition.ERROR_RATE, threshold=0.05, place=EVERYWHERE), Down())
    assert (found.trouble, found.complete) == ("The telemetry store did not answer: It is down.", False)
