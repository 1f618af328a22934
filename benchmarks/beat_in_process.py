"""Where the time of a delta heartbeat goes: the connection's protocol object fed with bytes, no sockets, no event loop.

Method: CPU per request; the rows take turns, round after round. The reference is the same protocol object with a
handler that does nothing. Rows add one thing each: many tokens, many runtimes and connections, the collector; then the
parts of a beat alone. Where a row costs more than the sum of its parts, the parts push each other out of the caches: the
row that does both in turn, neither within the other, shows that.
"""

import argparse
import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from delta_server import nothing
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.config import Settings
from pilothouse.observe.logs import configure
from pilothouse.protocol import wire
from pilothouse.protocol.exchange import Exchange, ExchangeSettings, Inbound, Outbound
from pilothouse.serving.runtime_connection import RuntimeConnection
from requests_of_runtimes import delta_body, full_request, sign
from secrets_of_runtimes import new_secret

ROUNDS = 7
REQUESTS = 20_000


class Sink(asyncio.Transport):
    """A transport that takes answers and forgets them."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000)})
        self.written = 0

    def write(self, _data: Any) -> None:  # Any: bytes of all kinds
        """Count."""
        self.written += 1

    def is_closing(self) -> bool:
        """Stay open."""
        return False

    def pause_reading(self) -> None:
        """Nothing reads."""

    def resume_reading(self) -> None:
        """Nothing reads."""


class Desk:
    """A door that watches nobody, as a dict, like the real one."""

    def __init__(self) -> None:
        self._waiting: dict[Any, float] = {}  # Any: connections
        self._reading: dict[Any, float] = {}

    def waiting(self, guest: Any) -> None:
        """Note it."""
        self._reading.pop(guest, None)
        self._waiting[guest] = 0.0

    def reading(self, guest: Any, _timeout_s: float) -> None:
        """Note it."""
        self._waiting.pop(guest, None)
        self._reading[guest] = 0.0

    busy = left = waiting


def post(authorization: str, body: str) -> bytes:
    """Write a request as wrk does."""
    return (
        f"POST /icp/deltaHeartbeat HTTP/1.1\r\nHost: 127.0.0.1:9445\r\nAuthorization: {authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


Work = Callable[[], object]


def feeding(exchange: Exchange, requests: list[bytes], connections: int) -> Work:
    """Make the work of feeding requests to connections in turn."""
    desk = Desk()
    lines = [RuntimeConnection(desk, exchange, 32_768) for _ in range(connections)]  # type: ignore[arg-type]
    for line in lines:
        line.connection_made(Sink())
    pairs = [(lines[n % connections], request) for n, request in enumerate(requests)]

    def work() -> None:
        for line, request in pairs:
            line.data_received(request)

    return work


def each_of(part: Callable[[Any], object], items: list[Any]) -> Work:  # Any: what the part takes
    """Make the work of doing a part for each of many."""

    def work() -> None:
        for item in items:
            part(item)

    return work


def in_turn(exchange: Exchange, requests: list[bytes], handler: Callable[[Any], object], items: list[Any]) -> Work:
    """Make the work of feeding a request and then calling the handler with another: both, but not one within the other."""
    line = RuntimeConnection(Desk(), exchange, 32_768)  # type: ignore[arg-type]
    line.connection_made(Sink())
    pairs = list(zip(requests, items, strict=True))

    def work() -> None:
        for request, item in pairs:
            line.data_received(request)
            handler(item)

    return work


def without_collector(work: Work) -> Work:
    """Make the same work without garbage collection."""

    def quietly() -> None:
        gc.disable()
        work()
        gc.enable()

    return quietly


def show(title: str, rows: list[tuple[str, Work]]) -> None:
    """Measure in turn, round after round, so that neighbours disturb all alike; print a table."""
    costs: dict[str, list[float]] = {name: [] for name, _ in rows}
    for _ in range(ROUNDS):
        for name, work in rows:
            began = time.process_time()
            work()
            costs[name].append((time.process_time() - began) / REQUESTS * 1e6)
    print(f"\n| {title} | median µs | least µs | ratio of the least |\n|---|---|---|---|")
    reference = min(costs[rows[0][0]])
    for name, taken in costs.items():
        print(
            f"| {name} | {statistics.median(taken):.1f} | {min(taken):.1f} | {min(taken) / reference:.2f} |", flush=True
        )


async def stock(plane: ControlPlane, runtimes: int, secrets: int) -> list[tuple[str, str]]:
    """Register runtimes; gives each one's id and token."""
    tokens = [sign(await new_secret(plane), plane.clock.now()) for _ in range(secrets)]
    known = [(f"runtime-{number:06}", tokens[number % secrets]) for number in range(runtimes)]
    for begin in range(0, runtimes, 200):
        answers = [plane.runtime_handler(full_request(*each)) for each in known[begin : begin + 200]]
        await asyncio.gather(*(answer for answer in answers if not isinstance(answer, Outbound)))
    return known


