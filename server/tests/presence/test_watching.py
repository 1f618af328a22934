"""A look that costs by what changed finds what a look at everybody would find."""

import asyncio
import math
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.access.places import EVERYTHING, EVERYWHERE
from pilothouse.domain.liveness import Hold, LivenessRules, Status, is_mass_silence, is_overdue
from pilothouse.domain.presence import Heard, SharedRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import Board, Entry, counting, merging, watching
from pilothouse.presence.entry import Counts
from pilothouse.presence.watching import AT_ONCE

pytestmark = pytest.mark.anyio
T = 1_790_000_000.0
RULES = LivenessRules(mass_count=2, mass_share=0.3, hold_s=40.0, beats_per_s_max=0.2)
RUNTIMES = 5


def entry(key: int, seen_at: float = T, status: Status = Status.RUNNING, interval_s: float | None = 10.0) -> Entry:
    is_python = key % 2 == 0
    return Entry(
        runtime_key=key, runtime_id=f"r{key}", project_id="p", integration_id=f"i{key % 3}", environment_id="dev",
        runtime_type=RuntimeType.PY if is_python else RuntimeType.BI, runtime_hash="h", seen_at=seen_at, interval_s=interval_s,
        interval_is_reported=is_python, own_interval_s=interval_s if is_python else None, address=None, running_since=T, status=status,
    )  # fmt: skip


def board(count: int, rules: LivenessRules = RULES, seen_at: float = T) -> Board:
    made = Board(rules, T - 1_000)
    for key in range(count):
        made.put(entry(key, seen_at))
    return made


class Everybody:
    """The same questions, answered by a look at every runtime on the board."""

    def __init__(self, shown: Board) -> None:
        self.shown = shown

    def silent_and_live(self, now: float) -> tuple[int, int]:
        at = self.shown.judged_at(now)
        live = [one for one in self.shown.list_all() if one.status is Status.RUNNING]
        silent = [
            one
            for one in live
            if (one.departure is not None and not one.departure.said_goodbye)
            or is_overdue(one.seen_at, one.interval_s, at, self.shown.rules)
        ]
        return len(silent), len(live)

    def hold(self, now: float) -> Hold | None:
        """The hold after a look."""
        at, was = self.shown.judged_at(now), self.shown.hold
        silent, live = self.silent_and_live(now)
        is_mass = is_mass_silence(silent, live, self.shown.rules)
        if was is None:
            return Hold(since=at, silent=silent, live=live) if is_mass and at >= self.shown.no_hold_before else None
        if at - was.since >= self.shown.rules.hold_s or not is_mass:
            return None
        return was if was.silent == silent else Hold(since=was.since, silent=silent, live=live)

    def counts(self, now: float) -> dict[str, Counts]:
        found: dict[str, list[Status]] = {}
        for one in self.shown.list_all():
            found.setdefault(one.integration_id, []).append(self.shown.judge(one, now).status)
        return {
            integration: Counts(
                running=seen.count(Status.RUNNING),
                offline=seen.count(Status.OFFLINE),
                unknown=seen.count(Status.UNKNOWN),
            )
            for integration, seen in found.items()
        }

    def turns(self, now: float) -> dict[int, Status]:
        found = {one.runtime_key: self.shown.judge(one, now).status for one in self.shown.list_all()}
        return {
            one.runtime_key: found[one.runtime_key]
            for one in self.shown.list_all()
            if found[one.runtime_key] not in {Status.UNKNOWN, one.status}
        }


def heard(one: Entry, now: float, *, interval_s: float, left: str | None) -> Heard:
    return Heard(
        runtime_key=one.runtime_key, seen_at=now - 1, interval_s=interval_s, address=None, channel_at=None,
        departed_at=None if left is None else now, departed_how=left,
    )  # fmt: skip


def row(one: Entry, now: float, *, status: Status) -> SharedRow:
    return SharedRow(
        runtime_key=one.runtime_key, runtime_id=one.runtime_id, project_id="p", integration_id="i", environment_id="dev",
        runtime_type=one.runtime_type, runtime_hash="h", seen_at=now - 2, interval_s=20.0, address=None, running_since=T, status=status,
        via="another", channel_at=None, departed_at=None, departed_how=None, told=None, is_retired=False,
    )  # fmt: skip


def pace(shown: Board) -> None:
    shown.pace.weigh(shown.list_all())
    shown.pace.decide(shown.replicas)


def beat(shown: Board, one: Entry, now: float) -> None:
    shown.touch(one, now, None)
    shown.next_beat_s(one)


CHANGES: dict[str, Callable[[Board, Entry, float], object]] = {
    "beat": beat,
    "late": lambda shown, one, now: shown.touch(one, now - 7, None),
    "open": lambda shown, one, now: shown.open_channel(one, now),
    "broken": lambda shown, one, now: shown.end_channel(one, now, said_goodbye=False),
    "goodbye": lambda shown, one, now: shown.end_channel(one, now, said_goodbye=True),
    "heard": lambda shown, one, now: merging.hear(shown, [heard(one, now, interval_s=5.0, left=None)]),
    "heard, slow": lambda shown, one, now: merging.hear(shown, [heard(one, now, interval_s=60.0, left=None)]),
    "heard, left": lambda shown, one, now: merging.hear(shown, [heard(one, now, interval_s=5.0, left=merging.BROKEN)]),
    "told offline": lambda shown, one, now: merging.merge(shown, [row(one, now, status=Status.OFFLINE)]),
    "told running": lambda shown, one, now: merging.merge(shown, [row(one, now, status=Status.RUNNING)]),
    "gone": lambda shown, one, _now: shown.take_down(one.runtime_key),
    "new": lambda shown, one, now: shown.put(entry(one.runtime_key, now, interval_s=None)),
    "new, slow": lambda shown, one, now: shown.put(entry(one.runtime_key, now, interval_s=100.0)),
    "pace": lambda shown, _one, _now: pace(shown),
    "listening": lambda shown, _one, now: setattr(shown, "listening_since", now),
    "lost": lambda shown, _one, now: setattr(shown, "lost_until", now),
    "known": lambda shown, _one, now: setattr(shown, "known_until", now - 2),
    "all known": lambda shown, _one, _now: setattr(shown, "known_until", None),
    "shared": lambda shown, _one, _now: setattr(shown, "shared", True),
}
STEPS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.0, 0.5, 0.5, 0.7, 5.0, 10.0, 15.0, 30.0]), st.floats(-3, 60)),
        st.integers(0, RUNTIMES - 1),
        st.sampled_from(["beat", "beat", "beat", "wait", *CHANGES]),
        st.booleans(),
    ),
    max_size=60,
)


@settings(max_examples=600, deadline=None)
@given(STEPS)
def test_a_look_finds_what_a_look_at_everybody_would_find_whatever_happened(
    steps: list[tuple[float, int, str, bool]],
) -> None:
    shown = board(RUNTIMES)
    everybody, now = Everybody(shown), T
    for later_s, key, what, announces in steps:
        now += later_s
        one = shown.find_key(key)
        if what in CHANGES and (one is not None or what.startswith("new")):
            CHANGES[what](shown, one or entry(key), now)
        if later_s >= 0 or later_s < -1:  # else it was asked before the last look, which tells what it found
            assert counting.counts_by(shown, "integration_id", now) == everybody.counts(now)
        was, wanted = shown.hold, everybody.hold(now)
        is_news = watching.watch_for_mass_silence(shown, now)
        assert shown.hold == wanted
        assert is_news is ((was is None) is not (wanted is None))
        assert (len(shown.rota.silent), len(shown) - len(shown.rota.down)) == everybody.silent_and_live(now)
        found = watching.turns(shown, now)
        assert {turn.entry.runtime_key: turn.verdict.status for turn in found} == everybody.turns(now)
        if announces:
            for turn in found:
                shown.announce(turn)
        assert counting.counts_by(shown, "integration_id", now) == everybody.counts(now)
        for states in ({Status.OFFLINE}, {Status.RUNNING, Status.UNKNOWN}):
            found = {key for key in shown.list_keys() if shown.judge(shown.find_key(key), now).status in states}
            assert sorted(counting.few(shown, EVERYTHING, EVERYWHERE, None, states, RUNTIMES) or []) == sorted(found)
            assert shown.tallies.count(EVERYTHING, EVERYWHERE, None, states) == len(found)


