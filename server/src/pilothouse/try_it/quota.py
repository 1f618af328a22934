"""How often and how much at once: over all, per runtime and per person. Nobody waits; who comes too soon is told."""

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, final

from pilothouse.try_it.failures import TooManyRequests

AT_ONCE_MAX: Final = 32
PER_RUNTIME_MAX: Final = 4
PER_PERSON_MAX: Final = 4
PER_MINUTE_MAX: Final = 60
"""Requests of one person within a minute."""
_MINUTE_S: Final = 60.0
_PEOPLE_MAX: Final = 10_000
"""People whose requests are counted; beyond it those who asked longest ago are forgotten."""


@final
class Quota:
    """Counts what is under way, and what each person asked for within the last minute."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._under_way = 0
        self._of_runtimes: Counter[str] = Counter()
        self._of_people: Counter[str] = Counter()
        self._lately: dict[str, list[float]] = {}

    @contextmanager
    def place(self, person: str, runtime: str) -> Generator[None]:
        """Hold a place while a request is under way.

        Raises: TooManyRequests
        """
        self._refuse(person, runtime)
        self._note(person)
        self._under_way += 1
        self._of_runtimes[runtime] += 1
        self._of_people[person] += 1
        try:
            yield
        finally:
            self._under_way -= 1
            for counts, key in ((self._of_runtimes, runtime), (self._of_people, person)):
                counts[key] -= 1
                if not counts[key]:
                    del counts[key]

    def _refuse(self, person: str, runtime: str) -> None:
        if self._of_people[person] >= PER_PERSON_MAX:
            raise TooManyRequests(f"{PER_PERSON_MAX} of your requests are under way already.", wait_s=1)
        if self._under_way >= AT_ONCE_MAX or self._of_runtimes[runtime] >= PER_RUNTIME_MAX:
            raise TooManyRequests("Too many requests are under way to runtimes already.", wait_s=1)
        now_s = self._monotonic_s()
        lately = [at_s for at_s in self._lately.get(person, ()) if now_s - at_s < _MINUTE_S]
        if len(lately) >= PER_MINUTE_MAX:
            wait_s = int(_MINUTE_S - (now_s - lately[0])) + 1
            raise TooManyRequests(f"{PER_MINUTE_MAX} requests within a minute are the most.", wait_s=wait_s)

    def _note(self, person: str) -> None:
        now_s = self._monotonic_s()
        lately = [at_s for at_s in self._lately.pop(person, ()) if now_s - at_s < _MINUTE_S]
        self._lately[person] = [*lately, now_s]
        while len(self._lately) > _PEOPLE_MAX:
            del self._lately[next(iter(self._lately))]