def inbound_of(picked: list[tuple[str, str]]) -> list[Inbound]:
    """Make requests as the handler gets them."""
    return [
        Inbound("POST", "/icp/deltaHeartbeat", token, "application/json", delta_body(runtime_id).encode(), "127.0.0.1")
        for runtime_id, token in picked
    ]


def parts(plane: ControlPlane, picked: list[tuple[str, str]]) -> list[tuple[str, Work]]:
    """List the parts of a beat, each alone."""
    edge, now = plane.edge, plane.clock.now()
    bodies = [delta_body(runtime_id).encode() for runtime_id, _ in picked]
    keys = [(token, edge.keyring.peek(edge.tokens.key_id(token))) for _, token in picked]
    entries = []
    for (runtime_id, _), (_, key) in zip(picked, keys, strict=True):
        assert key is not None
        assert key.facts.binding is not None
        entries.append(plane.board.find(key.facts.binding.integration_id, key.facts.environment_id, runtime_id))
    inbound = inbound_of(picked)
    return [
        ("the whole handler", each_of(plane.runtime_handler, inbound)),
        ("key id and key", each_of(lambda pair: edge.keyring.peek(edge.tokens.key_id(pair[0])), keys)),
        ("verify", each_of(lambda pair: edge.tokens.verify(pair[0], pair[1].signing, now), keys)),
        ("decode the body", each_of(wire.decode_delta, bodies)),
        ("touch the board", each_of(lambda entry: plane.board.touch(entry, now, "127.0.0.1"), entries)),
    ]


async def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtimes", type=int, default=4_000)
    wanted = parser.parse_args()
    configure("ERROR", "text")
    with tempfile.TemporaryDirectory() as folder:
        plane = await open_control_plane(Settings(home=Path(folder) / "home"))
        known = await stock(plane, wanted.runtimes, 20)
        bare, real = Exchange(nothing, ExchangeSettings()), Exchange(plane.runtime_handler, ExchangeSettings())
        shuffled = random.Random(1).choices(known, k=REQUESTS)  # noqa: S311 - repeatable
        one = [post(known[0][1], delta_body(known[0][0]))] * REQUESTS
        many = [post(token, delta_body(runtime_id)) for runtime_id, token in shuffled]
        (handler, handler_work), *others = parts(plane, shuffled)
        crowd = f"{len(known):,} runtimes of 20 secrets"
        show(f"a delta heartbeat in process, {REQUESTS:,} requests", [
            ("reference: nothing is done, one request again and again", feeding(bare, one, 1)),
            (f"nothing is done, {crowd}, 64 connections", feeding(bare, many, 64)),
            ("one runtime, one connection", feeding(real, one, 1)),
            (f"{crowd}, one connection", feeding(real, many, 1)),
            (f"{crowd}, 64 connections", feeding(real, many, 64)),
            (f"{crowd}, 4,000 connections", feeding(real, many, 4_000)),
            ("the same with 64 connections, no collector", without_collector(feeding(real, many, 64))),
            ("its handler alone", handler_work),
            ("nothing is done, and the handler, in turn", in_turn(bare, many, plane.runtime_handler, inbound_of(shuffled))),
        ])  # fmt: skip
        show(f"parts of the handler, {crowd}", [(handler, handler_work), *others])
        (handler, handler_work), *others = parts(plane, [known[0]] * REQUESTS)
        show("parts of the handler, one runtime", [(handler, handler_work), *others])
        await plane.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
