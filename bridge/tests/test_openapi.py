"""A FastAPI application's OpenAPI document goes with the full heartbeat, and the program is left as it was."""

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from pilothouse_bridge import _node, _wire
from pilothouse_bridge._inventory import Inventory
from pilothouse_bridge._wire import FullMessage, Report
from pilothouse_bridge.discover import Discovery, _openapi
from pilothouse_bridge.discover.starlette import Starlette as StarletteSource
from pilothouse_bridge.discover.uvicorn import Uvicorn as UvicornSource
from pydantic import BaseModel


class Order(BaseModel):
    customer: str
    count: int = 1


@pytest.fixture(scope="module")
def discovery() -> Discovery:
    found = Discovery([UvicornSource()], [StarletteSource()])
    found.install(lambda: None)
    return found


@pytest.fixture
def look(discovery: Discovery) -> Callable[[], Inventory]:
    gc.collect()  # what another test left must not vanish between two looks
    return lambda: discovery.look(lambda _: [])


def message(inventory: Inventory) -> FullMessage:
    report = Report(
        runtime_id="r",
        runtime=None,
        environment="dev",
        project="p",
        integration="i",
        version=None,
        heartbeat_interval_s=10.0,
        node=_node.describe(),
        inventory=inventory,
    )
    return _wire.full(report)


def sent(inventory: Inventory) -> dict[str, Any]:
    return json.loads(message(inventory).encode(1.0))


def orders(title: str, **more: Any) -> FastAPI:
    app = FastAPI(title=title, **more)

    @app.post("/orders", summary="Place an order")
    def place(order: Order) -> Order:
        return order

    return app


def test_the_document_is_sent_under_the_services_name(look: Callable[[], Inventory]) -> None:
    app = orders("Open orders")
    document = sent(look())["openApiDefinitions"]["Open orders.json"]
    assert document["paths"]["/orders"]["post"]["summary"] == "Place an order"
    assert document["components"]["schemas"]["Order"]["required"] == ["customer"]
    assert app.openapi_schema is None, "what the program keeps is its own"


def test_a_route_that_is_added_later_makes_another_document_and_another_hash(look: Callable[[], Inventory]) -> None:
    app = orders("Open and growing")
    before = message(look())
    assert message(look()).hash == before.hash
    app.get("/health")(lambda: None)
    after = look()
    assert message(after).hash != before.hash
    assert "/health" in sent(after)["openApiDefinitions"]["Open and growing.json"]["paths"]
    assert "/health" in app.openapi()["paths"]


def test_a_program_that_publishes_none_sends_none(look: Callable[[], Inventory]) -> None:
    app = orders("Closed orders", openapi_url=None)
    assert "Closed orders.json" not in sent(look()).get("openApiDefinitions", {})
    assert app.openapi_schema is None


def test_a_document_of_ones_own_making_is_taken_once_it_is_made_and_never_asked_for(
    look: Callable[[], Inventory],
) -> None:
    app, asked = orders("Own orders"), []

    def own() -> dict[str, Any]:
        asked.append(1)
        app.openapi_schema = {"openapi": "3.1.0", "paths": {"/mine": {}}}
        return app.openapi_schema

    app.openapi = own
    assert "Own orders.json" not in sent(look()).get("openApiDefinitions", {})
    assert asked == []
    app.openapi()
    assert sent(look())["openApiDefinitions"]["Own orders.json"]["paths"] == {"/mine": {}}


def test_an_application_that_is_mounted_says_where(look: Callable[[], Inventory]) -> None:
    inner, outer = orders("Inner open"), FastAPI(title="Outer open")
    outer.mount("/shop", inner)
    assert sent(look())["openApiDefinitions"]["Inner open.json"]["servers"] == [{"url": "/shop"}]
    assert inner.openapi_schema is None


def test_a_document_that_cannot_be_made_or_is_too_large_is_left_out(
    look: Callable[[], Inventory], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = orders("Broken open")
    monkeypatch.setattr(_openapi, "_document", lambda _: 1 / 0)
    assert "Broken open.json" not in sent(look()).get("openApiDefinitions", {})
    monkeypatch.setattr(_openapi, "_document", lambda _: {"info": "x" * _openapi.SIZE_LIMIT})
    assert "Broken open.json" not in sent(look()).get("openApiDefinitions", {})
    assert app.routes


def test_more_than_servers_keep_is_not_sent(look: Callable[[], Inventory], monkeypatch: pytest.MonkeyPatch) -> None:
    app = orders("Limited open")
    monkeypatch.setattr(_wire, "DEFINITIONS_LIMIT", 10)
    assert "openApiDefinitions" not in sent(look())
    assert app.routes
