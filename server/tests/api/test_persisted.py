"""Queries known by their digest: the console's manifest, and a control plane that runs nothing else."""

import hashlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from pilothouse.api import application
from pilothouse.api.graphql import preparing

sys.path.insert(0, str(Path(__file__).parent))

from graphql_socket import served

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"
KNOWN = "query Who { viewer { username } }"
PAGE = "query Page($first: Int) { runtimes(first: $first) { totalCount } }"
OTHER = "{ viewer { displayName } }"


def digest(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()


def named(query: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(query)}}, **more}
    return body if text is None else {**body, "query": text}


@pytest.fixture
def build_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "console"
    folder.mkdir()
    (folder / "persisted.json").write_text(json.dumps({digest(query): query for query in (KNOWN, PAGE)}))
    return folder


@pytest.fixture
def settings_of_the_edge(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Choose settings of the edge for the applications that are built from here on."""
    original = application.build

    def choose(**changes: Any) -> None:
        def build(services: Any, console: Any) -> Any:
            settings = msgspec.structs.replace(services.settings, **changes)
            return original(msgspec.structs.replace(services, settings=settings), console)

        monkeypatch.setattr("pilothouse.app.control_plane.build", build)

    return choose


@asynccontextmanager
async def signed_in(plane) -> AsyncIterator[Callable]:
    transport = httpx.ASGITransport(app=await plane.console_application(), client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        signed = await client.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD})
        assert signed.status_code == 200

        async def ask(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            answer = await client.post("/graphql", json=body)
            return answer.status_code, answer.json()

        yield ask


def code_in(answer: dict[str, Any]) -> str:
    (error,) = answer["errors"]
    assert error["extensions"]["fix"]
    assert error["extensions"]["field"]
    return error["extensions"]["code"]


async def test_a_query_of_the_manifest_is_run_by_its_digest(plane, build_folder, settings_of_the_edge) -> None:
    settings_of_the_edge(console_folder=build_folder)
    async with signed_in(plane) as ask:
        assert await ask(named(KNOWN)) == (200, {"data": {"viewer": {"username": "admin"}}})
        assert await ask(named(PAGE, variables={"first": 3})) == (200, {"data": {"runtimes": {"totalCount": 0}}})
        assert (await ask(named(KNOWN, text=KNOWN)))[0] == 200


async def test_a_digest_that_is_not_known_is_answered_well_and_the_text_may_be_sent_along(
    plane, build_folder, settings_of_the_edge
) -> None:
    settings_of_the_edge(console_folder=build_folder)
    async with signed_in(plane) as ask:
        status, answer = await ask(named(OTHER))
        assert (status, code_in(answer)) == (200, "PERSISTED_QUERY_NOT_FOUND")
        assert await ask(named(OTHER, text=OTHER)) == (200, {"data": {"viewer": {"displayName": "Administrator"}}})
        status, answer = await ask(named(OTHER))
        assert code_in(answer) == "PERSISTED_QUERY_NOT_FOUND", "nobody adds to the manifest from outside"


async def test_a_digest_of_another_text_is_refused(plane, build_folder, settings_of_the_edge) -> None:
    settings_of_the_edge(console_folder=build_folder)
    async with signed_in(plane) as ask:
        for text in (OTHER, KNOWN + " "):
            status, answer = await ask(named(KNOWN, text=text))
            assert (status, code_in(answer)) == (400, "PERSISTED_QUERY_MISMATCH")


@pytest.mark.parametrize(
    "reference", [{"version": 2, "sha256Hash": digest(KNOWN)}, {"version": 1}, {"sha256Hash": digest(KNOWN)}, "x", []]
)
async def test_a_reference_of_another_shape_is_refused(
    plane, build_folder, settings_of_the_edge, reference: object
) -> None:
    settings_of_the_edge(console_folder=build_folder)
    async with signed_in(plane) as ask:
        status, answer = await ask({"extensions": {"persistedQuery": reference}})
        assert status == 400
        assert "INVALID_INPUT" in json.dumps(answer)


async def test_other_extensions_are_passed_over_and_no_query_at_all_is_refused(plane) -> None:
    async with signed_in(plane) as ask:
        assert (await ask({"query": OTHER, "extensions": {"clientLibrary": {"name": "x"}}}))[0] == 200
        assert (await ask({"query": OTHER, "extensions": None}))[0] == 200
        status, answer = await ask({"variables": {}})
        assert (status, code_in(answer)) == (400, "INVALID_INPUT")


async def test_a_query_of_the_manifest_is_read_once_whoever_asks(
    plane, build_folder, settings_of_the_edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_of_the_edge(console_folder=build_folder)
    parsed: list[str] = []
    original = preparing.parse

    def parse(query: str, **options: Any) -> Any:
        parsed.append(query)
        return original(query, **options)

    monkeypatch.setattr(preparing, "parse", parse)
    monkeypatch.setattr(preparing, "DOCUMENTS_KEPT", 1)
    async with signed_in(plane) as ask:
        for _ in range(3):
            for body in (
                named(KNOWN),
                named(PAGE),
                {"query": KNOWN},
                {"query": OTHER},
                {"query": "{ a: viewer { username } }"},
            ):
                assert (await ask(body))[0] == 200
    assert (parsed.count(KNOWN), parsed.count(PAGE), parsed.count(OTHER)) == (1, 1, 3)


async def test_only_the_manifest_is_run_where_that_is_set(plane, build_folder, settings_of_the_edge) -> None:
    settings_of_the_edge(console_folder=build_folder, persisted_only=True)
    async with signed_in(plane) as ask:
        assert (await ask(named(KNOWN)))[0] == 200
        assert (await ask({"query": KNOWN}))[0] == 200
        for body in ({"query": OTHER}, named(OTHER, text=OTHER), {"query": "{ __schema { types { name } } }"}):
            status, answer = await ask(body)
            assert (status, code_in(answer)) == (403, "PERSISTED_QUERY_ONLY")
    async with served(plane) as edge, edge.ready(await edge.sign_in(PASSWORD)) as socket:
        await socket.say("subscribe", id="1", payload=named(KNOWN))
        assert (await socket.hear())["payload"] == {"data": {"viewer": {"username": "admin"}}}
        assert (await socket.hear())["type"] == "complete"
        await socket.subscribe("2", OTHER)
        assert code_in({"errors": (await socket.hear())["payload"]}) == "PERSISTED_QUERY_ONLY"


@pytest.mark.parametrize(
    "manifest", [None, b"", b"[1]", b'{"x": 1}', b"\xff\xfe", json.dumps({"0" * 64: KNOWN}).encode()]
)
async def test_a_manifest_that_is_missing_or_broken_knows_nothing(
    plane, tmp_path: Path, settings_of_the_edge, manifest: bytes | None
) -> None:
    if manifest is not None:
        (tmp_path / "persisted.json").write_bytes(manifest)
    settings_of_the_edge(console_folder=tmp_path)
    async with signed_in(plane) as ask:
        assert code_in((await ask(named(KNOWN)))[1]) == "PERSISTED_QUERY_NOT_FOUND"
        assert (await ask(named(KNOWN, text=KNOWN)))[0] == 200
