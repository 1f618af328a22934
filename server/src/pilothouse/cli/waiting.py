"""Waiting for what commands come to: queued, delivered, confirmed, one line a runtime."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.live import Live
from rich.table import Table

from pilothouse.cli.output import Output, clean, said
from pilothouse.client.documents import COMMANDS_AT_ONCE, several_commands
from pilothouse.client.errors import Failed, WaitedTooLong
from pilothouse.client.graphql import Client

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

OPEN: Final = frozenset({"QUEUED", "DELIVERED"})
CONFIRMED: Final = "CONFIRMED"
_FIRST_PAUSE_S: Final = 0.2
_PAUSE_MAX_S: Final = 2.0
_TOLD_MAX: Final = 10


def runtime_name(command: Json) -> str:
    """Tell which runtime a command is for."""
    runtime = command["runtime"]
    return clean(runtime.get("name") or runtime["runtimeId"])


def counted(number: int, noun: str) -> str:
    """Tell how many there are: `1 command`, `2 commands`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Waiting:
    """Follows commands to their end and shows them on the way: a table on a terminal, lines elsewhere."""

    def __init__(
        self,
        client: Client,
        out: Output,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._out = out
        self._clock = clock
        self._sleep = sleep
        self.known: list[Json] = []
        """The commands as they were seen last."""

    def follow(self, commands: Sequence[Json], timeout_s: float) -> list[Json]:
        """Wait until every command has ended, and give them as they ended. Ctrl-C ends the waiting alone, and says so.

        Raises: WaitedTooLong, PilothouseError
        """
        try:
            return self._follow(commands, timeout_s)
        except KeyboardInterrupt:
            still = [each["id"] for each in self.known if each["state"] in OPEN]
            if still:
                told = f"{counted(len(still), 'command')} of {len(self.known)} not ended: that goes on without you."
                self._out.errors.print(f"Waiting was interrupted, {told} See `pilothouse commands show {still[0]}`.")
            raise

    def _follow(self, commands: Sequence[Json], timeout_s: float) -> list[Json]:
        self.known = list(commands)
        now = {command["id"]: command for command in commands}
        live = self._out.is_for_people and self._out.errors.is_terminal
        end, pause_s = self._clock() + timeout_s, _FIRST_PAUSE_S
        shown = Live(console=self._out.errors, auto_refresh=False) if live else contextlib.nullcontext()
        with shown as screen:
            self._show(now, {}, screen)
            while still := [each["id"] for each in now.values() if each["state"] in OPEN]:
                left_s = end - self._clock()
                if left_s <= 0:
                    raise WaitedTooLong(
                        f"{len(still)} of {counted(len(now), 'command')} not ended within {timeout_s:g} s"
                        f"{_told(now[still[0]])}.",
                        fix=f"What was asked for goes on: `pilothouse commands show {still[0]}` tells how.",
                    )
                self._sleep(min(pause_s, left_s))
                pause_s = min(pause_s * 1.5, _PAUSE_MAX_S)
                before, now = now, {**now, **self._read(still)}
                self.known = list(now.values())
                self._show(now, before, screen)
        return self.known

    def _read(self, ids: Sequence[str]) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for start in range(0, len(ids), COMMANDS_AT_ONCE):
            part = ids[start : start + COMMANDS_AT_ONCE]
            variables = {f"i{at}": each for at, each in enumerate(part)}
            answer = self._client.ask(several_commands(len(part)), **variables)
            for at, each in enumerate(part):
                if answer[f"c{at}"] is None:  # its runtime was removed, and it with it
                    raise Failed(f"The command {each} is gone: its runtime was removed.", fix="See the runtimes again.")
                found[each] = answer[f"c{at}"]
        return found

    def _show(self, now: dict[str, Json], before: dict[str, Json], screen: Live | None) -> None:
        if screen is not None:
            table = Table.grid(padding=(0, 2))
            for command in now.values():
                table.add_row(runtime_name(command), command["state"].lower(), said(command["reason"]))
            screen.update(table, refresh=True)
        elif self._out.is_for_people:
            for each, command in now.items():
                if before.get(each, {}).get("state") != command["state"]:
                    self._out.note(_line(command))


def judge(commands: Sequence[Json]) -> None:
    """Fail unless every command did what it was for.

    Raises: Failed
    """
    lost = [command for command in commands if command["state"] != CONFIRMED and command["state"] not in OPEN]
    if lost:
        told = "; ".join(map(_line, lost[:_TOLD_MAX]))
        more = f"; and {len(lost) - _TOLD_MAX} more" if len(lost) > _TOLD_MAX else ""
        raise Failed(
            f"{len(lost)} of {counted(len(commands), 'command')} did not do it: {told}{more}",
            fix="See `pilothouse commands list`.",
        )


def _line(command: Json) -> str:
    parts = [runtime_name(command), command["state"].lower(), command["reason"]]
    return ": ".join(part for part in parts if part)


def _told(command: Json) -> str:
    return f" ({_line(command).rstrip('.')})"
