"""Stopping and starting a listener: the same words, the same looks from outside, whatever server it is."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol, final

from pilothouse_bridge import _native
from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge._steering import Change, Kind, Outcome, SteeringError
from pilothouse_bridge.discover._bound import Bound

_GATED_REASON: Final = "The port belongs to the parent process; requests are answered 503."
_SHARED_REASON: Final = "Another process listens at the same address."


@dataclass(frozen=True)
class Drained:
    """What became of the requests in hand."""

    finished: int = 0
    cut: int = 0


class Engine(Protocol):
    """One server, as far as one of its listeners is concerned. All methods block; they raise SteeringError or OSError."""

    def bounds(self) -> list[Bound]:
        """Where this listener is open now; empty when it is not."""
        ...

    def is_held_elsewhere(self) -> bool:
        """Whether the parent process would keep the port open."""
        ...

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        """Take no more connections, finish the requests in hand; ``draining`` says that the port is closed by now."""
        ...

    def open(self, bounds: list[Bound]) -> None:
        """Listen again at these addresses."""
        ...

    def gate(self, grace_s: float) -> Drained:
        """Answer every request 503 from now on, and finish those in hand."""
        ...

    def ungate(self) -> None:
        """Let the application answer again."""
        ...

    def end(self, patience_s: float) -> None:
        """The process ends: let the application close what it has open."""


@dataclass
class Memory:
    """What was done to a listener; kept for as long as its server lives."""

    state: ListenerState = ListenerState.ENABLED
    reason: str | None = None
    bounds: list[Bound] = field(default_factory=list[Bound])
    lock: _native.Lock = field(default_factory=_native.lock)

    def change(self, state: ListenerState, reason: str | None = None) -> None:
        """Remember what is the case from now on."""
        self.state, self.reason = state, reason


@final
class Door:
    """A listener as a ``Steerable``."""

    kind = Kind.LISTENER

    def __init__(self, listener: Listener, memory: Memory, engine: Engine, wake: Callable[[], None]) -> None:
        """``wake`` says that there is a new state to tell, before the command is done."""
        self.name = listener.name
        self.package = listener.package
        self._memory = memory
        self._engine = engine
        self._wake = wake
        self._where = f"Port {listener.port}" if listener.port is not None else f"Socket {listener.host}"

    def stop(self, grace_s: float) -> Outcome:
        """Close the port, or gate it where the parent process holds it."""
        memory = self._memory
        with memory.lock:
            if memory.state is ListenerState.GATED:
                return Outcome(Change.UNCHANGED, f"{self._where} is gated already.")
            if memory.state is not ListenerState.ENABLED:
                memory.change(ListenerState.DISABLED)
                return Outcome(Change.UNCHANGED, f"{self._where} is closed already.")
            memory.bounds = self._engine.bounds()
            if not memory.bounds:
                return Outcome(Change.UNCHANGED, f"{self._where} is closed already.")
            if self._engine.is_held_elsewhere():
                drained = self._engine.gate(grace_s)
                memory.change(ListenerState.GATED, _GATED_REASON)
                message = f"{self._where} belongs to the parent process; requests are answered 503."
                return Outcome(Change.GATED, message, finished=drained.finished, cut=drained.cut)
            try:
                drained = self._engine.close(grace_s, self._drain)
            except BaseException:
                self._observe()
                raise
            shared = any(one.is_open() for one in memory.bounds)
            memory.change(ListenerState.DISABLED, _SHARED_REASON if shared else None)
            message = f"{self._where} is closed here; another process still listens there." if shared else ""
            return Outcome(
                Change.STOPPED, message or f"{self._where} is closed.", finished=drained.finished, cut=drained.cut
            )

    def start(self) -> Outcome:
        """Open the port again at the same address."""
        memory = self._memory
        with memory.lock:
            if memory.state is ListenerState.GATED:
                self._engine.ungate()
                memory.change(ListenerState.ENABLED)
                return Outcome(Change.STARTED, f"{self._where} is served again.")
            if memory.state is ListenerState.ENABLED:
                if self._engine.bounds():
                    return Outcome(Change.UNCHANGED, f"{self._where} is open already.")
                raise SteeringError(
                    "NOT_SUPPORTED",
                    501,
                    f"{self._where} was closed by the program itself, or not opened yet.",
                    "Start it where the program does.",
                )
            try:
                self._engine.open(memory.bounds)
            except OSError as error:
                self._refuse_to_start(error)
            if not all(one.is_open() for one in memory.bounds):
                reason = "It was opened, but does not answer."
                memory.change(ListenerState.FAILED, reason)
                raise SteeringError("FAILED", 500, f"{self._where}: {reason}", "Look at the program's log.")
            memory.change(ListenerState.ENABLED)
            return Outcome(Change.STARTED, f"{self._where} is open.")

    def trigger(self) -> Outcome:
        """A listener has nothing to run once.

        Raises: SteeringError NOT_SUPPORTED.
        """
        raise SteeringError("NOT_SUPPORTED", 501, "A listener cannot be triggered.", "Trigger a schedule.")

    def end(self, patience_s: float) -> None:
        """The process is about to end, and this was stopped: let the application close what it has open."""
        if self._memory.state is ListenerState.DISABLED:
            self._engine.end(patience_s)

    def _drain(self) -> None:
        self._memory.change(ListenerState.DRAINING)
        self._wake()

    def _observe(self) -> None:
        """After a failure: what is the case is what can be seen from outside."""
        is_open = any(one.is_open() for one in self._memory.bounds)
        self._memory.change(ListenerState.ENABLED if is_open else ListenerState.DISABLED)

    def _refuse_to_start(self, error: OSError) -> NoReturn:
        if error.errno == errno.EADDRINUSE:
            reason = f"{self._where} is taken by another program."
            self._memory.change(ListenerState.FAILED, reason)
            raise SteeringError(
                "PORT_IN_USE", 409, reason, "End the program that has taken it, then start the listener again."
            ) from None
        reason = f"{self._where} cannot be opened: {error.strerror or error}."
        self._memory.change(ListenerState.FAILED, reason)
        raise SteeringError("FAILED", 500, reason, "Look at the address and at who may bind it.") from None
