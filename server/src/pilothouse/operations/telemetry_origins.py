"""Whom telemetry belongs to: from who sent it and the runtime that it names to a place in the tree."""

from pilothouse.access.places import Place
from pilothouse.base.instants import Instant
from pilothouse.domain.events import Event, EventKind
from pilothouse.presence import Board, Entry
from pilothouse.storage import telemetry_origins
from pilothouse.storage.telemetry_origins import GoneRuntime
from pilothouse.storage.unit import Store
from pilothouse.telemetry.model import Origin
from pilothouse.telemetry.senders import CollectorSender, NotYours, RuntimeSender, Sender

GONE_MAX = 100_000
"""Runtimes that are remembered after they went, about 500 octets each; the one that went first is forgotten first."""

_GOES = (EventKind.RUNTIME_RETIRED, EventKind.RUNTIME_REMOVED)


class OriginBook:
    """Finds origins on the board, and remembers those of runtimes that went: their last records may still be on the way."""

    def __init__(self, board: Board) -> None:
        self._board = board
        # To be written. Cap: what goes between two flushes, and GONE_MAX while the database cannot be written.
        self._unwritten: dict[int, GoneRuntime] = {}
        self._gone: dict[str, tuple[Origin, ...]] = {}

    def follow(self, event: Event) -> None:
        """Remember a runtime that goes. Must hear of it before the board forgets it."""
        entry = None if event.runtime_key is None else self._board.find_key(event.runtime_key)
        if event.kind in _GOES and entry is not None:
            self.remember(_origin_of(entry))
            if len(self._unwritten) < GONE_MAX:
                self._unwritten[entry.runtime_key] = _gone(entry, event.at)

    async def begin(self, store: Store) -> None:
        """Read who went before this start."""
        for one in await store.read(lambda connection: telemetry_origins.list_newest(connection, GONE_MAX)):
            self.remember(
                Origin(
                    project_id=one.project_id,
                    integration_id=one.integration_id,
                    environment_id=one.environment_id,
                    runtime_id=one.runtime_id,
                    runtime_key=one.runtime_key,
                )
            )

    async def flush(self, store: Store) -> None:
        """Write who went since the last time.

        Raises: Unavailable; then they are written the next time
        """
        if not self._unwritten:
            return
        gone = list(self._unwritten.values())
        await store.write(lambda tx: telemetry_origins.keep(tx.connection, gone))
        for one in gone:
            self._unwritten.pop(one.runtime_key, None)

    def remember(self, origin: Origin) -> None:
        """Remember a runtime that is not on the board."""
        runtime_id = origin.runtime_id or ""
        known = self._gone.pop(runtime_id, ())
        self._gone[runtime_id] = (*(one for one in known if one.runtime_key != origin.runtime_key), origin)
        if len(self._gone) > GONE_MAX:
            del self._gone[next(iter(self._gone))]

    def of_runtime(self, key: Sender, runtime_id: str | None) -> Origin:
        """Find the origin of what a sender says of a runtime.

        What a runtime's own token signed belongs to its secret's integration and environment whatever runtime it names.
        A collector's record of a runtime that nobody knows belongs to its token's integration, or to nobody.

        Raises: NotYours
        """
        if isinstance(key, RuntimeSender):
            return self._of_own(key, runtime_id)
        return self._of_collected(key, runtime_id)

    def _of_own(self, sender: RuntimeSender, runtime_id: str | None) -> Origin:
        if runtime_id:
            entry = self._board.find(sender.integration_id, sender.environment_id, runtime_id)
            if entry is not None:
                return _origin_of(entry)
        return Origin(
            project_id=sender.project_id,
            integration_id=sender.integration_id,
            environment_id=sender.environment_id,
            runtime_id=runtime_id or None,
        )

    def _of_collected(self, sender: CollectorSender, runtime_id: str | None) -> Origin:
        place = sender.place
        if runtime_id:
            entries = self._board.list_called(runtime_id)
            own = [entry for entry in entries if _holds(place, _origin_of(entry))]
            if own:  # one id in several integrations is an operator's mistake: the one that lives now has it
                return _origin_of(max(own, key=lambda entry: entry.seen_at))
            gone = self._gone.get(runtime_id, ())
            for origin in reversed(gone):
                if _holds(place, origin):
                    return origin
            if entries or gone:
                raise NotYours("The runtime is not in the place of this ingest token.")
        if place.integration_id is None:
            return Origin(environment_id=place.environment_id, runtime_id=runtime_id or None)
        return Origin(
            project_id=place.project_id,
            integration_id=place.integration_id,
            environment_id=place.environment_id,
            runtime_id=runtime_id or None,
        )


def _gone(entry: Entry, at: Instant) -> GoneRuntime:
    return GoneRuntime(
        runtime_key=entry.runtime_key,
        runtime_id=entry.runtime_id,
        project_id=entry.project_id,
        integration_id=entry.integration_id,
        environment_id=entry.environment_id,
        gone_at=at,
    )


def _origin_of(entry: Entry) -> Origin:
    return Origin(
        project_id=entry.project_id,
        integration_id=entry.integration_id,
        environment_id=entry.environment_id,
        runtime_id=entry.runtime_id,
        runtime_key=entry.runtime_key,
    )


def _holds(place: Place, origin: Origin) -> bool:
    return place.covers(
        Place(
            project_id=origin.project_id,
            integration_id=origin.integration_id,
            environment_id=origin.environment_id,
        )
    )
