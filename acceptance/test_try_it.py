"""Services of a real program, tried out through a real control plane: by the API, and from a terminal."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from stage import PASSWORD, TREE, ControlPlane, Program, ask, console_of, serve, until
from steps import configure
from terminal import Terminal, signed_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TRY_IT = """query ($search: String) { runtimes(filter: {search: $search}) { nodes { id status tryIt {
    blocked { code } doors { port scheme open } definitions { fileName definition } } } } }"""
TRACE = "query ($id: ID!) { trace(id: $id) { spans { name service attributes { key value } origin { runtime { name } } } } }"
AUDIT = """query ($search: String) { auditRecords(filter: {action: "service.try", search: $search}) {
    nodes { actor target outcome detail after } } }"""
ORDER = {"customer": "Ann", "sku": "rope", "quantity": 2}


@dataclass
class Tried:
    """The example, as it can be tried out."""

    id: str
    name: str
    port: int


@pytest.fixture(scope="module")
def plane(start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    return serve(start, tmp_path_factory.mktemp("try-it") / "home", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD)


@pytest.fixture(scope="module")
def terminal(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return signed_in(plane, tmp_path_factory.mktemp("terminal"))


@pytest.fixture
def console(plane: ControlPlane) -> Iterator[httpx.Client]:
    with console_of(plane) as opened:
        yield opened


@pytest.fixture(scope="module")
def example(
    plane: ControlPlane, terminal: Terminal, start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Tried]:
    """The example under the bridge in an environment, started once in each; it reports its listener and its definition."""
    running: dict[str, Tried] = {}

    def find(environment: str) -> Tried:
        if environment in running:
            return running[environment]
        name, folder = f"orders-{environment}", tmp_path_factory.mktemp(environment)
        snippet = terminal("secrets", "generate", "-e", environment, "-o", "json").json()["configToml"]
        configure(folder, snippet, plane.runtime_url, project="shop", integration="orders", unique_runtime_name=name)
        program = start(
            [sys.executable, "-m", "order_service"], cwd=folder, ORDER_SERVICE_PORT="0",
            PYTHONPATH=str(TREE / "examples" / "order-service"),
        )  # fmt: skip

        def reported() -> Any:
            with console_of(plane) as console:
                nodes = ask(console, TRY_IT, search=name)["runtimes"]["nodes"]
            return next((node for node in nodes if node["tryIt"]["doors"] and node["tryIt"]["definitions"]), None)

        node = until(reported, 30, lambda: program.output)
        running[environment] = Tried(node["id"], name, node["tryIt"]["doors"][0]["port"])
        return running[environment]

    return find


def sent(console: httpx.Client, tried: Tried, method: str, path: str, **more: Any) -> httpx.Response:
    wanted = {"runtime": tried.id, "port": tried.port, "method": method, "path": path, **more}
    return console.post("/api/try-it", json=wanted)


def test_a_service_answers_by_its_definition_its_trace_is_kept_and_the_audit_tells(
    console: httpx.Client, example: Callable[[str], Tried]
) -> None:
    tried = example("dev")
    (node,) = ask(console, TRY_IT, search=tried.name)["runtimes"]["nodes"]
    assert node["tryIt"]["blocked"] is None
    (definition,) = node["tryIt"]["definitions"]
    document = json.loads(definition["definition"])
    assert {"get", "post"} <= document["paths"]["/orders"].keys()

    got = sent(console, tried, "GET", "/stock").json()
    assert (got["status"], got["cut"]) == (200, None)
    assert json.loads(got["body"])["rope"] > 0

    schema = document["components"]["schemas"]["NewOrder"]
    assert schema["required"] == list(ORDER)
    made = sent(
        console, tried, "POST", "/orders?secret=in-the-query",
        headers=[{"name": "Content-Type", "value": "application/json"}], body=json.dumps(ORDER),
    ).json()  # fmt: skip
    assert made["status"] == 201, made
    order = json.loads(made["body"])
    assert (order["customer"], order["status"]) == ("Ann", "accepted")
    assert {"name": "location", "value": f"/orders/{order['id']}"} in made["headers"]
    refused = sent(console, tried, "POST", "/orders", body="{}").json()
    assert refused["status"] == 422, "what the service answers is its own"

    def trace() -> Any:
        found = ask(console, TRACE, id=made["traceId"])["trace"]
        return found and found["spans"]

    (span, *_) = until(trace)
    assert span["origin"]["runtime"]["name"] == tried.name
    assert {"key": "http.route", "value": "/orders"} in span["attributes"]

    records = ask(console, AUDIT, search=tried.name)["auditRecords"]["nodes"]
    assert {(each["actor"], each["outcome"], each["detail"]) for each in records} >= {
        ("user:admin", "DONE", "GET /stock"),
        ("user:admin", "DONE", "POST /orders"),
    }
    # What another test was refused names no more than it asked for.
    done = [each["target"] for each in records if each["outcome"] == "DONE"]
    assert set(done) == {f"shop/orders/dev/{tried.name}"}
    assert "in-the-query" not in json.dumps(records)
    assert "Ann" not in json.dumps(records)


def test_a_terminal_lists_what_can_be_asked_makes_a_body_sends_it_and_follows_the_trace(
    terminal: Terminal, example: Callable[[str], Tried]
) -> None:
    tried = example("dev")
    here = ("-p", "shop", "-i", "orders", "-e", "dev")

    listed = terminal("try", tried.name)
    assert listed.status == 0, listed
    assert {tuple(line.split()[:2]) for line in listed.out.splitlines()} >= {("GET", "/orders"), ("POST", "/orders")}
    assert f"Ports: {tried.port} (http)." in listed.err

    body = terminal("try", *here, "POST", "/orders", "--example")
    assert json.loads(body.out).keys() == ORDER.keys(), body
    (terminal.cwd / "order.json").write_text(body.out)
    made = terminal("try", tried.name, "POST", "/orders", "--data", "@order.json", "--json").json()
    assert (made["status"], json.loads(made["body"])["status"]) == (201, "accepted"), "the example itself is accepted"

    asked = terminal("try", *here, "GET", "/orders?limit=1", "-H", "Accept: application/json")
    assert asked.status == 0, asked
    assert len(json.loads(asked.out)["orders"]) == 1, "the body alone is on the standard output"
    lines = asked.err.splitlines()
    assert (lines[0], lines[1], "content-type: application/json" in lines) == (f"Of {tried.name}:", "200 OK", True)
    trace = lines[-1].rpartition(" ")[2]
    until(lambda: "GET /orders" in terminal("traces", "show", trace).out)

    missing = terminal("try", tried.name, "get", "/orders/4711")
    assert (missing.status, json.loads(missing.out)["title"]) == (1, "There is no order 4711")
    assert "The service answered 404 Not Found. (FAILED)" in missing.err
    assert terminal("try", tried.name, "GET", "/stock", "--port", "1").status == 5
    assert terminal("try", "nobody").status == 5
    assert terminal("try").status == 2


def test_a_critical_environment_is_closed_until_somebody_opens_it_and_asks_for_its_name(
    terminal: Terminal, console: httpx.Client, example: Callable[[str], Tried]
) -> None:
    assert terminal("environments", "create", "Live", "--critical").status == 0
    tried = example("live")
    order = ("try", tried.name, "POST", "/orders", "--data", json.dumps(ORDER))

    refused = sent(console, tried, "GET", "/stock")
    assert (refused.status_code, refused.json()["code"]) == (403, "TRY_IT_OFF")
    (record,) = ask(console, AUDIT, search=tried.id)["auditRecords"]["nodes"]
    assert (record["outcome"], record["detail"].startswith("GET /stock")) == ("REFUSED", True)
    closed = terminal("try", tried.name, "GET", "/stock")
    assert (closed.status, closed.out) == (4, "")
    assert "(TRY_IT_OFF)" in closed.err
    assert "(TRY_IT_OFF)" in terminal("try", tried.name).err

    assert terminal("environments", "try-it", "live", "--allow").status == 2, "it is confirmed by its name"
    opened = terminal("environments", "try-it", "live", "--allow", "--confirm", "live")
    assert (opened.status, opened.out) == (0, "Services may be tried out in live.\n")

    assert sent(console, tried, "GET", "/stock").json()["status"] == 200
    assert terminal("try", tried.name, "GET", "/stock").status == 0
    unconfirmed = terminal(*order)
    assert (unconfirmed.status, unconfirmed.out) == (2, "")
    assert json.loads(terminal("try", tried.name, "GET", "/orders").out)["orders"] == [], "nothing was sent"
    assert json.loads(terminal(*order, "--confirm", "live").out)["status"] == "accepted"

    assert terminal("environments", "try-it", "live", "--forbid").status == 0
    assert terminal("try", tried.name, "GET", "/stock").status == 4
