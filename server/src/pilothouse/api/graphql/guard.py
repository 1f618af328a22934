# graphql-core leaves its callbacks' types open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""The permission check of every field: declared in the schema by @needs, refused where it is not declared.

The check of a type stands at the fields that lead to it, so that a page of two hundred rows is checked by row and not by cell.
A change that is refused is audited here, whether this check or the operation refused it.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import structlog
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    default_field_resolver,
    get_named_type,
)
from graphql.language import DirectiveNode, EnumValueNode, ListValueNode

from pilothouse.access.attempts import RefusedAttempts
from pilothouse.access.grants import reach, require_somewhere
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.base.errors import CannotStart, NotFound, NotPermitted, Refused, Unavailable
from pilothouse.domain.audit import Outcome
from pilothouse.operations.audit import audit
from pilothouse.storage.unit import Store

DIRECTIVE = "needs"
AnyOf: TypeAlias = tuple[Permission, ...]
"""Permissions of which one is enough."""
_ROOTS = ("Query", "Mutation", "Subscription")

ACTIONS: Final[Mapping[str, str]] = {
    "resetPassword": "user.reset-password",
    "setUserGroups": "user.set-groups",
    "addGroupMembers": "group.add-member",
    "removeGroupMembers": "group.remove-member",
    "createApiToken": "token.create",
    "revokeApiToken": "token.revoke",
    "endAllSessions": "session.end-all",
    "decideDevice": "device.decide",
    "saveAlertRule": "alert-rule.save",
    "saveAlertChannel": "alert-channel.save",
    "testAlertChannel": "alert-channel.test",
    "silenceAlerts": "alert-silence.create",
    "endAlertSilence": "alert-silence.end",
    "setSecretExpiry": "secret.set-expiry",
    "changeArtifact": "desired.change",
    "changeLogLevel": "desired.change",
    "resetLogLevel": "desired.change",
    "forgetDesiredState": "desired.change",
    "deleteRuntime": "runtime.remove",
    "triggerArtifact": "command.trigger",
    "restartRuntime": "command.restart",
    "askRuntime": "command.ask",
    "setTryIt": "environment.set-try-it",
    "runWorkflowOperation": "command.workflow",
    "keep": "kept.save",
    "forgetKept": "kept.forget",
}
"""What the audit calls a change whose name does not tell by itself: `createProject` is `project.create`."""
_NAMES: Final = (
    "id key_id handle username name display_name user users group groups role scope project integration environment",
    "runtime kind aspect logger operation user_code issuer claim permissions",
)
_TOLD: Final = frozenset(name for line in _NAMES for name in line.split())
"""Arguments that the audit repeats; everything else might be a secret."""
_VALUE_LENGTH_MAX = 60
_VALUES_MAX = 5
_TARGET_LENGTH_MAX = 200

_log = structlog.get_logger(__name__)
_attempts: WeakKeyDictionary[Store, RefusedAttempts] = WeakKeyDictionary()


def guard(schema: GraphQLSchema) -> None:
    """Put the declared check in front of every field.

    Raises: CannotStart when a root field or an object type declares none: closed by default
    """
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        for name, field in kind.fields.items():
            needed = needs(kind.name, name, field)
            if needed:
                _check_first(field, needed, is_subscription=kind.name == "Subscription")
            if kind.name == "Mutation":
                field.resolve = _audited(field.resolve or default_field_resolver, name, needed)


def needs(parent: str, name: str, field: GraphQLField) -> tuple[AnyOf, ...]:
    """Tell what a field needs: of each part one permission; its own part, and that of the type it leads to."""
    own = _declared(field.ast_node.directives if field.ast_node else ())
    target = get_named_type(field.type)
    of_type = None
    if isinstance(target, GraphQLObjectType):
        of_type = _declared(target.ast_node.directives if target.ast_node else ())
        if of_type is None:
            raise CannotStart(f"The type {target.name} declares no permission.", fix=f"Add @{DIRECTIVE} to the schema.")
    if parent in _ROOTS and own is None:
        raise CannotStart(f"{parent}.{name} declares no permission.", fix=f"Add @{DIRECTIVE} to the schema.")
    return tuple(dict.fromkeys(part for part in (own, of_type) if part is not None))


