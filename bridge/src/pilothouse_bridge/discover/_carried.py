"""Work that must be done where a server lives, asked for by a thread of ours."""

from collections.abc import Callable
from typing import Final, TypeVar

from pilothouse_bridge import _native
from pilothouse_bridge._steering import SteeringError

PATIENCE_S: Final = 10.0
"""Unit: seconds until a server's loop or hub counts as one that does not answer."""
_T = TypeVar("_T")


def carried_over(hand_over: Callable[[Callable[[], None]], object], work: Callable[[], _T], *, where: str) -> _T:
    """Have work done elsewhere, and wait for what comes of it.

    hand_over: takes what is to be called there
    where: what does not answer, as it is told to people

    Raises: SteeringError when nothing answers in time, and what the work raises.
    """
    done = _native.Event()
    outcome: list[_T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # noqa: BLE001 - carried over to the thread that asked
            outcome.append(error)
        finally:
            done.set()

    hand_over(run)
    if not done.wait(PATIENCE_S):
        raise SteeringError("FAILED", 500, f"{where} does not answer.", "Look for what blocks it.")
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return result
