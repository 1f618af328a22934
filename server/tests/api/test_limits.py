"""Every limit of the GraphQL endpoint is explicit, and what is refused says why."""

import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from graphql import (
    GraphQLNamedType,
    OperationDefinitionNode,
    build_schema,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_interface_type,
    is_list_type,
    is_object_type,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.api.context import ApiSettings
from pilothouse.api.graphql.limits import (
    FIELDS_MAX,
    FRAGMENTS_MAX,
    REPEATS_MAX,
    Measured,
    QueryTooCostly,
    QueryTooDeep,
    QueryTooLarge,
    check_size,
    measure,
)
from pilothouse.api.graphql.list_sizes import LIST_SIZES
from pilothouse.api.graphql.schema import load_schema
from pilothouse.app import bundled

pytestmark = pytest.mark.anyio


async def code_of(admin, query: str, **variables) -> str:
    response = await admin.client.post("/graphql", json={"query": query, "variables": variables})
    body = response.json()
    return body["code"] if "code" in body else body["errors"][0]["extensions"]["code"]


async def test_a_thousand_levels_are_refused_and_do_not_crash(admin) -> None:
    for levels in (20, 1_000, 20_000):
        query = "{ " + "runtimes { nodes { environment { " * levels + "handle" + " } } }" * levels + " }"
        assert await code_of(admin, query[:60_000] if levels > 1_000 else query) in ("QUERY_TOO_DEEP", "INVALID_QUERY")


async def test_a_query_that_multiplies_pages_is_refused(admin) -> None:
    query = "query ($n: Int) { runtimes(first: 500) { nodes { services(first: $n) { nodes { name resources { path methods } } } } } }"
    assert await code_of(admin, query, n=500) == "QUERY_TOO_COSTLY"
    assert "errors" not in await admin.try_asking(query, n=2)


async def test_aliases_do_not_hide_the_cost(admin) -> None:
    rows = " ".join(f"a{i}: runtimes(first: 500) {{ nodes {{ id name status version }} }}" for i in range(101))
    assert await code_of(admin, "{ " + rows + " }") == "QUERY_TOO_COSTLY"


async def test_a_query_that_is_too_long_is_refused(admin) -> None:
    assert await code_of(admin, "{ viewer { username } }" + " " * 70_000) == "INVALID_INPUT"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{ nothing }",
        "query A { viewer { username } } query B { viewer { username } }",
        "fragment F on Query { viewer { username } }",
    ],
)
async def test_what_is_not_a_query_is_refused_with_a_code(admin, query: str) -> None:
    assert await code_of(admin, query) == "INVALID_QUERY"


async def test_a_fragment_that_includes_itself_is_refused(admin) -> None:
    assert await code_of(admin, "{ ...F } fragment F on Query { ...F }") == "INVALID_QUERY"


async def test_variables_of_a_wrong_type_are_refused(admin) -> None:
    assert await code_of(admin, "query ($f: Int) { runtimes(first: $f) { totalCount } }", f="many") == "INVALID_QUERY"


def test_every_list_of_objects_without_pages_has_an_assumed_size_and_no_other_field_has_one() -> None:
    schema = load_schema(bundled.schema_path())
    lists = {
        f"{kind.name}.{name}"
        for kind in schema.type_map.values()
        if is_object_type(kind) or is_interface_type(kind)
        for name, field in kind.fields.items()
        if is_list_type(get_nullable_type(field.type))
        and is_composite_type(get_named_type(field.type))
        and not (name == "nodes" and kind.name.endswith("Connection"))
    }
    sized = {each for each in lists if "first" in schema.type_map[each.split(".")[0]].fields[each.split(".")[1]].args}
    missing, stale = lists - sized - LIST_SIZES.keys(), LIST_SIZES.keys() - lists
    assert not missing, f"Say in api/graphql/list_sizes.py how long these lists are: {sorted(missing)}"
    assert not stale, f"These are no lists without pages any more: {sorted(stale)}"


def test_every_query_of_the_console_fits_with_a_page_as_it_asks_for() -> None:
    schema, limits = load_schema(bundled.schema_path()), ApiSettings()
    sources = Path(__file__).parents[3] / "console" / "src" / "api"
    page_size = re.search(r"PAGE_SIZE = (\d+)", (sources / "queries.ts").read_text())
    assert page_size
    document = parse("\n".join(path.read_text() for path in (sources / "documents").rglob("*.graphql")))
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    assert len(operations) > 50
    for operation in operations:
        measure(
            schema,
            document,
            operation,
            {"first": int(page_size[1])},
            depth_max=limits.query_depth_max,
            cost_max=limits.query_cost_max,
        )


