"""Which fields of an answer are asked for, so that nothing is read that nobody wants."""

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
)

from pilothouse.api.graphql.request import Info


def selects(info: Info, name: str) -> bool:
    """Tell whether a field of the answer is asked for; one that a directive leaves out is not."""
    sets = [node.selection_set for node in info.field_nodes if node.selection_set is not None]
    return any(_mentions(info, one, name) for one in sets)


def _mentions(info: Info, selected: SelectionSetNode, name: str) -> bool:
    for node in selected.selections:
        if _is_left_out(info, node):
            continue
        match node:
            case FieldNode():
                found = node.name.value == name
            case InlineFragmentNode():
                found = _mentions(info, node.selection_set, name)
            case FragmentSpreadNode():
                found = _mentions(info, info.fragments[node.name.value].selection_set, name)
            case _:
                found = False
        if found:
            return True
    return False


def _is_left_out(info: Info, node: SelectionNode) -> bool:
    skipped = get_directive_values(GraphQLSkipDirective, node, info.variable_values)
    included = get_directive_values(GraphQLIncludeDirective, node, info.variable_values)
    return bool(skipped and skipped["if"]) or bool(included and not included["if"])
