"""The other workers, as one of them sees them: their figures beside its own, their health as a part of its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

import msgspec

from pilothouse.app.workers.line import Line
from pilothouse.app.workers.words import AllFigures, AllStates, AskFigures, AskStates, WorkerState, written
from pilothouse.base.errors import PilothouseError
from pilothouse.observe.health import Health, Look, State, degraded, not_ready, ready
from pilothouse.observe.together import Family, text_of

if TYPE_CHECKING:
    from pilothouse.app.control_plane import ControlPlane

PART: Final = "workers"
_ASK_S: Final = 3.0
"""Unit: seconds. Longer than the parent waits for the others."""


@final
class Beside:
    """Joins a control plane with the others on its machine."""

    def __init__(self, number: int, line: Line) -> None:
        self._number, self._line = number, line

    def join(self, plane: "ControlPlane") -> None:
        """Let its figures and its health be those of all."""

        async def together() -> bytes:
            return await self._together(await plane.figures.families())

        plane.figures.together = together
        plane.health.part(PART, self._look)

    async def _together(self, ours: Sequence[Family]) -> bytes:
        processes: dict[str, Sequence[Family]] = {str(self._number): ours}
        try:
            body = await self._line.ask(written(AskFigures()), _ASK_S)
        except PilothouseError:
            pass  # its own are better than none
        else:
            processes |= msgspec.msgpack.decode(body, type=AllFigures).of
        return text_of(dict(sorted(processes.items())))

    async def _look(self) -> Look:
        try:
            told = msgspec.msgpack.decode(await self._line.ask(written(AskStates()), _ASK_S), type=AllStates)
        except PilothouseError as error:
            return degraded("The others are not heard of: " + error.message)
        return look_of(told)


def look_of(told: AllStates) -> Look:
    """Judge the workers of a machine: whoever asks it may reach any that serves, so one that is not ready is too many."""
    figures = {"wanted": float(told.wanted), "running": float(told.running)}
    for state, say in ((State.NOT_READY, not_ready), (State.DEGRADED, degraded)):
        for number, other in sorted(told.others.items()):
            if other.state == state.value:
                return say(f"Worker {number}: {other.why}", **figures)
    if told.running < told.wanted:
        return degraded(f"{told.running} of {told.wanted} workers serve; the others are being started.", **figures)
    return ready("all serve", **figures)


def state_of(health: Health) -> WorkerState:
    """Tell how this worker is by itself, as it was found last."""
    parts = {name: part.look for name, part in health.parts.items() if name != PART}
    for state in (State.NOT_READY, State.DEGRADED):
        for name, look in parts.items():
            if look.state is state:
                return WorkerState(state=state.value, why=f"{name}: {look.why}")
    return WorkerState(state=State.READY.value, why="")
