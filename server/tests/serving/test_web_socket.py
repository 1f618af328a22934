"""WebSockets behind the people's door: counted, in time, and gone when they end."""

import asyncio
import random
from typing import Any

import pytest
from loopback import Peer, Run, TlsPair, carried
from pilothouse.serving import web_socket
from pilothouse.serving.carrier import Carrier
from pilothouse.serving.settings import CarrierSettings
from wsproto import ConnectionType, WSConnection, events

HEAD = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PLAIN = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send back what comes; answer plain requests as well."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if "text" in message:
            await send({"type": "websocket.send", "text": message["text"]})


class Speaker:
    """A peer that upgraded, and speaks frames."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.frames = WSConnection(ConnectionType.CLIENT)
        self.heard: list[events.Event] = []

    @classmethod
    async def to(cls, carrier: Carrier, tls: Any = None) -> "Speaker":
        speaker = cls(await Peer.to(carrier.ports["people"], tls))
        speaker.peer.writer.write(speaker.frames.send(events.Request(host="x", target="/socket")))
        await speaker.hear(events.AcceptConnection)
        return speaker

    async def say(self, event: events.Event) -> None:
        self.peer.writer.write(self.frames.send(event))
        await self.peer.writer.drain()

    async def hear(self, kind: type, within_s: float = 5) -> Any:
        """Listen until an event of a kind comes."""
        async with asyncio.timeout(within_s):
            while True:
                for event in self.frames.events():
                    self.heard.append(event)
                    if isinstance(event, kind):
                        return event
                came = await self.peer.reader.read(65_536)
                self.frames.receive_data(came or None)

    async def echoed(self, text: str) -> bool:
        await self.say(events.TextMessage(data=text))
        came = ""
        while len(came) < len(text):  # a long message comes in pieces
            came += (await self.hear(events.TextMessage)).data
        return came == text


async def until(condition: Any, within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_messages_go_both_ways_after_requests_on_the_same_connection(
    run: Run, secure: bool, tls_files: TlsPair
) -> None:
    files, client = tls_files

    async def scene() -> Any:
        async with carried(asgi=echo, tls=files if secure else None) as carrier:
            peer = await Peer.to(carrier.ports["people"], client if secure else None)
            await peer.say(PLAIN)
            first = await peer.hear()
            speaker = Speaker(peer)
            peer.writer.write(speaker.frames.send(events.Request(host="x", target="/socket")))
            await speaker.hear(events.AcceptConnection)
            ok = [await speaker.echoed(text) for text in ("hello", "x" * 100_000, "é" * 1_000)]
            await speaker.say(events.CloseConnection(code=1000))
            await speaker.hear(events.CloseConnection)
            peer.hang_up()
            await until(lambda: carrier.connections()["people"] == 0)
            return first[0], ok

    assert run(scene()) == (200, [True, True, True])


def test_an_upgrade_asked_for_while_an_answer_is_under_way_is_cut(run: Run) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def scene() -> bytes:
        async with carried(asgi=never) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(PLAIN, HEAD)
            try:
                return await asyncio.wait_for(peer.reader.read(), 3)
            except ConnectionResetError:
                return b""

    assert run(scene()) == b""


def test_one_that_was_answered_nothing_makes_room_and_one_that_was_answered_stays(run: Run) -> None:
    async def scene() -> Any:
        async with carried(asgi=echo, settings=CarrierSettings(max_connections=3, grace_s=0.5)) as carrier:
            speaking = await Speaker.to(carrier)
            assert await speaking.echoed("hello")
            silent = [await Speaker.to(carrier) for _ in range(2)]
            newcomer = await Speaker.to(carrier)
            assert await newcomer.echoed("me too")
            assert await silent[0].peer.ended()
            return await speaking.echoed("still here")

    assert run(scene())


def test_one_that_is_answered_nothing_is_closed_when_the_idle_time_is_over(run: Run) -> None:
    async def scene() -> Any:
        async with carried(asgi=echo, settings=CarrierSettings(idle_timeout_s=0.5, grace_s=0.5)) as carrier:
            silent, speaking = await Speaker.to(carrier), await Speaker.to(carrier)
            assert await speaking.echoed("hello")
            await until(lambda: carrier.connections()["people"] == 1, 3)
            silent.peer.hang_up()
            await asyncio.sleep(0.7)
            return await speaking.echoed("still here")

    assert run(scene())


def test_a_stop_says_service_restart(run: Run) -> None:
    async def scene() -> Any:
        async with carried(asgi=echo) as carrier:
            speaker = await Speaker.to(carrier)
            assert await speaker.echoed("hello")
            stopping = asyncio.create_task(carrier.stop())
            ended = await speaker.hear(events.CloseConnection)
            speaker.peer.hang_up()
            await asyncio.wait_for(stopping, 3)
            return ended.code

    assert run(scene()) == 1012


def test_a_peer_that_does_not_answer_our_last_word_is_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_socket, "CLOSE_WAIT_S", -0.7)

    async def closes(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4400})

    async def scene() -> Any:
        async with carried(asgi=closes) as carrier:
            speaker = await Speaker.to(carrier)
            ended = await speaker.hear(events.CloseConnection)
            await until(lambda: carrier.connections()["people"] == 0, 2)
            return ended.code

    assert run(scene()) == 4400


def test_a_peer_that_pings_and_never_reads_is_cut(run: Run) -> None:
    async def scene() -> None:
        async with carried(asgi=echo) as carrier:
            speaker = await Speaker.to(carrier)
            speaker.peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
            ping = speaker.frames.send(events.Ping(payload=b"x" * 125))

            async def flood() -> None:
                while True:
                    speaker.peer.writer.write(ping * 500)
                    await speaker.peer.writer.drain()

            flooding = asyncio.create_task(flood())
            await until(lambda: carrier.connections()["people"] == 0, 20)
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)

    run(scene())


def test_an_application_that_breaks_takes_nobody_with_it(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/socket":
            raise ValueError("broken")
        await echo(scope, receive, send)

    async def scene() -> Any:
        async with carried(asgi=breaks) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(HEAD)
            refused = await peer.hear()
            other = await Peer.to(carrier.ports["people"])
            await other.say(PLAIN)
            return refused[0], (await other.hear())[0]

    assert run(scene()) == (500, 200)


def test_bytes_that_are_no_frames_end_their_connection_and_raise_nowhere(run: Run) -> None:
    chance = random.Random(9446)  # noqa: S311 - a test that can be repeated

    async def scene() -> list[Any]:
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
        async with carried(asgi=echo) as carrier:
            for _ in range(60):
                speaker = await Speaker.to(carrier)
                await speaker.say(events.TextMessage(data="first"))
                for _ in range(3):
                    first = bytes(
                        [chance.choice((0x81, 0x82, 0x01, 0x00, 0x88, 0x89, 0x8A, 0xF1, chance.randrange(256)))]
                    )
                    speaker.peer.writer.write(first + chance.randbytes(chance.randint(0, 40)))
                    await asyncio.sleep(0)
                speaker.peer.hang_up()
            await until(lambda: carrier.connections()["people"] == 0)
            last = await Speaker.to(carrier)
            assert await last.echoed("still here")
        return failures

    assert run(scene()) == []
