# graphql-core leaves its callbacks' types open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""The permission check of every field: declared in the schema by @needs, refused where it is not declared.

The check of a type stands at the fields that lead to it, so that a page of two hundred rows is checked by row and not by cell.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    default_field_resolver,
    get_named_type,
)
from graphql.language import DirectiveNode, EnumValueNode, ListValueNode

from pilothouse.access.grants import require_somewhere
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import Info
from pilothouse.base.errors import CannotStart

DIRECTIVE = "needs"
AnyOf: TypeAlias = tuple[Permission, ...]
"""Permissions of which one is enough."""
_ROOTS = ("Query", "Mutation", "Subscription")


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
