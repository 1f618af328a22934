"""Lines are counted for each integration and environment, by few questions however many there are."""

import pytest
from pilothouse.access.places import EVERYWHERE, Place
from pilothouse.alerting import figures, lines
from pilothouse.reconcile.alerts import AlertCondition, Measurement, Rule

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000.0


def place(number: int, environment: str = "dev") -> Place:
    return Place(project_id="p", integration_id=f"i{number:03}", environment_id=environment)


class Store:
    """A stand-in for a telemetry store: counts by place, and how often it was asked."""

    def __init__(self, counts: dict[Place | None, int]) -> None:
        self.counts, self.asked = counts, 0

    async def count_logs(self, scope, filter_, *, timeout_s: float) -> int:
        del filter_, timeout_s
        self.asked += 1
        return sum(
            count
            for at, count in self.counts.items()
            if any(one == EVERYWHERE or (at is not None and one.covers(at)) for one in scope.places)
        )


async def look(store: Store, known, *, threshold: float = 0, open_places=(), **rule):
    wanted = Rule(
        id="r", name="r", condition=AlertCondition.LOG_PATTERN, levels=("ERROR",), threshold=threshold, **rule
    )
    return await figures.measure(wanted, store, running=(), known=known, open_places=open_places, now=NOW)


def holding(found) -> dict[str, float]:
    return {one.subject: one.value for one in found.measurements if one.holds}


async def test_each_integration_that_has_too_many_is_an_alert_of_its_own() -> None:
    store = Store({place(1): 4, place(2): 2, place(1, "prod"): 9})
    found = await look(store, [place(1), place(2), place(1, "prod")], threshold=3)
    assert holding(found) == {"place:i001:dev": 4, "place:i001:prod": 9}
    (first, *_) = [one for one in found.measurements if one.holds]
    assert (first.place, first.message) == (place(1), "4 lines matched in 300 s, where 3 are fine.")


async def test_what_is_fine_altogether_takes_one_question() -> None:
    store = Store({place(number): 1 for number in range(100)})
    assert holding(await look(store, [place(number) for number in range(100)], threshold=100)) == {}
    assert store.asked == 1


async def test_few_in_trouble_among_many_are_found_by_few_questions() -> None:
    store = Store(
        {place(17): 50, place(801): 70} | {place(number): 0 for number in range(1000)} | {place(17): 50, place(801): 70}
    )
    found = await look(store, [place(number) for number in range(1000)], threshold=10)
    assert holding(found) == {"place:i017:dev": 50, "place:i801:dev": 70}
    assert store.asked <= 2 + 2 * 10
    assert found.complete


async def test_so_many_in_trouble_that_they_cannot_be_told_apart_is_said_and_ends_nothing() -> None:
    store = Store({place(number): 5 for number in range(1000)})
    found = await look(store, [place(number) for number in range(1000)])
    assert store.asked <= lines.QUESTIONS_MAX
    assert (found.complete, "do not tell them apart" in found.trouble) == (False, True)
    assert len(holding(found)) > 50


async def test_lines_of_nobody_that_is_known_are_an_alert_of_the_rules_place() -> None:
    found = await look(Store({None: 3, place(9): 2, place(1): 0}), [place(1)])
    assert holding(found) == {lines.ELSEWHERE: 5}
    assert await ended(found, place(1)) is False


async def ended(found, where: Place) -> bool | None:
    return next(one.holds for one in found.measurements if one.place == where and isinstance(one, Measurement))


async def test_what_fired_ends_with_a_figure_when_it_is_fine_again() -> None:
    found = await look(Store({}), [], open_places=(place(1),))
    assert [(one.subject, one.holds) for one in found.measurements] == [
        ("place:i001:dev", False),
        (lines.ELSEWHERE, False),
    ]


async def test_a_rule_for_one_integration_and_environment_asks_once_whether_it_has_a_runtime_or_not() -> None:
    store = Store({place(1): 2})
    assert holding(await look(store, [], place=place(1))) == {"place:i001:dev": 2}
    assert store.asked == 1


async def test_a_rule_on_critical_environments_asks_of_those_alone_and_of_none_nothing() -> None:
    store = Store({place(1): 2, place(1, "prod"): 2})
    known = [place(1), place(1, "prod")]
    found = await look(store, known, critical_only=True, critical_ids=frozenset({"prod"}))
    assert holding(found) == {"place:i001:prod": 2}
    asked = store.asked
    assert (await look(store, known, critical_only=True)).measurements == ()
    assert store.asked == asked
