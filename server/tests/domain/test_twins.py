"""Two processes under one id are told from one that changes."""

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.domain import twins
from pilothouse.domain.twins import RETURNS_MIN, TOLD_FOR_S, Face, Faces

HERE, THERE, YONDER = Face("10.0.3.7", "a"), Face("10.0.3.8", "a"), Face("10.0.3.9", "b")
EVERY_S = 5.0


def beats(faces: list[Face], every_s: float = EVERY_S) -> tuple[Faces, float]:
    seen, now = twins.begin(faces[0], 0.0), 0.0
    for face in faces[1:]:
        now += every_s
        seen = twins.note(seen, face, now)
    return seen, now


@pytest.mark.parametrize(
    ("alive", "told"),
    [
        ((HERE, THERE), "from 10.0.3.7 and 10.0.3.8."),
        ((HERE, THERE, YONDER), "from 10.0.3.7 and 10.0.3.8 and 10.0.3.9."),
        ((Face("x", "a"), Face("x", "b")), "with different reports."),
    ],
)
def test_processes_that_beat_in_turn_are_noticed_until_one_is_gone(alive: tuple[Face, ...], told: str) -> None:
    seen, now = beats(list(islice(cycle(alive), RETURNS_MIN + len(alive))))
    notice = twins.notice_of(seen, now)
    assert notice is not None
    assert notice.message.endswith(told)
    assert twins.notice_of(seen, now + TOLD_FOR_S + 1) is None
    alone = twins.note(seen, seen.seen[-1], now + EVERY_S)
    assert twins.notice_of(alone, now + EVERY_S) is None


def test_a_delta_and_the_full_heartbeat_that_it_was_asked_for_are_one() -> None:
    seen, now = twins.begin(HERE, 0.0), 0.0
    for face in islice(cycle((THERE, HERE)), RETURNS_MIN + 1):
        now += EVERY_S
        seen = twins.note(twins.note(seen, face, now), face, now + 0.2)
    assert twins.notice_of(seen, now) is not None


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=200))
def test_one_process_that_beats_twice_with_each_of_its_reports_is_never_noticed(reports: list[str]) -> None:
    faces = [Face("10.0.3.7", report) for report in reports for _ in range(2)]
    seen, now = beats(faces)
    assert twins.notice_of(seen, now) is None
    assert len(seen.seen) <= 4


def test_a_report_that_is_always_a_new_one_is_no_second_process() -> None:
    seen, now = beats([Face("10.0.3.7", str(size)) for size in range(100)])
    assert twins.notice_of(seen, now) is None
