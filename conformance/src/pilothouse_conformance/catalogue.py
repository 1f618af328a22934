"""The cases: each a function, registered by its number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pilothouse_conformance.world import Stage

Run: TypeAlias = Callable[[Stage], None]
COUNT = 66
SECTIONS = (
    ("Who may speak", 1, 9),
    ("What may be said", 10, 12),
    ("Where it belongs", 13, 23),
    ("Deltas and liveness", 24, 31),
    ("Identity", 32, 37),
    ("Reports", 38, 43),
    ("Steering", 44, 50),
    ("Work queued for runtimes", 51, 57),
    ("Secrets and deletion", 58, 62),
    ("The wire itself", 63, 66),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of section 10 of the runtime protocol."""

    number: int
    title: str
    run: Run
    slow: bool
    """It waits for time to pass: begun before the others."""
    alone: bool
    """It disturbs others: run after them, by itself."""

    @property
    def label(self) -> str:
        """The number, as it is shown."""
        return str(self.number)

    @property
    def section(self) -> str:
        """Where it stands in the report."""
        return next(name for name, first, last in SECTIONS if first <= self.number <= last)


CASES: dict[int, Case] = {}


def case(number: int, *, slow: bool = False, alone: bool = False) -> Callable[[Run], Run]:
    """Register a function as a case; its docstring is the sentence of section 10."""

    def register(run: Run) -> Run:
        title = (run.__doc__ or "").strip().removesuffix(".").replace("\n    ", " ")
        CASES[number] = Case(number=number, title=title, run=run, slow=slow, alone=alone)
        return run

    return register


def choose(wish: str | None) -> list[Case]:
    """Give the cases that a text such as `13,44-47` names; all without one.

    Raises: ValueError
    """
    if wish is None:
        return [CASES[number] for number in sorted(CASES)]
    numbers: set[int] = set()
    for part in wish.split(","):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    unknown = sorted(numbers - set(CASES))
    if unknown or not numbers:
        raise ValueError(f"there is no case {', '.join(map(str, unknown))}: they are 1 to {COUNT}")
    return [CASES[number] for number in sorted(numbers)]
