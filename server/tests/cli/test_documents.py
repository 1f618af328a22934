"""What the command line sends fits the schema that the server binds."""

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from pilothouse.api.context import ApiSettings
from pilothouse.api.graphql import limits
from pilothouse.client.documents import every_document
from pilothouse.client.graphql import PAGE

SCHEMA = build_schema((Path(__file__).parents[3] / "contracts" / "schema.graphql").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(every_document()))
def test_every_operation_fits_the_schema_and_its_limits(name: str) -> None:
    document = parse(every_document()[name])

    assert [problem.message for problem in validate(SCHEMA, document)] == []
    limits.check_size(document)
    settings = ApiSettings()
    limits.measure(
        SCHEMA,
        document,
        document.definitions[0],
        {"first": PAGE},
        depth_max=settings.query_depth_max,
        cost_max=settings.query_cost_max,
    )


def test_there_are_operations_to_check() -> None:
    assert len(every_document()) > 60
