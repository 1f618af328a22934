"""The console's page queries at 10,000 runtimes or more on each database, and a permission decision; p95 in milliseconds.

Method: the control plane in this process over a database of 50 projects, 250 integrations and so many runtimes of ten artifacts;
the console's own documents through the whole HTTP edge (session, guard, limits, SQL, JSON), one after another.
Everybody asks: a Super Admin, whose lists are not filtered, and a developer of twenty integrations in one environment, whose
lists are. The reference is `{ viewer { username } }`: what any query costs before it asks anything. Target: p95 < 50 ms;
statements as many for a page of 50 as for one of 500; a decision < 50 µs. `--plans` asks the database how it carries each
statement out, and shows those that read a large table whole.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import query_plans
from argon2 import PasswordHasher
from database_flush import Held, left_alone
from many_places import RUNTIMES, fill
from pilothouse.access.grants import Grant, Holdings, Subject, decide
from pilothouse.access.permissions import Permission
from pilothouse.access.places import Place
from pilothouse.app import process
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import SystemClock
from pilothouse.base.ids import new_id
from pilothouse.config import Settings
from pilothouse.identity.passwords import Passwords
from pilothouse.observe.logs import configure
from pilothouse.storage import built_in, people, tables
from pilothouse.storage.people import UserRow
from real_databases import KINDS, Running, installed, running
from sqlalchemy import Connection, event, insert, select

DOCUMENTS = Path(__file__).parents[1] / "console" / "src" / "api" / "documents"
PASSWORD = "correct horse battery staple"  # of a database that is deleted at the end
PAGES: dict[str, dict[str, Any]] = {
    "Overview": {},
    "Environments": {"first": 50},
    "Projects": {"first": 50},
    "Integrations": {"project": "p-3", "first": 50},
    "Runtimes": {"first": 50},
    "Runtimes, silent": {"first": 50, "filter": {"statuses": ["OFFLINE", "UNKNOWN"]}},
    "Runtimes, running": {"first": 50, "filter": {"statuses": ["RUNNING"]}},
    "Runtimes of a project": {"first": 50, "filter": {"project": "p-3"}},
    "Heartbeats": {"first": 50},
    "RuntimePage": {"id": "r4", "first": 50},
    "RuntimeArtifacts": {"id": "r4", "first": 50},
    "NotAsWanted": {"first": 50},
    "Steering": {"project": "p-3", "integration": "i-3", "environment": "dev", "first": 20},
    "MergedArtifacts": {"project": "p-3", "integration": "i-3", "environment": "dev", "first": 50},
    "Integration": {"project": "p-3", "handle": "i-3"},
}


def console_documents() -> dict[str, str]:
    """Read the console's operations, each with the fragments that it uses."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.rglob("*.graphql")))
    parts = re.split(r"(?m)^(?=(?:query|mutation|subscription|fragment) )", text)
    fragments = {found[1]: part for part in parts if (found := re.match(r"fragment (\w+)", part))}

    def used(part: str, seen: dict[str, str]) -> dict[str, str]:
        for name in re.findall(r"\.\.\.(\w+)", part):
            if name not in seen and name in fragments:
                seen[name] = fragments[name]
                used(fragments[name], seen)
        return seen

    return {
        found[1]: part + "\n".join(used(part, {}).values())
        for part in parts
        if (found := re.match(r"query (\w+)", part))
    }


async def make_people(plane: ControlPlane) -> None:
    """Make an administrator, and a developer of twenty integrations in one environment."""
    organization = await plane.organization()
    hashed, now = plane.passwords.hash(PASSWORD), plane.clock.now()

    def make(tx: Any) -> None:  # Any: a transaction
        for name in ("root", "dev"):
            people.add(
                tx.connection,
                UserRow(
                    id=name, organization_id=organization.id, username=name, display_name=name, password_hash=hashed,
                    created_at=now, created_by="b",
                ),
            )  # fmt: skip
        groups = dict(tx.connection.execute(select(tables.groups.c.built_in, tables.groups.c.id)).all())
        roles = dict(tx.connection.execute(select(tables.roles.c.built_in, tables.roles.c.id)).all())
        environment = tx.connection.execute(
            select(tables.environments.c.id).where(tables.environments.c.handle == "dev")
        ).scalar_one()
        built_in.add_member(tx.connection, groups["super-admins"], "root", now)
        group = new_id()
        tx.connection.execute(
            insert(tables.groups).values(
                id=group, organization_id=organization.id, name="Twenty", description="", created_at=now, created_by="b"
            )
        )
        built_in.add_member(tx.connection, group, "dev", now)
        for n in range(20):
            tx.connection.execute(
                insert(tables.role_mappings).values(
                    organization_id=organization.id, group_id=group, role_id=roles["developer"], project_id=f"p{n}",
                    integration_id=f"i{n}", environment_id=environment, scope=f"p{n}/i{n}/{environment}", created_at=now,
                    created_by="b",
                )
            )  # fmt: skip

    await plane.store.write(make)


@contextmanager
def counted(plane: ControlPlane) -> Iterator[list[str]]:
    """Collect the statements that are run meanwhile."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:  # Any: SQLAlchemy's event
        if arguments[2] != "BEGIN":
            seen.append(arguments[2])

    event.listen(plane.store.reader_engine, "before_cursor_execute", note)
    yield seen
    event.remove(plane.store.reader_engine, "before_cursor_execute", note)


def beat(plane: ControlPlane) -> None:
    """Let nine of ten runtimes beat; the others stay silent."""
    now = plane.clock.now()
    for entry in plane.board.list_all():
        if entry.runtime_key % 10:
            plane.board.touch(entry, now, entry.address)


async def timed(ask: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Tell median and p95 of a question in milliseconds."""
    took: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1_000)
    took.sort()
    return statistics.median(took), took[max(0, round(len(took) * 0.95) - 1)]


