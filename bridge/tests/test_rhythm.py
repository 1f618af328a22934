"""Beats keep their cadence, back off when alone, and lasting trouble is told ever more rarely."""

from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge._rhythm import Reminder, Rhythm

chances = st.floats(0, 1, exclude_max=True)
intervals = st.floats(0.1, 3600)


@given(interval_s=intervals, chance=chances)
def test_the_interval_is_kept_within_five_percent(interval_s: float, chance: float) -> None:
    assert 0.949 * interval_s <= Rhythm(interval_s, lambda: chance).after_success(None) <= 1.051 * interval_s


@given(interval_s=intervals, chance=chances, hint_s=st.floats(1, 300))
def test_the_servers_wish_is_the_cadence_longer_or_shorter_until_it_says_nothing(
    interval_s: float, chance: float, hint_s: float
) -> None:
    rhythm = Rhythm(interval_s, lambda: chance)
    assert 0.949 * hint_s <= rhythm.after_success(hint_s) <= 1.051 * hint_s
    assert 0.949 * interval_s <= rhythm.after_success(None) <= 1.051 * interval_s


def test_a_wish_beyond_reason_is_brought_within_it() -> None:
    rhythm = Rhythm(10, lambda: 0.5)
    assert [round(rhythm.after_success(hint_s), 3) for hint_s in (0.1, 7200, 0, -3)] == [1, 300, 10, 10]


@given(interval_s=intervals, drawn=st.lists(chances, min_size=1, max_size=60))
def test_a_server_that_is_away_is_tried_for_ever_at_most_30_s_apart(interval_s: float, drawn: list[float]) -> None:
    chances_left = iter(drawn)
    rhythm = Rhythm(interval_s, lambda: next(chances_left))
    assert all(0.1 <= rhythm.after_unreachable() <= 30 for _ in drawn)


def test_backing_off_grows_and_a_success_starts_it_anew() -> None:
    rhythm = Rhythm(10, lambda: 0.999)
    waits = [rhythm.after_unreachable() for _ in range(8)]
    assert waits == sorted(waits)
    assert (round(waits[0]), round(waits[-1])) == (2, 30)
    rhythm.after_success(None)
    assert round(rhythm.after_unreachable()) == 2


@given(chance=chances, wish_s=st.floats(0.001, 1e9))
def test_retry_after_is_the_least_wait_but_no_more_than_five_minutes(chance: float, wish_s: float) -> None:
    waited_s = Rhythm(10, lambda: chance).after_unreachable(wish_s)
    assert min(wish_s, 300) <= waited_s <= 330


@given(interval_s=st.floats(0.1, 60), chance=chances)
def test_a_rejection_is_retried_at_least_once_a_minute(interval_s: float, chance: float) -> None:
    rhythm = Rhythm(interval_s, lambda: chance)
    assert all(rhythm.after_rejection() <= 60.001 for _ in range(50))


def test_a_lasting_trouble_is_told_at_once_then_ever_more_rarely() -> None:
    reminder = Reminder()
    told_at = [second for second in range(0, 12_000, 10) if reminder.is_worth_telling("refused", second)]
    assert told_at == [0, 60, 360, 2160, 5760, 9360]


def test_another_trouble_is_told_at_once() -> None:
    reminder = Reminder()
    assert reminder.is_worth_telling("refused", 0)
    assert reminder.is_worth_telling("unreachable", 1)
    assert not reminder.is_worth_telling("unreachable", 2)
    reminder.recover()
    assert not reminder.has_trouble
    assert reminder.is_worth_telling("unreachable", 3)
