"""The schema tells itself, and GraphiQL is served, where an operator wants it."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from graphql import build_client_schema, get_introspection_query
from pilothouse.api import application
from pilothouse.api.console import Console
from pilothouse.app.services import services_of
from pilothouse.config import load

pytestmark = pytest.mark.anyio


async def application_of(plane, **changes: Any) -> Any:
    services = services_of(plane, await plane.organization())
    settings = msgspec.structs.replace(services.settings, **changes)
    return application.build(msgspec.structs.replace(services, settings=settings), Console(None))


async def ask(app: Any, admin, query: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(
        transport=transport, base_url="https://testserver", cookies=admin.client.cookies
    ) as client:
        return await client.post("/graphql", json={"query": query})


async def get(app: Any, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://testserver") as client:
        return await client.get(path)


async def test_who_is_signed_in_may_ask_for_the_schema_and_nobody_else(plane, admin, stranger) -> None:
    schema = build_client_schema(await admin.ask(get_introspection_query()))
    assert schema.subscription_type is not None
    await admin.client.post("/auth/sign-out")
    answer = await stranger.client.post("/graphql", json={"query": get_introspection_query()})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        "{ __schema { types { name } } }",
        '{ __type(name: "Runtime") { name } }',
        "{ viewer { username } ... { __schema { queryType { name } } } }",
        "fragment F on Query { a: __schema { queryType { name } } } { ...F }",
    ],
)
async def test_turned_off_the_schema_is_told_to_nobody(plane, admin, query: str) -> None:
    app = await application_of(plane, introspection=False)
    answer = await ask(app, admin, query)
    assert answer.status_code == 400
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"INTROSPECTION_OFF"}
    assert "PILOTHOUSE_GRAPHQL_INTROSPECTION" in answer.json()["errors"][0]["extensions"]["fix"]


async def test_turned_off_a_type_still_tells_its_name(plane, admin) -> None:
    app = await application_of(plane, introspection=False)
    answer = await ask(app, admin, "{ __typename viewer { __typename username } }")
    assert answer.json()["data"] == {"__typename": "Query", "viewer": {"__typename": "Viewer", "username": "admin"}}


@pytest.mark.parametrize("path", ["/graphiql", "/graphiql.html"])
async def test_graphiql_is_served_where_it_is_turned_on_and_built(plane, tmp_path: Path, path: str) -> None:
    (tmp_path / "graphiql.html").write_text("<!doctype html><title>GraphiQL</title>")
    off = await get(await application_of(plane, console_folder=tmp_path), path)
    assert (off.status_code, off.json()["code"]) == (404, "NOT_FOUND")
    assert "PILOTHOUSE_GRAPHIQL=on" in off.json()["fix"]
    on = await get(await application_of(plane, console_folder=tmp_path, graphiql=True), path)
    assert (on.status_code, on.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "GraphiQL" in on.text
    policy = on.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy, "nothing comes from elsewhere"


@pytest.mark.parametrize("folder", [None, "empty"])
async def test_graphiql_that_is_not_built_says_how_to(plane, tmp_path: Path, folder: str | None) -> None:
    app = await application_of(plane, console_folder=None if folder is None else tmp_path, graphiql=True)
    answer = await get(app, "/graphiql")
    assert answer.status_code == 404
    assert "make up" in answer.json()["fix"]


@pytest.mark.parametrize(
    ("variable", "field", "default"),
    [
        ("PILOTHOUSE_GRAPHQL_INTROSPECTION", "graphql_introspection", True),
        ("PILOTHOUSE_GRAPHQL_PERSISTED_ONLY", "graphql_persisted_only", False),
        ("PILOTHOUSE_GRAPHIQL", "graphiql", False),
    ],
)
def test_each_of_them_is_a_setting(variable: str, field: str, default: bool) -> None:
    assert getattr(load({}), field) is default
    assert [getattr(load({variable: text}), field) for text in ("on", "off")] == [True, False]
