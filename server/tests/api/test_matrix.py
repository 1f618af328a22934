"""The matrix of permissions: every root field and every route, for every role, every permission alone, and every scope.

What is expected stands in matrix_expectations.py and matrix_calls.py, written by hand. Changes are carried out and taken back.
"""

import inspect
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from graphql import ExecutionResult, GraphQLNonNull, GraphQLSchema, default_field_resolver, execute, parse, subscribe
from pilothouse.access.grants import EVERYWHERE, Holdings, Subject, Via
from pilothouse.access.permissions import Permission
from pilothouse.api import rest_audit
from pilothouse.api.context import Caller
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.schema import load_schema
from pilothouse.api.graphql.telemetry_scopes import line_id
from pilothouse.api.rest import ROUTES as SERVED
from pilothouse.app import bundled
from pilothouse.app.services import services_of
from pilothouse.base.errors import PilothouseError
from pilothouse.base.ids import new_id
from pilothouse.domain.audit import AuditRecord
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.identity.throttle import Throttle
from pilothouse.storage import access, audit, people, tables
from pilothouse.storage.people import UserRow
from pilothouse.storage.unit import Transaction
from pilothouse.telemetry.model import NS_A_SECOND, LogBatch, LogRecord, Origin, SpanBatch, SpanRecord
from pilothouse.telemetry.questions import LogQuestion, Scope
from sqlalchemy import delete, insert, select

sys.path.insert(0, str(Path(__file__).parent))

from matrix_calls import MUTATIONS, NOT_YET, QUERIES, ROUTES, SUBSCRIPTIONS
from matrix_expectations import (
    ALL,
    ALLOWED,
    NOT_THERE,
    ORG,
    REFUSED,
    ROLES,
    SCOPES,
    Call,
    Outcome,
    Place,
    Who,
    with_contents,
)

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
NOW = 1_790_000_000.0


def nullable_roots() -> GraphQLSchema:
    """The schema as it is served, but that a root field which fails leaves the others of its query alone."""
    schema = load_schema.__wrapped__(bundled.schema_path())
    for root in (schema.query_type, schema.mutation_type):
        for field in root.fields.values():
            if isinstance(field.type, GraphQLNonNull):
                field.type = field.type.of_type
    return schema


SCHEMA = nullable_roots()
ROOTS = {"Query": QUERIES, "Mutation": MUTATIONS, "Subscription": SUBSCRIPTIONS}


def unanswered() -> set[str]:
    return {
        name
        for root in (SCHEMA.query_type, SCHEMA.mutation_type)
        for name, field in root.fields.items()
        if inspect.getclosurevars(field.resolve).nonlocals["resolve"] is default_field_resolver
    }


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_field_is_in_the_table(root: str) -> None:
    fields = set(SCHEMA.type_map[root].fields)
    assert {call.field for call in ROOTS[root]} == fields, "say in matrix_calls.py who may call it"


def test_every_root_field_is_answered() -> None:
    assert unanswered() <= NOT_YET


def test_every_route_is_in_the_table() -> None:
    assert {(route.method, route.path) for route in SERVED} == set(ROUTES)


def test_the_table_knows_every_permission_and_nothing_else() -> None:
    assert {permission.value for permission in Permission} == ALL | {"signed_in"}
    assert len(ALL) == 22


@dataclass
class World:
    """Two projects, two environments, runtimes, secrets, people: what the calls are about."""

    plane: Any
    services: Any
    ids: dict[str, str]
    scope: Callable[[Place], dict[str, str | None]]
    role_ids: dict[str, str]
    matrix: UserRow
    """Who tries everything."""

    async def subject(self, role: str | None, place: Place, carried: str | None = None) -> Subject:
        """Give the one user one role in one place, by the tables that grants are read from."""

        def grant(tx: Transaction) -> None:
            mapped = tables.role_mappings
            tx.connection.execute(delete(mapped).where(mapped.c.group_id == self.ids["$own"]))
            if role is not None:
                row = {
                    "group_id": self.ids["$own"],
                    "role_id": self.role_ids[role],
                    "scope": "test",
                    **self.scope(place),
                }
                tx.connection.execute(insert(mapped).values(row | self.made()))

            tx.emit(NewEvent(kind=EventKind.ACCESS_CHANGED, at=NOW))

        await self.commit(grant)
        holdings = Holdings(await self.plane.store.read(lambda c: access.list_grants(c, self.matrix.id)))
        return Subject(
            id=self.matrix.id,
            username=self.matrix.username,
            display_name="",
            organization_id=self.matrix.organization_id,
            holdings=holdings if carried is None else holdings.limited(frozenset({Permission(carried)})),
            via=Via.SESSION if carried is None else Via.API_TOKEN,
            credential_id="c",
        )

    def made(self) -> dict[str, Any]:
        return {"organization_id": self.matrix.organization_id, "created_at": NOW, "created_by": "test"}

    async def commit(self, operation: Callable[[Transaction], Any]) -> Any:
        return await type(self.plane.store).write(self.plane.store, operation)

    def named(self, text: str) -> str:
        for name in sorted(self.ids, key=len, reverse=True):
            text = text.replace(name, self.ids[name])
        return text


