"""The board: what every beat touches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.access.places import EVERYTHING, EVERYWHERE, Place, Reach
from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import Board, Entry, counting, watching

T = 1_790_000_000.0


def entry(key: int = 1, seen_at: float = T, status: Status = Status.RUNNING, environment: str = "dev") -> Entry:
    return Entry(
        runtime_key=key, runtime_id=f"r{key}", project_id="p", integration_id="i", environment_id=environment,
        runtime_type=RuntimeType.PY, runtime_hash="h", seen_at=seen_at, interval_s=10.0, interval_is_reported=True, address=None,
        running_since=T, status=status,
    )  # fmt: skip


def board(*entries: Entry, listening_since: float = T - 1_000) -> Board:
    made = Board(LivenessRules(), listening_since)
    for one in entries:
        made.put(one)
    return made


def test_a_runtime_is_found_under_its_own_integration_and_environment_only() -> None:
    shown = board(entry())
    assert shown.find("i", "dev", "r1") is not None
    assert shown.find("other", "dev", "r1") is None
    assert shown.find("i", "prod", "r1") is None


def test_a_verdict_is_announced_once() -> None:
    shown = board(entry())
    (turn,) = watching.turns(shown, T + 31)
    assert turn.verdict.status is Status.OFFLINE
    shown.announce(turn)
    assert watching.turns(shown, T + 32) == []


def test_nobody_is_announced_while_it_is_unknown() -> None:
    shown = board(entry(seen_at=T - 500), listening_since=T)
    assert watching.turns(shown, T + 5) == []
    assert [turn.verdict.status for turn in watching.turns(shown, T + 31)] == [Status.OFFLINE]


def test_counts_agree_with_verdicts() -> None:
    shown = board(entry(1), entry(2, seen_at=T - 100), entry(3, environment="prod"), entry(4, seen_at=T - 2_000))
    now = T + 1
    counts = counting.counts(shown, now)
    verdicts = [shown.judge(shown.find_key(key), now).status for key in (1, 2, 3, 4)]
    assert (counts.running, counts.offline, counts.unknown) == (
        verdicts.count(Status.RUNNING), verdicts.count(Status.OFFLINE), verdicts.count(Status.UNKNOWN),
    )  # fmt: skip
    assert counting.counts_by(shown, "environment_id", now)["prod"].running == 1
    assert counts.total == 4


def test_a_part_of_the_tree_is_counted_as_far_as_somebody_reaches() -> None:
    places = [("p", "i", "dev"), ("p", "i", "prod"), ("p", "j", "dev"), ("q", "k", "dev"), ("q", "k", "dev")]
    shown = board(*(entry(key, seen_at=T - 2_000 if key == 4 else T) for key in range(5)))
    for one, (project, integration, environment) in zip(shown.list_all(), places, strict=True):
        one.project_id, one.integration_id, one.environment_id = project, integration, environment
    shown.list_all()[0].runtime_type = RuntimeType.MI
    counting.counts(shown, T + 1)
    some = Reach([Place(project_id="q"), Place(project_id="p", integration_id="i", environment_id="prod")])
    parts = [EVERYWHERE, Place(project_id="p"), Place(project_id="q", integration_id="k"), Place(environment_id="dev")]
    for reach, counted in ((EVERYTHING, [5, 3, 2, 4]), (some, [3, 1, 2, 2]), (Reach(), [0, 0, 0, 0])):
        assert [shown.tallies.count(reach, part, None) for part in parts] == counted
    assert shown.tallies.count(EVERYTHING, EVERYWHERE, RuntimeType.MI) == 1
    assert shown.tallies.count(some, Place(project_id="q"), None, {Status.OFFLINE}) == 1


def test_more_than_few_are_not_named() -> None:
    shown = board(entry(1), entry(2), entry(3, seen_at=T - 2_000))
    counting.counts(shown, T + 1)
    everywhere = (shown, EVERYTHING, EVERYWHERE, None)
    assert sorted(counting.few(*everywhere, {Status.RUNNING}, 2) or []) == [1, 2]
    assert counting.few(*everywhere, {Status.RUNNING}, 1) is None
    assert counting.few(*everywhere, {Status.OFFLINE}, 1) == [3]


def test_of_those_in_a_state_only_who_is_asked_for_is_named() -> None:
    shown = board(entry(1), entry(2, environment="prod"), entry(3, seen_at=T - 2_000, environment="prod"))
    counting.counts(shown, T + 1)
    prod, dev, one = Place(environment_id="prod"), Reach([Place(environment_id="dev")]), {Status.RUNNING}
    assert counting.few(shown, EVERYTHING, prod, None, one, 1) == [2]
    assert counting.few(shown, dev, EVERYWHERE, RuntimeType.PY, one, 1) == [1]
    assert counting.few(shown, dev, prod, None, one, 0) == []
    assert counting.few(shown, EVERYTHING, EVERYWHERE, RuntimeType.BI, one, 0) == []


def test_a_place_lists_its_own_and_forgets_who_was_taken_down() -> None:
    shown = board(entry(1), entry(2), entry(3, environment="prod"))
    assert {one.runtime_key for one in shown.list_in("i", "dev")} == {1, 2}
    for key in (1, 2):
        shown.take_down(key)
    assert shown.list_in("i", "dev") == []
    assert [one.runtime_key for one in shown.list_in("i", "prod")] == [3]


def test_a_runtime_that_is_taken_down_is_gone_from_every_question() -> None:
    shown = board(entry())
    shown.take_down(1)
    assert (len(shown), shown.find("i", "dev", "r1"), watching.turns(shown, T + 99), shown.is_offline(1, T)) == (
        0,
        None,
        [],
        True,
    )
    shown.take_down(1)


def fleet(count: int, silent: int, now: float) -> Board:
    return board(*(entry(key, seen_at=now - 20 if key < silent else now) for key in range(count)))


def test_when_many_fall_silent_at_once_nobody_is_called_offline_for_a_while() -> None:
    now = T + 1_000
    shown = fleet(100, 20, now)
    assert watching.watch_for_mass_silence(shown, now) is True
    later = now + 15
    assert watching.turns(shown, later) == []
    verdict = shown.judge(shown.find_key(1), later)
    assert verdict.status is Status.UNKNOWN
    assert "20 of 100 live runtimes fell silent at once" in verdict.reason
    assert counting.counts(shown, now + 5).unknown == 0  # not overdue yet: still running


def test_a_hold_ends_when_they_come_back_and_those_who_do_not_are_offline_after_all() -> None:
    now = T + 1_000
    shown = fleet(100, 20, now)
    watching.watch_for_mass_silence(shown, now)
    for key in range(100):
        if key >= 3:
            shown.touch(shown.find_key(key), now + 15, None)
    assert watching.watch_for_mass_silence(shown, now + 15) is True
    assert shown.hold is None
    assert sorted(turn.entry.runtime_key for turn in watching.turns(shown, now + 15)) == [0, 1, 2]
    assert shown.take_settled() == 17  # who follows the page must read it again


def test_a_hold_runs_out_and_then_silence_is_what_it_is() -> None:
    now = T + 1_000
    shown = fleet(100, 20, now)
    watching.watch_for_mass_silence(shown, now)
    end = now + shown.rules.hold_s
    for key in range(20, 100):
        shown.touch(shown.find_key(key), end, None)
    assert watching.watch_for_mass_silence(shown, end) is True
    turns = watching.turns(shown, end)
    assert len(turns) == 20
    for turn in turns:
        shown.announce(turn)
    assert watching.watch_for_mass_silence(shown, end + 1) is False


def test_a_few_of_many_and_most_of_a_handful_are_judged_as_ever() -> None:
    now = T + 1_000
    for count, silent in ((100, 15), (8, 7), (60, 9)):
        shown = fleet(count, silent, now)
        assert watching.watch_for_mass_silence(shown, now) is False
        assert len(watching.turns(shown, now + 15)) == silent


# -- channels


@given(st.floats(0, 0.69), st.sampled_from(["beat", "channel"]), st.lists(st.floats(0, 20), max_size=12))
def test_who_comes_back_within_the_grace_was_never_offline_whenever_one_looks(
    back_s: float, by: str, looks: list[float]
) -> None:
    one = entry()
    shown = board(one)
    shown.open_channel(one, T)
    shown.end_channel(one, T + 1, said_goodbye=False)
    has_come_back = False
    for after_s in sorted([*looks, back_s]):
        now = T + 1 + after_s
        if after_s >= back_s and not has_come_back:
            has_come_back = True
            if by == "beat":
                shown.touch(one, T + 1 + back_s, None)
            else:
                shown.open_channel(one, T + 1 + back_s)
        assert shown.judge(one, now).status is Status.RUNNING
        assert watching.turns(shown, now) == []
        assert not shown.is_offline(1, now)


@given(st.floats(0.7, 25))
def test_who_does_not_come_back_is_offline_from_the_end_of_the_grace_on(after_s: float) -> None:
    one = entry()
    shown = board(one)
    shown.open_channel(one, T)
    shown.end_channel(one, T + 1, said_goodbye=False)
    now = T + 1.001 + after_s
    (turn,) = watching.turns(shown, now)
    assert turn.verdict.status is Status.OFFLINE
    assert turn.verdict.since == T + 1
    assert "did not come back" in turn.verdict.reason
    assert counting.counts(shown, now).offline == 1


def test_a_goodbye_needs_no_grace() -> None:
    one = entry()
    shown = board(one)
    shown.end_channel(one, T + 1, said_goodbye=True)
    verdict = shown.judge(one, T + 1)
    assert (verdict.status, verdict.reason) == (Status.OFFLINE, "It said goodbye: its process ended in order.")


def test_who_comes_back_after_the_verdict_is_running_again_with_a_new_since() -> None:
    one = entry()
    shown = board(one)
    shown.end_channel(one, T + 1, said_goodbye=False)
    (turn,) = watching.turns(shown, T + 3)
    shown.announce(turn)
    assert shown.touch(one, T + 4, None) is True
    assert shown.judge(one, T + 4).status is Status.RUNNING


def channels_lost(count: int, lost: int, *, said_goodbye: bool = False) -> Board:
    members = [entry(key, seen_at=T) for key in range(count)]
    shown = board(*members)
    for member in members:
        shown.open_channel(member, T)
    for member in members[:lost]:
        shown.end_channel(member, T + 1, said_goodbye=said_goodbye)
    return shown


@pytest.mark.parametrize(("count", "lost", "held"), [(60, 10, True), (60, 9, False), (100, 15, False), (9, 9, False)])
def test_many_channels_that_break_at_once_are_held_and_few_are_not(count: int, lost: int, held: bool) -> None:
    shown = channels_lost(count, lost)
    assert watching.watch_for_mass_silence(shown, T + 1.5) is held
    statuses = {shown.judge(shown.find_key(key), T + 3).status for key in range(lost)}
    assert statuses == {Status.UNKNOWN if held else Status.OFFLINE}
    assert bool(watching.turns(shown, T + 3)) is not held


def test_many_goodbyes_are_a_deployment_and_no_trouble_of_the_network() -> None:
    shown = channels_lost(60, 30, said_goodbye=True)
    assert not watching.watch_for_mass_silence(shown, T + 1.5)
    assert len(watching.turns(shown, T + 1.5)) == 30


# -- pace


def set_pace(shown: Board) -> None:
    shown.pace.weigh(shown.list_all())
    shown.pace.decide(shown.replicas)


def paced(count: int, *, most: float = 10.0, own_s: float = 10.0, others: int = 0) -> Board:
    made = Board(LivenessRules(beats_per_s_max=most), T - 1_000)
    for key in range(count):
        one = entry(key)
        one.own_interval_s = one.interval_s = own_s
        made.put(one)
    for key in range(count, count + others):
        one = entry(key)
        one.runtime_type = RuntimeType.BI
        one.interval_is_reported = False
        made.put(one)
    set_pace(made)
    return made


@given(st.integers(1, 400), st.floats(1, 100), st.integers(1, 60))
def test_a_fleet_is_told_a_pace_that_asks_no_more_of_the_server_than_it_bears(
    count: int, most: float, own_s: int
) -> None:
    shown = paced(count, most=most, own_s=own_s)
    told = [shown.next_beat_s(shown.find_key(key)) or own_s for key in range(count)]
    assert all(own_s <= each <= 300 for each in told)
    asked = sum(1 / each for each in told)
    assert asked <= most * 1.002 or told == [300] * count
    assert not shown.pace.is_slower or count / own_s > most


def test_ballerina_and_micro_integrator_are_never_slowed_and_their_beats_come_first() -> None:
    shown = paced(100, most=10.0, others=50)
    assert shown.next_beat_s(shown.find_key(120)) is None
    assert shown.next_beat_s(shown.find_key(0)) == 20  # 10 beats a second were theirs, 5 are left of 10
    crowded = paced(100, most=10.0, others=200)
    assert crowded.next_beat_s(crowded.find_key(0)) == 100  # a tenth is theirs whatever the others do


def test_liveness_follows_the_pace_that_was_told_and_goes_back_with_it() -> None:
    shown = paced(100, most=1.0)
    one = shown.find_key(0)
    shown.touch(one, T, None)
    assert shown.next_beat_s(one) == 100
    assert shown.judge(one, T + 299).status is Status.RUNNING
    assert watching.turns(shown, T + 299) == [] or all(turn.entry is not one for turn in watching.turns(shown, T + 299))
    assert shown.judge(one, T + 301).status is Status.OFFLINE
    for key in range(1, 100):
        shown.take_down(key)
    set_pace(shown)
    shown.touch(one, T + 100, None)
    assert shown.next_beat_s(one) is None
    assert shown.judge(one, T + 131).status is Status.OFFLINE


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(1, 20))
def test_who_keeps_the_pace_that_it_is_told_is_never_called_offline(fleets: list[int], own_s: int) -> None:
    shown = paced(1, most=1.0, own_s=own_s)
    one, now = shown.find_key(0), T
    for others in fleets:
        for key in range(1, 301):
            shown.take_down(key)
        for key in range(1, others):
            other = entry(key, seen_at=now)
            other.own_interval_s = own_s
            shown.put(other)
        set_pace(shown)
        shown.touch(one, now, None)
        waits_s = shown.next_beat_s(one) or own_s
        assert not shown.is_offline(0, now + 2.9 * waits_s)
        now += waits_s
    assert one.status is Status.RUNNING
