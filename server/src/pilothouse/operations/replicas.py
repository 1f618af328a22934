"""Several processes serve one database: what each heard becomes known to all, and none judges by less than all know.

Every replica keeps all runtimes in memory. What it heard it writes, each second; what others heard it reads, twice a second.
With each flush it says up to when what it heard is stored (`flushed_at`); the smallest of these is the moment up to which
everything is known, and verdicts are given about that moment, not about now. A replica that cannot reach the database
knows nothing new, and so gives no verdict.

A replica whose row stands still is gone. No clocks are compared for that: who looks measures by itself for how long it saw the
row unchanged, and counts only looks that went well. What a replica that ended had heard since its last flush is lost:
runtimes that fell silent then have their time once more (`Board.lost_until`).
Source: ADR 0021.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from pilothouse import __version__
from pilothouse.base.clock import AgreedClock, Clock
from pilothouse.base.errors import PilothouseError
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.presence import Heard, SharedRow
from pilothouse.operations import liveness
from pilothouse.presence import Board, Entry, Turn, flushing, merging
from pilothouse.storage import heard_batches, presence, replicas, secrets, tellings
from pilothouse.storage.replicas import ReplicaRow
from pilothouse.storage.unit import Connection, Store, Transaction

FLUSH_EVERY_S: Final = 1.0
"""Unit: seconds. What is lost of *last seen* when a replica is killed, at most."""
DEAD_S: Final = 10.0
"""Unit: seconds. A replica is gone whose row was seen unchanged for so long, by looks that went well."""
LOOKS_MIN: Final = 3
FRESH_S: Final = 3.0
"""Unit: seconds. So old may the last look be for the database to be asked while a runtime waits for its answer."""
LOOK_UP_S: Final = 2.0
"""Unit: seconds. So long a runtime waits for such an answer; then memory answers it."""
LOOK_UP_EVERY_S: Final = 1.0
"""Unit: seconds between two questions about one runtime."""
FORGET_S: Final = 86_400.0
"""Unit: seconds. So long ended replicas are remembered."""
_ASKED_MAX: Final = 20_000
_AT_ONCE: Final = 2_000
"""Rows that are put together before others have their turn."""

_log = structlog.get_logger(__name__)


class _View(msgspec.Struct, frozen=True, kw_only=True):
    """What one look saw, all of one moment."""

    number: int
    rows: list[ReplicaRow]
    changed: list[SharedRow]
    heard: list[Heard]
    again: list[SharedRow]
    looked_at: Instant
    """When it began: what is seen is at least as new."""
    theirs: Instant
    """The database's clock, asked between `before` and `after` by this machine's."""
    before: Instant
    after: Instant


class _Watched(msgspec.Struct):
    """What was seen of another replica."""

    row: ReplicaRow
    unchanged_s: float = 0.0
    looks: int = 0
    is_gone: bool = False


class Replicas:
    """This process as one of those that serve the database."""

    def __init__(self, store: Store, board: Board, clock: Clock, *, every_s: float, key_number: str) -> None:
        self.id = new_id()
        """This process's identity, new at each start."""
        self.host = socket.gethostname()[:255]
        """The machine's name, by which others know where this process runs."""
        self.every_s = every_s
        """Seconds between two looks; 0: this process serves alone, and nothing here does anything."""
        board.shared = every_s > 0
        self.ticks: Callable[[], float] = time.monotonic
        """Measures spans."""
        self.deaths = 0
        """Replicas that were found gone."""
        self._store = store
        self._board = board
        self._clock = clock
        self._machine = clock.machine if isinstance(clock, AgreedClock) else clock
        self._key_number = key_number
        self._number = 0
        self._started_at: Instant = 0.0
        self._forgot_at: Instant = 0.0
        self._others: dict[str, _Watched] = {}
        self._again: set[int] = set()
        """Keys that changed here while they were read: to be read again."""
        self._asked: dict[tuple[str, str, str], float] = {}
        self._looked_s: float | None = None
        self._looking = asyncio.Lock()
        self._on_death: list[Callable[[str], None]] = []
        self._on_retired: list[Callable[[int], None]] = []

    @property
    def is_shared(self) -> bool:
        """Whether other processes may serve the database, too."""
        return self.every_s > 0

    @property
    def others(self) -> tuple[ReplicaRow, ...]:
        """The others that are there, the oldest first."""
        return tuple(one.row for one in self._others.values() if not one.is_gone)

    @property
    def view_at(self) -> Instant | None:
        """Up to when everything is known that any replica heard; None while this one serves alone."""
        return self._board.known_until

    @property
    def offset_s(self) -> float:
        """How far this machine's clock is behind the database's, as far as it is corrected."""
        return self._clock.offset_s if isinstance(self._clock, AgreedClock) else 0.0

    def known_age_s(self) -> float | None:
        """Tell how long ago the moment is up to which everything is known; None while this one serves alone."""
        known_until = self._board.known_until
        return None if known_until is None else max(0.0, self._clock.now() - known_until)

    def looked_age_s(self) -> float | None:
        """Tell how long ago the last look was that went well; None before the first."""
        return None if self._looked_s is None else self.ticks() - self._looked_s

    def is_alive(self, id: str) -> bool:  # noqa: A002
        """Tell whether a replica is there; one that is not known is not."""
        return id == self.id or any(row.id == id for row in self.others)

    def follow_deaths(self, told: Callable[[str], None]) -> None:
        """Have somebody told the id of each replica that ended, in order or not."""
        self._on_death.append(told)

    def follow_retired(self, told: Callable[[int], None]) -> None:
        """Have somebody told the key of each runtime that another replica retired."""
        self._on_retired.append(told)

    async def begin(self) -> None:
        """Begin to serve beside those that are there, with what is stored.

        Raises: Unavailable
        """
        if not self.is_shared:
            return
        await self._store.read(self._ask_clock)
        self._started_at = self._clock.now()
        await self._store.write(partial(self._renew, until=self._started_at))
        view = await self._store.read(partial(_begin, machine=self._machine))
        self._correct(view)
        merging.load(self._board, view.changed)
        self._number = view.number
        self._board.listening_since = self._clock.now()
        living = [
            row for row in view.rows if self._is_other(row) and row.flushed_at >= self._board.listening_since - DEAD_S
        ]
        if living:  # they have listened all the while
            self._board.listening_since = min(row.started_at for row in living)
        # What those had heard last who ended out of order before this one began is lost for it, too.
        self._board.lost_until = max((row.ended_at or 0.0 for row in view.rows if _was_lost(row)), default=0.0)
        self._see(view.rows, 0.0)
        self._know(view.looked_at + self.offset_s)
        self._looked_s = self.ticks()

    async def look(self) -> None:
        """Read what other replicas heard and said since the last look.

        Raises: Unavailable
        """
        if not self.is_shared:
            return
        async with self._looking:
            again, self._again = self._again, set()
            meanwhile: set[int] = set()
            self._board.changed_here = meanwhile
            try:
                view = await self._store.read(
                    partial(_look, after=self._number, me=self.id, again=sorted(again), machine=self._machine)
                )
            except BaseException:
                self._again |= again
                raise
            finally:
                self._board.changed_here = None
            self._correct(view)
            await self._put_together(view, meanwhile)
            self._number = view.number
            now_s = self.ticks()
            since_s = self.every_s if self._looked_s is None else min(now_s - self._looked_s, 2 * self.every_s)
            self._looked_s = now_s
            gone = self._see(view.rows, since_s)
            self._know(view.looked_at + self.offset_s)
        for row in gone:
            await self._bury(row)

    async def flush(self, used: Mapping[str, Instant], *, is_end: bool = False) -> None:
        """Store what was heard here, and that this replica is there, or that it ends.

        Raises: Unavailable, and nothing is taken as stored
        """
        if not self._started_at:
            return  # it never began
        until = self._clock.now()
        heard = await flushing.take(self._board, merging.heard_of)

        async def keep(part: Sequence[Heard], is_last: bool) -> None:
            if is_last:
                await self._store.write(partial(self._keep, heard=part, used=used, until=until, is_end=is_end))
            else:
                await self._store.write(lambda tx: presence.save_shared(tx.connection, part, self.id, until))

        await flushing.store(self._board, heard, keep)

    async def announce(self, turns: Sequence[Turn]) -> tuple[int, ...]:
        """Announce verdicts, unless another replica knows better or did so; returns the keys of runtimes that were succeeded.

        Raises: Unavailable, and none of them was announced
        """
        heard = {turn.entry.runtime_key: merging.heard_of(turn.entry) for turn in turns}
        done = await self._store.write(
            partial(liveness.announce_shared, turns=turns, heard=heard, succeeded=self._board.is_succeeded_by)
        )
        self._again.update(done.dropped)  # read with the next look
        return done.retired

    async def look_up(self, integration_id: str, environment_id: str, runtime_id: str) -> Entry | None:
        """Ask the database for a runtime that is not known here, or otherwise than it says itself.

        Where that is known to be of no use, as without a database, what memory knows is the answer.
        """
        place = (integration_id, environment_id, runtime_id)
        known = self._board.find(*place)
        now_s, age_s = self.ticks(), self.looked_age_s()
        if age_s is None or age_s > FRESH_S or now_s - self._asked.get(place, -LOOK_UP_EVERY_S) < LOOK_UP_EVERY_S:
            return known
        if len(self._asked) >= _ASKED_MAX:
            self._asked = {one: at for one, at in self._asked.items() if now_s - at < LOOK_UP_EVERY_S}
        self._asked[place] = now_s
        try:
            async with asyncio.timeout(LOOK_UP_S):
                row = await self._store.read(
                    partial(
                        presence.find,
                        runtime_id=runtime_id,
                        integration_id=integration_id,
                        environment_id=environment_id,
                    )
                )
        except (PilothouseError, TimeoutError):
            return known
        if row is not None and self._board.find(*place) is known:  # else it was stored here meanwhile
            merging.merge(self._board, [row])
        return self._board.find(*place)

    def tidy(self, tx: Transaction) -> None:
        """Forget replicas that ended long ago, and what they told."""
        replicas.forget_ended(tx.connection, self._clock.now() - FORGET_S)
        tellings.forget_unknown(tx.connection)

    def _ask_clock(self, connection: Connection) -> None:
        before = self._machine.now()
        theirs = replicas.clock_of(connection)
        if isinstance(self._clock, AgreedClock):
            self._clock.correct(theirs, before, self._machine.now())

    def _correct(self, view: _View) -> None:
        if isinstance(self._clock, AgreedClock) and self._clock.correct(view.theirs, view.before, view.after):
            _log.warning(
                "clock.corrected", offset_s=round(self._clock.offset_s, 3), fix="Keep this machine's time by NTP."
            )

    async def _put_together(self, view: _View, meanwhile: set[int]) -> None:
        for start in range(0, len(view.heard), _AT_ONCE):
            merging.hear(self._board, view.heard[start : start + _AT_ONCE])
            await asyncio.sleep(0)
        rows = {row.runtime_key: row for row in [*view.changed, *view.again]}
        self._again |= rows.keys() & meanwhile
        retired = merging.merge(self._board, [row for key, row in rows.items() if key not in meanwhile])
        for key in retired:
            for told in self._on_retired:
                told(key)

    def _is_other(self, row: ReplicaRow) -> bool:
        return row.id != self.id and row.ended_at is None

    def _see(self, rows: Iterable[ReplicaRow], since_s: float) -> list[ReplicaRow]:
        """Note who is there; returns those that were found gone just now."""
        found = {row.id: row for row in rows if row.id != self.id}
        gone: list[ReplicaRow] = []
        for id_, before in list(self._others.items()):
            row = found.get(id_)
            if row is None or row.ended_at is not None:
                del self._others[id_]
                if before.is_gone:
                    continue
                if row is None or _was_lost(row):
                    self._board.lost_until = self._clock.now()
                self._tell_of_death(id_)
        for id_, row in found.items():
            if row.ended_at is not None:
                continue
            watched = self._others.setdefault(id_, _Watched(row))
            if row.beat != watched.row.beat:
                self._others[id_] = _Watched(row)
                if watched.is_gone:  # it stood still, with beats that it had not read yet
                    self._board.lost_until = self._clock.now()
                continue
            watched.unchanged_s += since_s
            watched.looks += 1
            if not watched.is_gone and watched.unchanged_s >= DEAD_S and watched.looks >= LOOKS_MIN:
                watched.is_gone = True
                self._board.lost_until = self._clock.now()
                self.deaths += 1
                _log.warning("replica.gone", replica=id_, host=row.host, process=row.process)
                self._tell_of_death(id_)
                gone.append(row)
        return gone

    def _know(self, looked_at: Instant) -> None:
        """Note up to when everything is known."""
        others = self.others
        self._board.replicas = 1 + len(others)
        self._board.known_until = min([looked_at, *(row.flushed_at for row in others)]) if others else None

    def _tell_of_death(self, id_: str) -> None:
        for told in self._on_death:
            told(id_)

    async def _bury(self, row: ReplicaRow) -> None:
        at = self._clock.now()
        try:
            await self._store.write(lambda tx: replicas.bury(tx.connection, row, at))
        except PilothouseError as error:
            _log.warning("replica.not_buried", replica=row.id, cause=error.message)

    def _keep(
        self, tx: Transaction, heard: Sequence[Heard], used: Mapping[str, Instant], until: Instant, *, is_end: bool
    ) -> None:
        presence.save_shared(tx.connection, heard, self.id, until)
        if until - self._forgot_at > heard_batches.KEPT_S / 2 or until < self._forgot_at:
            heard_batches.forget(tx.connection, until - heard_batches.KEPT_S)
            self._forgot_at = until
        secrets.note_use(tx.connection, used)
        self._renew(tx, until, is_end=is_end)

    def _renew(self, tx: Transaction, until: Instant, *, is_end: bool = False) -> None:
        if not replicas.renew(tx.connection, self.id, until, until if is_end else None):
            replicas.add(
                tx.connection,
                ReplicaRow(
                    id=self.id,
                    host=self.host,
                    process=os.getpid(),
                    release=__version__[:40],
                    key_number=self._key_number,
                    started_at=self._started_at,
                    beat=0,
                    flushed_at=until,
                    ended_at=until if is_end else None,
                ),
            )


