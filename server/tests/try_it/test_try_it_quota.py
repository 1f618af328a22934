"""How often and how much at once."""

from contextlib import ExitStack

import pytest
from pilothouse.try_it.failures import TooManyRequests
from pilothouse.try_it.quota import AT_ONCE_MAX, PER_MINUTE_MAX, PER_PERSON_MAX, PER_RUNTIME_MAX, Quota


class Now:
    at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


def test_one_person_has_so_many_under_way() -> None:
    quota = Quota(Now())
    with ExitStack() as held:
        for number in range(PER_PERSON_MAX):
            held.enter_context(quota.place("ann", f"runtime {number}"))
        with pytest.raises(TooManyRequests), quota.place("ann", "another"):
            pass
        with quota.place("bob", "another"):
            pass
    with quota.place("ann", "another"):
        pass


def test_one_runtime_and_all_together_take_so_many() -> None:
    quota = Quota(Now())
    with ExitStack() as held:
        for number in range(PER_RUNTIME_MAX):
            held.enter_context(quota.place(f"person {number}", "runtime"))
        with pytest.raises(TooManyRequests), quota.place("another", "runtime"):
            pass
        for number in range(AT_ONCE_MAX - PER_RUNTIME_MAX):
            held.enter_context(quota.place(f"other {number}", f"runtime {number}"))
        with pytest.raises(TooManyRequests), quota.place("another", "yet another"):
            pass


def test_a_place_is_given_back_when_the_request_fails() -> None:
    quota = Quota(Now())
    for _ in range(PER_PERSON_MAX + 1):
        with pytest.raises(OSError, match="gone"), quota.place("ann", "runtime"):
            raise OSError("gone")


def test_within_a_minute_one_person_sends_so_many_and_is_told_how_long_to_wait() -> None:
    now = Now()
    quota = Quota(now)
    for number in range(PER_MINUTE_MAX):
        now.at_s = number / 2
        with quota.place("ann", "runtime"):
            pass
    with pytest.raises(TooManyRequests) as refused, quota.place("ann", "runtime"):
        pass
    assert refused.value.wait_s == 31
    with quota.place("bob", "runtime"):
        pass
    now.at_s = 60.0
    with quota.place("ann", "runtime"):
        pass
