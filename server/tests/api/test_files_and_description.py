"""The console's files, health, and the REST description."""

import json
import re
from pathlib import Path

import httpx
import pytest
from pilothouse.api.application import build
from pilothouse.api.console import Console
from pilothouse.api.openapi import describe
from pilothouse.app import bundled
from pilothouse.app.services import services_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(plane, tmp_path: Path):
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>Pilothouse</title>" + " " * 2_000)
    (dist / "assets" / "main-abc123.js").write_text("export {}")
    (tmp_path / "outside.txt").write_text("not for you")
    app = build(services_of(plane, await plane.organization()), Console(dist))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://testserver") as client:
        yield client


async def test_the_consoles_own_routes_are_answered_with_the_console(visitor) -> None:
    for path in ("/", "/runtimes", "/projects/order-service/integrations"):
        answer = await visitor.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert answer.headers["cache-control"] == "no-cache"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["content-encoding"] == "gzip"


async def test_no_address_of_the_console_is_another_routes(visitor) -> None:
    told = (Path(__file__).parents[3] / "console" / "src" / "util" / "paths.ts").read_text()
    paths = re.findall(r"^  \w+: '(/[^']*)',$", told[: told.index("export const API")], re.MULTILINE)
    assert len(paths) > 30
    for path in paths:
        answer = await visitor.get(re.sub(r"\$\w+", "x", path))
        assert (path, answer.status_code) == (path, 200)
        assert "<title>Pilothouse</title>" in answer.text, path


async def test_files_with_a_digest_in_their_name_are_kept_by_browsers(visitor) -> None:
    assert "immutable" in (await visitor.get("/assets/main-abc123.js")).headers["cache-control"]


@pytest.mark.parametrize("path", ["/missing.js", "/../outside.txt", "/assets/../../outside.txt", "/%2e%2e/outside.txt"])
async def test_nothing_outside_of_the_build_is_served(visitor, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code == 404
    assert "not for you" not in answer.text


async def test_an_api_address_that_is_not_there_is_not_the_console(visitor) -> None:
    answer = await visitor.get("/auth/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_without_a_build_it_says_how_to_make_one(plane) -> None:
    app = build(services_of(plane, await plane.organization()), Console(None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://testserver") as client:
        answer = await client.get("/")
    assert (answer.status_code, "make up" in answer.text) == (503, True)


async def test_it_is_alive_and_ready(visitor) -> None:
    assert (await visitor.get("/healthz")).json()["alive"] is True
    ready = await visitor.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert set(ready.json()["parts"]) == {"database.read", "database.write"}


async def test_a_database_that_cannot_be_written_is_said_by_name(visitor, plane) -> None:
    plane.store.last_failure = "The database cannot take a write: disk full."
    answer = await visitor.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["database.write"] == {
        "ready": False, "detail": "The database cannot take a write: disk full."
    }  # fmt: skip
    assert answer.json()["parts"]["database.read"]["ready"] is True


def test_the_committed_description_is_current() -> None:
    committed = bundled.schema_path().parent / "openapi.json"
    assert json.loads(committed.read_text(encoding="utf-8")) == describe(), "run `make gen`"


async def test_the_description_is_served(visitor) -> None:
    assert (await visitor.get("/openapi.json")).json()["info"]["title"] == "Pilothouse"
