"""The board: what every beat touches."""

from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import Board, Entry

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
    (turn,) = shown.turns(T + 31)
    assert turn.verdict.status is Status.OFFLINE
    shown.announce(turn)
    assert shown.turns(T + 32) == []


def test_nobody_is_announced_while_it_is_unknown() -> None:
    shown = board(entry(seen_at=T - 500), listening_since=T)
    assert shown.turns(T + 5) == []
    assert [turn.verdict.status for turn in shown.turns(T + 31)] == [Status.OFFLINE]


def test_counts_agree_with_verdicts() -> None:
    shown = board(entry(1), entry(2, seen_at=T - 100), entry(3, environment="prod"), entry(4, seen_at=T - 2_000))
    now = T + 1
    counts = shown.counts(now)
    verdicts = [shown.judge(shown.find_key(key), now).status for key in (1, 2, 3, 4)]
    assert (counts.running, counts.offline, counts.unknown) == (
        verdicts.count(Status.RUNNING), verdicts.count(Status.OFFLINE), verdicts.count(Status.UNKNOWN),
    )  # fmt: skip
    assert shown.counts_by("environment_id", now)["prod"].running == 1
    assert counts.total == 4


def test_a_flush_takes_what_changed_once_and_a_failed_one_is_taken_back() -> None:
    shown = board(entry(1), entry(2))
    shown.touch(shown.find_key(1), T + 5, "10.0.0.1")
    rows = shown.take_dirty()
    assert [(row.runtime_key, row.seen_at) for row in rows] == [(1, T + 5)]
    assert shown.take_dirty() == []
    shown.mark_dirty(rows)
    assert len(shown.take_dirty()) == 1


def test_a_runtime_that_is_taken_down_is_gone_from_every_question() -> None:
    shown = board(entry())
    shown.take_down(1)
    assert (len(shown), shown.find("i", "dev", "r1"), shown.turns(T + 99), shown.is_offline(1, T)) == (
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
    assert shown.watch_for_mass_silence(now) is True
    later = now + 15
    assert shown.turns(later) == []
    verdict = shown.judge(shown.find_key(1), later)
    assert verdict.status is Status.UNKNOWN
    assert "20 of 100 live runtimes fell silent at once" in verdict.reason
    assert shown.counts(now + 5).unknown == 0  # not overdue yet: still running


def test_a_hold_ends_when_they_come_back_and_those_who_do_not_are_offline_after_all() -> None:
    now = T + 1_000
    shown = fleet(100, 20, now)
    shown.watch_for_mass_silence(now)
    for key in range(100):
        if key >= 3:
            shown.touch(shown.find_key(key), now + 15, None)
    assert shown.watch_for_mass_silence(now + 15) is True
    assert shown.hold is None
    assert sorted(turn.entry.runtime_key for turn in shown.turns(now + 15)) == [0, 1, 2]
    assert shown.take_settled() == 17  # who follows the page must read it again


def test_a_hold_runs_out_and_then_silence_is_what_it_is() -> None:
    now = T + 1_000
    shown = fleet(100, 20, now)
    shown.watch_for_mass_silence(now)
    end = now + shown.rules.hold_s
    for key in range(20, 100):
        shown.touch(shown.find_key(key), end, None)
    assert shown.watch_for_mass_silence(end) is True
    turns = shown.turns(end)
    assert len(turns) == 20
    for turn in turns:
        shown.announce(turn)
    assert shown.watch_for_mass_silence(end + 1) is False


def test_a_few_of_many_and_most_of_a_handful_are_judged_as_ever() -> None:
    now = T + 1_000
    for count, silent in ((100, 15), (8, 7), (60, 9)):
        shown = fleet(count, silent, now)
        assert shown.watch_for_mass_silence(now) is False
        assert len(shown.turns(now + 15)) == silent
