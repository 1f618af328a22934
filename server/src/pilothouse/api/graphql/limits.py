# graphql-core leaves the types of its wrappers and of JSON values open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""How large, how deep and how dear a query may be: its size before it is validated, the rest before it runs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    TypeMetaFieldDef,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from graphql.language import FragmentSpreadNode, InlineFragmentNode, IntValueNode, SelectionSetNode, VariableNode

from pilothouse.api.graphql.list_sizes import size_of
from pilothouse.base.errors import InvalidInput
from pilothouse.base.pages import PAGE_DEFAULT, PAGE_MAX

TOKENS_MAX: Final = 10_000
"""Words and signs of a query."""
FIELDS_MAX: Final = 1_500
"""Fields written in a query. Comparing fields of one name costs the square of their number."""
FRAGMENTS_MAX: Final = 30
"""Named fragments; each is compared with each."""
REPEATS_MAX: Final = 3
"""How often one selection may write the same name of an answer's field; more than once says nothing new."""
DIRECTIVES_MAX: Final = 200
"""Directives of a whole query."""
VARIABLE_ITEMS_MAX: Final = 1_000
"""Items of a list within the variables."""
VARIABLE_DEPTH_MAX: Final = 20
"""Lists and objects within each other, in the variables."""
INTROSPECTION_DEPTH_MAX: Final = 20
"""Fields within fields where a query asks about the schema: tools unwrap types nine times."""


class QueryTooDeep(InvalidInput):
    """The query nests too deeply."""

    code = "QUERY_TOO_DEEP"


class QueryTooCostly(InvalidInput):
    """The query asks for too much at once."""

    code = "QUERY_TOO_COSTLY"


class QueryTooLarge(InvalidInput):
    """The query is written with too many parts."""

    code = "QUERY_TOO_LARGE"


class Measured(msgspec.Struct, frozen=True):
    """What a query may come to at worst."""

    cost: int
    """Fields in its answer."""
    depth: int
    """Fields within fields."""


