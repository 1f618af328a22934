"""The agenda: who is to be looked at, and nothing that was asked for gets lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pilothouse.presence.agenda import BOOST_S, Agenda

T = 1_790_000_000.0


def test_a_runtime_of_which_nothing_is_asked_has_no_item() -> None:
    agenda = Agenda()
    assert (agenda.find(1), 1 in agenda, len(agenda), agenda.due(T)) == (None, False, 0, [])


def test_a_runtime_is_due_from_the_earliest_moment_that_was_named() -> None:
    agenda = Agenda()
    agenda.look_at(1, T + 20)
    agenda.look_at(1, T + 10)
    agenda.look_at(1, T + 30)
    assert agenda.due(T + 9.9) == []
    assert agenda.due(T + 10) == [1]


def test_after_a_look_it_is_due_again_when_the_look_said_so() -> None:
    agenda = Agenda()
    agenda.look_at(1, T)
    agenda.settle(1, T + 60, T, asked=agenda.asked)
    assert agenda.due(T + 59) == []
    assert agenda.due(T + 60) == [1]


def test_an_item_leaves_when_nothing_is_left_to_do() -> None:
    agenda = Agenda()
    agenda.look_at(1, T)
    agenda.settle(1, None, T, asked=agenda.asked)
    assert len(agenda) == 0


def test_what_is_asked_for_during_a_look_is_not_forgotten_by_its_end() -> None:
    agenda = Agenda()
    agenda.look_at(1, T)
    asked = agenda.asked
    agenda.look_at(1, T)  # a wish, committed just behind the look
    agenda.settle(1, None, T, asked=asked)
    assert agenda.due(T) == [1]


def test_what_is_asked_for_another_runtime_during_a_look_changes_nothing() -> None:
    agenda = Agenda()
    agenda.look_at(1, T)
    asked = agenda.asked
    agenda.look_at(2, T)
    agenda.settle(1, None, T, asked=asked)
    assert agenda.due(T) == [2]


def test_a_boost_outlives_the_work_and_is_swept_when_it_is_over() -> None:
    agenda = Agenda()
    agenda.look_at(1, T)
    agenda.boost(1, T)
    agenda.settle(1, None, T, asked=agenda.asked)
    assert 1 in agenda
    agenda.sweep(T + BOOST_S - 0.1)
    assert 1 in agenda
    agenda.sweep(T + BOOST_S)
    assert len(agenda) == 0


@pytest.mark.parametrize(
    ("after_s", "told_s"),
    [(0, 1), (4.9, 1), (5, 2), (9.9, 2), (10, 5), (19.9, 5), (20, 10), (29.9, 10), (30, None)],
)
def test_a_boost_fades_from_one_second_to_ten_within_half_a_minute_case_57(after_s: float, told_s: int | None) -> None:
    agenda = Agenda()
    agenda.boost(1, T)
    item = agenda.find(1)
    assert item is not None
    assert item.next_beat_s(T + after_s) == told_s


@given(st.dictionaries(st.integers(0, 20), st.floats(T, T + 100)))
def test_what_the_last_run_left_open_is_due_when_it_was(left: dict[int, float]) -> None:
    agenda = Agenda()
    agenda.load(left)
    for after_s in (0, 50, 100):
        assert sorted(agenda.due(T + after_s)) == sorted(key for key, at in left.items() if at <= T + after_s)


class Looks(RuleBasedStateMachine):
    """Looks that begin and end among requests: each request is followed by a look that began after it."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = Agenda()
        self.now = T
        self.under_way: int | None = None
        self.unseen = False
        """Whether something was asked for that no look which has begun can have seen."""

    @rule()
    def ask(self) -> None:
        self.agenda.look_at(1, self.now)
        self.unseen = True

    @precondition(lambda self: self.under_way is None)
    @rule()
    def begin(self) -> None:
        self.under_way = self.agenda.asked
        self.unseen = False

    @precondition(lambda self: self.under_way is not None)
    @rule(again=st.booleans())
    def end(self, again: bool) -> None:
        assert self.under_way is not None
        self.agenda.settle(1, self.now + 5 if again else None, self.now, asked=self.under_way)
        self.under_way = None

    @rule(seconds=st.sampled_from([0.5, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def boost(self) -> None:
        self.agenda.boost(1, self.now)

    @rule()
    def sweep(self) -> None:
        self.agenda.sweep(self.now)

    @invariant()
    def what_nobody_looked_at_is_due(self) -> None:
        if self.unseen:
            assert self.agenda.due(self.now) == [1]


TestLooks: Any = Looks.TestCase