def test_every_connection_keeps_its_page_in_a_field_called_nodes_and_is_reached_by_a_field_that_takes_first() -> None:
    schema = load_schema(bundled.schema_path())

    def is_connection(kind: GraphQLNamedType | Any) -> bool:
        return getattr(get_nullable_type(kind), "name", "").endswith("Connection")

    for kind in schema.type_map.values():
        if is_object_type(kind):
            assert not is_connection(kind) or "nodes" in kind.fields, kind.name
            for name, field in kind.fields.items():
                assert not is_connection(field.type) or "first" in field.args, f"{kind.name}.{name}"


TREE = build_schema("""
    type Query { many(first: Int): TreeConnection! listed(first: Int): [Tree!]! one: Tree! }
    type TreeConnection { nodes: [Tree!]! totalCount: Int! }
    type Tree { one: Tree! name: String! many(first: Int): TreeConnection! }
""")


def cost_of(query: str, *, depth_max: int = 14, cost_max: int = 10_000, **variables: Any) -> Measured:
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return measure(TREE, document, operation, variables, depth_max=depth_max, cost_max=cost_max)


@given(depth=st.integers(1, 30), page=st.integers(1, 500))
def test_the_cost_is_the_number_of_fields_in_the_longest_answer(depth: int, page: int) -> None:
    query = f"{{ many(first: {page}) {{ totalCount nodes {{ " + "one { " * depth + "name" + " }" * depth + " } } }"
    cost = 1 + 2 + page * (depth + 1)
    try:
        measured = cost_of(query)
    except QueryTooDeep:
        assert depth + 3 > 14
    except QueryTooCostly:
        assert cost > 10_000
    else:
        assert measured == Measured(cost, depth + 3)


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        ("{ many { totalCount } }", {}, 2),
        ("{ many { nodes { name } } }", {}, 2 + 50),
        ("{ many(first: 7) { nodes { name } } }", {}, 2 + 7),
        ("{ many(first: -7) { nodes { name } } }", {}, 2 + 1),
        ("{ many(first: 7000) { nodes { name } } }", {}, 2 + 500),
        ("query ($n: Int) { many(first: $n) { nodes { name } } }", {"n": 9}, 2 + 9),
        ("query ($n: Int) { many(first: $n) { nodes { name } } }", {"n": None}, 2 + 50),
        ("query ($n: Int) { many(first: $n) { nodes { name } } }", {}, 2 + 50),
        ("query ($n: Int = 400) { many(first: $n) { nodes { name } } }", {}, 2 + 400),
        ("query ($n: Int = 400) { many(first: $n) { nodes { name } } }", {"n": 3}, 2 + 3),
        ("{ listed(first: 5) { name } }", {}, 1 + 5),
        ("{ many(first: 5) { ...P } } fragment P on TreeConnection { nodes { name } }", {}, 2 + 5),
        ("{ many(first: 5) { ... on TreeConnection { nodes { name } } } }", {}, 2 + 5),
        ("{ many(first: 2) { nodes { many(first: 3) { nodes { name } } } } }", {}, 2 + 2 * (2 + 3)),
        ("{ a: one { name } b: one { name } }", {}, 4),
    ],
)
def test_pages_multiply_what_stands_in_them_and_nothing_else(query: str, variables: dict, cost: int) -> None:
    assert cost_of(query, **variables).cost == cost


def test_fragments_that_double_each_other_are_priced_in_no_time() -> None:
    doubled = " ".join(f"fragment F{i} on Tree {{ ...F{i + 1} ...F{i + 1} }}" for i in range(48))
    started_s = time.process_time()
    with pytest.raises(QueryTooCostly):
        cost_of("{ one { ...F0 } } " + doubled + " fragment F48 on Tree { name }")
    assert time.process_time() - started_s < 1


