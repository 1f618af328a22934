"""Commands: one step from observed to desired, or one thing asked of a runtime, with a life of its own.

    queued → delivered → confirmed | failed | superseded | expired

Source: reference/runtime-protocol.md sections 6.1, 6.5, 6.7; contracts/commands/README.md.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import ArtifactState
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Aspect, SteerableKind, Target


@unique
class CommandState(StrEnum):
    """Where a command stands."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


OPEN: Final = frozenset({CommandState.QUEUED, CommandState.DELIVERED})


@unique
class CommandRoute(StrEnum):
    """How a command reaches a runtime."""

    HEARTBEAT = "heartbeat"
    CHANNEL = "channel"
    MANAGEMENT_API = "management-api"
    TUNNEL = "tunnel"


@unique
class CommandAction(StrEnum):
    """What is asked."""

    START = "start"
    STOP = "stop"
    ENABLE_TRACING = "enable-tracing"
    DISABLE_TRACING = "disable-tracing"
    ENABLE_STATISTICS = "enable-statistics"
    DISABLE_STATISTICS = "disable-statistics"
    SET_LOGGER_LEVEL = "set-logger-level"
    RESET_LOGGER_LEVEL = "reset-logger-level"
    TRIGGER = "trigger"
    RESTART = "restart"
    LIST_LOGGERS = "list-loggers"
    READ_SOURCE = "read-source"
    LIST_LOG_FILES = "list-log-files"
    READ_LOG_FILE = "read-log-file"
    LIST_REGISTRY = "list-registry"
    READ_REGISTRY_FILE = "read-registry-file"
    REGISTRY_PROPERTIES = "registry-properties"
    LIST_USERS = "list-users"
    ADD_USER = "add-user"
    REMOVE_USER = "remove-user"
    WORKFLOW = "workflow"
    PROBE = "probe"


READS: Final = frozenset(
    {
        CommandAction.LIST_LOGGERS,
        CommandAction.READ_SOURCE,
        CommandAction.LIST_LOG_FILES,
        CommandAction.READ_LOG_FILE,
        CommandAction.LIST_REGISTRY,
        CommandAction.READ_REGISTRY_FILE,
        CommandAction.REGISTRY_PROPERTIES,
        CommandAction.LIST_USERS,
        CommandAction.PROBE,
    }
)
"""Asking twice does no harm: they are offered again when no answer comes. All other actions that serve no wish are tried once."""
SEALED: Final = frozenset({CommandAction.ADD_USER})
"""Their payload holds a secret: it is stored sealed, opened only to leave, and wiped when the command ends. None is tried again."""
USER_CHANGES: Final = frozenset({CommandAction.ADD_USER, CommandAction.REMOVE_USER})
"""They change who signs in to a runtime; whom they name is seen by whom may ask for it."""
WIRE_ACTIONS: Final[Mapping[CommandAction, str]] = {
    CommandAction.START: "START",
    CommandAction.STOP: "STOP",
    CommandAction.SET_LOGGER_LEVEL: "SET_LOGGER_LEVEL",
    CommandAction.RESET_LOGGER_LEVEL: "RESET_LOGGER_LEVEL",
    CommandAction.TRIGGER: "TRIGGER",
    CommandAction.RESTART: "RESTART",
    CommandAction.LIST_LOGGERS: "LIST_LOGGERS",
}
"""Names of actions that BI and PY are told directly; everything else goes through the tunnel."""
BI_ACTIONS: Final = frozenset({"START", "STOP", "SET_LOGGER_LEVEL"})
"""What Ballerina's client knows without saying so."""
CHANNEL_CAPABILITY: Final = "channel"
WORKFLOW_CAPABILITY: Final = "workflowCommands"

ATTEMPTS_MAX: Final = 6
WAITS_S: Final = (0.0, 0.0, 60.0, 120.0, 240.0, 480.0)
"""After so many deliveries without the effect being seen, how long to wait for the next one (section 6.5, 4)."""
SAME_MOMENT_S: Final = 0.5
"""Heartbeats of one runtime that are closer to each other are one for its commands: none beats faster than once a second."""
READ_AGAIN_S: Final = 20.0
"""A question without an answer is asked again after this."""
READ_DEADLINE_S: Final = 60.0
WRITE_DEADLINE_S: Final = 120.0
WORKFLOW_WRITE_DEADLINE_S: Final = 1800.0
RESTART_DEADLINE_S: Final = 300.0
GRACE_S: Final = 30
"""How long a runtime lets work in hand finish when it stops something."""
RESULT_BYTES_MAX: Final = 4 * 1024 * 1024
RESULT_READ_KEPT_S: Final = 300.0
RESULT_WRITE_KEPT_S: Final = 86_400.0


class CommandRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may set about the life of commands."""

    waits_s: tuple[float, ...] = WAITS_S
    """After each delivery without an effect, how long until the next one; `ATTEMPTS_MAX` of them."""
    write_deadline_s: float = WRITE_DEADLINE_S
    """How long the outcome of what was asked once is waited for."""

    def wait_after_s(self, attempts: int) -> float:
        """Tell how long to wait after so many deliveries."""
        return self.waits_s[min(max(attempts, 1), len(self.waits_s)) - 1]


STANDARD_RULES: Final = CommandRules()


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command to one runtime."""

    id: str
    runtime_key: int
    action: CommandAction
    kind: SteerableKind | None = None
    name: str = ""
    package: str = ""
    aspect: Aspect | None = None
    value: str | None = None
    """What it asks for; of a restart: the process that is to end."""
    wish_number: int | None = None
    """The change of the desired state that it serves; None when a person asked this once."""
    payload: str | None = None
    """JSON text for the tunnel and for questions; of `SEALED` actions a sealed text, and None once they ended."""
    author: str
    state: CommandState = CommandState.QUEUED
    reason: str = ""
    route: CommandRoute | None = None
    attempts: int = 0
    queued_at: Instant
    delivered_at: Instant | None = None
    ended_at: Instant | None = None
    next_attempt_at: Instant | None = None
    """When it is offered, or offered again."""
    deadline: Instant | None = None

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to come."""
        return self.state in OPEN

    @property
    def target(self) -> Target | None:
        """What it steers; None when it asks something else."""
        if self.kind is None or self.aspect is None:
            return None
        return Target(self.kind, self.name, self.package, self.aspect)

    @property
    def is_read(self) -> bool:
        """Whether asking twice does no harm."""
        return self.action in READS


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime posts about a command: untrusted."""

    runtime_id: str
    command_id: str
    completed: bool
    http_status: int
    body: msgspec.Raw


def action_for(target: Target, value: str) -> CommandAction:
    """Tell the action that brings a target to a value."""
    is_on = value == ArtifactState.ENABLED.value
    match target.aspect:
        case Aspect.STATE:
            return CommandAction.START if is_on else CommandAction.STOP
        case Aspect.TRACING:
            return CommandAction.ENABLE_TRACING if is_on else CommandAction.DISABLE_TRACING
        case Aspect.STATISTICS:
            return CommandAction.ENABLE_STATISTICS if is_on else CommandAction.DISABLE_STATISTICS
        case Aspect.LEVEL:
            return CommandAction.SET_LOGGER_LEVEL


def can(runtime_type: RuntimeType, capabilities: tuple[str, ...], action: CommandAction) -> bool:
    """Tell whether a runtime has proved or declared that it knows an action: an unknown one is fatal to Ballerina."""
    if runtime_type is RuntimeType.MI:
        return action not in {CommandAction.RESTART, CommandAction.RESET_LOGGER_LEVEL, CommandAction.WORKFLOW}
    if action is CommandAction.WORKFLOW:
        return runtime_type is RuntimeType.BI and WORKFLOW_CAPABILITY in capabilities
    wire = WIRE_ACTIONS.get(action)
    if runtime_type is RuntimeType.BI:
        return wire in BI_ACTIONS
    return wire is not None and wire in capabilities


def next_attempt_after(
    command: Command, attempts: int, route: CommandRoute, now: Instant, rules: CommandRules = STANDARD_RULES
) -> Instant | None:
    """Tell when a command that was just delivered is offered again, if nothing is seen of it.

    A heartbeat's answer may be lost, so the very next heartbeat is offered it again; one that comes at the same moment, maybe to another
    process, is not the next one. The other routes tell whether it arrived, and the
    effect takes as long as work in hand is let finish.
    """
    if command.wish_number is not None:
        least_s = SAME_MOMENT_S if route is CommandRoute.HEARTBEAT else GRACE_S + 5.0
        return now + max(least_s, rules.wait_after_s(attempts))
    # A probe that is not understood is ignored: asking again would tell nothing.
    return now + READ_AGAIN_S if command.is_read and command.action is not CommandAction.PROBE else None
