"""People with roles, for tests: made over the API by the administrator, each with a session of their own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pilothouse.app.control_plane import ControlPlane
from pilothouse.storage import people
from sqlalchemy import event

PASSWORD = "four unrelated words of mine"


@dataclass
class Staff:
    """The organization's people, as the administrator makes them."""

    plane: ControlPlane
    admin: Any
    """The `Person` of the fixture."""

    async def role(self, name: str, *permissions: str) -> str:
        made = await self.admin.ask(
            "mutation ($i: RoleInput!) { createRole(input: $i) { id } }", i={"name": name, "permissions": permissions}
        )
        return made["createRole"]["id"]

    async def group(self, name: str) -> str:
        made = await self.admin.ask("mutation ($n: String!) { createGroup(input: {name: $n}) { id } }", n=name)
        return made["createGroup"]["id"]

    async def mapped(self, group: str, role: str, **scope: str) -> str:
        made = await self.admin.ask(
            "mutation ($i: MapRoleInput!) { mapRole(input: $i) { id } }",
            i={"group": group, "role": role, "scope": scope},
        )
        return made["mapRole"]["id"]

    async def built_in(self, kind: str, name: str) -> str:
        found = await self.admin.ask(f"{{ {kind} {{ nodes {{ id name }} }} }}")
        return next(node["id"] for node in found[kind]["nodes"] if node["name"] == name)

    async def user(self, username: str, *groups: str, kind: str = "PERSON") -> str:
        """Make a user who need not change their password."""
        made = await self.admin.ask(
            "mutation ($i: CreateUserInput!) { createUser(input: $i) { user { id } } }",
            i={"username": username, "displayName": username.title(), "kind": kind, "groups": groups},
        )
        user_id = made["createUser"]["user"]["id"]
        hashed = self.plane.passwords.hash(PASSWORD)
        if kind == "PERSON":
            await self.plane.store.write(
                lambda tx: people.set_password(tx.connection, user_id, hashed, must_change=False, now=0.0)
            )
        return user_id

    async def holder(self, username: str, *permissions: str, **scope: str) -> str:
        """Make a user who holds just these permissions, in a scope."""
        group = await self.group(f"Group of {username}")
        await self.mapped(group, await self.role(f"Role of {username}", *permissions), **scope)
        return await self.user(username, group)

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[Any]:
        """Somebody at the same control plane who has not signed in."""
        transport = self.admin.client._transport
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            yield type(self.admin)(client)

    @asynccontextmanager
    async def signed_in(self, username: str, password: str = PASSWORD) -> AsyncIterator[Any]:
        """Open a session of somebody's own at the same control plane."""
        async with self.stranger() as person:
            answer = await person.sign_in(username, password)
            assert answer.status_code == 200, answer.text
            yield person

    async def refusal(self, person: Any, query: str, **variables: Any) -> tuple[str, str | None]:
        """Run an operation that must be refused; returns code and field."""
        answer = await person.try_asking(query, **variables)
        assert "errors" in answer, answer
        described = answer["errors"][0]["extensions"]
        assert described["fix"]
        return described["code"], described.get("field")

    async def project(self, name: str, *integrations: str) -> str:
        made = await self.admin.ask(
            "mutation ($n: String!) { createProject(input: {displayName: $n}) { handle } }", n=name
        )
        handle = made["createProject"]["handle"]
        for integration in integrations:
            await self.integration(handle, integration)
        return handle

    async def integration(self, project: str, name: str, runtime_type: str = "BI") -> None:
        await self.admin.ask(
            """mutation ($p: String!, $n: String!, $t: RuntimeType!) {
            createIntegration(input: {project: $p, displayName: $n, runtimeType: $t}) { handle } }""",
            p=project,
            n=name,
            t=runtime_type,
        )

    async def audit(self) -> list[dict[str, Any]]:
        """Read the audit records, oldest first."""

        def read(connection: Any) -> list[dict[str, Any]]:
            rows = connection.exec_driver_sql("SELECT * FROM audit_records ORDER BY number").mappings()
            return [dict(row) for row in rows]

        return await self.plane.store.read(read)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Collect the statements that are run meanwhile."""
        statements: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            statements.append(statement)

        engines = (self.plane.store.reader_engine, self.plane.store.writer_engine)
        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        yield statements
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
