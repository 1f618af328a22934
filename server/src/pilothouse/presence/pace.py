"""How much slower Python runtimes are to beat, so that all together ask no more than the server bears."""

from collections.abc import Iterable
from math import ceil

from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence.entry import Entry

_SHARE_LEFT = 0.1
"""However many others there are, Python runtimes share at least so much of what the server bears."""
_PACE_S_MAX = 300
_HEED = 1.001
"""A fleet that asks for no more than this above what is borne keeps its own pace: it is the rounding of sums."""


class Pace:
    """The pace that is told, founded on what everybody would ask at their own."""

    def __init__(self, rules: LivenessRules) -> None:
        self._rules = rules
        self._factor = 1.0
        self._fixed = self._told = 0.0

    @property
    def is_slower(self) -> bool:
        """Whether a slower pace is told now."""
        return self._factor > 1.0

    def weigh(self, entries: Iterable[Entry]) -> None:
        """Add up what some of them ask."""
        fixed, told = self._fixed, self._told
        for entry in entries:
            interval_s = entry.own_interval_s or entry.interval_s
            if entry.status is Status.RUNNING and interval_s:
                if entry.runtime_type is RuntimeType.PY:
                    told += 1 / interval_s
                else:
                    fixed += 1 / interval_s
        self._fixed, self._told = fixed, told

    def decide(self, replicas: int) -> None:
        """Decide by what was added up since the last time."""
        fixed, told = self._fixed, self._told
        self._fixed = self._told = 0.0
        borne = self._rules.beats_per_s_max * replicas
        left = max(borne - fixed, borne * _SHARE_LEFT)
        self._factor = told / left if told > left * _HEED else 1.0

    def next_beat_s(self, entry: Entry) -> int | None:
        """Tell the pace that a runtime is to keep until its next beat; None: its own."""
        own_s = entry.own_interval_s
        if self._factor <= 1.0 or entry.runtime_type is not RuntimeType.PY or own_s is None:
            return None
        return min(_PACE_S_MAX, ceil(own_s * self._factor))
