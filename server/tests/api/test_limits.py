"""Every limit of the GraphQL endpoint is explicit, and what is refused says why."""

import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.api.graphql.limits import QueryTooCostly, QueryTooDeep, measure

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


@given(depth=st.integers(1, 30), page=st.integers(1, 500))
def test_the_cost_grows_with_pages_and_never_shrinks_with_depth(depth: int, page: int) -> None:
    query = f"{{ a(first: {page}) " + "{ b " * depth + "{ c }" + " }" * depth + " }"
    document = parse(query)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    try:
        cost = measure(document, operation, {}, depth_max=14, cost_max=10_000)
    except QueryTooDeep:
        assert depth + 2 > 14
    except QueryTooCostly:
        assert 1 + page * (depth + 1) > 10_000
    else:
        assert cost == 1 + page * (depth + 1)
