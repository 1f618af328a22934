"""Lines of logs, counted for each integration and environment by few questions.

All are counted at once first: where everything together is fine, each by itself is. Otherwise halves are asked for, and the
halves of those that are not fine, so that many integrations cost little while few of them are in trouble.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pilothouse.access.places import Place
from pilothouse.alerting.fleet import place_subject
from pilothouse.operations.alert_judging import Found
from pilothouse.reconcile.alerts import Measurement, Rule
from pilothouse.telemetry.model import Level
from pilothouse.telemetry.questions import LogFilter, Scope
from pilothouse.telemetry.store import TelemetryStore

QUESTIONS_MAX: Final = 200
"""A rule asks no more than this at a time: the rest stays as it was."""
ELSEWHERE: Final = "lines"
"""The subject of lines of which no integration is known that has a runtime, or an alert."""


async def measure_lines(
    rule: Rule,
    store: TelemetryStore,
    scope: Scope,
    *,
    places: Iterable[Place],
    question_s: float,
) -> Found:
    """Tell where more lines match than are fine.

    scope: of the rule, with its time
    places: integrations and environments that are known

    Raises: Unavailable, InvalidInput
    """
    counting = _Counting(rule, store, scope, question_s)
    if rule.place.integration_id is not None and rule.place.environment_id is not None:
        count = await counting.ask([rule.place])
        return Found(measurements=[counting.tell(rule.place, count)])
    watched = sorted({place for place in places if rule.watches(place)})
    total = await counting.ask(scope.places)
    if total <= counting.fine:
        return Found(measurements=[*map(counting.tell_fine, watched), counting.tell_elsewhere(0)])
    known = await counting.ask(watched) if watched else 0
    found = await counting.search(watched, known)
    found.append(counting.tell_elsewhere(max(0, total - known)))
    if counting.left > 0:
        return Found(measurements=found)
    return Found(
        measurements=found,
        trouble=f"Lines match in so many integrations that {QUESTIONS_MAX} questions do not tell them apart.",
        complete=False,
    )


class _Counting:
    """The questions of one rule at one moment."""

    def __init__(self, rule: Rule, store: TelemetryStore, scope: Scope, question_s: float) -> None:
        self.fine = rule.threshold or 0.0
        self.left = QUESTIONS_MAX
        self._rule = rule
        self._store = store
        self._scope = scope
        self._question_s = question_s
        self._wanted = LogFilter(levels=tuple(Level[name] for name in rule.levels), regex=rule.pattern or "")

    async def ask(self, places: Sequence[Place]) -> int:
        """Count the lines of some places."""
        self.left -= 1
        scope = msgspec.structs.replace(self._scope, places=tuple(places))
        return await self._store.count_logs(scope, self._wanted, timeout_s=self._question_s)

    async def search(self, places: Sequence[Place], count: int) -> list[Measurement]:
        """Find out which of some places, that have so many lines together, have too many."""
        if count <= self.fine:
            return [self.tell_fine(place) for place in places]
        if len(places) == 1:
            return [self.tell(places[0], count)]
        if self.left <= 0:
            return []
        half = len(places) // 2
        first = await self.ask(places[:half])
        return [
            *await self.search(places[:half], first),
            *await self.search(places[half:], max(0, count - first)),
        ]

    def tell(self, place: Place, count: int) -> Measurement:
        """Say how many there are, and never what they say: who is told of the alert may not read the log."""
        return Measurement(
            subject=place_subject(place),
            holds=count > self.fine,
            message=f"{count} lines matched in {self._rule.window_s} s, where {self.fine:g} are fine.",
            value=float(count),
            place=place,
        )

    def tell_elsewhere(self, count: int) -> Measurement:
        """Say how many there are of what is known to be nowhere."""
        return msgspec.structs.replace(self.tell(self._rule.place, count), subject=ELSEWHERE)

    def tell_fine(self, place: Place) -> Measurement:
        """Say that there are not too many."""
        message = f"No more than {self.fine:g} lines matched in {self._rule.window_s} s."
        return Measurement(subject=place_subject(place), holds=False, message=message, place=place)