def _declared(directives: tuple[DirectiveNode, ...] | None) -> AnyOf | None:
    for directive in directives or ():
        for argument in (directive.arguments or ()) if directive.name.value == DIRECTIVE else ():
            values = argument.value.values if isinstance(argument.value, ListValueNode) else (argument.value,)
            named = tuple(Permission[value.value] for value in values if isinstance(value, EnumValueNode))
            if named:
                return named
    return None


def _check_first(field: GraphQLField, needed: tuple[AnyOf, ...], *, is_subscription: bool) -> None:
    if is_subscription and field.subscribe is not None:
        field.subscribe = _checked(field.subscribe, needed)
    field.resolve = _checked(field.resolve or default_field_resolver, needed)


def _checked(resolve: Callable[..., Any], needed: tuple[AnyOf, ...]) -> Callable[..., Any]:  # Any: GraphQL's values
    def resolve_if_permitted(parent: Any, info: Info, **arguments: Any) -> Any:  # Any: GraphQL's values
        for any_of in needed:
            require_somewhere(info.context.subject, *any_of)
        return resolve(parent, info, **arguments)

    return resolve_if_permitted


def action_of(mutation: str) -> str:
    """Tell what the audit calls a change: `<thing>.<verb>`."""
    verb, *thing = re.findall(r"[A-Z]?[a-z0-9]+", mutation)
    return ACTIONS.get(mutation, f"{'-'.join(thing).lower()}.{verb}" if thing else mutation)


def told_of(arguments: Mapping[str, Any]) -> str:  # Any: GraphQL's values
    """Write which handles and ids a change named, and nothing that might be a secret."""
    return ", ".join(_told(arguments))[:_TARGET_LENGTH_MAX]


def _told(arguments: Mapping[str, Any]) -> Iterator[str]:  # Any: GraphQL's values
    for name, value in arguments.items():
        if isinstance(value, dict) and (name in _TOLD or name == "input"):
            yield from _told(value)
        elif name in _TOLD and value is not None:
            values = value if isinstance(value, list) else [value]
            words = [str(one.name if isinstance(one, Enum) else one)[:_VALUE_LENGTH_MAX] for one in values]
            yield f"{name}={' '.join(words[:_VALUES_MAX])}"


def _audited(
    resolve: Callable[..., Any],  # Any: GraphQL's values
    name: str,
    needed: tuple[AnyOf, ...],
) -> Callable[..., Any]:  # Any: GraphQL's values
    async def resolve_or_audit(parent: Any, info: Info, **arguments: Any) -> Any:  # Any: GraphQL's values
        try:
            result = resolve(parent, info, **arguments)
            return await result if inspect.isawaitable(result) else result
        except NotPermitted as refusal:
            await _record(info.context, name, arguments, refusal)
            raise
        except NotFound as refusal:
            # What is not to be seen is not there either: who does not see all of it may have tried just that.
            subject = info.context.subject
            if not all(any(reach(subject, one).everything for one in any_of) for any_of in needed):
                await _record(info.context, name, arguments, refusal)
            raise

    return resolve_or_audit


async def _record(request: GraphQLRequest, name: str, arguments: Mapping[str, Any], refusal: Refused) -> None:
    """Audit a refused change in a transaction of its own; of a flood, only so many a minute, and the rest as a number."""
    store, subject = request.services.store, request.subject
    unrecorded = _attempts.setdefault(store, RefusedAttempts()).note(subject.id, request.now)
    if unrecorded is None:
        return
    more = f" {unrecorded} more attempts were refused before this one." if unrecorded else ""
    try:
        await store.write(
            lambda tx: audit(
                tx,
                subject,
                action_of(name),
                told_of(arguments),
                request.now,
                f"{refusal.message}{more}",
                outcome=Outcome.REFUSED,
            )
        )
    except Unavailable as error:  # the refusal stands all the same
        _log.warning("audit.refusal_not_recorded", action=action_of(name), cause=error.message)