class _TakenBack(Exception):
    """Carries an operation's result past the end of its transaction."""


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, telemetry_store="memory")


@pytest.fixture
async def world(plane, admin, runtime) -> World:
    for name in ("Shop", "Other"):
        await admin.ask(f'mutation {{ createProject(input: {{displayName: "{name}"}}) {{ handle }} }}')
    for project, name in (("shop", "Till"), ("other", "Else")):
        await admin.ask(
            f'mutation {{ createIntegration(input: {{project: "{project}", displayName: "{name}", runtimeType: BI}}) {{ handle }} }}'
        )
    secrets = {"$freeKey": runtime.secret}
    for environment in ("dev", "prod"):
        secret = await admin.secret(environment, project="shop", integration="till")
        secrets[f"${environment}Key"] = secret
        reporting = replace(
            runtime, secret=secret, runtime_id=str(uuid.uuid4()), name=f"till-{environment}",
            environment=environment, project="shop", integration="till", extra={"logLevels": {"acme/till": "INFO"}},
        )  # fmt: skip
        assert (await reporting.full())[0] == 200
    await admin.ask(
        'mutation { changeArtifact(input: {project: "shop", integration: "till", environment: "dev", kind: LISTENER,'
        ' name: "listener_1", aspect: STATE, value: "DISABLED"}) { waiting } }'
    )
    ids = {name: secret.partition(".")[0] for name, secret in secrets.items()}
    ids |= await _alerts(admin) | await _telemetry(plane)
    made = await _people(plane, ids)
    plane.store.write = _taking_back(plane.store.write)
    return made


async def _alerts(admin) -> dict[str, str]:
    """Make what tells of trouble, and a collector's token, all for the till in dev."""
    till = 'project: "shop", integration: "till", environment: "dev"'
    made = await admin.ask(
        f"""mutation {{
        rule: saveAlertRule(input: {{{till}, name: "till offline", condition: RUNTIME_OFFLINE, channels: []}}) {{ id }}
        channel: saveAlertChannel(input: {{name: "hook", kind: WEBHOOK, url: "http://127.0.0.1:9/"}}) {{ channel {{ id }} }}
        silence: silenceAlerts(input: {{{till}, reason: "moving house", to: "2026-09-22T00:00:00Z"}}) {{ id }}
        ingest: createIngestToken(input: {{{till}, name: "collector"}}) {{ ingestToken {{ id }} }} }}"""
    )
    return {
        "$rule": made["rule"]["id"],
        "$channel": made["channel"]["channel"]["id"],
        "$silence": made["silence"]["id"],
        "$ingest": made["ingest"]["ingestToken"]["id"],
    }


async def _telemetry(plane) -> dict[str, str]:
    """Keep a line and a span of each runtime."""
    of = tables.runtimes.join(tables.integrations, tables.integrations.c.id == tables.runtimes.c.integration_id)
    c = tables.runtimes.c
    columns = (tables.integrations.c.project_id, c.integration_id, c.environment_id, c.runtime_id, c.name)
    rows = await plane.store.read(lambda connection: connection.execute(select(*columns).select_from(of)).all())
    ids = {}
    for row in rows:
        origin = Origin(project_id=row[0], integration_id=row[1], environment_id=row[2], runtime_id=row[3])
        environment = row[4].removeprefix("till-")
        at_ns, trace_id = int(NOW - 60) * NS_A_SECOND, new_id().replace("-", "")
        await plane.telemetry.append_logs(
            [LogBatch(origin, [LogRecord(at_ns=at_ns, message=f"said in {environment}")])]
        )
        span = SpanRecord(at_ns=at_ns, duration_ns=1, trace_id=trace_id, span_id=trace_id[:16])
        await plane.telemetry.append_spans([SpanBatch(origin, [span])])
        ids[f"${environment}Trace"] = trace_id
    everything = Scope(places=(EVERYWHERE,))
    for line in (await plane.telemetry.logs(LogQuestion(scope=everything))).lines:
        if line.record.message == "said in dev":
            ids["$line"] = line_id(line.position)
    return ids


