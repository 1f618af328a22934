"""How far this process may believe what it remembers: as long as it hears what the others change.

What is remembered of secrets and of who may do what is dropped by events. A process that hears no events, since the database cannot
be reached or answers too slowly, would go by what was revoked. So it asks again, and where nobody answers it refuses. Source: ADR 0022.
"""

from collections.abc import Callable
from typing import Final

from pilothouse.operations.following import Following

DEAF_S: Final = 10.0
"""Unit: seconds. With the last look at events this long ago, what is remembered is asked for again."""

Silence = Callable[[], float]
"""Tells for how many seconds nothing was heard of what other processes change; 0 where there are none."""


def silence_of(following: Following) -> float:
    """Tell for how many seconds a process has not heard the others; one that writes alone hears itself."""
    if following.position is None:
        return 0.0
    age_s = following.age_s()
    return following.failing_s() if age_s is None else age_s


def unbroken() -> float:
    """Tell that nothing can be missed."""
    return 0.0
