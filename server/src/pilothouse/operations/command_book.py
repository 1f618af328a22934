"""What is to be stored of commands when several are looked at: gathered first, and then written in few statements."""

from collections.abc import Sequence

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.commands import Command, CommandRoute, CommandState
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.storage import commands
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.unit import Transaction


class CommandBook:
    """All commands that are new, and then how all stand; `write` stores them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._new: list[Command] = []
        self._changed: list[Command] = []
        self._results: list[tuple[str, bytes]] = []
        self._proved: list[tuple[int, Instant]] = []
        self._doubted: set[int] = set()

    def queue(self, runtime: SteeredRuntime, new: Sequence[Command], now: Instant) -> None:
        """Add new commands, and tell of them."""
        self._new += new
        for command in new:
            self._tx.emit(_event(EventKind.COMMAND_QUEUED, runtime, command, now))

    def change(self, runtime: SteeredRuntime, command: Command, kind: EventKind, now: Instant) -> None:
        """Store how a command stands now, and tell what happened to it."""
        self._changed.append(command)
        self._tx.emit(_event(kind, runtime, command, now))

    def note(self, command: Command) -> Command:
        """Store how a command stands now, of which there is nothing to tell."""
        self._changed.append(command)
        return command

    def end(self, runtime: SteeredRuntime, command: Command, state: CommandState, reason: str, now: Instant) -> Command:
        """End a command."""
        ended = msgspec.structs.replace(command, state=state, reason=reason, ended_at=now, next_attempt_at=None)
        self.change(runtime, ended, EventKind.COMMAND_ENDED, now)
        return ended

    def keep_result(self, command: Command, result: bytes) -> None:
        """Keep what a runtime answered."""
        self._results.append((command.id, result))

    def note_tunnel(self, runtime: SteeredRuntime, now: Instant) -> None:
        """Remember that a Micro Integrator carries out what comes through the tunnel."""
        self._proved.append((runtime.key, now))

    def note_silence(self, runtime: SteeredRuntime, command: Command) -> None:
        """Doubt a tunnel through which a command left that nobody answered in time."""
        if command.route is CommandRoute.TUNNEL and command.delivered_at is not None:
            self._doubted.add(runtime.key)

    def write(self) -> None:
        """Store all of it, once."""
        commands.add(self._tx.connection, self._new)
        commands.save(self._tx.connection, self._changed)
        commands.keep_results(self._tx.connection, self._results)
        commands.note_tunnels(self._tx.connection, self._proved)
        commands.doubt_tunnels(self._tx.connection, self._doubted)


def _event(kind: EventKind, runtime: SteeredRuntime, command: Command, now: Instant) -> NewEvent:
    return NewEvent(
        kind=kind,
        at=now,
        runtime_key=runtime.key,
        environment_id=runtime.environment_id,
        project_id=runtime.project_id,
        integration_id=runtime.integration_id,
        detail=command.id,
    )
