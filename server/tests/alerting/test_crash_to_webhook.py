"""From a crash to a webhook, with a real receiver, a real postman and the real clock: within five seconds."""

import asyncio
import json
import time

import httpx
import msgspec
import pytest
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.clock import SystemClock

pytestmark = pytest.mark.anyio


class Receiver:
    """A webhook receiver on loopback that takes everything."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[dict[str, str], dict]] = asyncio.Queue()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        self.got.put_nowait((headers, json.loads(body)))


class Socket:
    """A runtime's connection, as far as the desk knows it."""

    is_closing = False

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


async def test_a_crashed_runtime_that_held_a_channel_reaches_a_webhook_within_five_seconds(
    settings, person_at, runtime_of
) -> None:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wanted = msgspec.structs.replace(settings, telemetry_store="memory", notify_allow="127.0.0.0/8")
    plane = await open_control_plane(wanted, SystemClock())
    try:
        await plane.start()
        transport = httpx.ASGITransport(app=await plane.console_application(), client=("127.0.0.1", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            admin = person_at(client)
            await admin.sign_in()
            saved = await admin.ask(
                "mutation ($input: AlertChannelInput!) { saveAlertChannel(input: $input) { channel { id } signingSecret } }",
                input={"name": "hook", "kind": "WEBHOOK", "url": f"http://127.0.0.1:{port}/hook"},
            )
            assert saved["saveAlertChannel"]["signingSecret"]
            await admin.ask(
                "mutation ($input: AlertRuleInput!) { saveAlertRule(input: $input) { id } }",
                input={
                    "name": "runtime offline",
                    "condition": "RUNTIME_OFFLINE",
                    "channels": [saved["saveAlertChannel"]["channel"]["id"]],
                },
            )
            runtime = runtime_of(plane, await admin.secret())
            await runtime.full()
            entry = plane.board.list_all()[0]
            plane.desk.answer(entry, runtime.secret[:8]).opened(Socket())()  # it opens a channel, and is gone
            crashed_s = time.monotonic()
            async with asyncio.timeout(5):
                headers, body = await receiver.got.get()
            assert time.monotonic() - crashed_s < 5
            assert "x-pilothouse-signature" in headers
            assert "orders-node-1 is offline" in json.dumps(body)
    finally:
        await plane.stop()
        server.close()
        await server.wait_closed()
