"""What a program runs is found: applications whatever they are made of, made before or after us; servers and ports."""

import asyncio
import contextlib
import functools
import gc
import inspect
import json
import logging
import socket
import ssl
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, WebSocket
from pilothouse_bridge._inventory import Inventory, ListenerState, Service
from pilothouse_bridge.discover import Discovery
from pilothouse_bridge.discover._bound import duplicate, hold_off_newcomers, take_the_rest
from pilothouse_bridge.discover.loggers import HANDLER_LIMIT, LIMIT, log_handlers, log_levels
from pilothouse_bridge.discover.starlette import Starlette as StarletteSource
from pilothouse_bridge.discover.uvicorn import Uvicorn as UvicornSource
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from . import brokers

HERE = Path(__file__).name


async def answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def chat(channel: WebSocket) -> None:
    await channel.accept()


def line_of(function: Any) -> int:
    return inspect.unwrap(function).__code__.co_firstlineno


@pytest.fixture(scope="module")
def discovery() -> Discovery:
    found = Discovery([UvicornSource()], [StarletteSource()])
    found.install(lambda: None)
    return found


@pytest.fixture
def look(discovery: Discovery) -> Callable[[], Inventory]:
    gc.collect()
    return lambda: discovery.look(lambda _: [])


def service(inventory: Inventory, name: str) -> Service:
    (found,) = [one for one in inventory.services if one.name == name]
    return found


def resources(found: Service) -> set[tuple[str, str]]:
    return {(" ".join(one.methods), one.url) for one in found.resources}


def orders_app(title: str) -> FastAPI:
    app = FastAPI(title=title)
    lines = APIRouter(prefix="/lines")
    lines.add_api_route("/{line}", answer, methods=["GET", "PUT"])
    orders = APIRouter(prefix="/orders")
    orders.add_api_route("", answer, methods=["POST"])
    orders.add_api_websocket_route("/feed", chat)
    orders.include_router(lines)
    app.include_router(orders, prefix="/v1")
    app.add_api_route("/health", answer)
    return app


EXPECTED = {
    ("GET PUT", "/v1/orders/lines/{line}"),
    ("POST", "/v1/orders"),
    ("WEBSOCKET", "/v1/orders/feed"),
    ("GET", "/health"),
}


def test_a_fastapi_application_shows_every_route_of_every_included_router(look: Callable[[], Inventory]) -> None:
    app = orders_app("Orders after")
    found = service(look(), "Orders after")
    assert resources(found) == EXPECTED
    assert (found.base_path, found.listeners) == ("/", ())
    del app


def test_every_resource_names_its_handler(look: Callable[[], Inventory]) -> None:
    app = orders_app("Sources")
    sources = {one.url: str(one.source) for one in service(look(), "Sources").resources}
    assert sources["/health"].endswith(f"{HERE}:{line_of(answer)}")
    assert sources["/v1/orders/feed"].endswith(f"{HERE}:{line_of(chat)}")
    del app


before_us = orders_app("Orders before")


def test_an_application_made_before_the_bridge_is_found(look: Callable[[], Inventory]) -> None:
    assert resources(service(look(), "Orders before")) == EXPECTED


def test_a_route_added_later_is_found(look: Callable[[], Inventory]) -> None:
    app = FastAPI(title="Growing")
    assert resources(service(look(), "Growing")) == set()
    app.add_api_route("/late", answer)
    assert resources(service(look(), "Growing")) == {("GET", "/late")}


