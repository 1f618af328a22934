"""A database with many projects, integrations and runtimes, for benchmarks of what people ask."""

import random
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import msgspec
from pilothouse.domain.artifacts import Listener, Service, artifact_set
from pilothouse.domain.artifacts.service import Resource
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import NodeFacts, ReportDocument
from pilothouse.storage import tables as t
from pilothouse.storage.dialects import KINDS
from sqlalchemy import Connection, insert, select

PROJECTS, INTEGRATIONS, RUNTIMES = 50, 250, 10_000
ARTIFACTS_EACH = 10
_AT_ONCE = 5_000


def fill(connection: Connection, now: float, count: int = RUNTIMES) -> None:
    """Fill a fresh database: 50 projects, 250 integrations, so many runtimes in two environments, ten artifacts each."""
    organization = connection.execute(select(t.organizations.c.id)).scalar_one()
    environments = list(connection.execute(select(t.environments.c.id).order_by(t.environments.c.handle)).scalars())
    made: dict[str, Any] = {"organization_id": organization, "description": "", "created_at": now, "created_by": "b"}
    connection.execute(
        insert(t.projects), [{"id": f"p{n}", "handle": f"p-{n}", "display_name": f"Project {n}", **made} for n in range(PROJECTS)]
    )  # fmt: skip
    connection.execute(
        insert(t.integrations),
        [
            {
                "id": f"i{n}", "project_id": f"p{n % PROJECTS}", "handle": f"i-{n}", "display_name": f"Integration {n}",
                "runtime_type": "BI", **made,
            }
            for n in range(INTEGRATIONS)
        ],
    )  # fmt: skip
    sets = {n: artifact_set.encode(artifact_set.ArtifactSet.of(_artifacts(n))) for n in range(INTEGRATIONS)}
    connection.execute(
        insert(t.artifact_sets),
        [
            {
                "digest": artifact_set.digest(document), "document": artifact_set.pack(document), "service_count": 5,
                "listener_count": 5, "stored_at": now,
            }
            for document in sets.values()
        ],
    )  # fmt: skip
    report = msgspec.json.encode(
        ReportDocument(node=NodeFacts(hostname="node-7"), log_levels={"ballerina/http": "INFO"})
    )
    chance = random.Random(1)  # noqa: S311 - a fixed scatter, no secret
    keys = range(1, count + 1)
    for at in range(0, count, _AT_ONCE):
        part = keys[at : at + _AT_ONCE]
        connection.execute(
            insert(t.runtimes),
            [
                {
                    "key": key, "id": f"r{key}", "organization_id": organization,
                    "runtime_id": f"6f1d2c9a-0b7e-4a55-9c1e-{key:012x}", "integration_id": f"i{number}",
                    "environment_id": environment, "name": f"node-{key}", "runtime_type": "BI", "version": "2201.13.1",
                    "runtime_hash": "h", "artifact_digest": artifact_set.digest(sets[number]), "registered_at": now,
                }
                for key, (number, environment) in zip(part, islice(_places(environments), at, None), strict=False)
            ],
        )  # fmt: skip
        connection.execute(insert(t.runtime_reports), [{"runtime_key": key, "document": report} for key in part])
        connection.execute(
            insert(t.runtime_presence),
            [
                {
                    "runtime_key": key, "seen_at": now - chance.choice((1, 5, 500)), "interval_s": 10.0, "address": "10.0.0.1",
                    "running_since": now - 3_600, "status": Status.RUNNING.value,
                }
                for key in part
            ],
        )  # fmt: skip
    if connection.dialect.name != "sqlite":
        KINDS[connection.dialect.name].count_on(connection, {"runtimes": "key"}, {"runtimes": count})


def _places(environments: list[str]) -> Iterator[tuple[int, str]]:
    while True:
        yield from product(range(INTEGRATIONS), environments)


def _artifacts(number: int) -> Iterator[Listener | Service]:
    for n in range(ARTIFACTS_EACH // 2):
        yield Listener(name=f"listener_{number}_{n}", package="ballerina/http:2", port=9000 + n)
        yield Service(
            name=f"service_{number}_{n}", package=f"acme/i{number}:1", base_path=f"/orders/{n}", listeners=(f"listener_{number}_{n}",),
            resources=tuple(Resource(path=f"/items/{r}", methods=("GET",)) for r in range(5)),
        )  # fmt: skip
