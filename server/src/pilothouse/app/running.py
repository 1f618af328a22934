"""A control plane on its two ports, from start to stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from pilothouse.app import process
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.lock import lock_home, note_served, require_embedded
from pilothouse.app.people import ensure_administrator
from pilothouse.app.ports import CONSOLE, RUNTIMES, SETTINGS, Serving, console_host, serving, tls_files
from pilothouse.app.restoring import settle
from pilothouse.config import Settings
from pilothouse.protocol.exchange import Exchange, ExchangeSettings
from pilothouse.protocol.routes import FIGURED
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.ports import require_free
from pilothouse.serving.settings import CarrierSettings, TlsFiles
from pilothouse.serving.signals import run_until_signalled
from pilothouse.telemetry.stores.embedded.footing import Footing


class Started(Serving, frozen=True, kw_only=True):
    """The same of a control plane in this very process."""

    plane: ControlPlane


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that is one of several on a machine is given, since the machine has it once."""

    listening: Mapping[str, socket.socket]
    """The open ports by their listeners' names."""
    telemetry: Footing | None
    """The embedded telemetry store, if that is the one."""
    join: Callable[[ControlPlane], None]
    """Makes the others known to the control plane."""
    asked: asyncio.Event
    """Set by who wants this process to stop."""


async def run(
    settings: Settings,
    when_ready: Callable[[Started], Awaitable[None]],
    before_stop: Callable[[], Awaitable[None]],
) -> None:
    """Start, serve until a signal asks to stop, stop.

    Raises: CannotStart, and Conflict when the database of this home is on a server that is not named
    """
    if settings.database.is_embedded and not settings.database_url:
        require_embedded(settings.home)
    note_served(lock_home(settings.home), "" if settings.database.is_embedded else settings.database.shown)
    if settings.database.is_embedded:
        settle(settings.database_path)
    await serve(settings, tls_files(settings), when_ready, before_stop)


async def serve(
    settings: Settings,
    certificate: TlsFiles,
    when_ready: Callable[[Started], Awaitable[None]],
    before_stop: Callable[[], Awaitable[None]],
    shared: Shared | None = None,
) -> None:
    """Serve in a home that somebody holds already, until a signal or who shares it asks to stop.

    Raises: CannotStart
    """
    if shared is None:  # else a start that finds a port taken would have made a password that nobody is shown
        require_free(settings.host, settings.runtime_port, setting=SETTINGS[RUNTIMES])
        require_free(console_host(settings), settings.console_port, setting=SETTINGS[CONSOLE])
    plane = await open_control_plane(settings, telemetry=shared and shared.telemetry)
    if shared is not None:
        shared.join(plane)
    try:
        first_password = await ensure_administrator(plane, settings.admin_password)
        await plane.start()
        carrier = await _carrier(plane, settings, certificate, shared)
        process.end_start()  # before anybody is let in

        async def ready() -> None:
            plane.runtime_port = carrier.ports[RUNTIMES]
            told = serving(settings, carrier.ports, certificate, first_password)
            await when_ready(Started(**msgspec.structs.asdict(told), plane=plane))

        async def let_go() -> None:
            plane.let_go()
            await before_stop()

        await run_until_signalled(carrier, ready, let_go, shared and shared.asked)
    finally:
        await plane.stop()
        process.end()


async def _carrier(
    plane: ControlPlane, settings: Settings, certificate: TlsFiles, shared: Shared | None = None
) -> Carrier:
    open_ports: Mapping[str, socket.socket] = shared.listening if shared is not None else {}
    carrier = Carrier(
        (
            Listener(
                name=RUNTIMES,
                app=Exchange(
                    plane.runtime_handler,
                    ExchangeSettings(),
                    plane.figures.count_refusal,
                    plane.figures.runtimes,
                    FIGURED,
                ),
                host=settings.host,
                port=settings.runtime_port,
                setting=SETTINGS[RUNTIMES],
                tls=certificate,
                listening=open_ports.get(RUNTIMES),
            ),
            Listener(
                name=CONSOLE,
                app=await plane.console_application(),
                host=console_host(settings),
                port=settings.console_port,
                setting=SETTINGS[CONSOLE],
                tls=certificate if settings.console_tls else None,
                listening=open_ports.get(CONSOLE),
            ),
        ),
        CarrierSettings(),
    )
    for name in (RUNTIMES, CONSOLE):
        plane.figures.gauge(
            f"pilothouse_{name}_connections", f"Connections on the port for {name}.", _reading(carrier, name)
        )
    plane.figures.counter(
        "pilothouse_connections_evicted", "Connections that had to make room for others.", "port", carrier.evicted
    )
    return carrier


def _reading(carrier: Carrier, name: str) -> Callable[[], float]:
    return lambda: carrier.connections().get(name, 0)