def _taking_back(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def written(operation: Callable[[Transaction], Any]) -> Any:
        def carried_out(tx: Transaction) -> None:
            raise _TakenBack(operation(tx))

        try:
            await write(carried_out)
        except _TakenBack as taken:
            return taken.args[0]

    return written


async def _people(plane, ids: dict[str, str]) -> World:
    services = services_of(plane, await plane.organization())
    organization = services.organization.id
    t, made = tables, {"organization_id": organization, "created_at": NOW, "created_by": "test"}
    ann, matrix = (
        UserRow(
            id=new_id(), organization_id=organization, username=name, display_name=name, created_at=NOW, created_by="t"
        )
        for name in ("ann", "matrix")
    )
    ids |= {f"${name}": new_id() for name in ("crew", "own", "looker", "sso", "token", "session")} | {"$ann": ann.id}

    def put(tx: Transaction) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        c = tx.connection
        handles = {
            h: i
            for table in (t.projects, t.integrations, t.environments)
            for h, i in c.execute(select(table.c.handle, table.c.id))
        }
        people.add(c, ann)
        people.add(c, matrix)
        for group in ("crew", "own"):
            c.execute(insert(t.groups).values(id=ids[f"${group}"], name=group, description="", **made))
        c.execute(insert(t.group_members).values(group_id=ids["$own"], user_id=matrix.id, source="local", added_at=NOW))
        role_ids = dict(map(tuple, c.execute(select(t.roles.c.name, t.roles.c.id))))
        for name in (*sorted(ALL), "looker"):
            role_ids[name] = ids["$looker"] if name == "looker" else new_id()
            c.execute(insert(t.roles).values(id=role_ids[name], name=name, description="", **made))
            c.execute(
                insert(t.role_permissions).values(
                    role_id=role_ids[name], permission="project_mgt:view" if name == "looker" else name
                )
            )
        scoped = {"project_id": handles["shop"], "scope": "test"}
        c.execute(insert(t.role_mappings).values(group_id=ids["$crew"], role_id=ids["$looker"], **scoped, **made))
        number = c.execute(
            select(t.role_mappings.c.number).where(t.role_mappings.c.group_id == ids["$crew"])
        ).scalar_one()
        ids["$mapping"] = str(number)
        sso = {
            "issuer": "https://idp.example",
            "claim": "groups",
            "value": "y",
            "digest": "d",
            "group_id": ids["$crew"],
        }
        c.execute(insert(t.sso_group_mappings).values(id=ids["$sso"], **sso, **made))
        c.execute(
            insert(t.api_tokens).values(
                id=ids["$token"], user_id=ann.id, name="t", digest="d", hint="h", created_at=NOW, created_by="t"
            )
        )
        c.execute(insert(t.sessions).values(
            id=ids["$session"], user_id=ann.id, kind="console", method="password", access_digest="d", access_expires_at=NOW + 99,
            created_at=NOW, expires_at=NOW + 99, last_used_at=NOW, user_agent="",
        ))  # fmt: skip
        for target, project in (("in shop", handles["shop"]), ("in other", handles["other"]), ("nowhere", None)):
            audit.append(
                c,
                AuditRecord(
                    at=NOW,
                    organization_id=organization,
                    actor="user:matrix",
                    action="t.t",
                    target=target,
                    project_id=project,
                ),
            )
        ids["$command"] = c.execute(select(t.commands.c.id)).scalar_one()
        for name, id_ in c.execute(select(t.runtimes.c.name, t.runtimes.c.id)):
            ids["$devRuntime" if name == "till-dev" else "$prodRuntime"] = id_
        return handles, role_ids

    handles, role_ids = await plane.store.write(put)

    def scope(place: Place) -> dict[str, str | None]:
        names = ("project_id", "integration_id", "environment_id")
        return {name: None if handle is None else handles[handle] for name, handle in zip(names, place, strict=True)}

    return World(plane, services, ids, scope, role_ids, matrix)


async def outcomes(world: World, subject: Subject, kind: str, calls: list[Call]) -> Iterator[Outcome]:
    """Run all calls as one operation, and tell what came of each."""
    text = " ".join(f"c{number}: {world.named(call.text)}" for number, call in enumerate(calls))
    services = msgspec.structs.replace(world.services, throttle=Throttle())
    running = execute(SCHEMA, parse(f"{kind} {{ {text} }}"), context_value=GraphQLRequest(services, subject))
    result = running if isinstance(running, ExecutionResult) else await running
    errors = {str(error.path[0]): error for error in result.errors or () if error.path}
    assert result.data is not None, result.errors
    return [_outcome(world, call, result.data[f"c{n}"], errors.get(f"c{n}")) for n, call in enumerate(calls)]


def _outcome(world: World, call: Call, value: Any, error: Any) -> Outcome:
    if error is not None:
        cause = error.original_error
        if not isinstance(cause, PilothouseError) or cause.code == "UNAVAILABLE":
            return f"defect: {cause or error!r}"
        return {"NOT_PERMITTED": REFUSED, "NOT_FOUND": NOT_THERE}.get(cause.code, ALLOWED)
    if value is None:
        return NOT_THERE
    if isinstance(value, dict) and isinstance(value.get("nodes"), list):
        names = {id_: name for name, id_ in world.ids.items()}
        found = [next(iter(node.values())) for node in value["nodes"]]
        return frozenset(names.get(name, name) for name in found)
    return ALLOWED


SUBJECTS: list[tuple[str, str | None, frozenset[str], str | None]] = [
    *((role, role, with_contents(permissions), None) for role, permissions in ROLES.items()),
    *((name, name, with_contents({name}), None) for name in sorted(ALL)),
    *(
        (f"a token for {carried}", "Super Admin", with_contents({carried}), carried)
        for carried in ("integration_mgt:edit", "audit_mgt:view", "user_mgt:manage_users")
    ),
    ("nobody", None, frozenset(), None),
]
"""Name, role, what it permits, and what an API token carries of it."""


@pytest.mark.parametrize("scope", SCOPES)
async def test_everybody_gets_exactly_what_the_table_says(world: World, scope: str) -> None:
    wrong = list[str]()
    for name, role, permissions, carried in SUBJECTS:
        who = Who(permissions, SCOPES[scope] if role else ORG, by_token=carried is not None)
        subject = await world.subject(role, SCOPES[scope], carried)
        for kind, calls in (("query", QUERIES), ("mutation", MUTATIONS)):
            for call, found in zip(calls, await outcomes(world, subject, kind, calls), strict=True):
                expected = call.rule(who)
                if found != expected and call.field not in NOT_YET:
                    wrong.append(f"{name} @ {scope}: {call.text} is {found}, and not {expected}")
        wrong += [
            f"{name} @ {scope}: {call.text}"
            for call in SUBSCRIPTIONS
            if await opens(world, subject, call) != call.rule(who)
        ]
    assert not wrong, "\n".join(wrong)


async def opens(world: World, subject: Subject, call: Call) -> Outcome:
    document = parse(f"subscription {{ {call.text} }}")
    opening = subscribe(SCHEMA, document, context_value=GraphQLRequest(world.services, subject))
    opened = await opening if inspect.isawaitable(opening) else opening
    if isinstance(opened, ExecutionResult):
        return REFUSED
    await opened.aclose()
    return ALLOWED


async def test_who_is_not_signed_in_is_told_so_at_every_door(stranger) -> None:
    for kind, calls in (("query", QUERIES), ("mutation", MUTATIONS), ("subscription", SUBSCRIPTIONS)):
        for call in calls:
            answer = await stranger.client.post("/graphql", json={"query": f"{kind} {{ {call.text} }}"})
            assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN"), call.text


async def test_routes_ask_for_a_session_where_the_table_says_so(stranger) -> None:
    for (method, path), who in ROUTES.items():
        answer = await stranger.client.request(method, path)
        if who not in ("anyone", "figures"):
            assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN"), path
        else:
            assert answer.status_code not in (403, 500), path
            assert answer.status_code != 401 or answer.json()["code"] != "NOT_SIGNED_IN", path


async def test_the_export_is_for_who_may_view_the_audit_and_filtered_by_where(
    world: World, client: httpx.AsyncClient, monkeypatch
) -> None:
    for place, expected in (
        (ORG, {"in shop", "in other", "nowhere"}),
        (SCOPES["project"], {"in shop"}),
        (SCOPES["dev"], set()),
    ):
        for name in ("audit_mgt:view", "user_mgt:manage_users"):
            subject = await world.subject(name, place)

            async def caller(_request: Any, _services: Any, subject: Subject = subject) -> Caller:
                return Caller(subject=subject, session_id=None)

            monkeypatch.setattr(rest_audit, "caller_of", caller)
            answer = await client.get("/audit/export", params={"actor": "user:matrix"})
            if name == "audit_mgt:view":
                assert {msgspec.json.decode(line)["target"] for line in answer.text.splitlines()} == expected
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "NOT_PERMITTED")
