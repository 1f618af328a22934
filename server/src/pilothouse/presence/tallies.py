"""How many runtimes are in which state, by place: kept as each look finds a verdict, so that nobody passes over all of them to count."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.access.places import Reach
from pilothouse.domain.liveness import Status
from pilothouse.presence.entry import Counts, Entry

_COLUMN: Final[Mapping[Status, int]] = MappingProxyType({Status.RUNNING: 0, Status.OFFLINE: 1, Status.UNKNOWN: 2})
DIMENSIONS: Final = ("project_id", "integration_id", "environment_id")


class Tallies:
    """Runtimes by state in each place. Bounded by the places that have runtimes; one that has none any more leaves."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], list[int]] = {}

    def note(self, entry: Entry, status: Status | None) -> None:
        """Count a runtime in a state, and no longer in the one before; None: it is gone."""
        if entry.counted is status:
            return
        place = (entry.project_id, entry.integration_id, entry.environment_id)
        counted = self._places.setdefault(place, [0, 0, 0])
        if entry.counted is not None:
            counted[_COLUMN[entry.counted]] -= 1
        if status is not None:
            counted[_COLUMN[status]] += 1
        entry.counted = status
        if not any(counted):
            del self._places[place]

    def by(self, dimension: str, reach: Reach) -> dict[str, Counts]:
        """Add up by one of `DIMENSIONS` what lies within a reach."""
        position, counts_all = DIMENSIONS.index(dimension), reach.everything
        found: dict[str, list[int]] = {}
        for place, counted in self._places.items():
            if counts_all or reach.holds(*place):
                sums = found.setdefault(place[position], [0, 0, 0])
                for column, count in enumerate(counted):
                    sums[column] += count
        return {
            value: Counts(running=running, offline=offline, unknown=unknown)
            for value, (running, offline, unknown) in found.items()
        }
