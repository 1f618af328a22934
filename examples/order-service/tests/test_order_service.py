"""The order service does what its README says, with no control plane anywhere near."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE))

from order_service.app import create_app  # noqa: E402
from order_service.orders import OrderStore  # noqa: E402


@pytest.fixture
def store() -> OrderStore:
    return OrderStore(limit=5, stock={"rope": 20, "anchor": 1})


@pytest.fixture
def client(store: OrderStore) -> Iterator[TestClient]:
    with TestClient(create_app(store=store, settle_every_s=3600), raise_server_exceptions=False) as client:
        yield client


def order(client: TestClient, sku: str = "rope", quantity: int = 1) -> Any:
    return client.post("/orders", json={"customer": "Ada", "sku": sku, "quantity": quantity})


def test_an_order_is_accepted_and_can_be_looked_up(client: TestClient) -> None:
    answer = order(client, quantity=3)
    assert answer.status_code == 201
    made = client.get(answer.headers["Location"]).json()
    assert made == answer.json()
    assert (made["customer"], made["sku"], made["quantity"], made["status"]) == ("Ada", "rope", 3, "accepted")
    assert client.get("/stock").json() == {"anchor": 1, "rope": 17}


@pytest.mark.parametrize(
    ("sku", "quantity", "status", "title"),
    [
        ("anchor", 2, 409, "Only 1 of 'anchor' are left"),
        ("gold", 1, 409, "'gold' is not sold here; there are: anchor, rope"),
    ],
)
def test_what_is_not_in_stock_is_refused_with_the_reason(
    client: TestClient, sku: str, quantity: int, status: int, title: str
) -> None:
    answer = order(client, sku, quantity)
    assert (answer.status_code, answer.json()["title"]) == (status, title)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_nonsense_is_refused(client: TestClient) -> None:
    assert order(client, quantity=0).status_code == 422


def test_an_order_that_does_not_exist_is_not_found(client: TestClient) -> None:
    assert client.get("/orders/99").status_code == client.post("/orders/99/cancel").status_code == 404


def test_a_cancelled_order_gives_its_goods_back_once(client: TestClient) -> None:
    number = order(client, quantity=3).json()["id"]
    assert client.post(f"/orders/{number}/cancel").json()["status"] == "cancelled"
    assert client.post(f"/orders/{number}/cancel").status_code == 409
    assert client.get("/stock").json()["rope"] == 20


def test_the_list_is_walked_by_cursor(client: TestClient) -> None:
    made = [order(client).json()["id"] for _ in range(5)]
    seen: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        page = client.get("/orders", params={"limit": 2, "cursor": cursor}).json()
        assert len(page["orders"]) <= 2
        seen += [one["id"] for one in page["orders"]]
        cursor = page["next_cursor"]
    assert seen == made


def test_a_full_store_makes_room_only_for_finished_orders(client: TestClient, store: OrderStore) -> None:
    made = [order(client).json()["id"] for _ in range(5)]
    assert order(client).status_code == 409
    store.settle()
    assert order(client).status_code == 201
    assert client.get(f"/orders/{made[0]}").status_code == 404


def test_the_job_settles_orders_and_a_settled_order_cannot_be_cancelled(store: OrderStore) -> None:
    with TestClient(create_app(store=store, settle_every_s=0.01)) as client:
        number = order(client).json()["id"]
        while client.get(f"/orders/{number}").json()["status"] != "settled":
            assert client.get("/health").json()["status"] == "up"
        assert client.post(f"/orders/{number}/cancel").status_code == 409


def test_a_failure_is_a_problem_document_and_a_logged_exception(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/fail")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert "asked for" not in answer.text
    (record,) = [one for one in caplog.records if one.name == "order_service.orders" and one.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert "this failure was asked for" in str(record.exc_info[1])


Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    started: list[subprocess.Popen[str]] = []

    def start(**environ: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "order_service"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(HERE), "PILOTHOUSE_BRIDGE_DISABLED": "true"} | environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_it_serves_from_any_directory_and_stops_when_asked(run: Run, tmp_path: Path) -> None:
    process = run(ORDER_SERVICE_PORT="0")
    assert process.stderr is not None
    told = ""
    while "Uvicorn running on http://127.0.0.1:" not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    assert "pilothouse" not in told
    assert list(tmp_path.iterdir()) == []
    process.terminate()
    _, rest = process.communicate(timeout=10)
    assert "Application shutdown complete" in rest
    assert "Traceback" not in rest


def test_a_port_that_is_taken_is_said_plainly(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        process = run(ORDER_SERVICE_PORT=port)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"Port {port} cannot be used: Address already in use." in told
    assert "ORDER_SERVICE_PORT=0" in told
    assert "Traceback" not in told


def test_a_port_that_is_no_number_is_said_plainly(run: Run) -> None:
    process = run(ORDER_SERVICE_PORT="http")
    _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (2, "ORDER_SERVICE_PORT must be a number from 0 to 65535, not 'http'.\n")
