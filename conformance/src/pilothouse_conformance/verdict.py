"""What a case comes to."""

from dataclasses import dataclass
from enum import StrEnum, unique

from pilothouse_conformance.wire import Exchange


class Failed(Exception):
    """The server did something else than the case expects."""


class Skipped(Exception):
    """The case could not be looked at; its message says what it needs."""


@unique
class Outcome(StrEnum):
    """The three ends of a case."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One case, judged."""

    label: str
    """The number of the case, or the name of a golden message."""
    section: str
    title: str
    outcome: Outcome
    reason: str
    """Empty when it passed."""
    exchanges: tuple[Exchange, ...]
    """The last requests and answers before it failed, the latest last; empty unless it failed."""
    took_s: float


def demand(holds: bool, reason: str) -> None:
    """Go on when something holds.

    Raises: Failed
    """
    if not holds:
        raise Failed(reason)
