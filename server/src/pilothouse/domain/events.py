"""What happened to the fleet. Events are written in the transaction that caused them and leave after its commit."""

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

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
    INGEST_TOKEN_CREATED = "ingest-token.created"  # noqa: S105 - an event's name
    INGEST_TOKEN_REVOKED = "ingest-token.revoked"  # noqa: S105 - an event's name
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


_K = EventKind
_SENTENCES: Final[Mapping[EventKind, tuple[str, str]]] = {
    _K.RUNTIME_REGISTERED: ("{who} registered", "{who} registered"),
    _K.RUNTIME_RUNNING: ("{who} runs", "{who} runs"),
    _K.RUNTIME_OFFLINE: ("{who} is offline: {detail}", "{who} is offline"),
    _K.RUNTIME_REPORTED: ("{who} reports something new", "{who} reports something new"),
    _K.RUNTIME_RETIRED: (
        "{who} was retired: another process bears its name now",
        "{who} was retired: another process bears its name now",
    ),
    _K.RUNTIME_REMOVED: ("A runtime was removed", "A runtime was removed"),
    _K.DESIRED_CHANGED: ("What is desired was changed: {detail}", "What is desired was changed"),
    _K.COMMAND_QUEUED: ("A command for {whom} was queued", "A command for {whom} was queued"),
    _K.COMMAND_DELIVERED: ("A command was handed to {whom}", "A command was handed to {whom}"),
    _K.COMMAND_ENDED: ("A command for {whom} ended", "A command for {whom} ended"),
    _K.SECRET_GENERATED: ("{secret} was generated", "{secret} was generated"),
    _K.SECRET_BOUND: ("{secret} was bound to {detail}", "{secret} was bound"),
    _K.SECRET_REVOKED: ("{secret} was revoked: {detail}", "{secret} was revoked"),
    _K.SECRET_CHANGED: ("{secret} was changed: {detail}", "{secret} was changed"),
    _K.SECRET_ROTATED: ("{secret} was rotated: {detail}", "{secret} was rotated"),
    _K.INGEST_TOKEN_CREATED: ("The ingest token {detail} was created", "An ingest token was created"),
    _K.INGEST_TOKEN_REVOKED: ("The ingest token {detail} was revoked", "An ingest token was revoked"),
    _K.PROJECT_CREATED: ("The project {detail} was created{by}", "A project was created{by}"),
    _K.INTEGRATION_CREATED: ("The integration {detail} was created{by}", "An integration was created{by}"),
    _K.ENVIRONMENT_CREATED: ("The environment {detail} was created", "An environment was created"),
    _K.PROJECT_CHANGED: ("The project {detail} was changed", "A project was changed"),
    _K.PROJECT_DELETED: ("The project {detail} was deleted", "A project was deleted"),
    _K.INTEGRATION_CHANGED: ("The integration {detail} was changed", "An integration was changed"),
    _K.INTEGRATION_DELETED: ("The integration {detail} was deleted", "An integration was deleted"),
    _K.ENVIRONMENT_CHANGED: ("The environment {detail} was changed", "An environment was changed"),
    _K.ENVIRONMENT_DELETED: ("The environment {detail} was deleted", "An environment was deleted"),
    # What exactly was changed, and whose session it was, is for those who may read the audit.
    _K.ACCESS_CHANGED: ("Who may do what was changed", "Who may do what was changed"),
    _K.SESSION_ENDED: ("A session ended", "A session ended"),
}
"""What each kind is for people: with a detail, and without one."""


def message_of(event: NewEvent, runtime: str | None = None) -> str:
    """Say in one sentence what happened.

    runtime: what people call the runtime that it is about, where it is still known
    """
    detail = " ".join(event.detail.split()).rstrip(".")
    whom = "a runtime" if runtime is None else f"the runtime {runtime}"
    secret = "A secret" if event.key_id is None else f"The secret {event.key_id}"
    told = _SENTENCES[event.kind][0 if detail else 1].format(
        who=whom[0].upper() + whom[1:],
        whom=whom,
        secret=secret,
        detail=detail,
        by="" if event.key_id is None else f" by the first heartbeat of the secret {event.key_id}",
    )
    return f"{told}."


def kinds_of(asked: str) -> tuple[EventKind, ...]:
    """List the kinds that a filter means: a whole kind, or with a dot at its end all of a thing; none when it means none."""
    return tuple(
        kind for kind in EventKind if kind.value == asked or (asked.endswith(".") and kind.value.startswith(asked))
    )
