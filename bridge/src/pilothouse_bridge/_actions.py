"""What each command means here: its payload is checked, the right thing is steered, and what came of it is said.

Source: contracts/commands/README.md.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, cast, final

from pilothouse_bridge import _log_control
from pilothouse_bridge._inventory import Service
from pilothouse_bridge._order import Command, printable
from pilothouse_bridge._steering import Change, Kind, Outcome, Steerable, SteeringError

RESTART: Final = "RESTART"
DEFAULT_GRACE_S: Final = 30.0
LONGEST_GRACE_S: Final = 3600.0
_CHANGING: Final = frozenset({"START", "STOP", "SET_LOGGER_LEVEL", "RESET_LOGGER_LEVEL"})


class Restarter(Protocol):
    """Ends this process for its supervisor, or lets it execute itself anew."""

    def announce(self) -> str:
        """What will happen, in one sentence. Raises SteeringError where it cannot."""
        ...

    def carry_out(self, grace_s: float) -> None:
        """Drain for up to the grace, then do it: does not return."""
        ...


@dataclass(frozen=True)
class Done:
    """A command that was carried out; ``afterwards`` is what follows once its result was told."""

    body: dict[str, object]
    afterwards: Callable[[], None] | None = None


@final
class Actions:
    """Everything this process can be told to do."""

    def __init__(
        self,
        steerables: Callable[[], Sequence[Steerable]],
        services: Callable[[], Sequence[Service]],
        restarter: Restarter,
    ) -> None:
        """``steerables`` is asked anew for each command; ``services`` tells which packages are the program's own."""
        self._steerables = steerables
        self._services = services
        self._restarter = restarter
        self._by_name: Final[dict[str, Callable[[Command, _Payload], Done]]] = {
            "START": self._start,
            "STOP": self._stop,
            "TRIGGER": self._trigger,
            "SET_LOGGER_LEVEL": self._set_level,
            "RESET_LOGGER_LEVEL": self._reset_level,
            "LIST_LOGGERS": self._list_loggers,
            RESTART: self._restart,
        }

    @staticmethod
    def changes(action: str) -> bool:
        """Whether a heartbeat can show what came of it."""
        return action in _CHANGING

    def carry_out(self, command: Command) -> Done:
        """Do it, and wait until the outcome is observed.

        Raises: SteeringError.
        """
        act = self._by_name.get(command.action)
        if act is None:
            action = printable(command.action)
            raise SteeringError(
                "UNKNOWN_ACTION", 501, f"This bridge does not know {action}.", "Use a bridge that knows it."
            )
        payload = _Payload(command.payload)
        payload.check_deadline(time.time())
        return act(command, payload)

    def _start(self, command: Command, payload: "_Payload") -> Done:
        return _told(self._found(command, payload.kind()).start())

    def _stop(self, command: Command, payload: "_Payload") -> Done:
        kind, grace_s = payload.kind(), payload.grace_s(time.time())
        return _told(self._found(command, kind).stop(grace_s))

    def _trigger(self, command: Command, payload: "_Payload") -> Done:
        return _told(self._found(command, payload.kind()).trigger())

    def _set_level(self, command: Command, payload: "_Payload") -> Done:
        del command
        name, level = payload.text("componentName"), payload.text("logLevel")
        _log_control.set_level(name, level, self._services())
        return Done({"outcome": "set", "message": f"Logger {name} lets {level} through."})

    def _reset_level(self, command: Command, payload: "_Payload") -> Done:
        del command
        name = payload.text("componentName")
        level = _log_control.reset_level(name)
        return Done({"outcome": "reset", "message": f"Logger {name} is back at {level}."})

    def _list_loggers(self, command: Command, payload: "_Payload") -> Done:
        del command
        loggers, total = _log_control.listed(payload.text("search", default=""), payload.limit())
        message = "1 logger." if total == 1 else f"{total} loggers."
        return Done({"outcome": "listed", "message": message, "loggers": loggers, "total": total})

    def _restart(self, command: Command, payload: "_Payload") -> Done:
        del command
        grace_s = payload.grace_s(time.time())
        message = self._restarter.announce()
        return Done({"outcome": "restarting", "message": message}, lambda: self._restarter.carry_out(grace_s))

    def _found(self, command: Command, kind: Kind) -> Steerable:
        named = [one for one in self._steerables() if (one.kind, one.name) == (kind, command.name)]
        exact = [one for one in named if one.package == command.package or not command.package]
        if not exact:
            raise SteeringError(
                "NO_SUCH_ARTIFACT",
                404,
                f"There is no {kind.value} {printable(command.name)}.",
                "Look at what the runtime reports.",
            )
        return exact[0]


@final
class _Payload:
    """The members of a command's payload."""

    def __init__(self, text: str) -> None:
        try:
            document: object = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            raise _bad("The payload is not JSON.") from None
        if not isinstance(document, dict):
            raise _bad("The payload is not a JSON object.")
        self._members = cast("dict[str, object]", document)

    def check_deadline(self, now_s: float) -> None:
        """Refuse what nobody waits for any more."""
        deadline_s = self._deadline_s()
        if deadline_s is not None and deadline_s <= now_s:
            raise SteeringError(
                "DEADLINE_PASSED", 408, "The command came after its deadline.", "Send it again if it is still wanted."
            )

    def kind(self) -> Kind:
        try:
            return Kind(str(self._members.get("kind")))
        except ValueError:
            raise _bad("The payload names no kind: listener, consumer or schedule.") from None

    def grace_s(self, now_s: float) -> float:
        """Seconds for the work in hand, no longer than until the deadline."""
        value = self._members.get("graceSeconds", DEFAULT_GRACE_S)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _bad("graceSeconds is not a number.")
        if not 0 <= value <= LONGEST_GRACE_S:
            raise _bad(f"graceSeconds lies outside of 0 to {LONGEST_GRACE_S:g}.")
        deadline_s = self._deadline_s()
        return float(value) if deadline_s is None else max(0.0, min(float(value), deadline_s - now_s))

    def text(self, key: str, default: str | None = None) -> str:
        value = self._members.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise _bad(f"{key} is not a text.")
        return value

    def limit(self) -> int:
        value = self._members.get("limit", _log_control.LIST_LIMIT)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _bad("limit is not a number.")
        return min(value, _log_control.LIST_LIMIT)

    def _deadline_s(self) -> float | None:
        value = self._members.get("deadline")
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise _bad("deadline is not a moment in ISO 8601.") from None
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _bad(message: str) -> SteeringError:
    return SteeringError("BAD_PAYLOAD", 400, message, "Send it as contracts/commands describes.")


def _told(outcome: Outcome) -> Done:
    body: dict[str, object] = {"outcome": outcome.change.value, "message": outcome.message}
    if outcome.change in {Change.STOPPED, Change.GATED}:
        body |= {"finished": outcome.finished, "returned": outcome.returned, "cut": outcome.cut}
    return Done(body)
