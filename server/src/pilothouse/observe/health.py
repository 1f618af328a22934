"""Health: of every part whether it is ready, since when, and why not."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum, unique
from typing import final

import msgspec

from pilothouse.base.instants import Instant


@unique
class State(StrEnum):
    """How a part is."""

    READY = "ready"
    DEGRADED = "degraded"
    """Something is worse than it should be; this process should go on getting requests."""
    NOT_READY = "not ready"
    """This process should get no requests until it is better."""


class Look(msgspec.Struct, frozen=True):
    """What a look at a part found."""

    state: State
    why: str
    """One sentence, also of a part that is ready."""
    figures: Mapping[str, float | str | None] = {}
    """What was measured; names end in their unit."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part, as it was found last."""

    look: Look
    since: Instant
    """When it was first found in this state."""


def ready(why: str, **figures: float | str | None) -> Look:
    """Say that a part is ready."""
    return Look(State.READY, why, figures)


def degraded(why: str, **figures: float | str | None) -> Look:
    """Say that a part is worse than it should be."""
    return Look(State.DEGRADED, why, figures)


def not_ready(why: str, **figures: float | str | None) -> Look:
    """Say that a part keeps this process from doing its work."""
    return Look(State.NOT_READY, why, figures)


Looking = Callable[[], Look | Awaitable[Look]]


@final
class Health:
    """All parts of one process. Whoever asks at the same time shares one look."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._looks: dict[str, Looking] = {}
        self.parts: dict[str, Part] = {}
        """What was found last, by name."""
        self._looking: asyncio.Task[None] | None = None

    def part(self, name: str, look: Looking) -> None:
        """Add a part, in the order in which they are told."""
        self._looks[name] = look

    @property
    def state(self) -> State:
        """The worst state that was found last."""
        found = {part.look.state for part in self.parts.values()}
        return next((state for state in (State.NOT_READY, State.DEGRADED) if state in found), State.READY)

    async def look(self) -> Mapping[str, Part]:
        """Look at every part."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        await asyncio.shield(self._looking)
        return self.parts

    async def _look(self) -> None:
        for name, looking in self._looks.items():
            try:
                found = looking()
                look = await found if inspect.isawaitable(found) else found
            except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
                look = not_ready(str(error) or type(error).__name__)
            before = self.parts.get(name)
            is_same = before is not None and before.look.state is look.state
            self.parts[name] = Part(look=look, since=before.since if before and is_same else self._now())
