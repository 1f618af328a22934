"""Exceptions in words, at once: to hold the exception itself would hold everything that its frames hold."""

import traceback
from dataclasses import dataclass
from typing import Final

from pilothouse_bridge.telemetry._values import cut

STACK_LIMIT: Final = 16_000


@dataclass(frozen=True, slots=True)
class Thrown:
    """An exception, in words."""

    kind: str
    message: str
    stack: str


def thrown(error: BaseException) -> Thrown:
    """Put it into words; never raises."""
    try:
        message = str(error)
    except Exception as trouble:  # noqa: BLE001 - the program's own __str__ runs here
        message = f"({type(trouble).__name__} while it was written)"
    try:
        stack = "".join(traceback.format_exception(error))
    except Exception as trouble:  # noqa: BLE001 - as above
        stack = f"({type(trouble).__name__} while it was written)"
    if len(stack) > STACK_LIMIT:  # how it ended says most, how it began comes next
        stack = f"{stack[: STACK_LIMIT // 4]}\n… ({len(stack) - STACK_LIMIT} more)\n{stack[-3 * STACK_LIMIT // 4 :]}"
    return Thrown(name_of(type(error)), cut(message, STACK_LIMIT), stack)


def name_of(kind: type[BaseException]) -> str:
    """``ValueError``, ``asyncio.exceptions.CancelledError``."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
