import pytest

from benchmarks.fleet.truth import Life, Verdicts


def life(**members: object) -> Life:
    made = Life("r-1", 10.0, reports_interval=True)
    made.written_at = made.sent_at = 100.0
    made.acked_at, made.acked = 100.1, 5
    for name, value in members.items():
        setattr(made, name, value)
    return made


def judged(status: str, at: float, one: Life) -> Verdicts:
    verdicts = Verdicts()
    verdicts.judge_row(one, status, at, at + 0.1)
    return verdicts


def test_offline_is_false_while_the_last_beat_is_younger_than_the_silence_that_is_allowed():
    assert judged("OFFLINE", 129.0, life()).false_offline
    assert not judged("OFFLINE", 130.0, life()).false_offline
    assert not judged("OFFLINE", 105.0, life(ended_at=101.0)).false_offline
    assert not judged("OFFLINE", 105.0, life(ended_at=101.0, had_channel=True)).false_offline


def test_a_beat_that_was_acknowledged_after_the_look_began_proves_nothing():
    assert not judged("OFFLINE", 100.05, life()).false_offline


def test_running_is_late_when_the_process_has_been_gone_for_longer_than_is_allowed():
    assert not judged("RUNNING", 131.0, life(ended_at=105.0)).late_offline
    assert judged("RUNNING", 133.0, life(ended_at=105.0)).late_offline
    assert judged("RUNNING", 110.0, life(ended_at=105.0, had_channel=True)).late_offline
    assert judged("RUNNING", 110.0, life(ended_at=105.0, said_goodbye=True)).late_offline


def test_an_interval_that_must_be_learnt_allows_a_longer_silence():
    one = life(reports_interval=False, ended_at=105.0)
    one.gap_s = 12.0
    assert not judged("RUNNING", 136.0, one).late_offline
    assert judged("RUNNING", 139.0, one).late_offline
    one.acked = 1
    assert not judged("RUNNING", 180.0, one).late_offline


def test_a_restarted_process_need_not_be_running_before_its_first_beat():
    one = life(ended_at=105.0)
    one.start_again()
    assert not judged("OFFLINE", 110.0, one).false_offline
    one.note_beat(111.0, 111.1)
    assert judged("OFFLINE", 112.0, one).false_offline


@pytest.mark.parametrize(("running", "is_wrong"), [(1, True), (2, False), (3, False), (4, True)])
def test_totals_lie_between_what_must_and_what_may_be(running, is_wrong):
    lives = {str(n): life() for n in range(2)} | {
        "gone": life(ended_at=101.0),
        "long gone": life(ended_at=60.0, written_at=60.0),
    }
    verdicts = Verdicts()
    verdicts.judge_totals(lives, running, 0, 110.0, 110.1)
    assert bool(verdicts.totals_wrong) is is_wrong


def test_who_was_acknowledged_must_be_listed():
    verdicts = Verdicts()
    verdicts.judge_walk({"r-1": life(), "r-2": life(ended_at=1.0)}, {}, 110.0)
    assert set(verdicts.missing) == {"r-1"}
