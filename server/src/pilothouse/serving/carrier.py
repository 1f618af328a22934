"""Two ports, one process, one loop: opened together, watched by their doors, closed together."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final, final

import msgspec
import structlog

from pilothouse.protocol.exchange import Exchange
from pilothouse.serving.certificates import check
from pilothouse.serving.descriptors import OpenFiles, raise_open_files
from pilothouse.serving.door import Door, Guest
from pilothouse.serving.people_connection import PeopleConnection, PeopleSide
from pilothouse.serving.ports import open_port
from pilothouse.serving.runtime_connection import RuntimeConnection
from pilothouse.serving.settings import CarrierSettings, TlsFiles

_log = structlog.get_logger(__name__)

CANCEL_WAIT_S: Final = 2.0
"""Unit: seconds. What was cancelled at the end of the grace may take this long to notice."""
_POLL_S: Final = 0.02


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A port and what answers on it."""

    name: str
    app: Any
    """An `Exchange` (runtimes) or an ASGI application (people); ASGI has no useful type."""
    host: str
    port: int
    """0 takes a free one."""
    setting: str
    """The name of the setting that chooses the port, for the message when it is taken."""
    tls: TlsFiles | None = None
    listening: socket.socket | None = None
    """The open port, where another process opened it and shares it with this one."""


@final
class Carrier:
    """The ports of this process."""

    def __init__(self, listeners: Sequence[Listener], settings: CarrierSettings) -> None:
        self._listeners = tuple(listeners)
        self._settings = settings
        self._doors: dict[str, Door] = {}
        self._sides: list[Exchange | PeopleSide] = []
        self.ports: dict[str, int] = {}
        """The port of each listener by its name, once started."""
        self.open_files: OpenFiles | None = None

    async def start(self) -> None:
        """Open all ports or none; when this returns, each accepts.

        Raises: PortTaken, PortForbidden, AddressNotOurs, CertificateUnusable.
        """
        contexts = {each.name: tls_context(each.tls) if each.tls else None for each in self._listeners}
        opened: dict[str, socket.socket] = {}
        try:
            for each in self._listeners:
                backlog = self._settings.backlog
                opened[each.name] = each.listening or open_port(
                    each.host, each.port, backlog=backlog, setting=each.setting
                )
        except BaseException:
            for listening in opened.values():
                listening.close()
            raise
        self.open_files = raise_open_files(
            ports=len(self._listeners),
            wanted=self._settings.max_connections,
            reserve=self._settings.open_files_reserve,
        )
        for each in self._listeners:
            self._open(each, opened[each.name], contexts[each.name], self.open_files.connections_per_port)

    def connections(self) -> dict[str, int]:
        """Count who is connected, by listener."""
        return {name: door.connections for name, door in self._doors.items()}

    def evicted(self) -> dict[str, int]:
        """Count the connections that had to make room since the start, by listener."""
        return {name: door.evicted for name, door in self._doors.items()}

    async def stop(self) -> None:
        """Accept nobody else, finish what is under way within the grace, then cancel and cut the rest."""
        doors = self._doors.values()
        for door in doors:
            door.close()
        if not await self._empty(self._settings.grace_s):
            left = [task for side in self._sides for task in list(side.running)]
            _log.warning("stop_grace_over", requests=len(left), connections=sum(self.connections().values()))
            for door in doors:
                door.cut()
            # The connections go first, so that nobody is told that an answer is missing; the tasks then have no peer.
            await asyncio.sleep(_POLL_S)
            for side in self._sides:
                side.stopping = True
            for task in left:
                task.cancel()
            await self._empty(CANCEL_WAIT_S)
        for door in doors:
            door.stop_watching()

    def _open(
        self, listener: Listener, listening: socket.socket, tls: ssl.SSLContext | None, max_connections: int
    ) -> None:
        """Open one door."""
        settings = self._settings
        self.ports[listener.name] = listening.getsockname()[1]
        if isinstance(listener.app, Exchange):
            exchange = listener.app
            self._sides.append(exchange)

            def connection(door: Door) -> Guest:
                return RuntimeConnection(door, exchange, settings.head_limit_bytes)
        else:
            side = PeopleSide(listener.app, settings)
            self._sides.append(side)

            def connection(door: Door) -> Guest:
                return PeopleConnection(door, side)

        door = Door(listening, connection, tls, settings, max_connections)
        self._doors[listener.name] = door
        door.open()
        _log.info(
            "listening", listener=listener.name, host=listener.host, port=self.ports[listener.name], tls=tls is not None
        )

    async def _empty(self, within_s: float) -> bool:
        """Wait until nobody is in and nothing is under way; tell whether that came true in time."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while any(door.connections for door in self._doors.values()) or any(side.running for side in self._sides):
            if loop.time() >= until_s:
                return False
            await asyncio.sleep(_POLL_S)
        return True


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Make the TLS side of a listener: 1.2 at least, since runtimes on old Java know no 1.3; HTTP/1.1 only."""
    check(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["http/1.1"])
    return context
