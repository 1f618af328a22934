"""How long the lists without pages are assumed to be when a query is priced; a test holds the table against the schema."""

from collections.abc import Mapping

from pilothouse.base.pages import PAGE_DEFAULT

LIST_SIZES: Mapping[str, int] = {
    "Query.permissions": 40,
    "Viewer.groups": 5,
    "User.groups": 5,
    "User.mappings": 20,
    "AccessDecision.through": 5,
    "AccessDecision.elsewhere": 5,
    "MergedArtifact.hostedBy": 10,
    "MergedArtifact.missingOn": 10,
    "MergedArtifact.variants": 3,
    "ArtifactVariant.runtimes": 10,
    "Runtime.warnings": 5,
    "Runtime.logHandlers": 5,
    "Artifact.facts": 10,
    "Steering.runtimes": PAGE_DEFAULT,
    "Steering.notRunning": 10,
    "Steering.hosts": 10,
    "Steering.drift": PAGE_DEFAULT,
    "Drift.runtimes": 10,
    "SteerableArtifact.aspects": 3,
    "SteerableArtifact.missingOn": 10,
    "SteerableAspect.observed": 3,
    "SteerableAspect.commands": 10,
    "ObservedValue.runtimes": 10,
    "DesiredState.history": 20,
    "Change.commands": PAGE_DEFAULT,
    "Service.resources": 20,
    "MetricFigures.percentiles": 4,
    "LogLine.attributes": 10,
    "LogHistogram.steps": 60,
    "LogStep.levels": 3,
    "LogContext.before": 20,
    "LogContext.after": 20,
    "MetricAnswer.series": 10,
    "MetricSeries.steps": 60,
    "Trace.spans": 50,
    "Trace.parties": 5,
    "Span.attributes": 10,
    "ServiceMap.nodes": 20,
    "ServiceMap.edges": 40,
    "Telemetry.parts": 15,
    "Telemetry.drops": 10,
    "LogTail.lines": 20,
    "TryIt.definitions": 5,
    "TryIt.doors": 5,
    "Query.kept": 20,
    "Query.settings": 100,
    "Installation.components": 60,
    "Installation.replicas": 4,
    "Alert.notifications": 5,
    "AlertRule.channels": 2,
    # The schema's own description of itself, as long as it is on the average.
    "__Schema.types": 150,
    "__Schema.directives": 6,
    "__Type.fields": 8,
    "__Type.interfaces": 1,
    "__Type.possibleTypes": 1,
    "__Type.enumValues": 2,
    "__Type.inputFields": 1,
    "__Field.args": 1,
    "__Directive.args": 1,
}
"""Items, by type and field, of lists whose items have fields. `nodes` of a page, and fields that are given `first`, are as long as
the query asks."""


def size_of(type_name: str, field_name: str) -> int:
    """Tell how long a list without pages is assumed to be; one that nobody measured counts as a page."""
    return LIST_SIZES.get(f"{type_name}.{field_name}", PAGE_DEFAULT)
