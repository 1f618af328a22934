"""A status that cannot lie: three silences told apart, judged from values alone."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pilothouse.domain.liveness import (
    LivenessRules,
    Pulse,
    Status,
    judge,
    next_interval_s,
    offline_after_s,
)

RULES = LivenessRules()
T = 1_790_000_000.0
intervals = st.one_of(st.none(), st.floats(0.1, 600))
instants = st.floats(T - 10_000, T + 10_000)


def pulse(seen_at: float = T, interval_s: float | None = 10.0, was: Status = Status.RUNNING) -> Pulse:
    return Pulse(seen_at=seen_at, interval_s=interval_s, address="10.0.3.7", running_since=T - 500, was=was)


def verdict(silence_s: float, listened_s: float = 10_000, **known):
    now = T + silence_s
    return judge(pulse(**known), listening_since=now - listened_s, now=now, rules=RULES)


@pytest.mark.parametrize(("interval_s", "allowed_s"), [(1, 30), (10, 30), (20, 60), (60, 180), (None, 90)])
def test_silence_that_counts_follows_the_runtimes_own_interval(interval_s: float | None, allowed_s: float) -> None:
    assert offline_after_s(interval_s, RULES) == allowed_s
    assert verdict(allowed_s, interval_s=interval_s).status is Status.RUNNING
    assert verdict(allowed_s + 0.1, interval_s=interval_s).status is Status.OFFLINE


def test_offline_says_since_when_from_where_and_what_was_expected() -> None:
    gone = verdict(31)
    assert gone.since == T
    assert "10.0.3.7" in gone.reason
    assert "every 10 s" in gone.reason
    assert "30 s of silence" in gone.reason


def test_running_counts_from_when_it_came_and_not_from_the_last_beat() -> None:
    assert verdict(5).since == T - 500


def test_who_was_not_heard_since_we_began_to_listen_is_unknown_until_they_could_have_spoken() -> None:
    early = verdict(100, listened_s=5)
    assert early.status is Status.UNKNOWN
    assert "began to listen 5 s ago" in early.reason
    assert verdict(100, listened_s=30.1).status is Status.OFFLINE


def test_who_was_offline_before_our_restart_still_is() -> None:
    assert verdict(100, listened_s=1, was=Status.OFFLINE).status is Status.OFFLINE


def test_who_was_offline_and_spoke_again_is_running() -> None:
    assert verdict(1, listened_s=500, was=Status.OFFLINE).status is Status.RUNNING


@given(seen_at=instants, interval_s=intervals, was=st.sampled_from(Status), since=instants, ahead_s=st.floats(0, 5_000))
def test_a_restart_of_ours_marks_nobody_offline_who_was_not(seen_at, interval_s, was, since, ahead_s) -> None:
    """Whatever happened before: within the allowed silence after we began to listen, nobody turns OFFLINE."""
    assume(was is not Status.OFFLINE)
    allowed_s = offline_after_s(interval_s, RULES)
    now = since + min(ahead_s, allowed_s - 0.01)
    seen = Pulse(seen_at=min(seen_at, now), interval_s=interval_s, address=None, running_since=0, was=was)
    assert judge(seen, listening_since=since, now=now, rules=RULES).status is not Status.OFFLINE


@given(interval_s=intervals, gap_s=st.floats(0, 100_000))
def test_what_is_learnt_never_makes_a_live_runtime_offline_at_its_own_pace(interval_s, gap_s) -> None:
    learnt = next_interval_s(interval_s, gap_s, RULES)
    if learnt is not None and gap_s <= offline_after_s(interval_s, RULES) and gap_s >= 1:
        assert offline_after_s(learnt, RULES) >= gap_s


def test_a_few_quick_beats_do_not_make_a_slow_runtime_flap() -> None:
    interval_s: float | None = 60.0
    for _ in range(10):
        interval_s = next_interval_s(interval_s, 1.0, RULES)
    assert offline_after_s(interval_s, RULES) > 60


def test_follow_up_beats_and_outages_are_not_intervals() -> None:
    assert next_interval_s(None, 0.05, RULES) is None
    assert next_interval_s(10.0, 5_000, RULES) == 10.0
