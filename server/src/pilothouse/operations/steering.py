"""What people ask of runtimes that lasts: desired states, per integration and environment, always."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pilothouse.access.grants import Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.access.places import Place as Scope
from pilothouse.base.errors import InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import WRITE_DEADLINE_S, Command, CommandAction, CommandState, can
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import (
    LEVELS,
    STEERABLE,
    Aspect,
    Observed,
    SteerableKind,
    Target,
    Wish,
    is_suspended,
    observe,
    values_of,
)
from pilothouse.domain.tenancy import Environment, Integration
from pilothouse.operations.audit import audit
from pilothouse.operations.reconciling import ArtifactReader, Known, Look, begin, queue, settle_known
from pilothouse.operations.seeing import find_place
from pilothouse.storage import commands, desired
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.desired import Place
from pilothouse.storage.unit import Transaction

COMMANDS_SHOWN_MAX: Final = 500
_NAME_LENGTH_MAX: Final = 255


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """The place that somebody names, as it came from outside."""

    project: str
    integration: str
    environment: str
    confirm: str | None = None
    """The environment's handle again, where it is critical."""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What only presence knows of runtimes."""

    is_running: Callable[[int], bool]
    running_since: Callable[[int], Instant]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What a change came to."""

    place: Place
    wish: Wish | None
    commands: tuple[Command, ...]
    waiting: int
    """Runtimes that follow when they come back."""


def change_artifact(
    tx: Transaction,
    subject: Subject,
    where: Where,
    *,
    kind: SteerableKind,
    name: str,
    package: str | None,
    aspect: Aspect,
    value: str,
    life: Life,
    now: Instant,
) -> Changed:
    """Set what is desired of an artifact or a logger.

    Raises: NotPermitted, NotFound, InvalidInput
    """
    integration, environment = _find_place(tx, subject, where)
    _check_aspect(integration, kind, aspect, value)
    place = Place(integration.id, environment.id)
    seen = _look(tx, place)
    target = _find_target(seen, integration.runtime_type, kind, name, package, aspect)
    before = desired.find(tx.connection, place, target)
    if before is not None and before.value == value and not any(is_suspended(before, each.observed) for each in seen):
        wish = before
        _begin_failed_ones_again(tx, seen, wish, life, now)
    else:
        prints = {each.observed.fingerprints[target] for each in seen if target in each.observed.fingerprints}
        made = desired.change(
            tx.connection, place, target, value, author=subject.username, now=now, fingerprints=sorted(prints)
        )
        wish = _made(made)
        _tell(tx, subject, integration, environment, f"{kind.value} {name} {aspect.value} {value}", now)
    waiting = _settle_all(tx, place, seen, life, now)
    found = commands.list_of_wish(tx.connection, wish.number, COMMANDS_SHOWN_MAX)
    return Changed(place=place, wish=wish, commands=tuple(found), waiting=waiting)


def reset_log_level(
    tx: Transaction, subject: Subject, where: Where, logger: str, *, life: Life, now: Instant
) -> Changed:
    """Forget the wish for a logger, and tell Python runtimes to go back to the program's own level.

    Raises: NotPermitted, NotFound, InvalidInput
    """
    integration, environment = _find_place(tx, subject, where)
    if integration.runtime_type is not RuntimeType.PY:
        raise InvalidInput(
            f"Runtimes of type {integration.runtime_type.value} do not know which level their program would set.",
            field="logger",
            fix="Set the level that it should have.",
        )
    place, target = Place(integration.id, environment.id), _logger(logger)
    if desired.find(tx.connection, place, target) is not None:
        desired.change(tx.connection, place, target, None, author=subject.username, now=now)
    seen = _look(tx, place)
    waiting = _settle_all(tx, place, seen, life, now)  # what was on its way is superseded
    queued: list[Command] = []
    for each in seen:
        runtime = each.runtime
        if not life.is_running(runtime.key):
            continue
        if can(runtime.runtime_type, runtime.document.capabilities, CommandAction.RESET_LOGGER_LEVEL):
            reset = Command(
                id=new_id(),
                runtime_key=runtime.key,
                action=CommandAction.RESET_LOGGER_LEVEL,
                kind=SteerableKind.LOGGER,
                name=target.name,
                aspect=Aspect.LEVEL,
                author=subject.username,
                queued_at=now,
                deadline=now + WRITE_DEADLINE_S,
            )
            queue(tx, runtime, [reset], now)
            queued.append(reset)
    _tell(tx, subject, integration, environment, f"logger {logger} reset", now)
    return Changed(place=place, wish=None, commands=tuple(queued[:COMMANDS_SHOWN_MAX]), waiting=waiting)


def forget(
    tx: Transaction,
    subject: Subject,
    where: Where,
    *,
    kind: SteerableKind,
    name: str,
    package: str | None,
    aspect: Aspect,
    life: Life,
    now: Instant,
) -> bool:
    """Forget what is desired; runtimes stay as they are. False when nothing was.

    Raises: NotPermitted, NotFound
    """
    integration, environment = _find_place(tx, subject, where, needs_confirmation=False)
    place = Place(integration.id, environment.id)
    wanted = [
        wish.target
        for wish in desired.list_wishes(tx.connection, place)
        if (wish.target.kind, wish.target.name, wish.target.aspect) == (kind, name, aspect)
        and package in {None, wish.target.package}
    ]
    for target in wanted:
        desired.change(tx.connection, place, target, None, author=subject.username, now=now)
    if wanted:
        _tell(tx, subject, integration, environment, f"{kind.value} {name} {aspect.value} forgotten", now)
        _settle_all(tx, place, _look(tx, place), life, now)
    return bool(wanted)


def note_absences(tx: Transaction, now: Instant) -> None:
    """Remember since when nobody hosts what is wished for; done once an hour."""
    for place in desired.list_places(tx.connection):
        seen = _look(tx, place)
        wishes = desired.list_wishes(tx.connection, place)
        absent = [wish for wish in wishes if all(each.observed.value_of(wish.target) is None for each in seen)]
        present = [wish for wish in wishes if wish not in absent and wish.absent_since is not None]
        desired.note_absence(tx.connection, place, [wish for wish in absent if wish.absent_since is None], now)
        desired.note_absence(tx.connection, place, present, None)


class _Seen(msgspec.Struct, frozen=True):
    runtime: SteeredRuntime
    observed: Observed


def _look(tx: Transaction, place: Place) -> list[_Seen]:
    reader = ArtifactReader(tx.connection)
    steered = commands.list_steered(tx.connection, place.integration_id, place.environment_id)
    reader.load(runtime.artifact_digest for runtime in steered)
    return [
        _Seen(
            runtime,
            observe(runtime.runtime_type, reader.read(runtime.artifact_digest), runtime.document.log_levels),
        )
        for runtime in steered
    ]


def _settle_all(tx: Transaction, place: Place, seen: Sequence[_Seen], life: Life, now: Instant) -> int:
    """Look at every runtime that runs; tells how many follow later."""
    wishes = desired.list_wishes(tx.connection, place)
    running = [each.runtime for each in seen if life.is_running(each.runtime.key)]
    settle_known(
        tx,
        [
            Known(
                runtime, wishes, Look(runtime_key=runtime.key, now=now, running_since=life.running_since(runtime.key))
            )
            for runtime in running
        ],
    )
    return len(seen) - len(running)


def _begin_failed_ones_again(tx: Transaction, seen: Sequence[_Seen], wish: Wish, life: Life, now: Instant) -> None:
    relevant = commands.list_relevant_of(tx.connection, {each.runtime.key for each in seen})
    for each in seen:
        last = [c for c in relevant.get(each.runtime.key, ()) if c.wish_number == wish.number]
        if last and last[-1].state is CommandState.FAILED and life.is_running(each.runtime.key):
            begin(tx, each.runtime, [wish], now)


def _find_place(
    tx: Transaction, subject: Subject, where: Where, *, needs_confirmation: bool = True
) -> tuple[Integration, Environment]:
    integration, environment, place = find_place(
        tx.connection, subject, where.project, where.integration, where.environment
    )
    require(subject, Permission.INTEGRATION_MGT_EDIT, at=place)
    if needs_confirmation:
        check_confirmation(environment.handle, critical=environment.critical, confirm=where.confirm)
    return integration, environment


class ConfirmationNeeded(InvalidInput):
    """What touches a critical environment is confirmed by its name."""

    code = "CONFIRMATION_NEEDED"


def check_confirmation(handle: str, *, critical: bool, confirm: str | None) -> None:
    """Refuse what touches a critical environment without its name.

    Raises: ConfirmationNeeded
    """
    if critical and confirm != handle:
        raise ConfirmationNeeded(
            f"'{handle}' is a critical environment.", field="confirm", fix=f'Confirm with `confirm: "{handle}"`.'
        )


def _check_aspect(integration: Integration, kind: SteerableKind, aspect: Aspect, value: str) -> None:
    of_type = STEERABLE[integration.runtime_type]
    if aspect not in of_type.get(kind, frozenset()):
        able = ", ".join(f"{each.value} {' '.join(sorted(aspects))}" for each, aspects in sorted(of_type.items()))
        raise InvalidInput(
            f"{aspect.value} of a {kind.value} cannot be steered on runtimes of type {integration.runtime_type.value}.",
            field="aspect" if kind in of_type else "kind",
            fix=f"They let themselves be told: {able}.",
        )
    allowed = values_of(integration.runtime_type, aspect)
    if value not in allowed:
        raise InvalidInput(
            f"'{value[:40]}' cannot be desired of a {kind.value}'s {aspect.value} "
            f"on runtimes of type {integration.runtime_type.value}.",
            field="level" if aspect is Aspect.LEVEL else "value",
            fix=f"One of {', '.join(each.upper() for each in allowed)}.",
        )


def _find_target(
    seen: Sequence[_Seen],
    runtime_type: RuntimeType,
    kind: SteerableKind,
    name: str,
    package: str | None,
    aspect: Aspect,
) -> Target:
    if kind is SteerableKind.LOGGER and runtime_type is not RuntimeType.BI:
        return _logger(name)
    hosted = {target for each in seen for target in each.observed.values}
    found = sorted(
        target
        for target in hosted
        if (target.kind, target.name, target.aspect) == (kind, name, aspect) and package in {None, target.package}
    )
    if len(found) > 1:
        raise InvalidInput(
            f"Several {kind.value}s are called '{name}'.",
            field="package",
            fix=f"Name the package too: {', '.join(target.package for target in found)}.",
        )
    if not found:
        raise NotFound(
            f"No runtime of this integration hosts a {kind.value} '{name[:100]}' in this environment.",
            field="logger" if kind is SteerableKind.LOGGER else "name",
            fix="Look at what the runtimes report.",
        )
    return found[0]


def _logger(name: str) -> Target:
    if not 0 < len(name) <= _NAME_LENGTH_MAX:
        raise InvalidInput(
            f"A logger's name has 1 to {_NAME_LENGTH_MAX} characters.", field="logger", fix="Name a logger."
        )
    return Target(SteerableKind.LOGGER, name, "", Aspect.LEVEL)


def _tell(
    tx: Transaction, subject: Subject, integration: Integration, environment: Environment, what: str, now: Instant
) -> None:
    tx.emit(
        NewEvent(
            kind=EventKind.DESIRED_CHANGED,
            at=now,
            environment_id=environment.id,
            project_id=integration.project_id,
            integration_id=integration.id,
            detail=what,
        )
    )
    target = f"{integration.project_handle}/{integration.handle} in {environment.handle}"
    at = Scope(project_id=integration.project_id, integration_id=integration.id, environment_id=environment.id)
    audit(tx, subject, "desired.change", target, now, detail=what, at=at)


def _made(wish: Wish | None) -> Wish:
    assert wish is not None, "a value was given"  # noqa: S101 - for the type checker
    return wish


__all__ = ["LEVELS", "Changed", "Life", "Where", "change_artifact", "forget", "note_absences", "reset_log_level"]
