"""A client of graphql-transport-ws on a real connection, and the control plane on a real port, over TLS or without."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import trustme
from pilothouse.app.control_plane import ControlPlane
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings, TlsFiles

SUBPROTOCOL = "graphql-transport-ws"


@cache
def authority() -> trustme.CA:
    return trustme.CA()


def certificate(place: Path) -> TlsFiles:
    issued = authority().issue_cert("localhost", "127.0.0.1")
    files = TlsFiles(place / "served.pem", place / "served.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files.certificate, append=True)
    issued.private_key_pem.write_to_path(files.key)
    return files


class Socket:
    """One connection, spoken to in the protocol's messages."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self.connection = connection

    async def say(self, type_: str, **members: Any) -> None:
        await self.connection.send_json({"type": type_, **members})

    async def subscribe(self, id_: str, query: str, **variables: Any) -> None:
        await self.say("subscribe", id=id_, payload={"query": query, "variables": variables})

    async def hear(self, within_s: float = 5) -> dict[str, Any]:
        message = await self.connection.receive(within_s)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.connection.close_code)
        return message.json()

    async def closed(self, within_s: float = 5) -> tuple[int | None, str]:
        """Wait for the end; what came before it is passed over."""
        while True:
            message = await self.connection.receive(within_s)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return message.data, message.extra or ""
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                return self.connection.close_code, ""

    async def ask(self, id_: str, query: str, **variables: Any) -> dict[str, Any]:
        """Run an operation that has one result."""
        await self.subscribe(id_, query, **variables)
        answer = await self.hear()
        assert (answer["type"], answer["id"]) == ("next", id_), answer
        assert await self.hear() == {"type": "complete", "id": id_}
        return answer["payload"]


class Served:
    """A control plane on a port, and whoever connects to it."""

    def __init__(self, plane: ControlPlane, carrier: Carrier, session: aiohttp.ClientSession, scheme: str) -> None:
        self.plane = plane
        self.carrier = carrier
        self.session = session
        self.port = carrier.ports["console"]
        self.address = f"{scheme}://localhost:{self.port}"

    async def sign_in(self, password: str) -> str:
        """Sign in as the administrator; the session's cookie, as a header."""
        async with self.session.post(
            f"{self.address}/auth/sign-in", json={"username": "admin", "password": password}
        ) as answer:
            assert answer.status == 200
            name, value = answer.headers["Set-Cookie"].partition(";")[0].split("=", 1)
        self.session.cookie_jar.clear()
        return f"{name}={value}"

    @asynccontextmanager
    async def socket(
        self,
        cookie: str | None = None,
        *,
        path: str = "/graphql",
        headers: Mapping[str, str] | None = None,
        protocols: tuple[str, ...] = (SUBPROTOCOL,),
        **options: Any,
    ) -> AsyncIterator[Socket]:
        sent = {**({"Cookie": cookie} if cookie else {}), **(headers or {})}
        async with self.session.ws_connect(
            f"{self.address}{path}", protocols=protocols, headers=sent, **options
        ) as connection:
            yield Socket(connection)

    @asynccontextmanager
    async def ready(
        self, cookie: str | None = None, payload: dict[str, Any] | None = None, **options: Any
    ) -> AsyncIterator[Socket]:
        async with self.socket(cookie, **options) as socket:
            await socket.say("connection_init", **({} if payload is None else {"payload": payload}))
            assert await socket.hear() == {"type": "connection_ack"}
            yield socket


@asynccontextmanager
async def served(
    plane: ControlPlane, tls_place: Path | None = None, settings: CarrierSettings | None = None
) -> AsyncIterator[Served]:
    """Put a control plane's console edge on a free port of loopback."""
    tls = None if tls_place is None else certificate(tls_place)
    trust = ssl.create_default_context()
    authority().configure_trust(trust)
    listener = Listener(
        name="console", app=await plane.console_application(), host="127.0.0.1", port=0, setting="port", tls=tls
    )
    carrier = Carrier([listener], settings or CarrierSettings(grace_s=0.5))
    await carrier.start()
    try:
        connector = aiohttp.TCPConnector(ssl=trust)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            yield Served(plane, carrier, session, "https" if tls else "http")
    finally:
        await carrier.stop()
        await asyncio.sleep(0.01)
