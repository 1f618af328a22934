"""How long the lists without pages are assumed to be when a query is priced; a test holds the table against the schema."""

from collections.abc import Mapping

from pilothouse.base.pages import PAGE_DEFAULT

LIST_SIZES: Mapping[str, int] = {
    "Viewer.permissions": 10,
    "Runtime.warnings": 5,
    "Runtime.logHandlers": 5,
    "Runtime.capabilities": 5,
    "Artifact.facts": 10,
    "Steering.runtimes": PAGE_DEFAULT,
    "Steering.drift": PAGE_DEFAULT,
    "Drift.runtimes": 10,
    "SteerableArtifact.aspects": 5,
    "SteerableArtifact.missingOn": 10,
    "SteerableAspect.values": 5,
    "SteerableAspect.observed": 3,
    "SteerableAspect.commands": 20,
    "ObservedValue.runtimes": 10,
    "DesiredState.history": 20,
    "Change.commands": PAGE_DEFAULT,
    "Service.listeners": 2,
    "Service.resources": 20,
    "Resource.methods": 2,
    # The schema's own description of itself, as long as it is on the average.
    "__Schema.types": 150,
    "__Schema.directives": 6,
    "__Type.fields": 8,
    "__Type.interfaces": 1,
    "__Type.possibleTypes": 1,
    "__Type.enumValues": 2,
    "__Type.inputFields": 1,
    "__Field.args": 1,
    "__Directive.locations": 3,
    "__Directive.args": 1,
}
"""Items, by type and field. Lists of pages (`nodes`, and fields that take `first`) are as long as the query asks."""


def size_of(type_name: str, field_name: str) -> int:
    """Tell how long a list without pages is assumed to be; one that nobody measured counts as a page."""
    return LIST_SIZES.get(f"{type_name}.{field_name}", PAGE_DEFAULT)
