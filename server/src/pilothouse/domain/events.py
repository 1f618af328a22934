"""What happened to the fleet. Events are written in the transaction that caused them and leave after its commit."""

from enum import StrEnum, unique

import msgspec

from pilothouse.base.instants import Instant


@unique
class EventKind(StrEnum):
    """What happened, in the past tense of the noun's verb."""

    RUNTIME_REGISTERED = "runtime.registered"
    RUNTIME_RUNNING = "runtime.running"
    RUNTIME_OFFLINE = "runtime.offline"
    RUNTIME_REPORTED = "runtime.reported"
    RUNTIME_RETIRED = "runtime.retired"
    RUNTIME_REMOVED = "runtime.removed"
    DESIRED_CHANGED = "desired.changed"
    COMMAND_QUEUED = "command.queued"
    COMMAND_DELIVERED = "command.delivered"
    COMMAND_ENDED = "command.ended"
    SECRET_GENERATED = "secret.generated"  # noqa: S105 - an event's name
    SECRET_BOUND = "secret.bound"  # noqa: S105 - an event's name
    SECRET_REVOKED = "secret.revoked"  # noqa: S105 - an event's name
    SECRET_CHANGED = "secret.changed"  # noqa: S105 - an event's name
    SECRET_ROTATED = "secret.rotated"  # noqa: S105 - an event's name
    PROJECT_CREATED = "project.created"
    INTEGRATION_CREATED = "integration.created"
    ENVIRONMENT_CREATED = "environment.created"
    PROJECT_CHANGED = "project.changed"
    PROJECT_DELETED = "project.deleted"
    INTEGRATION_CHANGED = "integration.changed"
    INTEGRATION_DELETED = "integration.deleted"
    ENVIRONMENT_CHANGED = "environment.changed"
    ENVIRONMENT_DELETED = "environment.deleted"
    ACCESS_CHANGED = "access.changed"
    """Who may do what is another than before: users, groups, roles or mappings changed."""
    SESSION_ENDED = "session.ended"


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that has no number yet."""

    kind: EventKind
    at: Instant
    runtime_key: int | None = None
    environment_id: str | None = None
    project_id: str | None = None
    integration_id: str | None = None
    key_id: str | None = None
    detail: str = ""
    """One sentence for people."""


class Event(NewEvent, frozen=True, kw_only=True):
    """An event with its place in the one sequence that every reader follows."""

    sequence: int
