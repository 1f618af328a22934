"""How deep and how dear a query may be, measured before it runs."""

from collections.abc import Mapping
from typing import Any

import msgspec
from graphql import DocumentNode, FieldNode, FragmentDefinitionNode, OperationDefinitionNode
from graphql.language import FragmentSpreadNode, InlineFragmentNode, IntValueNode, SelectionSetNode, VariableNode

from pilothouse.base.errors import InvalidInput
from pilothouse.base.pages import PAGE_DEFAULT, PAGE_MAX

_LIST_FIELDS = {"resources": 20, "warnings": 5, "refusals": PAGE_DEFAULT}
"""Lists without pages, with the size that is assumed."""


class QueryTooDeep(InvalidInput):
    """The query nests too deeply."""

    code = "QUERY_TOO_DEEP"


class QueryTooCostly(InvalidInput):
    """The query asks for too much at once."""

    code = "QUERY_TOO_COSTLY"


class _Measure(msgspec.Struct):
    """One walk through a query."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]  # Any: JSON values
    depth_max: int
    cost_max: int
    cost: int = 0

    def walk(self, selections: SelectionSetNode, depth: int, times: int) -> None:
        if depth > self.depth_max:
            raise QueryTooDeep(
                f"The query has more than {self.depth_max} levels of fields.",
                fix="Ask for less at once, in several queries.",
            )
        for node in selections.selections:
            match node:
                case FieldNode():
                    self._field(node, depth, times)
                case InlineFragmentNode():
                    self.walk(node.selection_set, depth, times)
                case FragmentSpreadNode():
                    self.walk(self.fragments[node.name.value].selection_set, depth, times)
                case _:
                    pass

    def _field(self, node: FieldNode, depth: int, times: int) -> None:
        self.cost += times
        if self.cost > self.cost_max:
            raise QueryTooCostly(
                f"The query may ask for more than {self.cost_max} fields.",
                fix="Ask for smaller pages (`first`) or fewer fields.",
            )
        if node.selection_set is not None:
            self.walk(node.selection_set, depth + 1, times * self._rows(node))

    def _rows(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value: Any = argument.value  # Any: a node, then a number
                if isinstance(value, VariableNode):
                    value = self.variables.get(value.name.value)
                elif isinstance(value, IntValueNode):
                    value = int(value.value)
                return min(max(value, 1), PAGE_MAX) if isinstance(value, int) else PAGE_DEFAULT
        if node.selection_set is not None and any(
            isinstance(child, FieldNode) and child.name.value == "nodes" for child in node.selection_set.selections
        ):
            return PAGE_DEFAULT
        return _LIST_FIELDS.get(node.name.value, 1)


def measure(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],  # Any: JSON values
    *,
    depth_max: int,
    cost_max: int,
) -> int:
    """Tell what a query costs at worst: the number of fields in its answer.

    Raises: QueryTooDeep, QueryTooCostly
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    walk = _Measure(fragments=fragments, variables=variables, depth_max=depth_max, cost_max=cost_max)
    walk.walk(operation.selection_set, 1, 1)
    return walk.cost
