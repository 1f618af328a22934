"""Closed by default: every field declares who may use it. What each answers to whom, test_matrix.py tries."""

import msgspec
import pytest
from ariadne import make_executable_schema
from graphql import GraphQLEnumType, GraphQLObjectType
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.guard import guard, needs
from pilothouse.api.graphql.schema import load_schema
from pilothouse.app import bundled
from pilothouse.base.errors import CannotStart

SDL = bundled.schema_path().read_text(encoding="utf-8")

FIELDS = [
    (kind.name, name)
    for kind in load_schema(bundled.schema_path()).type_map.values()
    if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
    for name in kind.fields
]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_field_is_behind_a_declared_permission(kind: str, name: str) -> None:
    schema = load_schema(bundled.schema_path())
    owner = schema.type_map[kind]
    assert isinstance(owner, GraphQLObjectType)
    declared = needs(kind, name, owner.fields[name])
    leads_to_object = isinstance(
        getattr(owner.fields[name].type, "of_type", owner.fields[name].type), GraphQLObjectType
    )
    if kind in ("Query", "Mutation", "Subscription") or leads_to_object:
        assert declared
    else:
        assert owner.ast_node is not None  # a plain value: reached only through a field that leads to its type
        assert any(directive.name.value == "needs" for directive in owner.ast_node.directives or ())


@pytest.mark.parametrize(
    "forgotten", ["type Query { open: Int }", "type Query { open: T @needs(permission: SIGNED_IN) } type T { x: Int }"]
)
def test_a_field_without_a_permission_keeps_the_server_from_starting(forgotten: str) -> None:
    preamble = SDL[SDL.index('"""\nThe permission') : SDL.index("type Query")]
    with pytest.raises(CannotStart, match="declares no permission"):
        guard(make_executable_schema(preamble + forgotten))


@pytest.mark.anyio
async def test_figures_are_for_loopback_or_the_token(plane, settings) -> None:
    import httpx

    app = await plane.console_application()
    elsewhere = httpx.ASGITransport(app=app, client=("10.1.2.3", 5))
    async with httpx.AsyncClient(transport=elsewhere, base_url="https://testserver") as client:
        assert (await client.get("/metrics")).status_code == 403
    here = httpx.ASGITransport(app=app, client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=here, base_url="https://testserver") as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})).status_code == 403
    plane.settings = msgspec.structs.replace(settings, metrics_token="let-me-see")
    app = await plane.console_application()
    elsewhere = httpx.ASGITransport(app=app, client=("10.1.2.3", 5))
    async with httpx.AsyncClient(transport=elsewhere, base_url="https://testserver") as client:
        assert (await client.get("/metrics", headers={"Authorization": "Bearer wrong"})).status_code == 403
        answer = await client.get("/metrics", headers={"Authorization": "Bearer let-me-see"})
    assert answer.status_code == 200
    assert 'pilothouse_heartbeats_total{kind="delta"}' in answer.text


def test_permissions_are_the_ones_that_the_schema_names() -> None:
    named = load_schema(bundled.schema_path()).type_map["Permission"]
    assert isinstance(named, GraphQLEnumType)
    assert set(named.values) == {permission.name for permission in Permission}
