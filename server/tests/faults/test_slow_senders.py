"""Those who send slowly, or in odd pieces: they are ended by a deadline that their bytes do not move, and hold nobody up."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from beside import beating, full_of
from loopback import Peer

pytestmark = pytest.mark.anyio

DEADLINE_S = 1.5
CROWD = 40
LATE_AT_MOST_S = 8.0
"""The deadline, the time that a refused peer is read on for, and a busy machine."""

CHUNKED = b"POST /icp/heartbeat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "a head": (b"POST /icp/heartbeat HTTP/1.1\r\nX-Long: ", b"x"),
    "a body": (b"POST /icp/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "the length of a chunk": (CHUNKED, b"0"),
    "a trailer": (CHUNKED + b"0\r\nX-Trailer: ", b"x"),
    "the head of a second request": (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST /icp/heartbeat HTTP/1.1\r\nX-Long: ",
        b"x",
    ),
}


async def drip(edge: Any, start: bytes, drop: bytes) -> float:
    """Send a byte now and again until the connection ends; how long it lived."""
    peer = await Peer.to(edge.port, edge.tls)
    began = time.monotonic()
    ended = asyncio.ensure_future(peer.reader.read())
    with suppress(ConnectionError):
        await peer.say(start, pause_s=0)
        while not ended.done() and time.monotonic() - began < 2 * LATE_AT_MOST_S:
            await peer.say(drop, pause_s=0.1)
    lived_s = time.monotonic() - began
    with suppress(ConnectionError):
        await ended
    peer.hang_up()
    return lived_s


async def test_a_crowd_that_drips_is_ended_in_time_and_an_honest_runtime_is_served(edge, runtime) -> None:
    async with beating(edge, runtime) as heard:
        lives = await asyncio.gather(
            *(drip(edge, *drips) for drips in DRIPS.values() for _ in range(CROWD // len(DRIPS)))
        )
        assert max(lives) < LATE_AT_MOST_S
    assert heard.was_served(within_s=5)
    await asyncio.sleep(0.2)
    assert edge.connections <= 1


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (CHUNKED + b"2\r\n{}\r\n0\r\nX-Trailer: ", b"x" * 65_536),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Trailer: " + b"x" * 65_000 + b"\r\n"),
        (CHUNKED + b"2;", b"x" * 65_536),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX-Long: ", b"x" * 65_536),
    ],
    ids=["one trailer", "many trailers", "an extension of a chunk", "the head of a second request"],
)
async def test_what_has_no_length_of_its_own_has_the_limit_of_a_head(edge, start: bytes, more: bytes) -> None:
    peer = await Peer.to(edge.port, edge.tls)
    await peer.say(start, pause_s=0.05)
    if start.startswith(b"GET"):
        assert (await peer.hear())[0] == 404
    began = time.monotonic()
    peer.writer.write(more * 16)  # a megabyte
    status, headers, body = await peer.hear(5)
    assert (status, headers["connection"], json.loads(body)["code"]) == (431, "close", "HEAD_TOO_LARGE")
    assert time.monotonic() - began < 5
    peer.hang_up()


async def test_two_requests_in_a_row_are_answered_wherever_they_are_cut(edge, runtime) -> None:
    first, second = full_of(runtime), full_of(runtime)
    both = first + second
    ends = (first.index(b"\r\n\r\n"), len(first), len(first) + second.index(b"\r\n\r\n"))
    for cut in sorted({end + near for end in ends for near in range(-1, 6)} & set(range(1, len(both)))):
        peer = await Peer.to(edge.port, edge.tls)
        await peer.say(both[:cut], both[cut:], pause_s=0.003)
        for _ in range(2):
            status, _, body = await peer.hear(3)
            assert (status, json.loads(body)["acknowledged"]) == (200, True), cut
        peer.hang_up()
