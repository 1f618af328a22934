"""What can be stopped and started in the running process, and what came of it. The face between commands and frameworks.

Source: contracts/commands/README.md.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol


@unique
class Kind(StrEnum):
    """What sort of thing it is, by its name in a command's payload."""

    LISTENER = "listener"
    CONSUMER = "consumer"
    SCHEDULE = "schedule"


@unique
class Change(StrEnum):
    """What a command came to."""

    STARTED = "started"
    STOPPED = "stopped"
    GATED = "gated"
    UNCHANGED = "unchanged"
    TRIGGERED = "triggered"


@dataclass(frozen=True)
class Outcome:
    """What was observed after a command, and what became of the work in hand."""

    change: Change
    message: str
    finished: int = 0
    """Requests or messages that were finished within the grace."""
    returned: int = 0
    """Messages handed back to the broker."""
    cut: int = 0
    """Work that was cut off when the grace was over."""


class SteeringError(Exception):
    """A command could not be carried out; code and status are those of contracts/commands."""

    def __init__(self, code: str, http_status: int, message: str, fix: str) -> None:
        """Say what, why and what to do."""
        super().__init__(message)
        self.code = code
        self.http_status = http_status
        self.message = message
        self.fix = fix


class Steerable(Protocol):
    """Something of this process that a command can stop and start.

    The methods block until the outcome is observed; they are called on the bridge's command thread, never on the program's
    event loop, one at a time for one thing. They raise nothing but SteeringError.
    """

    kind: Kind
    name: str
    package: str

    def stop(self, grace_s: float) -> Outcome:
        """Refuse new work, finish what is in hand for up to the grace, hand the rest back."""
        ...

    def start(self) -> Outcome:
        """Take new work again."""
        ...

    def trigger(self) -> Outcome:
        """Run once, now. Raises SteeringError NOT_SUPPORTED where that means nothing."""
        ...


class SteeringSource(Protocol):
    """A discoverer whose findings can be steered."""

    def steerables(self) -> "list[Steerable]":
        """What can be steered at this moment, named as in the last inventory."""
        ...
