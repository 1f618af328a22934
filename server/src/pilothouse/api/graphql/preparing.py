# graphql-core leaves the types of its wrappers open:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""From what a client sends to an operation that may run: found, parsed, validated, measured."""

from functools import lru_cache
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    ValidationContext,
    ValidationRule,
    get_named_type,
    get_operation_ast,
    is_introspection_type,
    parse,
    specified_rules,
    validate,
)

from pilothouse.api.context import ApiSettings
from pilothouse.api.graphql.answers import QueryInvalid
from pilothouse.api.graphql.limits import TOKENS_MAX, Measured, check_size, check_variables, measure
from pilothouse.api.graphql.persisted import PersistedQueries, PersistedQueryOnly, Reference
from pilothouse.api.problems import problem_of
from pilothouse.base.errors import InvalidInput, PilothouseError

DOCUMENTS_KEPT = 500
"""Queries that are parsed and validated already; the one used longest ago goes first. The manifest's are kept besides."""
ERRORS_MAX = 20
"""Things told to be wrong with one query."""


class Extensions(msgspec.Struct, frozen=True):
    """What a request says besides its query."""

    persistedQuery: Reference | None = None  # noqa: N815 - the clients' word


class Body(msgspec.Struct, frozen=True):
    """What a client sends."""

    query: str | None = None
    variables: dict[str, Any] | None = None  # Any: JSON values
    operationName: str | None = None  # noqa: N815 - GraphQL's word
    extensions: Extensions | None = None


class Prepared(msgspec.Struct, frozen=True):
    """An operation that may run."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]  # Any: JSON values
    measured: Measured

    @property
    def operation_name(self) -> str | None:
        """The name to run it by."""
        return self.operation.name.value if self.operation.name else None

    @property
    def is_query(self) -> bool:
        """Whether it changes nothing and has one answer."""
        return self.operation.operation is OperationType.QUERY

    @property
    def is_subscription(self) -> bool:
        """Whether it is answered by a stream."""
        return self.operation.operation is OperationType.SUBSCRIPTION


class NoIntrospection(ValidationRule):
    """Refuses questions about the schema where an operator turned them off."""

    context: ValidationContext

    def enter_field(self, node: FieldNode, *_: Any) -> None:  # Any: the visitor's other arguments
        """Look at a field."""
        kind = self.context.get_type()
        if kind is not None and is_introspection_type(get_named_type(kind)):
            fix = "Read contracts/schema.graphql, or set PILOTHOUSE_GRAPHQL_INTROSPECTION=on."
            message = f"The schema is not told here: `{node.name.value}` is turned off."
            self.report_error(GraphQLError(message, node, extensions={"code": "INTROSPECTION_OFF", "fix": fix}))


class Preparation:
    """What turns requests into operations, with the queries that were read already."""

    def __init__(self, schema: GraphQLSchema, settings: ApiSettings) -> None:
        self._schema = schema
        self._settings = settings
        self._persisted = PersistedQueries(settings.console_folder)
        self._rules = [*specified_rules, *(() if settings.introspection else (NoIntrospection,))]
        self._read_kept = lru_cache(DOCUMENTS_KEPT)(self._read)
        # Cap: the manifest's size.
        self._of_manifest: dict[str, DocumentNode | list[GraphQLError]] = {}

    def prepare(self, body: Body) -> Prepared:
        """Make what a client sent ready to run.

        Raises: QueryInvalid, InvalidInput, NotFound, NotPermitted
        """
        document = self._document(body)
        operation = get_operation_ast(document, body.operationName)
        if operation is None:
            raise QueryInvalid([GraphQLError("Name the one operation to run in `operationName`.")])
        variables = body.variables or {}
        check_variables(variables)
        measured = measure(
            self._schema,
            document,
            operation,
            variables,
            depth_max=self._settings.query_depth_max,
            cost_max=self._settings.query_cost_max,
        )
        return Prepared(document, operation, variables, measured)

    def _document(self, body: Body) -> DocumentNode:
        query, of_manifest = self._persisted.resolve(
            body.query, body.extensions.persistedQuery if body.extensions else None
        )
        if len(query) > self._settings.query_length_max:
            raise InvalidInput(
                f"A query has at most {self._settings.query_length_max} characters.",
                field="query",
                fix="Ask for less at once.",
            )
        if of_manifest:
            document = self._of_manifest.get(query)
            if document is None:
                document = self._of_manifest[query] = self._read(query)
        elif self._settings.persisted_only:
            raise PersistedQueryOnly(
                field="query",
                fix="Send a query of the console's, or set PILOTHOUSE_GRAPHQL_PERSISTED_ONLY=off.",
            )
        else:
            document = self._read_kept(query)
        if isinstance(document, list):
            raise QueryInvalid(document)
        return document

    def _read(self, query: str) -> DocumentNode | list[GraphQLError]:
        """Parse and validate; what is wrong is told, and remembered like what is right."""
        try:
            document = parse(query, max_tokens=TOKENS_MAX)
            check_size(document)
            errors = validate(self._schema, document, self._rules, max_errors=ERRORS_MAX)
        except GraphQLError as error:
            return [error]
        except PilothouseError as error:
            return [GraphQLError(error.message, extensions=dict(problem_of(error)))]
        except RecursionError:
            extensions = {
                "code": "QUERY_TOO_DEEP",
                "field": "query",
                "fix": "Ask for less at once, in several queries.",
            }
            return [GraphQLError("The query nests too deeply to be read.", extensions=extensions)]
        return errors or document
