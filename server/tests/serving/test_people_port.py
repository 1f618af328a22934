import asyncio
import time
from typing import Any

import pytest
from loopback import Peer, Run, TlsPair, carried

GET_STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def event(text: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": b"data: " + text + b"\n\n", "more_body": True}


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_events_reach_the_peer_one_by_one_as_they_are_sent(run: Run, secure: bool, tls_files: TlsPair) -> None:
    files, client = tls_files

    async def scene() -> Any:
        onward = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(event(b"one"))
            await onward.wait()
            await send(event(b"two"))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async with carried(asgi=app, tls=files if secure else None) as carrier:
            peer = await Peer.to(carrier.ports["people"], client if secure else None)
            await peer.say(GET_STREAM)
            first = await asyncio.wait_for(peer.reader.readuntil(b"one\n\n\r\n"), 3)
            onward.set()
            return first, await asyncio.wait_for(peer.reader.readuntil(b"0\r\n\r\n"), 3)

    first, rest = run(scene())
    assert b"two" not in first
    assert b"two" in rest


def test_an_application_that_listens_hears_that_its_peer_has_gone(run: Run) -> None:
    async def scene() -> Any:
        heard = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            while (await receive())["type"] != "http.disconnect":
                pass
            heard.set()

        async with carried(asgi=app) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(GET_STREAM)
            peer.hang_up()
            await asyncio.wait_for(heard.wait(), 3)

    run(scene())


def test_an_application_that_only_sends_is_ended_when_its_peer_has_gone(run: Run) -> None:
    async def scene() -> Any:
        ended = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                await send(START)
                while True:
                    await send(event(b"tick"))
                    await asyncio.sleep(0.02)
            finally:
                ended.set()

        async with carried(asgi=app) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(GET_STREAM)
            peer.hang_up()
            await asyncio.wait_for(ended.wait(), 3)

    run(scene())


def test_a_reader_that_does_not_read_holds_the_sender_back(run: Run) -> None:
    async def scene() -> Any:
        sent = 0

        async def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await send(START)
            for _ in range(100):
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
                sent += 1

        async with carried(asgi=app) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(GET_STREAM, pause_s=0.5)
            peer.hang_up()
            return sent

    assert run(scene()) < 30


def test_a_stop_cancels_a_stream_after_the_grace_and_logs_no_failure(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(START)
            await asyncio.sleep(60)
        finally:
            ends.append(scope["path"])

    async def scene() -> Any:
        async with carried(asgi=app) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(GET_STREAM)
            started = time.monotonic()
            await carrier.stop()
            return time.monotonic() - started, carrier.connections()["people"]

    took_s, left = run(scene())
    assert left == 0
    assert 0.4 < took_s < 30  # the application would sleep for sixty
    assert ends == ["/stream"]
    assert "Exception in ASGI" not in caplog.text


def test_the_application_sees_the_peers_address_and_scheme(run: Run, tls_files: TlsPair) -> None:
    files, client = tls_files
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"], scope["path"], scope["query_string"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def scene() -> Any:
        async with carried(asgi=app, tls=files) as carrier:
            peer = await Peer.to(carrier.ports["people"], client)
            await peer.say(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n")
            return (await peer.hear())[0]

    assert run(scene()) == 204
    assert seen == [("127.0.0.1", "https", "/a b", b"c=d")]
