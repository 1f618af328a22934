"""A whole control plane in memory and a temporary directory, without ports: both edges are called in process."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from graphql import DocumentNode, GraphQLError, GraphQLSchema
from pilothouse.api import application
from pilothouse.api.graphql import preparing
from pilothouse.app import control_plane
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.base.place import Database
from pilothouse.config import Settings
from pilothouse.identity.passwords import Passwords
from pilothouse.management import client as management_client
from pilothouse.management.rules import ManagementRules
from pilothouse.notify import postman
from pilothouse.operations.sign_in import create_first_administrator
from pilothouse.protocol.exchange import Inbound, Outbound
from pilothouse.storage import migrate
from pilothouse.storage.dialects.sqlite import Sqlite
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.util import LRUCache

sys.path.insert(0, str(Path(__file__).parent))

import compiling  # found from here on
import database_servers

PASSWORD = "correct horse battery staple"
NOW = 1_790_000_000.0


DATABASE = os.environ.get("PILOTHOUSE_TEST_DATABASE", "sqlite")
"""On which kind of database every control plane of these tests runs: `sqlite`, `postgresql` or `mariadb`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if DATABASE == "sqlite":
        return
    for item in items:
        if item.get_closest_marker("embedded"):
            item.add_marker(pytest.mark.skip(reason=f"it handles the embedded database's file, and this is {DATABASE}"))


def pytest_unconfigure() -> None:
    database_servers.end_all()


