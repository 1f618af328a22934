"""Telling everybody who fell silent and who came back, and writing it down."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial

import structlog

from pilothouse.base.errors import PilothouseError
from pilothouse.operations import liveness
from pilothouse.operations.bus import Bus
from pilothouse.operations.replicas import Replicas
from pilothouse.presence import Agenda, Board, Turn
from pilothouse.storage.unit import Store

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

    def announce(self, turns: Sequence[Turn]) -> None:
        """Announce runtimes that came back by a heartbeat; the heartbeat does not wait for it."""
        self.begin(self.write(turns))

    def begin(self, work: Coroutine[None, None, object]) -> None:
        """Begin work that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def write(self, turns: Sequence[Turn]) -> bool:
        """Announce verdicts; whoever looks reads again where they could not be stored, and this is false."""
        for turn in turns:
            _log.info(
                "runtime.status",
                runtime=turn.entry.runtime_id,
                status=turn.verdict.status.value,
                reason=turn.verdict.reason,
            )
        try:
            if self._replicas.is_shared:
                retired = await self._replicas.announce(turns)
            else:
                retired = await self._store.write(
                    partial(liveness.announce, turns=turns, succeeded=self._board.is_succeeded_by)
                )
        except PilothouseError as error:
            _log.error("runtime.status_not_stored", cause=error.message, fix=error.fix)
            self._bus.publish_unknown()
            return False
        for key in retired:
            self._board.take_down(key)
            self._agenda.drop(key)
        return True

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
        """End what is under way."""
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