def calm(count: int) -> Board:
    """Runtimes that all beat lately, and were looked at."""
    shown = board(count, LivenessRules())
    watching.turns(shown, T)
    return shown


def judged(shown: Board, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    looked_at: list[int] = []
    known = shown.find_key

    def find_key(runtime_key: int) -> Entry | None:
        looked_at.append(runtime_key)
        return known(runtime_key)

    monkeypatch.setattr(shown, "find_key", find_key)
    return looked_at


def test_a_look_asks_only_for_those_whose_time_has_come_or_of_whom_something_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = calm(1_000)
    one, other = shown.find_key(7), shown.find_key(8)
    assert one is not None
    assert other is not None
    looked_at = judged(shown, monkeypatch)
    shown.touch(other, T + 5, None)
    shown.end_channel(one, T + 5, said_goodbye=True)
    (turn,) = watching.turns(shown, T + 5)
    assert turn.entry is one
    assert set(looked_at) == {7}
    shown.announce(turn)
    looked_at.clear()
    assert watching.turns(shown, T + 6) == []
    assert set(looked_at) == {7}
    looked_at.clear()
    for at in range(7, 12):
        assert watching.turns(shown, T + at) == []
    assert looked_at == [], "nothing is new, and nobody's time has come"


def test_those_who_are_held_back_are_not_asked_for_until_the_hold_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = calm(1_000)
    for key in range(500, 1_000):
        one = shown.find_key(key)
        assert one is not None
        shown.touch(one, T + 14, None)
    assert watching.watch_for_mass_silence(shown, T + 16)
    watching.turns(shown, T + 16)
    looked_at = judged(shown, monkeypatch)
    assert watching.turns(shown, T + 17) == []
    assert looked_at == []
    shown.hold = None
    assert len(watching.turns(shown, T + 31)) == 500


async def test_a_round_gives_the_word_back_after_each_slice_and_leaves_nothing_to_the_look() -> None:
    shown = board(4 * AT_ONCE, LivenessRules(mass_count=100_000))
    shown.put(entry(0, T - 500))
    going = asyncio.create_task(watching.go_round(shown, T))
    rounds = 0
    while not going.done():
        await asyncio.sleep(0)
        rounds += 1
    assert rounds >= 4, "others had their turn between the slices"
    assert [turn.entry.runtime_key for turn in watching.turns(shown, T)] == [0]


async def test_who_beats_between_two_slices_is_not_announced_as_silent() -> None:
    count = 4 * AT_ONCE
    shown = board(count, LivenessRules(mass_count=100_000))
    going = asyncio.create_task(watching.go_round(shown, T + 31))
    await asyncio.sleep(0)
    for key in range(0, count, 2):
        one = shown.find_key(key)
        assert one is not None
        shown.touch(one, T + 31, None)
    await going
    assert sorted(turn.entry.runtime_key for turn in watching.turns(shown, T + 31)) == list(range(1, count, 2))


def test_some_of_many_verdicts_are_taken_at_a_time_and_all_of_them_in_the_end() -> None:
    shown = board(25, LivenessRules(mass_count=100_000))
    taken: list[int] = []
    while some := watching.turns(shown, T + 31, 10):
        assert len(some) <= 10
        for turn in some:
            shown.announce(turn)
        taken += [turn.entry.runtime_key for turn in some]
    assert sorted(taken) == list(range(25))


async def test_the_pace_that_is_decided_in_slices_is_the_one_that_is_decided_at_once() -> None:
    shown, other = (board(3 * AT_ONCE, LivenessRules(beats_per_s_max=50.0)) for _ in range(2))
    pace(other)
    await watching.set_pace(shown)
    told = [
        (shown.pace.next_beat_s(one), other.pace.next_beat_s(one))
        for one in (shown.find_key(0), shown.find_key(1))
        if one
    ]
    assert told[0][0] is not None
    assert all(here == there for here, there in told)


def test_a_slice_holds_the_loop_for_less_than_ten_milliseconds() -> None:
    best_s = math.inf
    for _ in range(5):
        shown = board(AT_ONCE, LivenessRules(mass_count=100_000))
        began_s = time.thread_time()
        next(watching.slices(shown, T + 31))
        best_s = min(best_s, time.thread_time() - began_s)
    assert best_s < 0.01