def check_size(document: DocumentNode) -> None:
    """Refuse a query whose validation alone would take long.

    Raises: QueryTooLarge
    """
    fragments = sum(isinstance(node, FragmentDefinitionNode) for node in document.definitions)
    if fragments > FRAGMENTS_MAX:
        raise QueryTooLarge(f"The query has more than {FRAGMENTS_MAX} fragments.", field="query", fix="Use fewer.")
    fields = directives = 0
    waiting = [
        node.selection_set
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    while waiting:
        names: Counter[str] = Counter()
        for node in _flat(waiting.pop()):
            directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                fields += 1
                names[node.alias.value if node.alias else node.name.value] += 1
                if node.selection_set is not None:
                    waiting.append(node.selection_set)
        name, times = names.most_common(1)[0] if names else ("", 0)
        if times > REPEATS_MAX:
            raise QueryTooLarge(
                f"One selection writes `{name[:40]}` {times} times.", field="query", fix="Write each field once."
            )
        if fields > FIELDS_MAX or directives > DIRECTIVES_MAX:
            raise QueryTooLarge(
                f"The query writes more than {FIELDS_MAX} fields or {DIRECTIVES_MAX} directives.",
                field="query",
                fix="Ask for less at once, in several queries.",
            )


def _flat(selections: SelectionSetNode) -> Iterator[FieldNode | InlineFragmentNode | FragmentSpreadNode]:
    """Walk a selection and what its inline fragments add to it."""
    waiting = [selections]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            if isinstance(node, FieldNode | InlineFragmentNode | FragmentSpreadNode):
                yield node


def check_variables(variables: Mapping[str, Any]) -> None:  # Any: JSON values
    """Refuse variables with lists or nesting out of all proportion.

    Raises: InvalidInput
    """
    for name, value in variables.items():
        level: list[Any] = [value]  # Any: JSON values
        for _ in range(VARIABLE_DEPTH_MAX):
            if any(isinstance(part, list) and len(part) > VARIABLE_ITEMS_MAX for part in level):
                raise InvalidInput(
                    f"A list in `${name[:80]}` has more than {VARIABLE_ITEMS_MAX} items.",
                    field=f"variables.{name[:80]}",
                    fix="Send several requests with fewer items each.",
                )
            level = [inner for part in level for inner in _parts(part)]
            if not level:
                break
        else:
            raise InvalidInput(
                f"`${name[:80]}` nests more than {VARIABLE_DEPTH_MAX} levels.",
                field=f"variables.{name[:80]}",
                fix="See the schema for the shape of inputs.",
            )


def _parts(value: Any) -> list[Any]:  # Any: JSON values
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


class _Measure:
    """One walk through a validated query. A fragment is priced once for each page and depth that it stands in."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],  # Any: JSON values
        limits: Measured,
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._limits = limits
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._priced: dict[tuple[str, int, int], Measured] = {}

    def walk(self, selections: SelectionSetNode, parent: GraphQLNamedType, page: int, depth: int) -> Measured:
        """Price a selection that stands once; `page` is what the field above asked for, `depth` how far down it is."""
        meta = parent.name.startswith("__")
        allowed = max(self._limits.depth, INTROSPECTION_DEPTH_MAX) if meta else self._limits.depth
        if depth > allowed:
            raise QueryTooDeep(
                f"The query has more than {self._limits.depth} levels of fields.",
                field="query",
                fix="Ask for less at once, in several queries.",
            )
        cost = height = 0
        for node in selections.selections:
            match node:
                case FieldNode():
                    part = self._field(node, parent, page, depth)
                case InlineFragmentNode():
                    condition = node.type_condition
                    inner = parent if condition is None else self._schema.type_map[condition.name.value]
                    part = self.walk(node.selection_set, inner, page, depth)
                case FragmentSpreadNode():
                    part = self._fragment(node.name.value, page, depth)
                case _:
                    continue
            cost += part.cost
            height = max(height, part.depth)
        return Measured(cost, height)

    def _fragment(self, name: str, page: int, depth: int) -> Measured:
        fragment = self._fragments[name]
        parent = self._schema.type_map[fragment.type_condition.name.value]
        known = self._priced.get((name, page, depth))
        if known is None:
            known = self._priced[name, page, depth] = self.walk(fragment.selection_set, parent, page, depth)
        return known

    def _field(self, node: FieldNode, parent: GraphQLNamedType, page: int, depth: int) -> Measured:
        definition = self._definition(parent, node.name.value)
        if node.selection_set is None or definition is None:
            return Measured(1, 1)
        asked = self._first(node) if "first" in definition.args else None
        times, inner_page = 1, asked or PAGE_DEFAULT
        if is_list_type(get_nullable_type(definition.type)):
            if asked is not None and _gives_first(node):
                times = asked
            elif node.name.value == "nodes" and parent.name.endswith("Connection"):
                times = page
            else:
                times = size_of(parent.name, node.name.value)
        inner = self.walk(node.selection_set, get_named_type(definition.type), inner_page, depth + 1)
        return Measured(1 + times * inner.cost, 1 + inner.depth)

    def _definition(self, parent: GraphQLNamedType, name: str) -> GraphQLField | None:
        if name == "__schema":
            return SchemaMetaFieldDef
        if name == "__type":
            return TypeMetaFieldDef
        fields: Mapping[str, GraphQLField] = getattr(parent, "fields", {})
        return fields.get(name)

    def _first(self, node: FieldNode) -> int:
        """Tell how many rows a field asks for."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value: Any = argument.value  # Any: a node, then a number
                if isinstance(value, VariableNode):
                    value = self._variables.get(value.name.value)
                elif isinstance(value, IntValueNode):
                    value = int(value.value)
                return min(max(value, 1), PAGE_MAX) if isinstance(value, int) else PAGE_DEFAULT
        return PAGE_DEFAULT


def _gives_first(node: FieldNode) -> bool:
    return any(argument.name.value == "first" for argument in node.arguments or ())


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],  # Any: JSON values
    *,
    depth_max: int,
    cost_max: int,
) -> Measured:
    """Tell what a valid query comes to at worst.

    Raises: QueryTooDeep, QueryTooCostly
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return Measured(0, 0)
    given = {**_defaults(operation), **variables}
    walk = _Measure(schema, document, given, Measured(cost_max, depth_max))
    measured = walk.walk(operation.selection_set, root, PAGE_DEFAULT, 1)
    if measured.cost > cost_max:
        raise QueryTooCostly(
            f"The query may ask for {measured.cost} fields; at most {cost_max} are answered.",
            field="query",
            fix="Ask for smaller pages (`first`) or fewer fields.",
        )
    return measured


def _defaults(operation: OperationDefinitionNode) -> dict[str, int]:
    """Read the default values that decide how long a page is."""
    return {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }
