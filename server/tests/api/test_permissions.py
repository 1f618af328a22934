"""Closed by default: every field and every route declares who may use it, and the declaration is enforced."""

import msgspec
import pytest
from ariadne import make_executable_schema
from graphql import GraphQLObjectType
from pilothouse.access.grants import Subject
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.guard import guard, needs
from pilothouse.api.graphql.schema import load_schema
from pilothouse.api.rest import ROUTES, Access
from pilothouse.app import bundled
from pilothouse.base.errors import CannotStart

NOBODY = Subject(id="x", username="nobody", display_name="Nobody")
SDL = bundled.schema_path().read_text(encoding="utf-8")

FIELDS = [
    (kind.name, name)
    for kind in load_schema(bundled.schema_path()).type_map.values()
    if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
    for name in kind.fields
]
ROOT_QUERIES = {
    "viewer": "{ viewer { username } }",
    "organization": "{ organization { handle } }",
    "controlPlane": "{ controlPlane { version } }",
    "environments": "{ environments { totalCount } }",
    "environment": '{ environment(handle: "dev") { handle } }',
    "projects": "{ projects { totalCount } }",
    "project": '{ project(handle: "p") { handle } }',
    "integrations": "{ integrations { totalCount } }",
    "integration": '{ integration(project: "p", handle: "i") { handle } }',
    "runtimes": "{ runtimes { totalCount } }",
    "runtime": '{ runtime(id: "r") { id } }',
    "secrets": "{ secrets { totalCount } }",
    "refusals": "{ refusals { code } }",
    "handleAvailability": '{ handleAvailability(kind: PROJECT, handle: "h") { available } }',
    "createProject": 'mutation { createProject(input: {displayName: "P"}) { handle } }',
    "createIntegration": 'mutation { createIntegration(input: {project: "p", displayName: "I", runtimeType: PY}) { handle } }',
    "createEnvironment": 'mutation { createEnvironment(input: {displayName: "E", critical: false}) { handle } }',
    "generateSecret": 'mutation { generateSecret(input: {environment: "dev"}) { keyId } }',
    "revokeSecret": 'mutation { revokeSecret(keyId: "k") { keyId } }',
    "secret": '{ secret(keyId: "k") { keyId } }',
    "steering": '{ steering(project: "p", integration: "i", environment: "dev") { type } }',
    "commands": "{ commands { totalCount } }",
    "command": '{ command(id: "c") { id } }',
    "restoreSecret": 'mutation { restoreSecret(keyId: "k") { keyId } }',
    "rotateSecret": 'mutation { rotateSecret(keyId: "k") { old { keyId } } }',
    "setSecretExpiry": 'mutation { setSecretExpiry(keyId: "k") { keyId } }',
    "changeArtifact": 'mutation { changeArtifact(input: {project: "p", integration: "i", environment: "dev", kind: LISTENER, name: "l", aspect: STATE, value: "ENABLED"}) { waiting } }',
    "changeLogLevel": 'mutation { changeLogLevel(input: {project: "p", integration: "i", environment: "dev", logger: "l", level: "INFO"}) { waiting } }',
    "resetLogLevel": 'mutation { resetLogLevel(input: {project: "p", integration: "i", environment: "dev", logger: "l"}) { waiting } }',
    "forgetDesiredState": 'mutation { forgetDesiredState(input: {project: "p", integration: "i", environment: "dev", kind: LISTENER, name: "l", aspect: STATE}) }',
    "triggerArtifact": 'mutation { triggerArtifact(input: {runtime: "r", kind: TASK, name: "t"}) { id } }',
    "retryCommand": 'mutation { retryCommand(id: "c") { id } }',
    "restartRuntime": 'mutation { restartRuntime(id: "r") { id } }',
    "askRuntime": 'mutation { askRuntime(input: {runtime: "r", question: LOGGERS}) { id } }',
    "runWorkflowOperation": 'mutation { runWorkflowOperation(input: {project: "p", integration: "i", environment: "dev", operation: "instances.list", params: "{}"}) { id } }',
    "deleteRuntime": 'mutation { deleteRuntime(id: "r") { deleted } }',
    "runtimeChanged": "subscription { runtimeChanged { sequence } }",
}


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


def test_this_file_knows_a_query_for_every_root_field() -> None:
    schema = load_schema(bundled.schema_path())
    roots = [schema.query_type, schema.mutation_type, schema.subscription_type]
    assert {name for root in roots if root for name in root.fields} == set(ROOT_QUERIES)


@pytest.mark.anyio
@pytest.mark.parametrize("name", [name for name in ROOT_QUERIES if name != "runtimeChanged"])
async def test_who_holds_nothing_is_refused_at_every_door(admin, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def as_nobody(request, services):
        caller = await original(request, services)
        return msgspec.structs.replace(caller, subject=NOBODY)

    from pilothouse.api.graphql import endpoint

    original = endpoint.caller_of
    monkeypatch.setattr(endpoint, "caller_of", as_nobody)
    answer = await admin.try_asking(ROOT_QUERIES[name])
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_PERMITTED"], answer


@pytest.mark.anyio
@pytest.mark.parametrize("name", ROOT_QUERIES)
async def test_who_is_not_signed_in_is_told_so_at_every_door(stranger, name: str) -> None:
    answer = await stranger.client.post("/graphql", json={"query": ROOT_QUERIES[name]})
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN")


@pytest.mark.anyio
@pytest.mark.parametrize("route", [route for route in ROUTES if route.access is Access.SESSION], ids=lambda r: r.path)
async def test_routes_that_need_a_session_refuse_without_one(stranger, route) -> None:
    assert (await stranger.client.request(route.method, route.path)).status_code == 401


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
    names = SDL[SDL.index("enum Permission {") :]
    names = names[names.index("{") + 1 : names.index("}")]
    assert set(names.split()) == {permission.name for permission in Permission}