async def measure(plane: ControlPlane, username: str, rounds: int, seen: query_plans.Seen) -> None:
    """Print a row for every page."""
    documents = console_documents()
    transport = httpx.ASGITransport(app=await plane.console_application(), client=("127.0.0.1", 4_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://bench", timeout=60) as client:
        (await client.post("/auth/sign-in", json={"username": username, "password": PASSWORD})).raise_for_status()

        async def run(query: str, variables: dict[str, Any]) -> int:
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
            assert "errors" not in answer.json(), answer.text[:400]
            return len(answer.content)

        empty, _ = await timed(lambda: run("{ viewer { username } }", {}), rounds * 3)
        for name, variables in PAGES.items():
            document = re.split(r"\W", name)[0]
            if document not in documents:
                continue
            query, seen.page = documents[document], name
            beat(plane)
            size = await run(query, variables)
            with counted(plane) as statements:
                await run(query, variables)
            of_large = held = ""
            if variables.get("first") == 50:
                async with Held() as holding:
                    with counted(plane) as more:
                        answer = await client.post(
                            "/graphql", json={"query": query, "variables": variables | {"first": 500}}
                        )
                held = f"{holding.longest_s * 1_000:.0f}"
                of_large = str(len(more)) if "errors" not in answer.json() else "too costly"
            median, p95 = await timed(lambda query=query, variables=variables: run(query, variables), rounds)
            asked = f"{username} | {name} | {size / 1000:.0f} | {len(statements)} | {of_large} | {held}"
            print(f"| {asked} | {median:.1f} | **{p95:.1f}** | {median / empty:.1f} |", flush=True)


def measure_decisions() -> None:
    """Print what a decision costs with few and with many mappings."""
    print(
        "\n| mappings | covered by the reach, µs | decided with the reason, µs | reference: a look-up in a dict, µs |"
    )
    print("|---|---|---|---|")
    for count in (1, 20, 500):
        scopes = [Place(project_id=f"p{n}", integration_id=f"i{n}", environment_id="e") for n in range(count)]
        subject = Subject(
            id="u", username="u", display_name="U",
            holdings=Holdings(
                Grant(
                    mapping_id=n, group_id="g", group_name="G", role_id="r", role_name="R",
                    permissions=frozenset({Permission.INTEGRATION_MGT_EDIT}), scope=scope,
                )
                for n, scope in enumerate(scopes)
            ),
        )  # fmt: skip
        reach, place = subject.holdings.reach(Permission.INTEGRATION_MGT_VIEW), scopes[-1]
        known = {place: True}
        figures = [
            _each_us(lambda reach=reach, place=place: reach.covers(place)),
            _each_us(lambda subject=subject, place=place: decide(subject, Permission.INTEGRATION_MGT_VIEW, place)),
            _each_us(lambda known=known, place=place: known.get(place)),
        ]
        print(f"| {count} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")


def _each_us(work: Callable[[], object], times: int = 2_000) -> float:
    best = min(_once(work, times) for _ in range(5))
    return best / times * 1e6


def _once(work: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - began


async def measure_database(run: Running, count: int, rounds: int, *, plans: bool) -> None:
    """Print the rows of one database."""
    with left_alone(), tempfile.TemporaryDirectory() as folder:
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        settings = Settings(home=Path(folder) / "home", database_url=run.fresh().url)
        process.begin_start()
        plane = await open_control_plane(settings, SystemClock(), passwords)
        await plane.store.write(lambda tx: fill(tx.connection, plane.clock.now(), count))
        await plane.store.write(lambda tx: query_plans.prepare(tx.connection))
        await make_people(plane)
        await plane.start()
        process.end_start()
        seen = query_plans.Seen(plane.store.reader_engine)
        print(f"\n{count:,} runtimes on {run.kind}")
        print(
            "| who | page | kB | statements, page of 50 | of 500 | that holds the loop, ms | median ms | p95 ms | times an empty query |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for username in ("root", "dev"):
            await measure(plane, username, rounds, seen)
        seen.enough()
        if plans:
            await plane.store.read(lambda connection: show_plans(connection, seen))
        await plane.stop()
        process.end()


def show_plans(connection: Connection, seen: query_plans.Seen) -> None:
    """Print the statements that read a large table whole."""
    large = query_plans.large_tables(connection)
    print("\n| page | reads whole | rows left | ms | statement |\n|---|---|---|---|---|")
    for asked in seen.all.values():
        began = time.perf_counter()
        for whole in query_plans.read_whole(connection, asked, large):
            took_ms = (time.perf_counter() - began) * 1e3
            text = re.sub(r"\s+", " ", asked.statement)
            text = re.sub(r"SELECT .*? FROM", "SELECT … FROM", text)
            through = f" by {whole.index}" if whole.index else ""
            print(f"| {asked.page} | {whole.table}{through} | {whole.rows:,} | {took_ms:.1f} | {text[:400]} |")


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--database", nargs="+", choices=KINDS, default=["sqlite"])
    parser.add_argument("--runtimes", nargs="+", type=int, default=[RUNTIMES])
    parser.add_argument("--plans", action="store_true")
    wanted = parser.parse_args()
    configure("ERROR", "text")
    for kind in installed(wanted.database):
        with running(kind) as run:
            for count in wanted.runtimes:
                asyncio.run(measure_database(run, count, wanted.rounds, plans=wanted.plans))
    measure_decisions()


if __name__ == "__main__":
    main()