class Ledger(HTTPEndpoint):
    async def get(self, _: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def delete(self, _: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")


def test_starlettes_routes_mounts_routers_classes_and_files(look: Callable[[], Inventory], tmp_path: Path) -> None:
    async def foreign(scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application of no framework."""

    tenant = [Mount("/items", routes=[Route("/{item}", functools.partial(answer), methods=["PATCH"])])]
    app = Starlette(
        routes=[
            Route("/", answer),
            Route("/ledger", Ledger),
            WebSocketRoute("/ws", chat),
            Mount("/deep", routes=[Mount("/er", app=Router([Route("/x", answer)]))]),
            Mount("/t/{tenant}", routes=tenant),
            Mount("/static", app=StaticFiles(directory=tmp_path)),
            Mount("/metrics", app=foreign),
        ]
    )
    app.title = "Plain Starlette"  # type: ignore[attr-defined]
    assert resources(service(look(), "Plain Starlette")) == {
        ("GET", "/"),
        ("GET DELETE", "/ledger"),
        ("WEBSOCKET", "/ws"),
        ("GET", "/deep/er/x"),
        ("PATCH", "/t/{tenant}/items/{item}"),
        ("GET", "/static/*"),
        ("ANY", "/metrics/*"),
    }


def test_an_application_mounted_in_another_is_a_service_at_its_path(look: Callable[[], Inventory]) -> None:
    inner, outer = FastAPI(title="Inner"), FastAPI(title="Outer")
    inner.add_api_route("/in", answer)
    outer.add_api_route("/out", answer)
    outer.mount("/sub", CORSMiddleware(inner))
    inventory = look()
    assert service(inventory, "Inner").base_path == "/sub"
    assert resources(service(inventory, "Inner")) == {("GET", "/in")}
    assert resources(service(inventory, "Outer")) == {("GET", "/out")}


def test_an_application_mounted_in_itself_ends(look: Callable[[], Inventory]) -> None:
    first, second = FastAPI(title="Snake"), FastAPI(title="Tail")
    first.mount("/a", second)
    second.mount("/b", first)
    look()


nameless = FastAPI()


def test_an_application_without_a_title_goes_by_its_variable(look: Callable[[], Inventory]) -> None:
    names = {found.name for found in look().services}
    assert f"{__name__}:nameless" in names


def test_services_with_one_title_are_told_apart(look: Callable[[], Inventory]) -> None:
    twins = [FastAPI(title="Twin"), FastAPI(title="Twin"), FastAPI(title="Twin")]
    names = [found.name for found in look().services if found.name.startswith("Twin")]
    assert len(names) == len(set(names)) == len(twins)


def test_the_program_is_not_changed_by_being_watched(discovery: Discovery) -> None:
    class Mine(FastAPI):
        def __init__(self, flavour: str) -> None:
            super().__init__(title=flavour)
            self.flavour = flavour

    assert Mine("sweet").flavour == "sweet"
    assert "title" in inspect.signature(FastAPI).parameters
    assert FastAPI.__init__.__name__ == "__init__"
    with pytest.raises(TypeError, match="no_such_argument"):
        Starlette(no_such_argument=1)  # type: ignore[call-arg]


def test_an_application_that_is_dropped_is_freed_and_forgotten(look: Callable[[], Inventory]) -> None:
    app = orders_app("Short lived")
    gone = weakref.ref(app)
    assert service(look(), "Short lived")
    del app
    gc.collect()
    assert gone() is None
    assert not [found for found in look().services if found.name == "Short lived"]


def test_a_discoverer_that_fails_is_left_out_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        name = "broken-framework"

        def install(self, *_: object) -> None:
            raise RuntimeError("no")

        def find(self, *_: object) -> list[Any]:
            raise RuntimeError("no")

        def after_fork(self) -> None:
            """Nothing."""

    caplog.set_level(logging.WARNING, "pilothouse_bridge")
    mixed = Discovery([Broken()], [Broken(), StarletteSource()])
    mixed.install(lambda: None)
    app = FastAPI(title="Survivor")
    assert service(mixed.look(lambda _: []), "Survivor")
    mixed.look(lambda _: [])
    assert len([line for line in caplog.messages if "broken-framework" in line]) == 1
    del app


class Running:
    """A uvicorn server in a thread, as a program would run it."""

    def __init__(self, app: Any, **config: Any) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", **({"port": 0} | config)))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()), daemon=True)


@pytest.fixture
def run(discovery: Discovery) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []
    turned = threading.Event()
    discovery.install(turned.set)

    def start(app: Any, **config: Any) -> Running:
        turned.clear()
        one = Running(app, **config)
        one.thread.start()
        running.append(one)
        assert turned.wait(10)
        return one

    yield start
    for one in running:
        one.server.should_exit = True
        one.thread.join(10)


def test_a_server_tells_its_real_address_and_which_application_answers(
    run: Callable[..., Running], look: Callable[[], Inventory]
) -> None:
    app = orders_app("Served")
    running = run(CORSMiddleware(app))
    port = running.server.servers[0].sockets[0].getsockname()[1]
    inventory = look()
    (listener,) = [one for one in inventory.listeners if one.port == port]
    assert (listener.host, listener.protocol, listener.package) == ("127.0.0.1", "HTTP", "uvicorn")
    assert listener.state is ListenerState.ENABLED
    assert service(inventory, "Served").listeners == (listener.name,)


def test_the_hook_wakes_when_a_server_starts_and_when_it_stops(
    discovery: Discovery, run: Callable[..., Running], look: Callable[[], Inventory]
) -> None:
    running = run(orders_app("Stopping"))
    (name,) = service(look(), "Stopping").listeners
    stopped = threading.Event()
    discovery.install(stopped.set)
    running.server.should_exit = True
    assert stopped.wait(10)
    running.thread.join(10)
    (listener,) = [one for one in look().listeners if one.name == name]
    assert listener.state is ListenerState.DISABLED


def test_listeners_are_named_after_their_port_and_applications_keep_apart(
    run: Callable[..., Running], look: Callable[[], Inventory], free_ports: list[int]
) -> None:
    first, second = free_ports
    run(orders_app("First"), port=first)
    run(orders_app("Second"), port=second)
    inventory = look()
    assert service(inventory, "First").listeners == (f"http-{first}",)
    assert service(inventory, "Second").listeners == (f"http-{second}",)


@pytest.fixture
def free_ports() -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def test_a_server_with_a_certificate_is_https(
    run: Callable[..., Running], look: Callable[[], Inventory], certificates: Any
) -> None:
    run(orders_app("Sealed"), ssl_certfile=str(certificates.server), ssl_version=ssl.PROTOCOL_TLS_SERVER)
    inventory = look()
    (name,) = service(inventory, "Sealed").listeners
    assert {one.protocol for one in inventory.listeners if one.name == name} == {"HTTPS"}
    assert name.startswith("https-")


def test_a_unix_socket_is_a_listener_without_a_port(
    run: Callable[..., Running], look: Callable[[], Inventory], tmp_path: Path
) -> None:
    run(orders_app("Local"), uds=str(tmp_path / "s.sock"))
    inventory = look()
    assert service(inventory, "Local").listeners == ("http-unix-s.sock",)
    assert {(one.host, one.port) for one in inventory.listeners if one.name == "http-unix-s.sock"} == {
        (str(tmp_path / "s.sock"), None)
    }


def test_a_server_that_was_given_sockets_is_never_shown_at_the_port_of_its_configuration(
    discovery: Discovery, look: Callable[[], Inventory]
) -> None:
    discovery.install(lambda: None)
    seen: list[Inventory] = []

    @contextlib.asynccontextmanager
    async def starting(_: Any) -> AsyncIterator[None]:
        seen.append(look())
        yield

    with socket.create_server(("127.0.0.1", 0)) as opened:
        port = opened.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(FastAPI(title="Given", lifespan=starting), log_config=None))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])), daemon=True)
        thread.start()
        brokers.eventually(lambda: server.started)
        seen.append(look())
        server.should_exit = True
        thread.join(10)
    seen.append(look())
    names = [service(inventory, "Given").listeners for inventory in seen]
    assert names == [(f"http-{port}",)] * 3


def test_a_server_that_never_runs_is_not_shown(look: Callable[[], Inventory]) -> None:
    before = len(look().listeners)
    supervisor = uvicorn.Server(uvicorn.Config(orders_app("Idle"), log_config=None))
    assert len(look().listeners) == before
    del supervisor


@pytest.fixture
def levels() -> Iterator[Callable[[str, int], None]]:
    touched: list[str] = []

    def set_level(name: str, level: int) -> None:
        touched.append(name)
        logging.getLogger(name).setLevel(level)

    yield set_level
    for name in touched:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("level", "word"),
    [(10, "DEBUG"), (20, "INFO"), (30, "WARN"), (40, "ERROR"), (50, "FATAL"), (5, "5"), (25, "25")],
)
def test_levels_go_by_the_words_of_the_wire(levels: Callable[[str, int], None], level: int, word: str) -> None:
    levels("acme.gate", level)
    assert dict(log_levels([]))["acme.gate"] == word


def test_loggers_without_a_level_of_their_own_are_left_out_but_for_the_programs_packages() -> None:
    logging.getLogger("acme_program.deep.down")
    logging.getLogger("acme_library.deep.down")
    ours = Service("s", "/", "acme_program.app", (), ())
    told = dict(log_levels([ours]))
    assert told["acme_program"] == told["root"]
    assert "acme_library" not in told
    assert "acme_program.deep.down" not in told


def test_the_list_of_loggers_has_an_end(levels: Callable[[str, int], None]) -> None:
    for number in range(LIMIT + 50):
        levels(f"many.n{number:04}", logging.INFO)
    told = log_levels([])
    assert len(told) == LIMIT
    assert told[0][0] == "root"
    json.dumps(dict(told))


def test_looking_for_what_was_made_before_breaks_nothing_that_another_thread_builds() -> None:
    import threading

    from pilothouse_bridge.discover._hooks import instances_of

    class Framework: ...

    class Special(Framework): ...

    kept = [Framework(), Special(), *([number] for number in range(100_000))]
    failures: list[BaseException] = []
    over = threading.Event()

    def build() -> None:
        while not over.is_set():
            try:
                tuple(str(number) for number in range(50))
            except SystemError as error:
                failures.append(error)

    builder = threading.Thread(target=build)
    builder.start()
    try:
        for _ in range(20):
            assert {type(one) for one in instances_of(Framework)} == {Framework, Special}
    finally:
        over.set()
        builder.join()
    assert failures == []
    assert len(kept) > 2


@pytest.fixture
def handler() -> Iterator[Callable[[str, int], logging.Handler]]:
    added: list[tuple[str, logging.Handler]] = []

    def add(name: str, level: int) -> logging.Handler:
        one = logging.NullHandler(level)
        logging.getLogger(name).addHandler(one)
        added.append((name, one))
        return one

    yield add
    for name, one in added:
        logging.getLogger(name).removeHandler(one)


def test_handlers_that_hide_what_a_logger_lets_through_are_told(
    levels: Callable[[str, int], None], handler: Callable[[str, int], logging.Handler]
) -> None:
    levels("acme.hidden.deep", logging.DEBUG)
    handler("acme.hidden", logging.WARNING)
    handler("acme.hidden.deep", logging.DEBUG)
    told = [one for one in log_handlers([("acme.hidden.deep", "DEBUG")]) if one[1] == "NullHandler"]
    assert told == [("acme.hidden.deep", "NullHandler", "WARN")]
    logging.getLogger("acme.hidden.deep").propagate = False
    try:
        assert [one for one in log_handlers([("acme.hidden.deep", "DEBUG")]) if one[1] == "NullHandler"] == []
    finally:
        logging.getLogger("acme.hidden.deep").propagate = True


def test_the_list_of_handlers_has_an_end(
    levels: Callable[[str, int], None], handler: Callable[[str, int], logging.Handler]
) -> None:
    handler("crowd", logging.ERROR)
    for number in range(HANDLER_LIMIT + 10):
        levels(f"crowd.n{number:04}", logging.INFO)
    assert len(log_handlers(log_levels([]))) == HANDLER_LIMIT


def test_an_application_that_its_server_froze_before_the_bridge_came_is_found(program: Any) -> None:
    source = """
        import gc
        from fastapi import FastAPI
        app = FastAPI(title="Frozen")
        also = app
        gc.freeze()  # as gunicorn's users do before it forks
        from pilothouse_bridge.discover import Discovery
        from pilothouse_bridge.discover.starlette import Starlette
        discovery = Discovery([], [Starlette()])
        discovery.install(lambda: None)
        print([service.name for service in discovery.look(lambda _: []).services])
    """
    _, out, err = program.finish(program.start(source))
    assert (out, err) == ("['Frozen']\n", "")


def test_a_framework_that_is_not_there_costs_nothing(program: Any) -> None:
    source = """
        import sys
        import pilothouse_bridge._bridge as bridge
        bridge._process._watching()
        print([name for name in sys.modules if name.startswith("pilothouse_bridge.discover.")])
        import http.server
        print("pilothouse_bridge.discover.httpserver" in sys.modules)
    """
    _, out, err = program.finish(program.start(source))
    first, second = out.splitlines()
    assert not {"flask", "hypercorn", "waitress", "httpserver", "faststream", "apscheduler"} & {
        name.rpartition(".")[2] for name in json.loads(first.replace("'", '"'))
    }
    assert (second, err) == ("True", "")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's filter is Linux's")
def test_newcomers_are_held_off_and_who_is_there_already_is_served() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with socket.create_connection(address) as early:
            assert hold_off_newcomers(listening)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, 0.2)
            (accepted,) = take_the_rest(duplicate(listening))
            with accepted:
                early.sendall(b"hello")
                accepted.setblocking(True)
                assert accepted.recv(10) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 0.2)