@pytest.mark.parametrize(
    "query",
    [
        "{ " + "viewer { username } " * (REPEATS_MAX + 1) + "}",
        "{ viewer { " + "... { username } " * (REPEATS_MAX + 1) + "} }",
        "{ " + " ".join(f"a{i}: viewer {{ username }}" for i in range(FIELDS_MAX)) + "}",
        "{ viewer { ...F0 } } " + " ".join(f"fragment F{i} on Viewer {{ username }}" for i in range(FRAGMENTS_MAX + 1)),
        "{ viewer " + "@skip(if: true) " * 300 + "{ username } }",
        "{ viewer { username " + "@x " * 300 + "} }",
    ],
    ids=["repeats", "inline fragments", "aliases", "fragments", "directives", "unknown directives"],
)
async def test_floods_are_refused_before_they_are_validated(admin, query: str) -> None:
    with pytest.raises(QueryTooLarge):
        check_size(parse(query))
    assert await code_of(admin, query) == "QUERY_TOO_LARGE"


async def test_the_dearest_query_that_is_let_through_is_read_within_a_moment(admin) -> None:
    fields = " ".join(f"viewer {{ {'username ' * REPEATS_MAX} }}" for _ in range(REPEATS_MAX))
    fragments = " ".join(f"fragment F{i} on Query {{ {fields} }}" for i in range(FRAGMENTS_MAX))
    started_s = time.process_time()
    answer = await admin.try_asking("{ " + " ".join(f"...F{i}" for i in range(FRAGMENTS_MAX)) + " } " + fragments)
    assert answer["data"]["viewer"] == {"username": "admin"}
    assert time.process_time() - started_s < 2


async def test_the_schema_can_be_asked_for_as_tools_do(admin) -> None:
    for wanted in (get_introspection_query(), get_introspection_query(input_value_deprecation=True)):
        assert (await admin.ask(wanted))["__schema"]["queryType"]["name"] == "Query"


async def test_the_schema_asked_within_itself_is_refused(admin) -> None:
    query = "{ __schema { types " + "{ fields { type " * 6 + "{ name }" + " } }" * 6 + " } }"
    assert await code_of(admin, query) in ("QUERY_TOO_COSTLY", "QUERY_TOO_DEEP", "INVALID_QUERY")


@pytest.mark.parametrize(
    ("value", "code"),
    [(["RUNNING"] * 1_001, "INVALID_INPUT"), ([[[]]] * 3, "INVALID_QUERY"), ({"a": {"b": 1}}, "INVALID_QUERY")],
)
async def test_variables_out_of_proportion_are_refused(admin, value: object, code: str) -> None:
    query = "query ($f: CommandFilter) { commands(filter: $f) { totalCount } }"
    assert await code_of(admin, query, f={"states": value}) == code


async def test_variables_nested_without_end_are_refused_by_name(admin) -> None:
    for levels in (30, 5_000, 50_000):
        raw = b'{"query":"{ viewer { username } }","variables":{"x":' + b"[" * levels + b"]" * levels + b"}}"
        answer = await admin.client.post("/graphql", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert "INVALID_INPUT" in answer.text


async def test_a_body_of_many_variables_is_too_large(admin) -> None:
    assert await code_of(admin, "{ viewer { username } }", x="y" * 300_000) == "BODY_TOO_LARGE"


async def test_a_batch_is_refused_and_told_what_to_do(admin) -> None:
    answer = await admin.client.post("/graphql", json=[{"query": "{ viewer { username } }"}])
    assert (answer.status_code, answer.json()["code"]) == (400, "BATCH_REFUSED")
    assert answer.json()["fix"]


async def test_refusals_of_a_query_have_the_shape_that_graphql_gives_errors(admin) -> None:
    answer = await admin.client.post("/graphql", json={"query": "{ " + "viewer { username } " * 9 + "}"})
    (error,) = answer.json()["errors"]
    assert error["extensions"]["field"] == "query"
    assert error["extensions"]["fix"]
    assert error["message"]


async def test_the_cost_is_told_to_who_asks_for_it(admin) -> None:
    query = {"query": "{ runtimes(first: 3) { nodes { name } } }"}
    assert "extensions" not in (await admin.client.post("/graphql", json=query)).json()
    told = (await admin.client.post("/graphql", json=query, headers={"X-Pilothouse-Cost": "1"})).json()["extensions"]
    assert told == {"cost": {"fields": 5, "fieldsMax": 200_000, "depth": 3, "depthMax": 14}}


async def test_a_token_in_the_address_is_refused(admin) -> None:
    answer = await admin.client.post("/graphql?access_token=abc", json={"query": "{ viewer { username } }"})
    assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_IN_URL")
    assert msgspec.json.decode(answer.content)["field"] == "access_token"
