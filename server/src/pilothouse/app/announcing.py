"""Telling everybody who fell silent and who came back, and writing it down."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Final, TypeVar

import structlog

from pilothouse.base.errors import PilothouseError
from pilothouse.operations import liveness
from pilothouse.operations.bus import Bus
from pilothouse.operations.replicas import Replicas
from pilothouse.presence import Agenda, Board, Turn
from pilothouse.storage.unit import Store

T = TypeVar("T")
CLOSING_S: Final = 5.0
"""Unit: seconds. So long a stop waits for what is being written; then that is given up, and announced after the next start."""

_log = structlog.get_logger(__name__)


class Announcing:
    """What becomes of verdicts that changed."""

    def __init__(self, store: Store, replicas: Replicas, board: Board, agenda: Agenda, bus: Bus) -> None:
        self._store = store
        self._replicas = replicas
        self._board = board
        self._agenda = agenda
        self._bus = bus
        self._under_way: set[asyncio.Task[object]] = set()
        self._not_stored: set[int] = set()
        """Keys of runtimes whose verdicts could not be stored since the last that could: what waits is told once, not at each
        attempt. Bounded by the runtimes on the board."""

    def announce(self, turns: Sequence[Turn]) -> None:
        """Announce runtimes that came back by a heartbeat; the heartbeat does not wait for it."""
        self.begin(self._write(turns))

    def begin(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Begin work that need not be waited for."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def write(self, turns: Sequence[Turn]) -> bool:
        """Announce verdicts; where they could not be stored, whoever looks reads again, and this is false.

        Those are still to be announced: the next look finds them. Who stops to wait does not end what was begun.
        """
        return await asyncio.shield(self.begin(self._write(turns)))

    async def _write(self, turns: Sequence[Turn]) -> bool:
        try:
            retired = await self._store_them(turns)
        except PilothouseError as error:
            keys = {turn.entry.runtime_key for turn in turns}
            if not keys <= self._not_stored:
                self._not_stored |= keys
                _log.error("runtime.status_not_stored", runtimes=len(turns), cause=error.message, fix=error.fix)
                self._bus.publish_unknown()
            return False
        self._not_stored.clear()
        for turn in turns:
            _log.info(
                "runtime.status",
                runtime=turn.entry.runtime_id,
                status=turn.verdict.status.value,
                reason=turn.verdict.reason,
            )
        for key in retired:
            self._board.take_down(key)
            self._agenda.drop(key)
        return True

    async def _store_them(self, turns: Sequence[Turn]) -> tuple[int, ...]:
        try:
            if self._replicas.is_shared:
                return await self._replicas.announce(turns)
            return await self._store.write(
                partial(liveness.announce, turns=turns, succeeded=self._board.is_succeeded_by)
            )
        except BaseException:
            for turn in turns:
                self._board.take_back(turn)
            raise

    def tell_of_the_hold(self) -> None:
        """Tell that verdicts are held back, or given again."""
        hold = self._board.hold
        if hold is None:
            _log.info("liveness.hold_ended")
        else:
            _log.warning(
                "liveness.held",
                silent=hold.silent,
                live=hold.live,
                fix="Look at the network between the runtimes and this server; nobody is called offline meanwhile.",
            )
        self._bus.publish_unknown()

    async def close(self) -> None:
        """Let what is under way come to its end, if that is soon."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSING_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
