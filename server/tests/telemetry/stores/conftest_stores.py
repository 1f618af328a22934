"""Settings of the stores under test."""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
from opensearch_server import RunningOpenSearch
from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings
from pilothouse.telemetry.stores.opensearch.settings import OpenSearchSettings


def small(folder: Path, **changes: object) -> EmbeddedSettings:
    return EmbeddedSettings(
        **{"folder": folder, "memory_bytes": 128 * MIB, "threads": 1, "free_bytes_min": 0} | changes
    )


@contextlib.asynccontextmanager
async def corner(running: RunningOpenSearch, **changes: object) -> AsyncGenerator[OpenSearchSettings]:
    """A corner of the real server: a prefix of its own, empty again afterwards."""
    prefix = f"test-{secrets.token_hex(4)}"
    yield OpenSearchSettings(
        **{
            "urls": (running.url,),
            "username": running.user,
            "password": running.password,
            "ca_file": Path(running.ca_file),
            "prefix": prefix,
        }
        | changes
    )
    async with client_of(running) as client:
        for path in (f"/_data_stream/{prefix}-*", f"/{prefix}-writers", f"/_index_template/{prefix}-*"):
            await client.delete(path)


def client_of(running: RunningOpenSearch) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=running.url, auth=(running.user, running.password), verify=running.tls, timeout=60
    )