@pytest.fixture(autouse=True, scope="session")
def written_for_others() -> Iterator[None]:
    """With PILOTHOUSE_TEST_COMPILE=1 every statement of these tests is compiled for the databases that none of them runs on."""
    if os.environ.get("PILOTHOUSE_TEST_COMPILE") != "1":
        yield
        return
    with compiling.compiling():
        yield
    told = "\n".join(f"{reason}\n    {next(iter(found))}" for reason, found in sorted(compiling.troubles.items()))
    assert compiling.counted[0]
    assert not told, told


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """What each control plane makes anew though it is always the same, and what most of its start would be spent on.

    These are the console's compressed files, the description of the API, the authorities that the system trusts, the list of
    migrations, and what is wrong with the queries that many tests ask.
    """

    @cache
    def trusted_for_management() -> ssl.SSLContext:
        return tls_context(ManagementRules())

    @cache
    def trusted_for_notices() -> ssl.SSLContext:
        return trusted(None)

    def validate_once(
        schema: GraphQLSchema, document: DocumentNode, rules: Sequence[Any], max_errors: int
    ) -> list[GraphQLError]:
        assert document.loc is not None
        key = (id(schema), tuple(rules), document.loc.source.body, max_errors)
        if key not in found:
            found[key] = schema, validate(schema, document, rules, max_errors=max_errors)
        return found[key][1]

    tls_context, trusted, validate = management_client.tls_context, postman.trusted, preparing.validate
    found: dict[Any, tuple[GraphQLSchema, list[GraphQLError]]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control_plane, "Console", cache(control_plane.Console))
        patch.setattr(application, "describe", cache(application.describe))
        patch.setattr(
            management_client,
            "tls_context",
            lambda rules: tls_context(rules) if rules.ca_file or rules.insecure else trusted_for_management(),
        )
        patch.setattr(postman, "trusted", lambda file: trusted(file) if file else trusted_for_notices())
        patch.setattr(migrate, "_scripts", cache(migrate._scripts))
        patch.setattr(preparing, "validate", validate_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_databases() -> Iterator[None]:
    """The embedded databases of this process share what was compiled for them, and are not synced to the disk.

    As with the servers of `database_servers.py`, a test that ends a process finds what was handed to the system: no test ends
    the machine.
    """

    def quick(kind: Sqlite, database: Database, *, read_only: bool, size: int) -> Engine:
        opened = engine(kind, database, read_only=read_only, size=size)
        event.listen(opened, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        opened.dialect = dialect
        opened.update_execution_options(compiled_cache=compiled)
        return opened

    # What was compiled is found again by its dialect, which each engine would make itself: this one has met its database.
    any_engine = create_engine("sqlite://")
    with any_engine.connect() as connection:
        dialect = connection.dialect
    any_engine.dispose()
    engine, compiled = Sqlite.engine, LRUCache(2_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sqlite, "engine", quick)
        yield


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home directory of a control plane after its first start, made once: every test begins with a copy."""

    async def start() -> None:
        opened = await open_control_plane(Settings(home=home, database_url=url), FakeClock(NOW), passwords)
        hashed = passwords.hash(PASSWORD)
        organization = await opened.organization()
        await opened.store.write(
            partial(create_first_administrator, organization_id=organization.id, password_hash=hashed, now=NOW)
        )
        await opened.stop()

    home, passwords, url = tmp_path_factory.mktemp("first") / "home", quick_passwords(), ""
    if DATABASE != "sqlite":
        url = database_servers.running(DATABASE).fresh(name="first").url
    asyncio.run(start())
    return home


def quick_passwords() -> Passwords:
    """Argon2 with the least memory: the tests sign in hundreds of times."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def settings(tmp_path: Path, first_start: Path) -> Settings:
    home = shutil.copytree(first_start, tmp_path / "home")
    if DATABASE == "sqlite":
        return Settings(home=home)
    copied = database_servers.running(DATABASE).fresh(template="first", name="plane")
    return Settings(home=home, database_url=copied.url, follow_events_s=0.0)


@pytest.fixture
async def plane(settings: Settings, clock: FakeClock) -> AsyncIterator[ControlPlane]:
    """A control plane that was just started, with the administrator, and with its periodic work in the test's hands."""
    opened = await open_control_plane(settings, clock, quick_passwords())
    yield opened
    await opened.stop()


@dataclass
class Runtime:
    """A runtime as it stands on the other side of the wire."""

    plane: ControlPlane
    secret: str
    runtime_id: str = "6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a11"
    name: str | None = "orders-node-1"
    type: str = "BI"
    environment: str = "dev"
    project: str = "Retail Core"
    integration: str = "order_intake"
    hash: str = "hash-1"
    address: str = "10.0.3.7"
    extra: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(
        default_factory=lambda: {
            "listeners": [
                {
                    "name": "listener_1",
                    "package": "ballerina/http:2",
                    "state": "enabled",
                    "protocol": "HTTP",
                    "port": 9090,
                }
            ],
            "services": [
                {
                    "name": "service_1",
                    "basePath": "/orders",
                    "package": "acme/order_intake:1",
                    "state": "enabled",
                    "listeners": [{"name": "listener_1"}],
                    "resources": [{"methods": ["get"], "url": "/items/{id}"}, {"methods": ["post"], "url": "/items"}],
                }
            ],
        }
    )

    def body(self) -> dict[str, Any]:
        return {
            "runtimeId": self.runtime_id,
            "runtime": self.name,
            "runtimeType": self.type,
            "status": "RUNNING",
            "environment": self.environment,
            "project": self.project,
            "component": self.integration,
            "nodeInfo": {"platformName": "ballerina"},
            "artifacts": self.artifacts,
            "runtimeHash": self.hash,
            "timestamp": [int(self.plane.clock.now()), 0.0],
            **self.extra,
        }

    async def full(self, **token: Any) -> tuple[int, dict[str, Any]]:
        return await self.send("/icp/heartbeat", self.body(), **token)

    async def delta(self, **token: Any) -> tuple[int, dict[str, Any]]:
        body = {
            "heartbeatVersion": "v1.0",
            "runtimeId": self.runtime_id,
            "runtimeHash": self.hash,
            "timestamp": [int(self.plane.clock.now()), 0.0],
        }
        return await self.send("/icp/deltaHeartbeat", body, **token)

    async def send(self, path: str, body: Any, *, authorization: str | None = "", **token: Any) -> tuple[int, Any]:
        if authorization == "":
            authorization = f"Bearer {make_token(self.secret, self.plane.clock.now(), **token)}"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.plane.runtime_handler(
            Inbound(
                method="POST",
                path=path,
                authorization=authorization,
                content_type="application/json",
                body=raw,
                address=self.address,
            )
        )
        outbound: Outbound = await answer if isinstance(answer, Awaitable) else answer
        return outbound.status, json.loads(outbound.body)


def make_token(secret: str, now: float, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    key_id, _, material = secret.partition(".")

    def segment(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = segment({"alg": "HS256", "typ": "JWT", "kid": key_id, **(header or {})})
    payload = {
        "iss": "icp-runtime-jwt-issuer",
        "aud": "icp-server",
        "scope": "runtime_agent",
        "iat": int(now),
        "exp": int(now) + 3600,
        **claims,
    }
    signed = f"{head}.{segment(payload)}"
    signature = hmac.digest(material.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


class Person:
    """Somebody at the console: a session and the GraphQL API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def sign_in(self, username: str = "admin", password: str = PASSWORD) -> httpx.Response:
        return await self.client.post("/auth/sign-in", json={"username": username, "password": password})

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run an operation that must succeed."""
        answer = await self.try_asking(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def try_asking(self, query: str, **variables: Any) -> dict[str, Any]:
        response = await self.client.post("/graphql", json={"query": query, "variables": variables})
        if response.status_code == 401 and response.json().get("code") == "SESSION_EXPIRED":  # as the console does
            await self.client.post("/auth/refresh")
            response = await self.client.post("/graphql", json={"query": query, "variables": variables})
        return response.json()

    async def secret(self, environment: str = "dev", **binding: str) -> str:
        """Generate a secret."""
        data = await self.ask(
            "mutation ($input: GenerateSecretInput!) { generateSecret(input: $input) { secret } }",
            input={"environment": environment, **binding},
        )
        return data["generateSecret"]["secret"]


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=await plane.console_application(), client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as opened:
        yield opened


@pytest.fixture
async def stranger(client: httpx.AsyncClient) -> Person:
    """Somebody who has not signed in."""
    return Person(client)


@pytest.fixture
async def admin(client: httpx.AsyncClient) -> Person:
    """The administrator, signed in."""
    person = Person(client)
    assert (await person.sign_in()).status_code == 200
    return person


@pytest.fixture
async def runtime(plane: ControlPlane, admin: Person) -> Runtime:
    """A Ballerina runtime with a fresh, unbound secret for `dev`."""
    return Runtime(plane, await admin.secret())
