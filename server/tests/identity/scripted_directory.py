"""Directories that do not behave: what they are asked is written down, and what they answer is the test's choice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from sansldap import (
    BindRequest,
    ExtendedRequest,
    LDAPMessage,
    LDAPServer,
    PartialAttribute,
    SearchRequest,
    SimpleCredential,
)

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """Listen on loopback, hand every connection to the script, and give the URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await script(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"ldap://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.sleep(0.02)  # what was being handled sees its end


@dataclass
class Gullible:
    """A directory that says yes to every bind and finds one entry, whatever is asked."""

    dn: str = "uid=ann,ou=people,dc=example"
    uid: str = "ann"
    binds: list[tuple[str, str]] = field(default_factory=list)
    searches: list[SearchRequest] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = LDAPServer()
        while octets := await reader.read(65_536):
            for message in _received(server, octets):
                self._answer(server, message)
                writer.write(server.data_to_send())
            await writer.drain()

    def _answer(self, server: LDAPServer, message: LDAPMessage) -> None:
        match message:
            case BindRequest(authentication=SimpleCredential(password=password)):
                self.binds.append((message.name, password))
                server.bind_response(message.message_id)
            case SearchRequest():
                self.searches.append(message)
                attributes = [PartialAttribute("uid", [self.uid.encode()]), PartialAttribute("cn", [b"Ann", b"\xff"])]
                server.search_result_entry(message.message_id, self.dn, attributes)
                server.search_result_reference(message.message_id, ["ldap://elsewhere.example/dc=example"])
                server.search_result_done(message.message_id)
            case ExtendedRequest():
                server.extended_response(message.message_id)
            case _:
                pass


def _received(server: LDAPServer, octets: bytes) -> list[LDAPMessage]:
    from sansldap import ProtocolError

    try:
        return server.receive(octets)
    except ProtocolError:  # the goodbye
        return []
