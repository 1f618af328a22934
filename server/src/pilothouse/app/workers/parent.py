"""The parent of several workers: it holds what a machine has once, and keeps the workers."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, final

import msgspec
import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pilothouse.app.home_id import home_id
from pilothouse.app.lock import lock_home, note_served
from pilothouse.app.ports import CONSOLE, RUNTIMES, SETTINGS, Serving, console_host, serving, tls_files
from pilothouse.app.workers.seat import Patience, Seat, listening_of
from pilothouse.app.workers.store import TelemetryOfTheMachine
from pilothouse.app.workers.words import (
    AllFigures,
    AllStates,
    Append,
    AskFigures,
    AskStates,
    AskWaiting,
    ConfigureExample,
    GiveFigures,
    PutQuestion,
    Task,
    ToParent,
    WorkerState,
    written,
)
from pilothouse.base.errors import CannotStart, PilothouseError
from pilothouse.config import Settings
from pilothouse.observe.health import State
from pilothouse.observe.together import Family, families_of
from pilothouse.serving.ports import open_port
from pilothouse.serving.settings import CarrierSettings, TlsFiles

T = TypeVar("T")

_log = structlog.get_logger(__name__)

PARENT: Final = "parent"
"""Its name among the workers, in figures."""
GATHER_S: Final = 2.0
"""Unit: seconds. A worker that takes longer is left out of the figures."""
_EXAMPLE_S: Final = 60.0
_FAMILIES: Any = list[Family]  # Any: a generic alias is no class to the type checker


class OneProcessOnly(CannotStart):
    """These settings are for one process."""

    code = "ONE_PROCESS_ONLY"


def require_shareable(settings: Settings) -> None:
    """Refuse what several processes cannot share.

    Raises: OneProcessOnly
    """
    several = f"{settings.workers} workers"
    if settings.database.is_embedded:
        raise OneProcessOnly(
            f"{several} need a database server: the embedded database is written by one process.",
            fix="Name one in PILOTHOUSE_DATABASE_URL (postgresql://…), or start without --workers.",
        )
    if settings.looks_for_events_every_s == 0:
        raise OneProcessOnly(
            f"{several} must hear what the others change, and PILOTHOUSE_FOLLOW_EVENTS_S is 0.",
            fix="Leave PILOTHOUSE_FOLLOW_EVENTS_S out; each then looks every 0.5 s.",
        )
    if settings.telemetry_store == "memory":
        raise OneProcessOnly(
            f"{several} would each keep logs, metrics and traces in a memory of their own.",
            fix="Set PILOTHOUSE_TELEMETRY_STORE to embedded, which this machine's workers share, or to opensearch.",
        )


@final
class Parent(Collector):
    """The workers of a machine. Made by `run_workers`."""

    def __init__(
        self,
        settings: Settings,
        certificate: TlsFiles,
        listening: Mapping[str, socket.socket],
        patience: Patience,
    ) -> None:
        self._listening = listening
        self._telemetry = TelemetryOfTheMachine(settings)
        task = Task(
            settings=settings,
            certificate=certificate.certificate,
            certificate_key=certificate.key,
            listening=listening_of(listening),
        )
        self.seats = [Seat(number, task, self._answer, patience) for number in range(1, settings.workers + 1)]
        self._keeping: list[asyncio.Task[None]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    async def start(self) -> str | None:
        """Start the first worker, which prepares what must happen once, then all others.

        Gives the first administrator's password, if it was generated just now.
        Raises: CannotStart, and whatever kept a worker from starting
        """
        first = self.seats[0]
        self._keep([first])
        told = await first.first
        self._keep(self.seats[1:])
        await asyncio.gather(*(seat.first for seat in self.seats))
        return told.first_password

    async def stop(self) -> bool:
        """Open no more connections, let workers finish what is under way; tells whether all ended by themselves."""
        for each in self._listening.values():
            each.close()
        by_themselves = await asyncio.gather(*(seat.stop() for seat in self.seats))
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for seat in self.seats:
            if seat.first.done() and not seat.first.cancelled():
                seat.first.exception()  # looked at: whoever waited for it has left
        await self._telemetry.close()
        return all(by_themselves)

    def kill(self) -> None:
        """End all workers at once."""
        for seat in self.seats:
            seat.kill()

    async def configure_example(self, runtime_url: str) -> Path | None:
        """Have a worker make the example's folder; None when this installation has none.

        Raises: Unavailable
        """
        told = await self.seats[0].ask(ConfigureExample(runtime_url=runtime_url), _EXAMPLE_S)
        return Path(os.fsdecode(told)) if told else None

    def collect(self) -> Sequence[Metric]:
        """Tell how many workers there are."""
        running = sum(seat.serves for seat in self.seats)
        workers = GaugeMetricFamily("pilothouse_workers", "Workers of this machine: wanted, serving.", labels=["state"])
        workers.add_metric(["wanted"], len(self.seats))
        workers.add_metric(["serving"], running)
        restarts = CounterMetricFamily("pilothouse_worker_restarts", "Workers that ended and were started again.")
        restarts.add_metric([], sum(seat.restarts for seat in self.seats))
        return [workers, restarts]

    def _keep(self, seats: Sequence[Seat]) -> None:
        self._keeping += [asyncio.create_task(seat.keep(), name=f"worker-{seat.number}") for seat in seats]

    async def _answer(self, seat: Seat, words: ToParent) -> bytes:
        match words:
            case Append():
                return await self._telemetry.append(words)
            case PutQuestion():
                return await self._telemetry.ask(words)
            case AskWaiting():
                return await self._telemetry.waiting()
            case AskFigures():
                return written(await self._figures(seat))
            case AskStates():
                return written(await self._states(seat))
            case _:
                raise AssertionError(type(words).__name__)

    def _others(self, asker: Seat) -> list[Seat]:
        return [seat for seat in self.seats if seat is not asker and seat.serves]

    async def _figures(self, asker: Seat) -> AllFigures:
        async def of(seat: Seat) -> list[Family]:
            return msgspec.msgpack.decode(await seat.ask(GiveFigures(), GATHER_S), type=_FAMILIES)

        seats = self._others(asker)
        found = await _those_who_answer([of(seat) for seat in seats])
        told = {str(seat.number): families for seat, families in zip(seats, found, strict=True) if families is not None}
        return AllFigures(of={**told, PARENT: families_of(self._registry)})

    async def _states(self, asker: Seat) -> AllStates:
        seats = self._others(asker)
        found = await _those_who_answer([seat.state(GATHER_S) for seat in seats])
        silent = WorkerState(state=State.DEGRADED.value, why="It does not answer.")
        return AllStates(
            wanted=len(self.seats),
            running=sum(seat.serves for seat in self.seats),
            others={seat.number: state or silent for seat, state in zip(seats, found, strict=True)},
        )


async def _those_who_answer(asked: Sequence[Awaitable[T]]) -> list[T | None]:
    found = await asyncio.gather(*asked, return_exceptions=True)
    told: list[T | None] = []
    for each in found:
        if isinstance(each, BaseException):
            if not isinstance(each, PilothouseError):
                raise each
            told.append(None)
        else:
            told.append(each)
    return told


async def run_workers(
    settings: Settings,
    when_ready: Callable[[Serving, Parent], Awaitable[None]],
    before_stop: Callable[[], Awaitable[None]],
    patience: Patience | None = None,
) -> bool:
    """Start workers, keep them until a signal asks to stop, stop them; tells whether all ended by themselves.

    Raises: OneProcessOnly, HomeInUse, CannotStart, and whatever kept a worker from starting
    """
    require_shareable(settings)
    note_served(lock_home(settings.home), settings.database.shown)
    if settings.telemetry_store == "embedded":
        home_id(settings.home)  # before several workers look for it
    certificate = tls_files(settings)
    listening = _open_ports(settings)
    parent = Parent(settings, certificate, listening, patience or Patience())
    asked = _listen_for_signals(parent)
    starting = asyncio.create_task(_start(parent, settings, certificate, listening, when_ready))
    waiting = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await waiting
    finally:
        starting.cancel()
        waiting.cancel()
        await before_stop()
        by_themselves = await parent.stop()
    return by_themselves


async def _start(
    parent: Parent,
    settings: Settings,
    certificate: TlsFiles,
    listening: Mapping[str, socket.socket],
    when_ready: Callable[[Serving, Parent], Awaitable[None]],
) -> None:
    ports = {name: each.getsockname()[1] for name, each in listening.items()}
    first_password = await parent.start()
    _log.info("workers.serve", workers=len(parent.seats), ports=ports)
    await when_ready(serving(settings, ports, certificate, first_password), parent)


def _open_ports(settings: Settings) -> dict[str, socket.socket]:
    """Open both ports or none. All workers accept from the same ones: whoever has nothing to do takes the next connection."""
    wanted = {
        RUNTIMES: (settings.host, settings.runtime_port),
        CONSOLE: (console_host(settings), settings.console_port),
    }
    opened: dict[str, socket.socket] = {}
    try:
        for name, (host, port) in wanted.items():
            opened[name] = open_port(host, port, backlog=CarrierSettings().backlog, setting=SETTINGS[name])
    except BaseException:
        for each in opened.values():
            each.close()
        raise
    return opened


def _listen_for_signals(parent: Parent) -> asyncio.Event:
    """Let the first signal ask for a stop, and the second one end everything at once."""
    asked = asyncio.Event()

    def ask(number: signal.Signals) -> None:
        if asked.is_set():
            _log.warning("stop_at_once", signal=number.name)
            parent.kill()
            os._exit(128 + number)
        _log.info("stop_asked", signal=number.name)
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    return asked
