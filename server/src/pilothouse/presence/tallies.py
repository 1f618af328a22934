"""How many runtimes are in which state, by place: kept as each look finds a verdict, so that nobody passes over all of them to count."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from pilothouse.access.places import EVERYWHERE, Place, Reach
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence.entry import Counts, Entry

_COLUMN: Final[Mapping[Status, int]] = MappingProxyType({Status.RUNNING: 0, Status.OFFLINE: 1, Status.UNKNOWN: 2})
DIMENSIONS: Final = ("project_id", "integration_id", "environment_id")


Counted: TypeAlias = tuple[str, str, str, RuntimeType]
"""Project, integration, environment and type of runtimes that are counted together."""


def place_of(entry: Entry) -> Counted:
    """Tell with whom a runtime is counted."""
    return (entry.project_id, entry.integration_id, entry.environment_id, entry.runtime_type)


class Tallies:
    """Runtimes by state in each place, and the keys of those that do not run.

    Bounded by the runtimes on the board; a place that has none any more leaves.
    """

    def __init__(self) -> None:
        self._places: dict[Counted, list[int]] = {}
        self._all = [0, 0, 0]
        self._not_running: dict[Status, set[int]] = {Status.OFFLINE: set(), Status.UNKNOWN: set()}

    def note(self, entry: Entry, status: Status | None) -> None:
        """Count a runtime in a state, and no longer in the one before; None: it is gone."""
        if entry.counted is status:
            return
        place = place_of(entry)
        counted = self._places.setdefault(place, [0, 0, 0])
        for each, change in ((entry.counted, -1), (status, 1)):
            if each is not None:
                counted[_COLUMN[each]] += change
                self._all[_COLUMN[each]] += change
            if each is not None and each is not Status.RUNNING:
                (set.add if change > 0 else set.discard)(self._not_running[each], entry.runtime_key)
        entry.counted = status
        if not any(counted):
            del self._places[place]

    def by(self, dimension: str, reach: Reach) -> dict[str, Counts]:
        """Add up by one of `DIMENSIONS` what lies within a reach."""
        position, counts_all = DIMENSIONS.index(dimension), reach.everything
        found: dict[str, list[int]] = {}
        for place, counted in self._places.items():
            if counts_all or reach.holds(*place[:3]):
                sums = found.setdefault(place[position], [0, 0, 0])
                for column, count in enumerate(counted):
                    sums[column] += count
        return {
            value: Counts(running=running, offline=offline, unknown=unknown)
            for value, (running, offline, unknown) in found.items()
        }

    def count(
        self, reach: Reach, within: Place, runtime_type: RuntimeType | None, states: Collection[Status] = tuple(Status)
    ) -> int:
        """Count those of a part of the tree that lie within a reach, of one type or of all, in some states.

        May be asked by another thread than the one that notes.
        """
        columns = [_COLUMN[state] for state in states]
        if reach.everything and within == EVERYWHERE and runtime_type is None:
            return sum(self._all[column] for column in columns)
        return sum(
            sum(counted[column] for column in columns) for _, counted in self._inside(reach, within, runtime_type)
        )

    def places(
        self, reach: Reach, within: Place, runtime_type: RuntimeType | None, states: Collection[Status]
    ) -> set[Counted]:
        """List what of a part of the tree has runtimes in some states, within a reach; by whichever thread, as above."""
        columns = [_COLUMN[state] for state in states]
        return {
            place
            for place, counted in self._inside(reach, within, runtime_type)
            if any(counted[column] for column in columns)
        }

    def _inside(
        self, reach: Reach, within: Place, runtime_type: RuntimeType | None
    ) -> Iterator[tuple[Counted, list[int]]]:
        wanted = (within.project_id, within.integration_id, within.environment_id, runtime_type)
        for place, counted in list(self._places.items()):  # copied in one step: nobody notes meanwhile
            if all(asked in (None, own) for asked, own in zip(wanted, place, strict=True)) and reach.holds(*place[:3]):
                yield place, counted

    def keys(self, states: Collection[Status]) -> set[int]:
        """List the keys of those that do not run, in some states; by whichever thread, as above."""
        return set[int]().union(*(keys for state, keys in self._not_running.items() if state in states))