def _was_lost(row: ReplicaRow) -> bool:
    """Tell whether a replica did not end in order: another one found that it had gone."""
    return row.ended_at is not None and row.ended_at != row.flushed_at


def _begin(connection: Connection, machine: Clock) -> _View:
    number = presence.turn_of(connection)
    before = machine.now()
    theirs = replicas.clock_of(connection)
    after = machine.now()
    return _View(
        number=number,
        rows=replicas.list_all(connection),
        changed=presence.list_all_shared(connection),
        heard=[],
        again=[],
        looked_at=before,
        theirs=theirs,
        before=before,
        after=after,
    )


def _look(connection: Connection, after: int, me: str, again: list[int], machine: Clock) -> _View:
    looked_at = machine.now()
    # Before the turn: who says that something is stored has its turn behind it, and what it stored is looked at below.
    rows = replicas.list_all(connection)
    before = machine.now()
    number, theirs, answered = *replicas.turn_and_clock(connection), machine.now()
    is_news = number > after
    return _View(
        number=number,
        rows=rows,
        changed=presence.list_changed(connection, after) if is_news else [],
        heard=presence.list_heard(connection, after, me) if is_news else [],
        again=presence.list_of(connection, again) if again else [],
        looked_at=looked_at,
        theirs=theirs,
        before=before,
        after=answered,
    )
