"""The life of an alert: any history of measurements leaves it in a state that makes sense, and nobody is told twice."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.access.places import Place
from pilothouse.reconcile.alerts import (
    ATTEMPTS_MAX,
    Alert,
    AlertCondition,
    AlertState,
    ChannelKind,
    Measurement,
    NoticeKind,
    Rule,
    Silence,
    back_off_s,
    gather_key,
    is_silenced,
    judge,
)

RULE = Rule(id="r", name="offline", condition=AlertCondition.RUNTIME_OFFLINE, channel_ids=("c",))
HOLDS = Measurement(subject="runtime:1", holds=True, message="It is offline.")
FINE = Measurement(subject="runtime:1", holds=False, message="It runs again.")
UNKNOWN = Measurement(subject="runtime:1", holds=None)
NOW = 1_790_000_000.0


def rule(**more: object) -> Rule:
    return msgspec.structs.replace(RULE, **more)


def live(rule: Rule, steps: list[tuple[float, Measurement | None, bool]]) -> tuple[Alert | None, list[NoticeKind]]:
    """Judge again and again; gives what is left and what was said."""
    alert, said, now = None, [], NOW
    for pause_s, measured, silenced in steps:
        now += pause_s
        verdict = judge(rule, measured, alert, now, silenced=silenced)
        if verdict is None:
            continue
        alert = verdict.alert
        if verdict.notice is not None:
            said.append(verdict.notice)
    return alert, said


def test_without_a_for_duration_it_fires_at_once_and_says_so() -> None:
    alert, said = live(RULE, [(0, HOLDS, False)])
    assert alert is not None
    assert alert.state is AlertState.FIRING
    assert alert.fired_at == NOW
    assert said == [NoticeKind.FIRING]


def test_it_is_pending_until_the_condition_held_long_enough() -> None:
    alert, said = live(rule(for_s=60), [(0, HOLDS, False), (59, HOLDS, False)])
    assert alert is not None
    assert alert.state is AlertState.PENDING
    assert said == []
    alert, said = live(rule(for_s=60), [(0, HOLDS, False), (60, HOLDS, False)])
    assert alert is not None
    assert alert.state is AlertState.FIRING
    assert said == [NoticeKind.FIRING]


def test_what_was_only_pending_is_forgotten_without_a_word() -> None:
    assert live(rule(for_s=60), [(0, HOLDS, False), (30, FINE, False)]) == (None, [])


def test_what_is_not_known_neither_begins_nor_ends_an_alert() -> None:
    assert live(RULE, [(0, UNKNOWN, False)]) == (None, [])
    alert, said = live(RULE, [(0, HOLDS, False), (600, UNKNOWN, False)])
    assert alert is not None
    assert alert.state is AlertState.FIRING
    assert said == [NoticeKind.FIRING]


def test_a_pending_alert_does_not_fire_on_what_is_not_known() -> None:
    alert, said = live(rule(for_s=60), [(0, HOLDS, False), (120, UNKNOWN, False)])
    assert alert is not None
    assert alert.state is AlertState.PENDING
    assert said == []


def test_an_end_is_told_with_what_was_measured_then() -> None:
    alert, said = live(RULE, [(0, HOLDS, False), (10, FINE, False)])
    assert alert is not None
    assert alert.state is AlertState.RESOLVED
    assert alert.message == FINE.message
    assert said == [NoticeKind.FIRING, NoticeKind.RESOLVED]


def test_what_is_not_there_any_more_ends_its_alert() -> None:
    alert, said = live(RULE, [(0, HOLDS, False), (10, None, False)])
    assert alert is not None
    assert alert.state is AlertState.RESOLVED
    assert said == [NoticeKind.FIRING, NoticeKind.RESOLVED]


def test_reminders_come_at_their_interval_even_while_nothing_is_known() -> None:
    wanted = rule(remind_s=300)
    _, said = live(wanted, [(0, HOLDS, False), (299, HOLDS, False), (1, HOLDS, False), (300, UNKNOWN, False)])
    assert said == [NoticeKind.FIRING, NoticeKind.REMINDER, NoticeKind.REMINDER]


def test_a_silenced_alert_fires_unheard_and_is_told_when_the_silence_ends() -> None:
    _, said = live(RULE, [(0, HOLDS, True), (60, HOLDS, True)])
    assert said == []
    _, said = live(RULE, [(0, HOLDS, True), (60, HOLDS, False), (5, FINE, False)])
    assert said == [NoticeKind.FIRING, NoticeKind.RESOLVED]


def test_who_never_heard_of_it_does_not_hear_of_its_end() -> None:
    alert, said = live(RULE, [(0, HOLDS, True), (60, FINE, False)])
    assert alert is not None
    assert alert.state is AlertState.RESOLVED
    assert said == []


def test_without_channels_alerts_are_found_and_nobody_is_told() -> None:
    alert, said = live(rule(channel_ids=()), [(0, HOLDS, False), (60, FINE, False)])
    assert alert is not None
    assert alert.state is AlertState.RESOLVED
    assert said == []


def test_a_figure_that_moves_is_written_once_a_minute() -> None:
    first = judge(RULE, HOLDS, None, NOW)
    assert first is not None
    other = msgspec.structs.replace(HOLDS, message="It is still offline.")
    assert judge(RULE, other, first.alert, NOW + 59) is None
    later = judge(RULE, other, first.alert, NOW + 60)
    assert later is not None
    assert later.alert is not None
    assert later.alert.message == other.message
    assert later.notice is None


STEPS = st.lists(
    st.tuples(st.floats(0, 400, allow_nan=False), st.sampled_from([HOLDS, FINE, UNKNOWN, None]), st.booleans()),
    max_size=40,
)


@given(STEPS, st.sampled_from([0, 60, 300]), st.sampled_from([None, 60, 300]))
def test_whatever_happens_every_end_follows_a_beginning_and_no_word_is_said_twice(steps, for_s, remind_s) -> None:
    alert, now, said = None, NOW, []
    for pause_s, measured, silenced in steps:
        now += pause_s
        verdict = judge(rule(for_s=for_s, remind_s=remind_s), measured, alert, now, silenced=silenced)
        if verdict is None:
            continue
        alert = verdict.alert
        if verdict.notice is not None:
            assert not silenced
            said.append(verdict.notice)
            assert said[0] is NoticeKind.FIRING
            assert said.count(NoticeKind.FIRING) == 1
        if alert is None or alert.state is AlertState.RESOLVED:
            assert NoticeKind.RESOLVED not in said[:-1]
            said = []
        else:
            assert NoticeKind.RESOLVED not in said


@given(STEPS, st.sampled_from([0, 60]))
def test_whatever_happens_times_are_in_order_and_tellings_are_counted(steps, for_s) -> None:
    alert, now, told = None, NOW, 0
    for pause_s, measured, silenced in steps:
        now += pause_s
        before = alert if alert is not None and alert.state is not AlertState.RESOLVED else None
        verdict = judge(rule(for_s=for_s), measured, before, now, silenced=silenced)
        told = 0 if before is None else told
        if verdict is None:
            continue
        alert = verdict.alert
        told += verdict.notice is not None
        if alert is not None:
            assert alert.told_count == told
            if alert.fired_at is not None:
                assert alert.since + for_s <= alert.fired_at <= (alert.resolved_at or now)
            assert (alert.state is AlertState.RESOLVED) == (alert.resolved_at is not None)


def test_attempts_are_spread_over_a_quarter_of_an_hour_and_end() -> None:
    waits = [back_off_s(attempts) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert waits[-1] is None
    assert sum(wait for wait in waits if wait is not None) == 900
    assert waits[:-1] == sorted(waits[:-1])


def test_a_silence_covers_its_rule_place_and_time_and_nothing_else() -> None:
    shop = Place(project_id="shop")
    silence = Silence(place=shop, rule_id="r", from_at=NOW, to_at=NOW + 60)
    inside = Place(project_id="shop", integration_id="till", environment_id="dev")
    assert is_silenced([silence], "r", inside, NOW)
    assert not is_silenced([silence], "other", inside, NOW)
    assert not is_silenced([silence], "r", Place(project_id="hr"), NOW)
    assert not is_silenced([silence], "r", inside, NOW - 1)
    assert not is_silenced([silence], "r", inside, NOW + 60)
    assert not is_silenced([silence], "r", Place(), NOW)


def test_alerts_of_a_rule_go_out_together_but_to_pagerduty_each_by_itself() -> None:
    def together(kind: ChannelKind) -> bool:
        return gather_key("r", NoticeKind.FIRING, kind, "a") == gather_key("r", NoticeKind.FIRING, kind, "b")

    assert [kind for kind in ChannelKind if not together(kind)] == [ChannelKind.PAGERDUTY]
